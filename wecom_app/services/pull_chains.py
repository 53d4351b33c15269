"""Chains of a full pull: some members whose customers are read page by page, each page asked for by the one before.

Called by `pulls`, in the transaction that takes a page in.
"""

import math
from collections import Counter
from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.errors import WeComError
from wecom_app.models import SyncChain, SyncRun
from wecom_app.services import run_items, runs
from wecom_app.services.ports import ContactPage
from wecom_app.services.run_items import Item
from wecom_app.services.runtime import Runtime

CHAINS = 16
MOST_IN_CHAIN = 50
"""Members in one call of batch/get_by_user: pages of a chain come one after the other, so there are many chains."""
MOST_RESTARTS = 2
UNLICENSED = "这位成员没有许可（701008），他的客户读不到，保持原样"
IN_CIRCLES = "企业微信的翻页位置重复，这些成员的客户没有读完；请稍后重新同步"


def begin(session: Session, runtime: Runtime, run_id: int, userids: Sequence[str]) -> None:
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


def open_chain(session: Session, run_id: int, number: int) -> SyncChain | None:
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


def move_on(
    session: Session,
    runtime: Runtime,
    run_id: int,
    number: int,
    cursor: str | None,
    page: ContactPage,
    counts: Counter[str],
) -> None:
    """Keep the next cursor and ask for its page; at the chain's end see whether it was the last."""
    chain = open_chain(session, run_id, number)
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
        finish_if_read(session, runtime, run_id)
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
    finish_if_read(session, runtime, chain.run_id)


def refused(runtime: Runtime, run_id: int, number: int, cursor: str | None, error: WeComError) -> None:
    """Find the member whom WeCom refuses by halving the chain: the others are read, he is shown as unreadable."""
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        chain = open_chain(session, run_id, number)
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
            finish_if_read(session, runtime, run_id)


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
