"""The cluster engine's statements on Procrastinate's tables.

A job's key is its `lock` (`lane:key`), its unique name the `queueing_lock` (`kind:unique`). One
difference to Procrastinate's own use: a job in back-off holds the queueing lock `retry|kind:unique`, since
the contract counts only waiting jobs, and Procrastinate refuses the retry of a job whose twin waits (#1446).
"""
# ruff: noqa: S608  what is put into the statements are constants of this module

from sqlalchemy import text
from sqlalchemy.dialects.postgresql import psycopg
from sqlalchemy.sql.elements import TextClause

RETRY_PREFIX = "retry|"

ADD = text(
    """
WITH deferred AS (
    SELECT unnest(procrastinate_defer_jobs_v1(ARRAY[ROW(
        CAST(:lane AS varchar), CAST(:kind AS varchar), CAST(:priority AS integer), CAST(:lock AS text),
        CAST(:queueing_lock AS text), CAST(:args AS jsonb), CAST(:run_at AS timestamptz)
    )::procrastinate_job_to_defer_v1])) AS id
    WHERE NOT EXISTS (
        SELECT FROM procrastinate_jobs WHERE queueing_lock = :queueing_lock AND status = 'todo'
    )
)
INSERT INTO procrastinate_jobs_extra (job_id, created_at) SELECT id, :now FROM deferred RETURNING job_id
""".replace("::", r"\:\:")
)

_FREE = """
    job.status = 'todo'
    AND (job.lock IS NULL OR NOT EXISTS (
        SELECT FROM procrastinate_jobs AS other
        WHERE other.lock = job.lock AND other.id <> job.id
          AND (other.status = 'doing' OR (other.status = 'todo' AND other.id < job.id))
    ))
"""

CLAIM = text(f"""
WITH candidate AS (
    SELECT job.id FROM procrastinate_jobs AS job
    WHERE {_FREE}
      AND job.queue_name = :lane
      AND (job.scheduled_at IS NULL OR job.scheduled_at <= :now)
    ORDER BY job.priority DESC, job.id
    LIMIT 1
    FOR UPDATE OF job SKIP LOCKED
)
UPDATE procrastinate_jobs AS job SET status = 'doing', worker_id = :worker_id
FROM candidate LEFT JOIN procrastinate_jobs_extra AS extra ON extra.job_id = candidate.id
WHERE job.id = candidate.id
RETURNING job.id, job.task_name AS kind, job.queue_name AS lane, job.args, job.queueing_lock, job.lock,
          job.attempts, job.worker_id, COALESCE(extra.created_at, :now) AS created_at
""")
"""Procrastinate's fetch, but: within a lock only the id decides, and the clock is the caller's."""

CLAIM_FOR_PSYCOPG = str(CLAIM.compile(dialect=psycopg.dialect()))  # type: ignore[no-untyped-call]

NEXT_DUE = text(f"""
SELECT min(COALESCE(job.scheduled_at, extra.created_at))
FROM procrastinate_jobs AS job JOIN procrastinate_jobs_extra AS extra ON extra.job_id = job.id
WHERE {_FREE} AND job.queue_name = ANY(:lanes)
""")

# A worker's row may be pruned while its job goes on; until somebody takes the job over, it is still held.
_HELD = """
    id = :job_id AND status = 'doing' AND attempts = :attempts
    AND (worker_id = :worker_id OR worker_id IS NULL)
"""


def _ending(changes: str, notes: str, condition: str = "true") -> TextClause:
    """Change a job that the caller still holds, and what we note beside it; no row if it is held no more."""
    return text(f"""
WITH changed AS (
    UPDATE procrastinate_jobs SET abort_requested = false, {changes}
    WHERE {_HELD} AND {condition} RETURNING id
)
UPDATE procrastinate_jobs_extra SET {notes} FROM changed WHERE job_id = changed.id RETURNING job_id
""")


_HAS_TWIN = """EXISTS (
    SELECT FROM procrastinate_jobs AS twin
    WHERE twin.status = 'todo' AND twin.queueing_lock IN (:waiting_lock, :retrying_lock)
)"""

FINISH = _ending("status = 'succeeded', attempts = attempts + 1", "finished_at = :now, last_error = NULL")
BURY = _ending("status = 'failed', attempts = attempts + 1", "finished_at = :now, last_error = :error")
SUPERSEDE = _ending(
    "status = 'succeeded', attempts = attempts + 1", "finished_at = :now, last_error = :error", _HAS_TWIN
)
RETRY = _ending(
    "status = 'todo', attempts = attempts + 1, worker_id = NULL, scheduled_at = :due, queueing_lock = :retrying_lock",
    "last_error = :error",
)
RELEASE = _ending("status = 'todo', worker_id = NULL, scheduled_at = NULL", "finished_at = NULL")
DETACH = text(f"UPDATE procrastinate_jobs SET worker_id = NULL WHERE {_HELD}")

NOTIFY_LOCK = text("""
SELECT pg_notify(
    'procrastinate_queue_v1#' || queue_name, json_build_object('type', 'job_inserted', 'job_id', id)#>>'{}'
)
FROM procrastinate_jobs WHERE lock = :lock AND status = 'todo' ORDER BY id LIMIT 1
""")
"""Procrastinate announces only new jobs; the next of a lock would wait for a poll."""
NOTIFY_JOB = text("""
SELECT pg_notify(
    'procrastinate_queue_v1#' || queue_name, json_build_object('type', 'job_inserted', 'job_id', id)#>>'{}'
)
FROM procrastinate_jobs WHERE id = :job_id
""")

LOST = text("""
SELECT job.id, job.queueing_lock, job.lock, job.attempts, job.worker_id, extra.last_error
FROM procrastinate_jobs AS job
JOIN procrastinate_jobs_extra AS extra ON extra.job_id = job.id
LEFT JOIN procrastinate_workers AS worker ON worker.id = job.worker_id
WHERE job.status = 'doing' AND (
    worker.id IS NULL
    OR worker.last_heartbeat
       < COALESCE(CAST(:now AS timestamptz), now()) - make_interval(secs => :stalled_after_s)
)
ORDER BY job.id
FOR UPDATE OF job SKIP LOCKED
""")

REGISTER = text("INSERT INTO procrastinate_workers (last_heartbeat) VALUES (:now) RETURNING id")
BEAT = text("UPDATE procrastinate_workers SET last_heartbeat = :now WHERE id = :worker_id")
BEAT_FOR_PSYCOPG = """
INSERT INTO procrastinate_workers (id, last_heartbeat) OVERRIDING SYSTEM VALUE VALUES (%(worker_id)s, now())
ON CONFLICT (id) DO UPDATE SET last_heartbeat = now()
"""
"""Also brings back a worker whose row another one pruned while the database could not be reached."""

PURGE = text("""
DELETE FROM procrastinate_jobs WHERE id IN (
    SELECT oldest.id FROM (
        SELECT job.id, extra.finished_at
        FROM procrastinate_jobs AS job JOIN procrastinate_jobs_extra AS extra ON extra.job_id = job.id
        WHERE job.status = ANY(CAST(:statuses AS procrastinate_job_status[]))
        ORDER BY job.id LIMIT :limit
        FOR UPDATE OF job SKIP LOCKED
    ) AS oldest
    WHERE oldest.finished_at < :before
)
""")
