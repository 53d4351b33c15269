"""How a run of sync ends or stands still: written down, told in the log and counted.

Called by the jobs that do the work, and by `services.watch` for a run whose job was given up.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.errors import AppError
from wecom_app.models import SyncRun
from wecom_app.services import runs
from wecom_app.services.runtime import Runtime

log = structlog.get_logger(__name__)
GIVEN_UP = "没有做完就停下了（多次中断、出错或被取消）：可以从停下的地方继续"
UNDER_WAY = ("waiting", "running", "retrying", "waiting", "running")
"""States of a job that will still be done; twice, as one may begin and leave its work to another meanwhile."""
MOST_LISTED = 200


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


def end_given_up(runtime: Runtime) -> None:
    """Let runs fail whose job was given up: after a fault of ours, or processes that ended again and again."""
    with runtime.read() as session:
        given_up = _given_up(session, runtime)
    for run_id in given_up:
        with runtime.write() as session:
            if run_id in _given_up(session, runtime):
                run = runs.locked(session, run_id)
                run.reason = GIVEN_UP
                end(runtime, run, "failed")


def _given_up(session: Session, runtime: Runtime) -> list[int]:
    """Return the runs under way of whose jobs one is dead and none is still to be done."""
    under_way = select(SyncRun.id).where(SyncRun.state.in_(("queued", "running"))).order_by(SyncRun.id)
    return [
        run_id
        for run_id in session.scalars(under_way).all()
        if _has_job(session, runtime, run_id, ("dead",)) and not _has_job(session, runtime, run_id, UNDER_WAY)
    ]


def _has_job(session: Session, runtime: Runtime, run_id: int, states: Sequence[str]) -> bool:
    listed = (
        job
        for state in states
        for kind in runs.JOB_KINDS
        for job in runtime.queue.list_jobs(session, state=state, kind=kind, limit=MOST_LISTED).items
    )
    return any(job.args.get("run_id") == run_id for job in listed)
