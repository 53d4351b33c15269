"""Durable work and the clock that asks for it; `adapters.jobs` and `adapters.scheduler` implement them."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session


class Scheduler(Protocol):
    """The clock of a process that runs jobs."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


JobArgs = dict[str, Any]
CANCELLED = "cancelled"
"""The last error of a job that a person ended."""


@dataclass(frozen=True)
class JobView:
    """A job as lists show it."""

    id: int
    kind: str
    lane: str
    state: str
    key: str | None
    args: JobArgs
    attempts: int
    priority: int
    run_at: datetime
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class JobPage:
    items: tuple[JobView, ...]
    next_cursor: int | None


class JobQueue(Protocol):
    """Durable work, at least once; the contract that both engines keep (tests/adapters/jobs).

    *key*: jobs of one (lane, key) run one at a time in order of id, a job in retry back-off keeps its place,
    priority is ignored inside a key, and keyed jobs are never enqueued with run_at (ValueError).
    *unique*: at most one **waiting** job per (kind, unique); the second enqueue returns None and leaves the
    transaction usable; a retry that meets a waiting twin is dropped. Larger priority first.
    """

    def enqueue(
        self,
        session: Session,
        kind: str,
        args: JobArgs,
        *,
        lane: str,
        key: str | None = None,
        unique: str | None = None,
        run_at: datetime | None = None,
        priority: int = 0,
    ) -> int | None:
        """Add a job in the caller's transaction; return its id, or None if a waiting twin serves."""
        ...

    def list_jobs(
        self,
        session: Session,
        *,
        state: str | None = None,
        kind: str | None = None,
        error: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Return jobs, newest first; `error` is a text that the last error must contain."""
        ...

    def get_job(self, session: Session, job_id: int) -> JobView | None: ...

    def count_by_state(self, session: Session) -> Mapping[tuple[str, str], int]:
        """Return how many jobs stand in each (lane, state) of waiting, retrying, running and dead."""
        ...

    def is_queue_longer(self, session: Session, lane: str, than: int) -> bool:
        """Return whether more jobs of a lane than this are due and wait for a worker; reads no more than it needs."""
        ...

    def replay(self, session: Session, job_id: int) -> bool:
        """Put a dead job back to waiting; False if it is not dead (or a waiting twin serves)."""
        ...

    def cancel(self, session: Session, job_id: int) -> bool:
        """End a waiting or retrying job as dead; False if it is running or over."""
        ...

    def wake(self, *, urgent: bool = True) -> None:
        """Tell this process's workers that something was committed."""
        ...

    def step(self) -> bool:
        """Run at most one due job in the calling thread; False if none was due. For threads=False."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the earliest waiting or retrying job falls due, None if there is none."""
        ...

    def start(self, lanes: Sequence[str] | None = None) -> None:
        """Start the worker threads of the given lanes (default: all)."""
        ...

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take no new job, let the running ones finish for `timeout_s`, then return."""
        ...

    def beat_age_s(self) -> float | None:
        """Return how long ago this process's workers last looked for work; None where it runs none."""
        ...

    def purge(self) -> int:
        """Delete at most a transaction's worth of done and dead jobs that were kept long enough; return how many."""
        ...
