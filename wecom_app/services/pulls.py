"""A full pull: every member's customers read page by page, compared with what we know, and what differs seen to.

Three jobs of the lane `bulk`: `start` cuts the members into chains, `take_page` reads one page of a chain and keeps
its cursor in the transaction that takes it in, `pull_finish.finish` sees to what differs. Nothing is ended by a page.
"""

from collections import Counter
from collections.abc import Mapping, Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.errors import WeComError, WeComGone, WeComMemberBarred, WeComRejected
from wecom_app.models import ChangeSet, Relation, Staff, SyncRun
from wecom_app.services import bulk_looks, first_link, library, pull_chains, run_ends, run_items, runs, sequence
from wecom_app.services.bulk_looks import PullFacts
from wecom_app.services.ports import ContactPage, JobArgs
from wecom_app.services.pull_chains import Place
from wecom_app.services.run_items import Item
from wecom_app.services.runtime import Runtime

PAGE_SLICE = 100
"""Lines of a page taken in by one write transaction: a page of WeCom's has no more."""
PAGES, MOST_S = 8, 2.0
"""Pages, and seconds, after which a job leaves the rest of its chain to another: to claim and to end a job costs about
as much as taking a page in, but a lane's other jobs are to have their turn."""
EMPTY_LIST = "企业微信返回的成员名单是空的，没有改动任何数据；请检查应用的可见范围与“客户联系”权限，然后重新同步"
NOT_LISTED = "企业微信没有列出这位成员：请检查“客户联系”的使用范围；他的客户保持原样"


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
        run_ends.note_or_fail(runtime, run_id, error)
        return
    runtime.crash_point("pull.after_members")
    with runtime.read() as session:
        # Before the write, since it reads all friendships; a few more by then change neither progress nor the guard.
        live = _live_by_member(session)
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        if run.state == "running" and run.phase == "start":
            _begin(session, runtime, run, userids, live)


def _begin(session: Session, runtime: Runtime, run: SyncRun, userids: Sequence[str], live: Mapping[str, int]) -> None:
    now = runtime.clock.now()
    if not userids and live:
        run.reason = EMPTY_LIST
        run_ends.end(runtime, run, "failed")
        return
    listed = {userid.lower() for userid in userids}
    unlisted = {key: number for key, number in live.items() if key not in listed}
    items = [
        Item("unreadable", key, detail={"reason": NOT_LISTED, "relations": number}) for key, number in unlisted.items()
    ]
    run_items.add(session, run.id, items)
    change_set = ChangeSet(at=now, actor_kind="system", reason=f"全量同步（编号 {run.id}）")
    session.add(change_set)
    session.flush()
    run.change_set_id, run.phase = change_set.id, "pages"
    run.expected = sum(live.values()) - sum(unlisted.values())
    run.counts = {"members": len(userids), "unreadable": len(unlisted)}
    run.first_link = first_link.is_first(session)
    if run.first_link:
        first_link.hold(session, held=True)
    pull_chains.begin(session, runtime, run.id, userids)


def _live_by_member(session: Session) -> dict[str, int]:
    query = (
        select(Staff.userid_key, func.count())
        .join(Relation, Relation.staff_id == Staff.id)
        .where(Relation.lost_at.is_(None), Relation.half.is_(False))
        .group_by(Staff.userid_key)
    )
    return dict(session.execute(query).all())


def take_page(runtime: Runtime, args: JobArgs) -> None:
    """Read the next pages of a chain and take them in; the cursor moves in the transaction of a page's last lines."""
    run_id, number = int(args["run_id"]), int(args["number"])
    until = runtime.clock.monotonic() + MOST_S
    for left in reversed(range(PAGES)):
        is_last = left == 0 or runtime.clock.monotonic() >= until
        if not _take_next(runtime, run_id, number, is_last=is_last):
            return


def _take_next(runtime: Runtime, run_id: int, number: int, *, is_last: bool) -> bool:
    """Read one page and take it in; return whether this job is to read the next: another one does after the last."""
    with sequence.looking(runtime) as (session, seq):
        place = pull_chains.find_place(session, run_id, number)
    if place is None:
        return False
    try:
        page = runtime.wecom.list_contacts(place.userids, place.cursor)
    except WeComError as error:
        if isinstance(error, WeComGone | WeComRejected | WeComMemberBarred):
            pull_chains.refused(runtime, place, error)
        else:
            run_ends.note_or_fail(runtime, run_id, error)
        return False
    runtime.crash_point("pull.after_page")
    _read_unknown(runtime, place, page)
    facts, counts = PullFacts(run_id, place.change_set_id, seq), Counter[str]()
    for first in range(0, max(1, len(page.contacts)), PAGE_SLICE):
        with runtime.write() as session:
            part = page.contacts[first : first + PAGE_SLICE]
            counts += bulk_looks.take_in(session, library.context(runtime), facts, part) if part else Counter()
            if first + PAGE_SLICE >= len(page.contacts):
                goes_on = pull_chains.move_on(session, runtime, place, page, counts, ask=is_last)
                runtime.crash_point("pull.before_commit")
        runtime.crash_point("pull.after_slice")
    return goes_on and not is_last


def _read_unknown(runtime: Runtime, place: Place, page: ContactPage) -> None:
    """Read the library again, once a chain, where the page shows tags that we have not got."""
    if place.asked_library or not any(one.tag_ids for contact in page.contacts for one in contact.follow_users):
        return
    with runtime.read() as session:
        if library.knows(session, *page.contacts):
            return
    library.pull(runtime, {})
    with runtime.write() as session:
        pull_chains.note_library_read(session, place)
