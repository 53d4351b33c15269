"""What follows the pages of a full pull: compared, asked about and released, a slice a transaction.

What no page has shown is looked at singly; where that is much, the run is held until a person has agreed.
"""

from collections.abc import Callable, Mapping
from functools import partial
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.models import CustomerTag, Relation, Staff, SyncChain, SyncRun, SyncRunItem, TagOperation
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import cells, customers, first_link, push_backlog, run_ends, run_items, runs, sequence, staff
from wecom_app.services.page_lines import LEFT_OUT
from wecom_app.services.ports import JobArgs
from wecom_app.services.run_items import Item
from wecom_app.services.runtime import Runtime

Phase = Callable[[Session, Runtime, SyncRun], bool]
SLICE = 50
"""Relations asked about, or customers released, in one write transaction."""
STEPS = 50
"""Slices in one job, so that the lane's other jobs get their turn."""


def finish(runtime: Runtime, args: JobArgs) -> None:
    """Go on with what follows the pages, a slice a transaction; running it again goes on where it ended."""
    run_id = int(args["run_id"])
    phases: Mapping[str, Phase] = {**PHASES, "compare": partial(_compare, _missing_marks(runtime, run_id))}
    for _ in range(STEPS):
        is_full = push_backlog.is_full(runtime)
        with runtime.write() as session:
            run = runs.locked(session, run_id)
            if run.state != "running":
                return
            has_to_wait = is_full and run.phase != "compare"
            if has_to_wait or not phases[run.phase](session, runtime, run):
                later = runtime.clock.now() + push_backlog.PAUSE
                runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id, run_at=later)
                return
        runtime.crash_point("pull.after_step")
    with runtime.write() as session:
        runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id)


def _missing_marks(runtime: Runtime, run_id: int) -> Mapping[str, int]:
    """Count the marks that the pages lacked, and of how many; apart, since nobody is to wait for the writer meanwhile.

    No page comes any more once the run compares: what is counted here stays.
    """
    with runtime.read() as session:
        run = session.get_one(SyncRun, run_id)
        if run.phase != "compare":
            return {}
        marks = select(func.count()).where(
            CustomerTag.relation_id != CUSTOMER_LEVEL, CustomerTag.base.is_(True), CustomerTag.tag_id.not_in(LEFT_OUT)
        )
        missing = select(SyncRunItem.detail).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "removal")
        return {
            "removals": sum(len(detail["tag_ids"]) for detail in session.scalars(missing)),
            "marks": session.execute(marks).scalar_one(),
        }


def _compare(missing: Mapping[str, int], session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Write down the next relations that a completed pull of their member did not show; at the end, judge."""
    found = session.execute(_absent(session, run).where(Relation.id > run.cursor).limit(SLICE)).all()
    run_items.add(
        session,
        run.id,
        [
            Item("absent", str(row.id), row.id, {"userid": row.userid, "customer_id": row.customer_id}, waits=True)
            for row in found
        ],
    )
    if found:
        run.cursor = found[-1].id
        return True
    if not missing:
        # It began to compare after the job had begun: the next one counts first.
        return False
    absent = select(func.count()).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "absent")
    facts = {"absent": session.execute(absent).scalar_one(), "relations": run.expected, **missing}
    run.phase, run.cursor = "ask", 0
    run.counts = {**run.counts, "absent": facts["absent"]}
    for kind in ("absent", "removals"):
        runtime.metrics.sync_drift.labels(kind).inc(facts[kind])
    if runs.is_within(facts["absent"], facts["relations"]) and runs.is_within(facts["removals"], facts["marks"]):
        return True
    run.guard = {**run.guard, "deletions": facts}
    run_ends.hold(runtime, run, "这次同步会解除或移除的内容太多，已暂停：请查看预览，确认或拒绝")
    return True


def _absent(session: Session, run: SyncRun) -> Any:
    """Select the live relations of members who were read to the end, that neither a page nor a look has shown since."""
    unread: set[str] = set()
    read: set[str] = set()
    for userids, counts in session.execute(
        select(SyncChain.userids, SyncChain.counts).where(SyncChain.run_id == run.id, SyncChain.state == "done")
    ):
        read.update(userid.lower() for userid in userids)
        unread.update(userid.lower() for userid in counts.get("unread", ()))
    staff_ids = staff.find_ids(session, sorted(read - unread)).values()
    return (
        select(Relation.id, Relation.customer_id, Staff.userid)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(
            Relation.staff_id.in_(list(staff_ids)),
            Relation.lost_at.is_(None),
            Relation.half.is_(False),
            Relation.listed_seq < run.start_seq,
            Relation.seen_seq < run.start_seq,
            Relation.life_seq < run.start_seq,
        )
        .order_by(Relation.id)
    )


def _ask(session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Have the next customers looked at singly, whose tag or friendship was missing from the pages."""
    query = (
        select(SyncRunItem, Relation)
        .join(Relation, Relation.id == SyncRunItem.relation_id)
        .where(SyncRunItem.run_id == run.id, SyncRunItem.state == "waiting", SyncRunItem.id > run.cursor)
        .order_by(SyncRunItem.id)
        .limit(SLICE)
    )
    found = session.execute(query).all()
    if not found:
        if run.first_link and first_link.awaits_looks(session, runtime, run):
            return False
        run.phase, run.cursor = "release", 0
        if run.first_link:
            first_link.preview(session, runtime, run)
        return True
    customers.lock(session, sorted({relation.customer_id for _, relation in found}))
    for item, relation in found:
        item.state, item.asked_seq = "asked", sequence.draw(session)
        if item.kind == "absent":
            relation.absent_seq = item.asked_seq
        relation.dirty_gen += 1
        cells.request_sync(session, runtime.queue, relation.customer_id)
    run.cursor = found[-1][0].id
    return True


def _release(session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Have the next customers pushed whose tags are not yet at WeCom as they should be; at the end, all is done."""
    if run.guard.get("first_link", {}).get("approved"):
        first_link.hold(session, held=False)
    query = (
        select(TagOperation.customer_id)
        .where(cells.IS_OPEN, TagOperation.customer_id > run.cursor)
        .distinct()
        .order_by(TagOperation.customer_id)
        .limit(SLICE)
    )
    found = session.scalars(query).all()
    for customer_id in found:
        cells.request_sync(session, runtime.queue, customer_id)
    if found:
        run.cursor = found[-1]
        return True
    run.reason = None
    run_ends.end(runtime, run, "done")
    return True


PHASES: Mapping[str, Phase] = {"ask": _ask, "release": _release}
"""What is done in each phase after `_compare`; it returns whether to go on at once, rather than in a moment."""
