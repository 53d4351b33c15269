"""Procrastinate's own schema, and what we add beside it; the migration for PostgreSQL calls `install_schema`.

Nothing of Procrastinate's is changed: its command line and its later migrations keep working.
"""

from sqlalchemy import Connection

from wecom_app.adapters.jobs.cluster.carrier import SchemaManager

ADDITIONS = """
-- What the contract shows about a job and Procrastinate does not keep.
CREATE TABLE IF NOT EXISTS procrastinate_jobs_extra (
    job_id bigint PRIMARY KEY REFERENCES procrastinate_jobs (id) ON DELETE CASCADE,
    created_at timestamptz NOT NULL,
    finished_at timestamptz,
    last_error text
);
-- Procrastinate's index by priority has no queue: a welcome would be looked for behind a million bulk jobs.
CREATE INDEX IF NOT EXISTS ix_procrastinate_jobs_ready
    ON procrastinate_jobs (queue_name, priority DESC, id) WHERE status = 'todo';
-- Its index of locks begins with the id, which is of no use for finding the older jobs of a lock.
CREATE INDEX IF NOT EXISTS ix_procrastinate_jobs_lock
    ON procrastinate_jobs (lock, id) WHERE lock IS NOT NULL AND status IN ('todo', 'doing');
CREATE INDEX IF NOT EXISTS ix_procrastinate_jobs_status ON procrastinate_jobs (status, id);
"""


def install_schema(connection: Connection) -> None:
    """Create whatever is missing, in the caller's transaction; running it again changes nothing."""
    if connection.exec_driver_sql("SELECT to_regclass('procrastinate_jobs')").scalar() is None:
        _run_script(connection, SchemaManager.get_schema())
    _run_script(connection, ADDITIONS)


def is_installed(connection: Connection) -> bool:
    """Return whether `install_schema` has been run on this database."""
    return connection.exec_driver_sql("SELECT to_regclass('procrastinate_jobs_extra')").scalar() is not None


def _run_script(connection: Connection, script: str) -> None:
    # Without parameters psycopg takes several statements at once, and % for itself.
    connection.exec_driver_sql(script, execution_options={"no_parameters": True})
