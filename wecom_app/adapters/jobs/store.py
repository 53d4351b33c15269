"""The job table as the embedded engine's workers see it: claims, results, leases and retention."""

import logging
from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Row
from sqlalchemy.orm import Session

from wecom_app.adapters.jobs import statements
from wecom_app.adapters.jobs.contract import KEEP_DEAD, KEEP_DONE, PURGE_ROWS
from wecom_app.adapters.jobs.leases import LEASE, is_ended
from wecom_app.adapters.jobs.outcomes import Outcome, judge_lost
from wecom_app.adapters.jobs.runner import ClaimedJob
from wecom_app.clock import Clock
from wecom_app.prepared import Prepared

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Finished:
    job: ClaimedJob
    outcome: Outcome
    at: datetime


@dataclass(frozen=True, slots=True)
class LostJob:
    """A running row whose owner ended or let its lease run out."""

    id: int
    owner: str
    last_error: str | None


class JobStore:
    """Every method takes part in the caller's transaction; `owner` is the name it claims jobs under."""

    def __init__(self, clock: Clock, lanes: Sequence[str], owner: str) -> None:
        self._clock, self._owner, self._lanes = clock, owner, tuple(lanes)
        self._lanes_with_due = statements.lanes_with_due(self._lanes)
        self._next_due = statements.next_due(self._lanes)

    def lanes_with_due(self, session: Session) -> tuple[str, ...]:
        """Return the lanes in which a job could be claimed, in their fixed order."""
        found = set(self._lanes_with_due.scalars(session, {"now": self._clock.now()}))
        return tuple(lane for lane in self._lanes if lane in found)

    def next_due(self, session: Session) -> datetime | None:
        due: datetime | None = session.connection().execute(self._next_due).scalar()
        return due

    def claim(self, session: Session, free: Mapping[str, int]) -> list[ClaimedJob]:
        """Take at most `free[lane]` jobs of each lane, best first."""
        lanes = tuple(lane for lane in self._lanes if free.get(lane))
        if not lanes:
            return []
        now = self._clock.now()
        places = {f"free_{lane}": free[lane] for lane in lanes}
        rows = statements.claim(lanes).rows(session, {"now": now, "until": now + LEASE, "owner": self._owner, **places})
        # RETURNING promises no order.
        ordered = sorted(rows, key=lambda row: (-row.priority, row.id))
        return [
            ClaimedJob(row.id, row.kind, row.lane, row.args, row.unique, row.attempts, row.created_at)
            for row in ordered
        ]

    def write_back(self, session: Session, finished: Iterable[Finished]) -> None:
        """Record results; one whose lease was lost in the meantime changes nothing."""
        done: list[int] = []
        for result in finished:
            if result.outcome.state == "done":
                done.append(result.job.id)
            else:
                due = result.at + timedelta(seconds=result.outcome.delay_s)
                self._write(session, result.job.id, result.outcome, due, self._owner)
        if done:
            written = self._run(session, statements.FINISH, self._owner, job_ids=done, now=self._clock.now())
            if written < len(done):
                logger.warning("jobs.lease_lost", extra={"jobs": len(done) - written})

    def heartbeat(self, session: Session, job_ids: Collection[int]) -> None:
        """Keep the leases of these jobs."""
        until = self._clock.now() + LEASE
        self._run(session, statements.HEARTBEAT, self._owner, job_ids=list(job_ids), until=until)

    def list_lost(self, session: Session, live: Collection[int]) -> list[LostJob]:
        """Return the running rows that nobody works on any more; `live` are those that this process does."""
        now = self._clock.now()
        ended: dict[str, bool] = {}
        return [
            LostJob(row.id, row.lease_owner, row.last_error)
            for row in statements.RUNNING.rows(session, {})
            if row.id not in live and (_ran_out(row, now) or _has_ended(row.lease_owner, ended))
        ]

    def reclaim(self, session: Session, live: Collection[int]) -> None:
        """Put lost jobs back; looked up anew, since an owner may have come back meanwhile."""
        for job in self.list_lost(session, live):
            outcome = judge_lost(job.last_error)
            due = self._clock.now() + timedelta(seconds=outcome.delay_s)
            self._write(session, job.id, outcome, due, job.owner)

    def release(self, session: Session, job_ids: Iterable[int]) -> None:
        """Give jobs back that this process will not finish, without counting the attempt."""
        now = self._clock.now()
        for job_id in job_ids:
            if not self._run(session, statements.SUPERSEDE, self._owner, job_id=job_id, now=now):
                self._run(session, statements.RELEASE, self._owner, job_id=job_id, now=now)

    def list_expired(self, session: Session) -> list[int]:
        """Return at most a transaction's worth of rows that were kept long enough."""
        now = self._clock.now()
        parameters = {"limit": PURGE_ROWS, "done_before": now - KEEP_DONE, "dead_before": now - KEEP_DEAD}
        return list(session.connection().execute(statements.EXPIRED, parameters).scalars())[:PURGE_ROWS]

    def purge(self, session: Session) -> int:
        """Delete what `list_expired` names and return how many rows that were."""
        job_ids = self.list_expired(session)
        if job_ids:
            session.connection().execute(statements.DELETE, {"job_ids": job_ids})
        return len(job_ids)

    def _write(self, session: Session, job_id: int, outcome: Outcome, due: datetime, owner: str) -> None:
        now = self._clock.now()
        if outcome.state == "dead":
            self._run(session, statements.BURY, owner, job_id=job_id, error=outcome.error, now=now)
        elif not self._run(session, statements.SUPERSEDE, owner, job_id=job_id, now=now):
            self._run(session, statements.RETRY, owner, job_id=job_id, error=outcome.error, due=due)

    @staticmethod
    def _run(session: Session, statement: Prepared, owner: str, **parameters: Any) -> int:
        return statement.run(session, {"owner": owner, **parameters})


def _ran_out(row: Row[*tuple[Any, ...]], now: datetime) -> bool:
    return bool(row.lease_until is None or row.lease_until <= now)


def _has_ended(owner: str, known: dict[str, bool]) -> bool:
    if owner not in known:
        known[owner] = is_ended(owner)
    return known[owner]
