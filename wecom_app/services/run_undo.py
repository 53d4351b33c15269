"""The job that undoes a run: what it changed is put back where nothing has changed since."""

from collections import Counter

from sqlalchemy import select

from wecom_app.models import ChangeSet, SyncRun
from wecom_app.services import run_ends, runs, undo
from wecom_app.services.ports import JobArgs
from wecom_app.services.run_words import KIND_WORDS
from wecom_app.services.runtime import Runtime

STEPS = 50
"""Change sets in one job, so that the lane's other jobs get their turn."""


def undo_run(runtime: Runtime, args: JobArgs) -> None:
    """Put back what a run changed, one change set after the other, the last first."""
    run_id = int(args["run_id"])
    for _ in range(STEPS):
        with runtime.read() as session:
            run = session.get_one(SyncRun, run_id)
            parent = session.get_one(SyncRun, run.parent_id)
            query = select(ChangeSet.id).where(ChangeSet.parent_id == parent.change_set_id)
            if run.cursor:
                query = query.where(ChangeSet.id < run.cursor)
            change_set_id = session.scalar(query.order_by(ChangeSet.id.desc()).limit(1))
        if run.state != "running":
            return
        if change_set_id is None:
            with runtime.write() as session:
                run_ends.end(runtime, runs.locked(session, run_id), "done")
            return
        reason = f"撤销{KIND_WORDS[parent.kind]}（编号 {run.parent_id}）"
        undone = undo.by_program(runtime, run.asked_by, f"run:{run_id}", change_set_id, reason)
        with runtime.write() as session:
            run = runs.locked(session, run_id)
            run.cursor = change_set_id
            run.counts = dict(Counter(run.counts) + Counter(restored=undone.restored, kept=len(undone.kept)))
    with runtime.write() as session:
        runs.enqueue(session, runtime.queue, runs.UNDO_KIND, run_id)
