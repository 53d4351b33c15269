"""Procrastinate's tables as our workers see them: claims, results, lost jobs and retention."""

import logging
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import RowMapping
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wecom_app.adapters.jobs.cluster import statements
from wecom_app.adapters.jobs.contract import KEEP_DEAD, KEEP_DONE, PURGE_ROWS
from wecom_app.adapters.jobs.outcomes import SUPERSEDED, Outcome, judge_lost
from wecom_app.adapters.jobs.runner import ClaimedJob
from wecom_app.clock import Clock

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class Claim:
    """A job together with what proves that it is still ours."""

    job: ClaimedJob
    lock: str | None
    queueing_lock: str | None
    worker_id: int


@dataclass(frozen=True, slots=True)
class _Hold:
    """Which run of which job by which worker a statement is about."""

    job_id: int
    attempts: int
    worker_id: int | None
    lock: str | None
    queueing_lock: str | None

    @property
    def parameters(self) -> dict[str, Any]:
        return {"job_id": self.job_id, "attempts": self.attempts, "worker_id": self.worker_id}


def read_claim(row: RowMapping | Mapping[str, Any]) -> Claim:
    """Build a claim from what `statements.CLAIM` returns."""
    unique = row["queueing_lock"] and row["queueing_lock"].removeprefix(statements.RETRY_PREFIX).partition(":")[2]
    job = ClaimedJob(row["id"], row["kind"], row["lane"], row["args"], unique, row["attempts"] + 1, row["created_at"])
    return Claim(job, row["lock"], row["queueing_lock"], row["worker_id"])


class ClusterStore:
    """Every method takes part in the caller's transaction."""

    def __init__(self, clock: Clock, lanes: Sequence[str], stalled_after_s: float) -> None:
        self._clock, self._lanes, self._stalled_after_s = clock, tuple(lanes), stalled_after_s

    def claim(self, session: Session, worker_id: int) -> Claim | None:
        """Take the next job of the first lane that has one due."""
        for lane in self._lanes:
            parameters = {"lane": lane, "worker_id": worker_id, "now": self._clock.now()}
            row = session.connection().execute(statements.CLAIM, parameters).mappings().one_or_none()
            if row is not None:
                return read_claim(row)
        return None

    def next_due(self, session: Session) -> datetime | None:
        due: datetime | None = session.connection().execute(statements.NEXT_DUE, {"lanes": list(self._lanes)}).scalar()
        return due

    def register(self, session: Session) -> int:
        """Return a new worker's id, alive as of now."""
        worker_id: int = session.connection().execute(statements.REGISTER, {"now": self._clock.now()}).scalar_one()
        return worker_id

    def beat(self, session: Session, worker_id: int) -> None:
        session.connection().execute(statements.BEAT, {"worker_id": worker_id, "now": self._clock.now()})

    def write_back(self, session: Session, claim: Claim, outcome: Outcome) -> None:
        """Record a result; one whose job was taken over in the meantime changes nothing."""
        due = self._clock.now() + timedelta(seconds=outcome.delay_s)
        if not self._write(session, _hold(claim), outcome, due):
            logger.warning("jobs.lease_lost", extra={"job_id": claim.job.id})

    def release(self, session: Session, claim: Claim) -> None:
        """Give a job back that this process will not finish, without counting the attempt."""
        hold = _hold(claim)
        if not self._supersede(session, hold):
            self._end_unless_twin(session, hold, statements.RELEASE, now=self._clock.now())
        self._announce(session, hold)

    def detach(self, session: Session, claim: Claim) -> None:
        """Leave a job to be found lost."""
        session.connection().execute(statements.DETACH, _hold(claim).parameters)

    def reclaim(self, session: Session, now: datetime | None) -> int:
        """Put back the jobs whose worker is gone or silent; `now` None compares by the database's clock."""
        parameters = {"now": now, "stalled_after_s": self._stalled_after_s}
        lost = session.connection().execute(statements.LOST, parameters).all()
        for row in lost:
            outcome = judge_lost(row.last_error)
            due = self._clock.now() + timedelta(seconds=outcome.delay_s)
            hold = _Hold(row.id, row.attempts, row.worker_id, row.lock, row.queueing_lock)
            self._write(session, hold, outcome, due)
        return len(lost)

    def purge(self, session: Session) -> int:
        """Delete at most a transaction's worth of jobs that were kept long enough; return how many."""
        now = self._clock.now()
        deleted = 0
        for statuses, before in (
            (["succeeded"], now - KEEP_DONE),
            (["failed", "cancelled", "aborted"], now - KEEP_DEAD),
        ):
            parameters = {"statuses": statuses, "before": before, "limit": PURGE_ROWS - deleted}
            deleted += session.connection().execute(statements.PURGE, parameters).rowcount
        return deleted

    def _write(self, session: Session, hold: _Hold, outcome: Outcome, due: datetime) -> bool:
        now = self._clock.now()
        if outcome.state == "done":
            written = _run(session, hold, statements.FINISH, now=now)
        elif outcome.state == "dead":
            written = _run(session, hold, statements.BURY, now=now, error=outcome.error)
        else:
            written = self._supersede(session, hold) or self._end_unless_twin(
                session, hold, statements.RETRY, due=due, error=outcome.error, now=now
            )
        self._announce(session, hold)
        return written

    def _supersede(self, session: Session, hold: _Hold) -> bool:
        if hold.queueing_lock is None:
            return False
        return _run(
            session,
            hold,
            statements.SUPERSEDE,
            now=self._clock.now(),
            error=SUPERSEDED,
            waiting_lock=hold.queueing_lock.removeprefix(statements.RETRY_PREFIX),
            retrying_lock=_retrying_lock(hold),
        )

    def _end_unless_twin(self, session: Session, hold: _Hold, statement: Any, **parameters: Any) -> bool:
        try:
            with session.connection().begin_nested():
                return _run(session, hold, statement, retrying_lock=_retrying_lock(hold), **parameters)
        except IntegrityError:
            # A twin came between the look and the change; now it can be seen.
            return self._supersede(session, hold)

    @staticmethod
    def _announce(session: Session, hold: _Hold) -> None:
        if hold.lock is not None:
            session.connection().execute(statements.NOTIFY_LOCK, {"lock": hold.lock})


def _hold(claim: Claim) -> _Hold:
    return _Hold(claim.job.id, claim.job.attempts - 1, claim.worker_id, claim.lock, claim.queueing_lock)


def _retrying_lock(hold: _Hold) -> str | None:
    if hold.queueing_lock is None:
        return None
    return statements.RETRY_PREFIX + hold.queueing_lock.removeprefix(statements.RETRY_PREFIX)


def _run(session: Session, hold: _Hold, statement: Any, **parameters: Any) -> bool:
    result = session.connection().execute(statement, {**hold.parameters, **parameters})
    return result.first() is not None
