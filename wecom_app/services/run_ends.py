"""How a run of sync ends or stands still: written down, told in the log and counted.

Called by the jobs that do the work.
"""

import structlog

from wecom_app.errors import AppError
from wecom_app.models import SyncRun
from wecom_app.services import runs
from wecom_app.services.runtime import Runtime

log = structlog.get_logger(__name__)


def note_or_fail(runtime: Runtime, run_id: int, error: AppError) -> None:
    """Say why a run does not go on; raise what passes by itself, so that it is tried again."""
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        run.reason = error.message[:300]
        if not error.retryable and run.state == "running":
            end(runtime, run, "failed")
    if error.retryable:
        raise error


def end(runtime: Runtime, run: SyncRun, state: str) -> None:
    runs.end(run, state, runtime.clock.now())
    runtime.metrics.sync_runs.labels(run.kind, state).inc()
    log.info("sync.run_ended", run_id=run.id, kind=run.kind, state=state)


def hold(runtime: Runtime, run: SyncRun, reason: str) -> None:
    run.state, run.reason = "held", reason
    runtime.metrics.sync_guard_trips.labels(run.kind).inc()
    log.warning("sync.held", run_id=run.id, guard=run.guard)
