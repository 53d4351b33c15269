"""A full pull: every member's customers read page by page, compared with what we know, and what differs seen to.

Three jobs of the lane `bulk`: `start` cuts the members into chains, `take_page` reads one page of a chain and keeps
its cursor in the transaction that takes it in, `finish` compares, asks and releases, a slice a transaction. Nothing
is ended by a page: what is missing there is looked at singly, and where that is much, a person is asked first.
"""

import math
from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from datetime import timedelta
from typing import Any

import structlog
from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Owner, SourceKind
from wecom_app.errors import AppError, WeComError, WeComGone, WeComRejected
from wecom_app.models import (
    ChangeSet,
    CustomerTag,
    Deployment,
    Relation,
    Staff,
    SyncChain,
    SyncRun,
    SyncRunItem,
    Tag,
    TagOperation,
)
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import bulk_looks, cells, customers, library, run_items, runs, sequence, staff, undo
from wecom_app.services.bulk_looks import PullFacts
from wecom_app.services.ports import ContactPage, JobArgs
from wecom_app.services.run_items import Item
from wecom_app.services.runtime import Runtime

CHAINS = 16
MOST_IN_CHAIN = 50
"""Members in one call of batch/get_by_user: pages of a chain come one after the other, so there are many chains."""
SLICE = 50
"""Relations asked about, or customers released, in one write transaction."""
PAGE_SLICE = 100
"""Lines of a page taken in by one write transaction: a page of WeCom's has no more."""
MOST_RESTARTS = 2
NO_LICENCE = 701008
"""None of the members asked about has a licence."""
BACKLOG = 1000
PAUSE = timedelta(seconds=5)
"""With that many pushes waiting the rest waits as well: what somebody does now is not to queue behind a pull."""
STEPS = 50
"""Slices in one job, so that the lane's other jobs get their turn."""
EMPTY_LIST = "企业微信返回的成员名单是空的，没有改动任何数据；请检查应用的可见范围与“客户联系”权限，然后重新同步"
NOT_LISTED = "企业微信没有列出这位成员：请检查“客户联系”的使用范围；他的客户保持原样"
UNLICENSED = "这位成员没有许可（701008），他的客户读不到，保持原样"
IN_CIRCLES = "企业微信的翻页位置重复，这些成员的客户没有读完；请稍后重新同步"

log = structlog.get_logger(__name__)


def start(runtime: Runtime, args: JobArgs) -> None:
    """Read the library and the members, and begin a chain of pages for each handful of these."""
    run_id = int(args["run_id"])
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        if run.state not in ("queued", "running") or run.phase != "start":
            return
        run.state, run.started_at = "running", run.started_at or runtime.clock.now()
        run.start_seq = sequence.draw_alone(session)
    try:
        library.pull(runtime, {})
        userids = runtime.wecom.list_follow_userids()
    except WeComError as error:
        _note_or_fail(runtime, run_id, error)
        return
    runtime.crash_point("pull.after_members")
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        if run.state == "running" and run.phase == "start":
            _begin(session, runtime, run, userids)


def _note_or_fail(runtime: Runtime, run_id: int, error: AppError) -> None:
    """Say why a run does not go on; raise what passes by itself, so that it is tried again."""
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        run.reason = error.message[:300]
        if not error.retryable and run.state == "running":
            _end(runtime, run, "failed")
    if error.retryable:
        raise error


def _end(runtime: Runtime, run: SyncRun, state: str) -> None:
    runs.end(run, state, runtime.clock.now())
    runtime.metrics.sync_runs.labels(run.kind, state).inc()
    log.info("sync.run_ended", run_id=run.id, kind=run.kind, state=state)


def _begin(session: Session, runtime: Runtime, run: SyncRun, userids: Sequence[str]) -> None:
    now = runtime.clock.now()
    of = _live_by_member(session)
    if not userids and of:
        run.reason = EMPTY_LIST
        _end(runtime, run, "failed")
        return
    listed = {userid.lower() for userid in userids}
    unlisted = {key: number for key, number in of.items() if key not in listed}
    items = [
        Item("unreadable", key, detail={"reason": NOT_LISTED, "relations": number}) for key, number in unlisted.items()
    ]
    run_items.add(session, run.id, items)
    change_set = ChangeSet(at=now, actor_kind="system", reason=f"全量同步（编号 {run.id}）")
    session.add(change_set)
    session.flush()
    run.change_set_id, run.phase = change_set.id, "pages"
    run.expected = sum(of.values()) - sum(unlisted.values())
    run.counts = {"members": len(userids), "unreadable": len(unlisted)}
    run.first_link = _is_first_link(session)
    if run.first_link:
        _hold_links(session, held=True)
    _begin_chains(session, runtime, run.id, userids)


def _live_by_member(session: Session) -> dict[str, int]:
    query = (
        select(Staff.userid_key, func.count())
        .join(Relation, Relation.staff_id == Staff.id)
        .where(Relation.lost_at.is_(None), Relation.half.is_(False))
        .group_by(Staff.userid_key)
    )
    return dict(session.execute(query).all())


def _is_first_link(session: Session) -> bool:
    """Return whether WeCom's library was somebody else's work, and no pull has ever come to its end."""
    done = select(SyncRun.id).where(SyncRun.kind == "pull", SyncRun.state == "done").limit(1)
    foreign = select(Tag.id).where(Tag.owner == Owner.FOREIGN, Tag.gone_at.is_(None)).limit(1)
    return session.execute(done).first() is None and session.execute(foreign).first() is not None


def _hold_links(session: Session, *, held: bool) -> None:
    deployment = session.execute(select(Deployment)).scalar_one_or_none()
    if deployment is not None:
        deployment.link_held = held


def _begin_chains(session: Session, runtime: Runtime, run_id: int, userids: Sequence[str]) -> None:
    size = min(MOST_IN_CHAIN, max(1, math.ceil(len(userids) / CHAINS)))
    parts = [list(userids[first : first + size]) for first in range(0, len(userids), size)]
    session.add_all(
        SyncChain(run_id=run_id, number=number, userids=part, counts={}) for number, part in enumerate(parts)
    )
    session.flush()
    for number in range(len(parts)):
        runs.enqueue_page(session, runtime.queue, run_id, number)
    if not parts:
        _finish_if_read(session, runtime, run_id)


def take_page(runtime: Runtime, args: JobArgs) -> None:
    """Read the next page of a chain and take it in; the cursor moves in the last slice's transaction."""
    run_id, number = int(args["run_id"]), int(args["number"])
    with runtime.write() as session:
        chain = _open_chain(session, run_id, number)
        if chain is None:
            return
        change_set_id = session.execute(select(SyncRun.change_set_id).where(SyncRun.id == run_id)).scalar_one()
        facts = PullFacts(run_id, change_set_id, sequence.draw_alone(session))
        userids, cursor = list(chain.userids), chain.cursor
    try:
        page = runtime.wecom.list_contacts(userids, cursor)
    except WeComError as error:
        if isinstance(error, WeComGone | WeComRejected) or error.errcode == NO_LICENCE:
            _refused(runtime, run_id, number, cursor, error)
        else:
            _note_or_fail(runtime, run_id, error)
        return
    runtime.crash_point("pull.after_page")
    _read_unknown(runtime, run_id, number, page)
    counts = Counter[str]()
    for first in range(0, max(1, len(page.contacts)), PAGE_SLICE):
        with runtime.write() as session:
            part = page.contacts[first : first + PAGE_SLICE]
            counts += bulk_looks.take_in(session, library.context(runtime), facts, part) if part else Counter()
            if first + PAGE_SLICE >= len(page.contacts):
                _move_on(session, runtime, run_id, number, cursor, page, counts)
                runtime.crash_point("pull.before_commit")
        runtime.crash_point("pull.after_slice")


def _open_chain(session: Session, run_id: int, number: int) -> SyncChain | None:
    """Return the chain; None where it or its run is over or stopped."""
    query = (
        select(SyncChain)
        .join(SyncRun, SyncRun.id == SyncChain.run_id)
        .where(
            SyncChain.run_id == run_id,
            SyncChain.number == number,
            SyncChain.state == "open",
            SyncRun.state == "running",
        )
    )
    return session.execute(query).scalar_one_or_none()


def _read_unknown(runtime: Runtime, run_id: int, number: int, page: ContactPage) -> None:
    """Read the library again, once a chain, where the page shows tags that we have not got."""
    with runtime.read() as session:
        chain = _open_chain(session, run_id, number)
        if chain is None or chain.asked_library or library.knows(session, *page.contacts):
            return
    library.pull(runtime, {})
    with runtime.write() as session:
        chain = _open_chain(session, run_id, number)
        if chain is not None:
            chain.asked_library = True


def _move_on(
    session: Session,
    runtime: Runtime,
    run_id: int,
    number: int,
    cursor: str | None,
    page: ContactPage,
    counts: Counter[str],
) -> None:
    """Keep the next cursor and ask for its page; at the chain's end see whether it was the last."""
    chain = _open_chain(session, run_id, number)
    if chain is None or chain.cursor != cursor:
        return
    unread = list(page.unlicensed_userids)
    known: list[str] = chain.counts.get("unread", [])
    chain.counts = {**Counter(_numbers(chain.counts)) + counts, "unread": sorted({*known, *unread})}
    run_items.add(session, run_id, [Item("unreadable", one, detail={"reason": UNLICENSED}) for one in unread])
    chain.pages += 1
    runtime.metrics.sync_drift.labels("adopted").inc(counts["adopted"])
    if page.next_cursor is None:
        chain.state = "done"
        session.flush()
        _finish_if_read(session, runtime, run_id)
    elif page.next_cursor == chain.landmark:
        _start_again(session, runtime, chain, IN_CIRCLES)
    else:
        chain.cursor = page.next_cursor
        # A landmark at every power of two is enough to meet any circle again.
        if chain.pages & (chain.pages - 1) == 0:
            chain.landmark = page.next_cursor
        runs.enqueue_page(session, runtime.queue, run_id, number)


def _numbers(counts: Mapping[str, Any]) -> dict[str, int]:
    return {name: number for name, number in counts.items() if isinstance(number, int)}


def _start_again(session: Session, runtime: Runtime, chain: SyncChain, reason: str) -> None:
    """Read a chain from its beginning, which changes nothing that was read; a few times, then give it up."""
    chain.restarts += 1
    chain.cursor, chain.landmark, chain.error = None, None, reason[:300]
    if chain.restarts <= MOST_RESTARTS:
        runs.enqueue_page(session, runtime.queue, chain.run_id, chain.number)
        return
    chain.state = "failed"
    items = [Item("failed", userid, detail={"reason": reason}) for userid in chain.userids]
    run_items.add(session, chain.run_id, items)
    session.flush()
    _finish_if_read(session, runtime, chain.run_id)


def _refused(runtime: Runtime, run_id: int, number: int, cursor: str | None, error: WeComError) -> None:
    """Find the member whom WeCom refuses by halving the chain: the others are read, he is shown as unreadable."""
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        chain = _open_chain(session, run_id, number)
        if chain is None or chain.cursor != cursor:
            return
        reason = f"{error.message}（{error.errcode}）"
        if cursor is not None:
            _start_again(session, runtime, chain, reason)
        elif len(chain.userids) > 1:
            _halve(session, runtime, chain)
        else:
            chain.state, chain.error = "failed", reason[:300]
            run.counts = {**run.counts, "unreadable": run.counts.get("unreadable", 0) + 1}
            run_items.add(session, run_id, [Item("unreadable", chain.userids[0], detail={"reason": reason})])
            session.flush()
            _finish_if_read(session, runtime, run_id)


def _halve(session: Session, runtime: Runtime, chain: SyncChain) -> None:
    middle = len(chain.userids) // 2
    largest = select(func.max(SyncChain.number)).where(SyncChain.run_id == chain.run_id)
    number = session.execute(largest).scalar_one() + 1
    rest = SyncChain(run_id=chain.run_id, number=number, userids=chain.userids[middle:], counts={})
    chain.userids = chain.userids[:middle]
    session.add(rest)
    session.flush()
    for one in (chain.number, number):
        runs.enqueue_page(session, runtime.queue, chain.run_id, one)


def _finish_if_read(session: Session, runtime: Runtime, run_id: int) -> None:
    """Go on to compare once no chain is open; the run is locked, so that one of two last chains sees to it."""
    run = runs.locked(session, run_id)
    still = select(SyncChain.number).where(SyncChain.run_id == run_id, SyncChain.state == "open").limit(1)
    if run.phase == "pages" and session.execute(still).first() is None:
        run.phase, run.cursor = "compare", 0
        runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id)


def finish(runtime: Runtime, args: JobArgs) -> None:
    """Go on with what follows the pages, a slice a transaction; running it again goes on where it ended."""
    run_id = int(args["run_id"])
    for _ in range(STEPS):
        with runtime.read() as session:
            waiting = runtime.queue.count_by_state(session).get(("push", "waiting"), 0)
        with runtime.write() as session:
            run = runs.locked(session, run_id)
            if run.state != "running":
                return
            if run.phase != "compare" and waiting > BACKLOG:
                later = runtime.clock.now() + PAUSE
                runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id, run_at=later)
                return
            PHASES[run.phase](session, runtime, run)
        runtime.crash_point("pull.after_step")
    with runtime.write() as session:
        runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id)


def _compare(session: Session, runtime: Runtime, run: SyncRun) -> None:
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
        return
    facts = _deletions(session, run)
    run.phase, run.cursor = "ask", 0
    run.counts = {**run.counts, "absent": facts["absent"]}
    for kind in ("absent", "removals"):
        runtime.metrics.sync_drift.labels(kind).inc(facts[kind])
    if runs.is_within(facts["absent"], facts["relations"]) and runs.is_within(facts["removals"], facts["marks"]):
        return
    run.guard = {**run.guard, "deletions": facts}
    _hold(runtime, run, "这次同步会解除或移除的内容太多，已暂停：请查看预览，确认或拒绝")


def _hold(runtime: Runtime, run: SyncRun, reason: str) -> None:
    run.state, run.reason = "held", reason
    runtime.metrics.sync_guard_trips.labels(run.kind).inc()
    log.warning("sync.held", run_id=run.id, guard=run.guard)


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


def _deletions(session: Session, run: SyncRun) -> dict[str, int]:
    """Count what a run would end, and of how many."""
    absent = select(func.count()).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "absent")
    marks = select(func.count()).where(CustomerTag.relation_id != CUSTOMER_LEVEL, CustomerTag.base.is_(True))
    missing = select(SyncRunItem.detail).where(SyncRunItem.run_id == run.id, SyncRunItem.kind == "removal")
    return {
        "absent": session.execute(absent).scalar_one(),
        "relations": run.expected,
        "removals": sum(len(detail["tag_ids"]) for detail in session.scalars(missing)),
        "marks": session.execute(marks).scalar_one(),
    }


def _ask(session: Session, runtime: Runtime, run: SyncRun) -> None:
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
        run.phase, run.cursor = "release", 0
        if run.first_link:
            _preview_link(session, runtime, run)
        return
    customers.lock(session, sorted({relation.customer_id for _, relation in found}))
    for item, relation in found:
        item.state, item.asked_seq = "asked", sequence.draw(session)
        if item.kind == "absent":
            relation.absent_seq = item.asked_seq
        relation.dirty_gen += 1
        cells.request_sync(session, runtime.queue, relation.customer_id)
    run.cursor = found[-1][0].id


def _preview_link(session: Session, runtime: Runtime, run: SyncRun) -> None:
    """Hold the first link back until somebody has seen what it would write to other members' customers."""
    waiting = (
        select(func.count(func.distinct(CustomerTag.relation_id)), func.count())
        .join(Relation, Relation.id == CustomerTag.relation_id)
        .where(
            CustomerTag.relation_id != CUSTOMER_LEVEL,
            CustomerTag.source_kind == SourceKind.WECOM_LINK,
            CustomerTag.acked_ver < CustomerTag.ver,
            Relation.lost_at.is_(None),
        )
    )
    relations, marks = session.execute(waiting).one()
    if not relations:
        _hold_links(session, held=False)
        return
    taken = runs.view(session, run, runtime.clock.now()).counts
    seconds = runtime.wecom_status.push_time_s(relations)
    run.guard = {
        **run.guard,
        "first_link": {
            "customers": taken.get("contacts", 0),
            "adopted": taken.get("adopted", 0),
            "push_relations": relations,
            "push_marks": marks,
            "push_seconds": None if seconds is None else round(seconds),
        },
    }
    _hold(runtime, run, "首次同步已读完：确认后才会把同一位客户的标签写到其他成员名下")


def _release(session: Session, runtime: Runtime, run: SyncRun) -> None:
    """Have the next customers pushed whose tags are not yet at WeCom as they should be; at the end, all is done."""
    if run.guard.get("first_link", {}).get("approved"):
        _hold_links(session, held=False)
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
        return
    run.reason = None
    _end(runtime, run, "done")


def undo_run(runtime: Runtime, args: JobArgs) -> None:
    """Put back what a pull took over, one change set after the other, the last first."""
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
                _end(runtime, runs.locked(session, run_id), "done")
            return
        reason = f"撤销全量同步（编号 {run.parent_id}）"
        undone = undo.by_program(runtime, run.asked_by, f"run:{run_id}", change_set_id, reason)
        with runtime.write() as session:
            run = runs.locked(session, run_id)
            run.cursor = change_set_id
            run.counts = dict(Counter(run.counts) + Counter(restored=undone.restored, kept=len(undone.kept)))
    with runtime.write() as session:
        runs.enqueue(session, runtime.queue, runs.UNDO_KIND, run_id)


PHASES: Mapping[str, Callable[[Session, Runtime, SyncRun], None]] = {
    "compare": _compare,
    "ask": _ask,
    "release": _release,
}
