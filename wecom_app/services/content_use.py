"""What became of content: recorded by the sidebar, counted for the console and the API."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from zoneinfo import ZoneInfo

from sqlalchemy import case, delete, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.contents import RESULTS
from wecom_app.errors import InvalidInput, NotFound
from wecom_app.models import ContentEvent, ContentItem, Staff
from wecom_app.services import content
from wecom_app.services.upsert import insert_ignore

WINDOW = timedelta(days=30)
KEPT_FOR = timedelta(days=400)
"""Longer than anything asks back: the longest rest after a dismissal is a year."""


@dataclass(frozen=True)
class Use:
    """How often an item was shown (once a day for each customer and member), sent and dismissed in 30 days."""

    shown: int = 0
    sent: int = 0
    dismissed: int = 0


@dataclass(frozen=True)
class StaffUse:
    """The same by one member."""

    userid: str
    name: str
    use: Use


def record(
    session: Session, item_id: int, result: str, *, customer_id: int, staff_id: int, now: datetime, time_zone: str
) -> None:
    """Write down that an item was shown, sent or dismissed for a customer; raise NotFound for one that is not there.

    A showing counts once a business day. An item that has gone out of use meanwhile was sent all the same.
    """
    if result not in RESULTS:
        raise InvalidInput(f"result 只能是 {'、'.join(RESULTS)}", details={"result": "未知的结果"})
    item = session.get(ContentItem, item_id)
    if item is None:
        raise NotFound(content.NO_ITEM)
    row = {"item_id": item_id, "customer_id": customer_id, "staff_id": staff_id, "result": result, "at": now}
    if result == "shown":
        today = now.astimezone(ZoneInfo(time_zone)).date()
        insert_ignore(session, ContentEvent, [{**row, "shown_on": today}], SHOWN_ONCE)
        return
    session.add(ContentEvent(**row))
    session.flush()


SHOWN_ONCE = ("item_id", "customer_id", "staff_id", "shown_on")


def figures(session: Session, item_ids: Sequence[int], now: datetime) -> Mapping[int, Use]:
    """Return how the items were used in the last 30 days; items that were not are left out."""
    query = (
        select(ContentEvent.item_id, *_COUNTS)
        .where(ContentEvent.item_id.in_(item_ids), ContentEvent.at > now - WINDOW)
        .group_by(ContentEvent.item_id)
    )
    return {row.item_id: Use(row.shown, row.sent, row.dismissed) for row in session.execute(query)}


def by_staff(session: Session, item_id: int, now: datetime) -> list[StaffUse]:
    """Return who used an item in the last 30 days, who sent it most first."""
    query = (
        select(Staff.userid, Staff.name, *_COUNTS)
        .join(Staff, Staff.id == ContentEvent.staff_id)
        .where(ContentEvent.item_id == item_id, ContentEvent.at > now - WINDOW)
        .group_by(Staff.id, Staff.userid, Staff.name)
    )
    found = [
        StaffUse(row.userid, row.name or row.userid, Use(row.shown, row.sent, row.dismissed))
        for row in session.execute(query)
    ]
    return sorted(found, key=lambda one: (-one.use.sent, -one.use.shown, one.userid))


def purge(session: Session, now: datetime, limit: int) -> int:
    """Delete what was kept long enough, among the oldest `limit` rows; return how many went."""
    first = session.execute(select(func.min(ContentEvent.id))).scalar_one()
    if first is None:
        return 0
    # Ids grow with time: looking at the oldest only, the sweep costs nothing while there is nothing to delete.
    old = delete(ContentEvent).where(ContentEvent.id < first + limit, ContentEvent.at < now - KEPT_FOR)
    return int(session.connection().execute(old).rowcount)


_COUNTS = tuple(func.sum(case((ContentEvent.result == result, 1), else_=0)).label(result) for result in RESULTS)
