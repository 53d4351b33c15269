"""Procrastinate's tables as everybody else sees them: add, list, get, count, replay, cancel."""
# ruff: noqa: S608  what is put into the statements are constants of this module

from collections.abc import Mapping
from datetime import datetime
from typing import Any

from sqlalchemy import Row, text
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wecom_app.adapters.jobs.cluster import statements
from wecom_app.db import dump_json
from wecom_app.services.ports import CANCELLED, JobArgs, JobPage, JobView
from wecom_app.services.runtime import ENQUEUED

_STATE = """CASE
    WHEN job.status = 'todo' THEN CASE WHEN job.attempts > 0 THEN 'retrying' ELSE 'waiting' END
    WHEN job.status = 'doing' THEN 'running'
    WHEN job.status = 'succeeded' THEN 'done'
    ELSE 'dead'
END"""
_VIEW = f"""
SELECT job.id, job.task_name, job.queue_name, {_STATE}, substr(job.lock, length(job.queue_name) + 2),
       job.args, job.attempts + CASE WHEN job.status = 'doing' THEN 1 ELSE 0 END, job.priority,
       COALESCE(job.scheduled_at, extra.created_at), extra.last_error, extra.created_at, extra.finished_at
FROM procrastinate_jobs AS job JOIN procrastinate_jobs_extra AS extra ON extra.job_id = job.id
"""
_ONE = text(f"{_VIEW} WHERE job.id = :job_id")
_CONDITIONS: Mapping[str | None, str] = {
    None: "true",
    "waiting": "job.status = 'todo' AND job.attempts = 0",
    "retrying": "job.status = 'todo' AND job.attempts > 0",
    "running": "job.status = 'doing'",
    "done": "job.status = 'succeeded'",
    "dead": "job.status IN ('failed', 'cancelled', 'aborted')",
}
_PAGES = {
    state: text(
        f"{_VIEW} WHERE {condition} AND (CAST(:before_id AS bigint) IS NULL OR job.id < :before_id)"
        " AND (CAST(:kind AS text) IS NULL OR job.task_name = :kind)"
        " AND (CAST(:error AS text) IS NULL OR strpos(extra.last_error, :error) > 0)"
        " ORDER BY job.id DESC LIMIT :limit"
    )
    for state, condition in _CONDITIONS.items()
}
_COUNTS = text(f"""
SELECT job.queue_name, {_STATE} AS state, count(*) FROM procrastinate_jobs AS job
WHERE job.status <> 'succeeded' GROUP BY 1, 2
""")
_ONE_MORE_DUE = text("""
SELECT 1 FROM procrastinate_jobs
WHERE status = 'todo' AND queue_name = :lane AND (scheduled_at IS NULL OR scheduled_at <= :now)
LIMIT 1 OFFSET :than
""")
_REPLAY = text("""
UPDATE procrastinate_jobs SET status = 'todo', attempts = 0, scheduled_at = NULL, worker_id = NULL,
       queueing_lock = regexp_replace(queueing_lock, '^retry\\|', '')
WHERE id = :job_id AND status IN ('failed', 'cancelled', 'aborted') RETURNING id
""")
_REPLAYED = text("UPDATE procrastinate_jobs_extra SET created_at = :now, finished_at = NULL WHERE job_id = :job_id")
_CANCEL = text("SELECT procrastinate_cancel_job_v1(:job_id, false, false)")
_CANCELLED = text("""
UPDATE procrastinate_jobs_extra SET finished_at = :now, last_error = :error
FROM procrastinate_jobs AS job WHERE job.id = :job_id AND job_id = job.id RETURNING job.lock
""")


def add_job(
    session: Session,
    kind: str,
    args: JobArgs,
    *,
    lane: str,
    key: str | None,
    unique: str | None,
    run_at: datetime | None,
    priority: int,
    now: datetime,
) -> int | None:
    """Defer a job in the caller's transaction unless a waiting one has its unique name."""
    parameters = {
        "lane": lane,
        "kind": kind,
        "priority": priority,
        "lock": None if key is None else f"{lane}:{key}",
        "queueing_lock": None if unique is None else f"{kind}:{unique}",
        "args": dump_json(args),
        "run_at": run_at,
        "now": now,
    }
    job_id = _defer(session, parameters)
    if job_id is not None:
        session.info[ENQUEUED] = True
    return job_id


def _defer(session: Session, parameters: Mapping[str, Any]) -> int | None:
    connection = session.connection()
    if parameters["queueing_lock"] is None:
        return connection.execute(statements.ADD, parameters).scalar()
    try:
        # A twin that another transaction adds at the same time is met only by the unique index.
        with connection.begin_nested():
            return connection.execute(statements.ADD, parameters).scalar()
    except IntegrityError:
        return None


def list_jobs(
    session: Session, state: str | None, kind: str | None, error: str | None, before_id: int | None, limit: int
) -> JobPage:
    query = _PAGES.get(state)
    if query is None:
        return JobPage((), None)
    parameters = {"kind": kind, "error": error, "before_id": before_id, "limit": limit + 1}
    rows = session.connection().execute(query, parameters)
    items = [_view(row) for row in rows]
    more = len(items) > limit
    return JobPage(tuple(items[:limit]), items[limit - 1].id if more else None)


def get_job(session: Session, job_id: int) -> JobView | None:
    row = session.connection().execute(_ONE, {"job_id": job_id}).one_or_none()
    return None if row is None else _view(row)


def count_by_state(session: Session) -> dict[tuple[str, str], int]:
    return {(lane, state): count for lane, state, count in session.connection().execute(_COUNTS)}


def is_queue_longer(session: Session, lane: str, than: int, now: datetime) -> bool:
    parameters = {"lane": lane, "now": now, "than": than}
    return session.connection().execute(_ONE_MORE_DUE, parameters).first() is not None


def replay_job(session: Session, job_id: int, now: datetime) -> bool:
    """Start a dead job afresh: its attempts and its age count from now."""
    connection = session.connection()
    try:
        with connection.begin_nested():
            replayed = connection.execute(_REPLAY, {"job_id": job_id}).first() is not None
    except IntegrityError:
        return False
    if replayed:
        connection.execute(_REPLAYED, {"job_id": job_id, "now": now})
        connection.execute(statements.NOTIFY_JOB, {"job_id": job_id})
        session.info[ENQUEUED] = True
    return replayed


def cancel_job(session: Session, job_id: int, now: datetime) -> bool:
    connection = session.connection()
    if connection.execute(_CANCEL, {"job_id": job_id}).scalar() is None:
        return False
    lock = connection.execute(_CANCELLED, {"job_id": job_id, "now": now, "error": CANCELLED}).scalar()
    if lock is not None:
        connection.execute(statements.NOTIFY_LOCK, {"lock": lock})
        session.info[ENQUEUED] = True
    return True


def _view(row: Row[*tuple[Any, ...]]) -> JobView:
    return JobView(*row)
