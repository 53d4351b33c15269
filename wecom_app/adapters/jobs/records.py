"""The job table as everybody else sees it: add, list, get, count, replay, cancel. Embedded engine only."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, func, select, update
from sqlalchemy.orm import Session

from wecom_app.adapters.jobs import statements
from wecom_app.adapters.jobs.statements import JOB, has_twin, in_states
from wecom_app.services.ports import CANCELLED, JobPage, JobView
from wecom_app.services.runtime import ENQUEUED

VIEW = select(
    JOB.c.id,
    JOB.c.kind,
    JOB.c.lane,
    JOB.c.state,
    JOB.c.key,
    JOB.c.args,
    JOB.c.attempts,
    JOB.c.priority,
    JOB.c.run_at,
    JOB.c.last_error,
    JOB.c.created_at,
    JOB.c.finished_at,
)
COUNTS = (
    select(JOB.c.lane, JOB.c.state, func.count())
    .where(in_states(JOB, "waiting", "retrying", "running", "dead"))
    .group_by(JOB.c.lane, JOB.c.state)
)


def add_job(session: Session, job: Mapping[str, Any]) -> int | None:
    """Insert a job unless a waiting one has its unique name."""
    job_id: int | None = statements.ADD.scalar(session, job)
    if job_id is not None:
        session.info[ENQUEUED] = True
    return job_id


def list_jobs(
    session: Session, state: str | None, kind: str | None, error: str | None, before_id: int | None, limit: int
) -> JobPage:
    query = VIEW.order_by(JOB.c.id.desc()).limit(limit + 1)
    if state is not None:
        query = query.where(JOB.c.state == state)
    if kind is not None:
        query = query.where(JOB.c.kind == kind)
    if error is not None:
        # LIKE would fold case here and not in PostgreSQL.
        query = query.where(func.instr(JOB.c.last_error, error) > 0)
    if before_id is not None:
        query = query.where(JOB.c.id < before_id)
    items = [_view(row) for row in session.connection().execute(query)]
    more = len(items) > limit
    return JobPage(tuple(items[:limit]), items[limit - 1].id if more else None)


def get_job(session: Session, job_id: int) -> JobView | None:
    row = session.connection().execute(VIEW.where(JOB.c.id == job_id)).one_or_none()
    return None if row is None else _view(row)


def count_by_state(session: Session) -> dict[tuple[str, str], int]:
    return {(lane, state): count for lane, state, count in session.connection().execute(COUNTS)}


def is_queue_longer(session: Session, lane: str, than: int, now: datetime) -> bool:
    return statements.ONE_MORE_DUE.scalar(session, {"lane": lane, "now": now, "than": than}) is not None


def replay_job(session: Session, job_id: int, now: datetime) -> bool:
    """Start a dead job afresh: its attempts and its age count from now."""
    return _change(
        session,
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.state == "dead", ~has_twin("waiting"))
        .values(state="waiting", attempts=0, run_at=now, created_at=now, finished_at=None),
    )


def cancel_job(session: Session, job_id: int, now: datetime) -> bool:
    return _change(
        session,
        update(JOB)
        .where(JOB.c.id == job_id, JOB.c.state.in_(["waiting", "retrying"]))
        .values(state="dead", finished_at=now, last_error=CANCELLED),
    )


def _change(session: Session, statement: Any) -> bool:
    changed = bool(session.connection().execute(statement).rowcount)
    if changed:
        # Both can let another job of the key proceed.
        session.info[ENQUEUED] = True
    return changed


def _view(row: Row[*tuple[Any, ...]]) -> JobView:
    return JobView(*row)
