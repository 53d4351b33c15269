"""What follows the pages of a full pull: compared, asked about and released, a slice a transaction.

What no page has shown is looked at singly; where that is much, the run is held until a person has agreed.
"""

from collections.abc import Callable, Mapping, Sequence
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

Step = Callable[[Session, Runtime, SyncRun], bool]
"""What a phase writes next; it returns whether to go on at once, rather than in a moment."""
SLICE = 50
"""Relations asked about, or customers released, in one write transaction."""
STEPS = 50
"""Slices in one job, so that the lane's other jobs get their turn."""


def finish(runtime: Runtime, args: JobArgs) -> None:
    """Go on with what follows the pages, a slice a transaction; running it again goes on where it ended.

    What a slice consists of, and all counting, is found out before its transaction: nobody is to wait for the writer
    meanwhile, however many customers there are.
    """
    run_id = int(args["run_id"])
    for _ in range(STEPS):
        is_full = push_backlog.is_full(runtime)
        with runtime.read() as session:
            run = session.get_one(SyncRun, run_id)
            if run.state != "running":
                return
            place, has_to_wait = (run.phase, run.cursor), is_full and run.phase != "compare"
            step = _wait if has_to_wait else PHASES[run.phase](session, runtime, run)
        with runtime.write() as session:
            run = runs.locked(session, run_id)
            if run.state != "running":
                return
            if not _take(step, place, session, runtime, run):
                later = runtime.clock.now() + push_backlog.PAUSE
                runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id, run_at=later)
                return
        runtime.crash_point("pull.after_step")
    with runtime.write() as session:
        runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id)


def _take(step: Step, place: tuple[str, int], session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Take a step, unless another job has come further meanwhile."""
    return (run.phase, run.cursor) != place or step(session, runtime, run)


def _wait(_session: Session, _runtime: Runtime, _run: SyncRun) -> bool:
    return False


def _compare(session: Session, _runtime: Runtime, run: SyncRun) -> Step:
    """Find the next relations that a completed pull of their member did not show; at the end, count."""
    found = session.execute(_absent(session, run).where(Relation.id > run.cursor).limit(SLICE)).all()
    if found:
        return partial(_note_absent, found)
    # No page comes any more once the run compares: what is counted here stays.
    marks = select(func.count()).where(
        CustomerTag.relation_id != CUSTOMER_LEVEL, CustomerTag.base.is_(True), CustomerTag.tag_id.not_in(LEFT_OUT)
    )
    missing = select(SyncRunItem.detail).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "removal")
    absent = select(func.count()).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "absent")
    facts = {
        "absent": session.execute(absent).scalar_one(),
        "relations": run.expected,
        "removals": sum(len(detail["tag_ids"]) for detail in session.scalars(missing)),
        "marks": session.execute(marks).scalar_one(),
    }
    return partial(_judge, facts)


def _note_absent(found: Sequence[Any], session: Session, _runtime: Runtime, run: SyncRun) -> bool:
    run_items.add(
        session,
        run.id,
        [
            Item("absent", str(row.id), row.id, {"userid": row.userid, "customer_id": row.customer_id}, waits=True)
            for row in found
        ],
    )
    run.cursor = found[-1].id
    return True


def _judge(facts: Mapping[str, int], _session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Hold the run where what it would end or take off is much."""
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


def _ask(session: Session, runtime: Runtime, run: SyncRun) -> Step:
    """Find the next customers to be looked at singly, whose tag or friendship was missing from the pages."""
    query = select(SyncRunItem.id, Relation.customer_id).join(Relation, Relation.id == SyncRunItem.relation_id)
    query = query.where(SyncRunItem.run_id == run.id, SyncRunItem.state == "waiting", SyncRunItem.id > run.cursor)
    found = session.execute(query.order_by(SyncRunItem.id).limit(SLICE)).all()
    if found:
        return partial(_have_looked_at, [row.id for row in found], {row.customer_id for row in found})
    if run.first_link and first_link.awaits_looks(session, runtime, run):
        return _wait
    return partial(_end_asking, first_link.estimate(session, runtime, run) if run.first_link else None)


def _have_looked_at(
    item_ids: Sequence[int], customer_ids: set[int], session: Session, runtime: Runtime, run: SyncRun
) -> bool:
    customers.lock(session, sorted(customer_ids))
    query = select(SyncRunItem, Relation).join(Relation, Relation.id == SyncRunItem.relation_id)
    query = query.where(SyncRunItem.id.in_(item_ids), SyncRunItem.state == "waiting").order_by(SyncRunItem.id)
    for item, relation in session.execute(query):
        item.state, item.asked_seq = "asked", sequence.draw(session)
        if item.kind == "absent":
            relation.absent_seq = item.asked_seq
        relation.dirty_gen += 1
        cells.request_sync(session, runtime.queue, relation.customer_id)
    run.cursor = item_ids[-1]
    return True


def _end_asking(estimate: Mapping[str, int] | None, session: Session, runtime: Runtime, run: SyncRun) -> bool:
    run.phase, run.cursor = "release", 0
    if estimate is not None:
        first_link.preview(session, runtime, run, estimate)
    return True


def _release(session: Session, _runtime: Runtime, run: SyncRun) -> Step:
    """Find the next customers whose tags are not yet at WeCom as they should be."""
    query = (
        select(TagOperation.customer_id)
        .where(cells.IS_OPEN, TagOperation.customer_id > run.cursor)
        .distinct()
        .order_by(TagOperation.customer_id)
        .limit(SLICE)
    )
    return partial(_have_pushed, session.scalars(query).all())


def _have_pushed(customer_ids: Sequence[int], session: Session, runtime: Runtime, run: SyncRun) -> bool:
    """Have customers pushed; at the end, all is done."""
    if run.guard.get("first_link", {}).get("approved"):
        first_link.hold(session, held=False)
    for customer_id in customer_ids:
        cells.request_sync(session, runtime.queue, customer_id)
    if customer_ids:
        run.cursor = customer_ids[-1]
        return True
    run.reason = None
    run_ends.end(runtime, run, "done")
    return True


PHASES: Mapping[str, Callable[[Session, Runtime, SyncRun], Step]] = {
    "compare": _compare,
    "ask": _ask,
    "release": _release,
}
"""What is looked up in each phase, and then written."""
