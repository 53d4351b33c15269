"""Chains of a full pull: some members whose customers are read page by page, each page asked for by the one before.

Called by `pulls`, in the transaction that takes a page in.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import bindparam, exists, func, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import WeComError
from wecom_app.models import Relation, Staff, SyncChain, SyncRun
from wecom_app.prepared import Prepared
from wecom_app.services import run_items, runs
from wecom_app.services.ports import ContactPage
from wecom_app.services.run_items import Item
from wecom_app.services.runtime import Runtime

CHAINS = 16
MOST_IN_CHAIN = 50
"""Members in one call of batch/get_by_user: pages of a chain come one after the other, so there are many chains."""
MOST_RESTARTS = 2
NO_CUSTOMERS = 84061
"""Of a member who has none, WeCom's word for an empty list; of one who had some, nothing is believed."""
UNLICENSED = "这位成员没有许可（701008），他的客户读不到，保持原样"
IN_CIRCLES = "企业微信的翻页位置重复，这些成员的客户没有读完；请稍后重新同步"

CHAIN = SyncChain.__table__
PLACE = Prepared(
    select(
        CHAIN.c.run_id,
        CHAIN.c.number,
        CHAIN.c.userids,
        CHAIN.c.cursor,
        CHAIN.c.landmark,
        CHAIN.c.pages,
        CHAIN.c.counts,
        CHAIN.c.asked_library,
        SyncRun.change_set_id,
    )
    .join(SyncRun, SyncRun.id == CHAIN.c.run_id)
    .where(
        CHAIN.c.run_id == bindparam("run_id"),
        CHAIN.c.number == bindparam("number"),
        CHAIN.c.state == "open",
        SyncRun.state == "running",
    )
)
THIS = update(SyncChain).where(CHAIN.c.run_id == bindparam("of_run"), CHAIN.c.number == bindparam("of_number"))
LIBRARY_READ = THIS.values(asked_library=True)
MOVE_ON = Prepared(
    THIS.where(
        CHAIN.c.state == "open",
        func.coalesce(CHAIN.c.cursor, "") == bindparam("from_cursor"),
        exists(select(SyncRun.id).where(SyncRun.id == bindparam("of_run"), SyncRun.state == "running")),
    ).values({name: bindparam(name) for name in ("state", "cursor", "landmark", "pages", "counts")})
)


@dataclass(frozen=True)
class Place:
    """Where a chain stands: the page that `cursor` leads to is to be read next."""

    run_id: int
    number: int
    userids: list[str]
    cursor: str | None
    landmark: str | None
    pages: int
    counts: Mapping[str, Any]
    asked_library: bool
    change_set_id: int | None
    """The parent of the change sets that the run makes."""


def begin(session: Session, runtime: Runtime, run_id: int, userids: Sequence[str]) -> None:
    """Cut the members into chains, and have the first page of each read."""
    size = min(MOST_IN_CHAIN, max(1, math.ceil(len(userids) / CHAINS)))
    parts = [list(userids[first : first + size]) for first in range(0, len(userids), size)]
    session.add_all(
        SyncChain(run_id=run_id, number=number, userids=part, counts={}) for number, part in enumerate(parts)
    )
    session.flush()
    for number in range(len(parts)):
        runs.enqueue_page(session, runtime.queue, run_id, number)
    if not parts:
        finish_if_read(session, runtime, run_id)


def find_place(session: Session, run_id: int, number: int) -> Place | None:
    """Return where a chain stands; None where it or its run is over or stopped."""
    row = PLACE.row(session, {"run_id": run_id, "number": number})
    return None if row is None else Place(*row)


def note_library_read(session: Session, place: Place) -> None:
    """Note that the library was read again because of a page: once a chain is enough."""
    session.connection().execute(LIBRARY_READ, {"of_run": place.run_id, "of_number": place.number})


def move_on(
    session: Session, runtime: Runtime, place: Place, page: ContactPage, counts: Counter[str], *, ask: bool
) -> bool:
    """Keep the next cursor, and have its page read if `ask`; return whether there is a next page to read.

    Where the chain has moved meanwhile, or its run was stopped, nothing is kept. At the chain's end it is seen to
    whether it was the last.
    """
    told: Sequence[str] = place.counts.get("unread", ())
    unread, following = sorted(set(page.unlicensed_userids).difference(told)), page.next_cursor
    goes_round = following is not None and following == place.landmark
    known = {name: found for name, found in place.counts.items() if isinstance(found, int)}
    values = {
        "state": "done" if following is None else "open",
        "cursor": place.cursor if following is None or goes_round else following,
        # A landmark at every power of two is enough to meet any circle again.
        "landmark": place.landmark if place.pages & (place.pages + 1) else following,
        "pages": place.pages + 1,
        "counts": {**Counter(known) + counts, "unread": sorted({*told, *unread})},
    }
    where = {"of_run": place.run_id, "of_number": place.number, "from_cursor": place.cursor or ""}
    if MOVE_ON.run(session, {**values, **where}) == 0:
        return False
    run_items.add(session, place.run_id, [Item("unreadable", one, detail={"reason": UNLICENSED}) for one in unread])
    runtime.metrics.sync_drift.labels("adopted").inc(counts["adopted"])
    if following is None:
        finish_if_read(session, runtime, place.run_id)
    elif goes_round:
        _start_again(session, runtime, session.get_one(SyncChain, (place.run_id, place.number)), IN_CIRCLES)
    elif ask:
        runs.enqueue_page(session, runtime.queue, place.run_id, place.number)
    return following is not None and not goes_round


def _open_chain(session: Session, place: Place) -> SyncChain | None:
    """Return the chain if it is still there, and its run going on."""
    found = find_place(session, place.run_id, place.number)
    if found is None or found.cursor != place.cursor:
        return None
    return session.get_one(SyncChain, (place.run_id, place.number))


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
    finish_if_read(session, runtime, chain.run_id)


def refused(runtime: Runtime, place: Place, error: WeComError) -> None:
    """Find the member whom WeCom refuses by halving the chain: the others are read, he is shown as unreadable."""
    with runtime.write() as session:
        run = runs.locked(session, place.run_id)
        chain = _open_chain(session, place)
        if chain is None:
            return
        reason = f"{error.message}（{error.errcode}）"
        if place.cursor is not None:
            _start_again(session, runtime, chain, reason)
        elif len(chain.userids) > 1:
            _halve(session, runtime, chain)
        elif error.errcode == NO_CUSTOMERS and not _has_customers(session, chain.userids[0]):
            chain.state = "done"
            session.flush()
            finish_if_read(session, runtime, run.id)
        else:
            chain.state, chain.error = "failed", reason[:300]
            run.counts = {**run.counts, "unreadable": run.counts.get("unreadable", 0) + 1}
            run_items.add(session, run.id, [Item("unreadable", chain.userids[0], detail={"reason": reason})])
            session.flush()
            finish_if_read(session, runtime, run.id)


def _has_customers(session: Session, userid: str) -> bool:
    live = (
        select(Relation.id)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(Staff.userid_key == userid.lower(), Relation.lost_at.is_(None), Relation.half.is_(False))
    )
    return session.execute(live.limit(1)).first() is not None


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


def finish_if_read(session: Session, runtime: Runtime, run_id: int) -> None:
    """Go on to compare once no chain is open; the run is locked, so that one of two last chains sees to it."""
    run = runs.locked(session, run_id)
    still = select(SyncChain.number).where(SyncChain.run_id == run_id, SyncChain.state == "open").limit(1)
    if run.phase == "pages" and session.execute(still).first() is None:
        run.phase, run.cursor = "compare", 0
        runs.enqueue(session, runtime.queue, runs.FINISH_KIND, run_id)
