"""Follow-up notes on customers: written and changed by their author, read by all who may see the customer.

Called by the sidebar, my customers and the bot; `services.reminders` sends what falls due.
"""

from dataclasses import dataclass
from datetime import datetime, time, timedelta
from enum import Enum
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.domain.access import Purpose
from wecom_app.errors import InvalidInput, NotAllowed, NotFound
from wecom_app.models import Customer, FollowUp, Relation, Staff
from wecom_app.services.access import Viewer, find_customer
from wecom_app.services.rep_views import FollowUpView

MAX_TEXT = 2000
MOST = 50
"""Reminders on one page."""
MORNING = time(9)
"""When a reminder with a date and no time comes."""
FURTHEST = timedelta(days=5 * 366)
UNCERTAIN_AFTER = timedelta(minutes=5)
"""A reminder being sent for longer was interrupted: nobody knows whether it arrived, and it is not sent again."""
UNCERTAIN = "提醒可能没有送达"


class Unchanged(Enum):
    """Stands for a part that an edit leaves as it is, where None means that it is taken away."""

    UNCHANGED = "unchanged"


UNCHANGED = Unchanged.UNCHANGED


@dataclass(frozen=True)
class FollowUpEdit:
    """What the author changes; `remind_at` None takes the reminder away."""

    text: str | Unchanged = UNCHANGED
    remind_at: datetime | Unchanged | None = UNCHANGED
    done: bool | Unchanged = UNCHANGED


SHOWN = (
    select(
        FollowUp.id,
        FollowUp.staff_id,
        FollowUp.text,
        FollowUp.remind_at,
        FollowUp.remind_state,
        FollowUp.remind_reason,
        FollowUp.created_at,
        FollowUp.edited_at,
        FollowUp.done_at,
        Staff.userid,
        Staff.name.label("staff_name"),
        Customer.external_userid,
        Customer.name.label("customer_name"),
    )
    .join(Staff, Staff.id == FollowUp.staff_id)
    .join(Customer, Customer.id == FollowUp.customer_id)
    .where(FollowUp.deleted_at.is_(None))
)
"""Notes as lists show them; the caller says which."""
DATED = (
    SHOWN.where(
        FollowUp.customer_id == bindparam("customer_id"), FollowUp.remind_at.is_not(None), FollowUp.done_at.is_(None)
    )
    .order_by(FollowUp.remind_at, FollowUp.id)
    .limit(MOST)
)


def moment(text: str, time_zone: str) -> datetime:
    """Return when a reminder is due: a date means nine in the morning, a time without offset the company's zone.

    Raises InvalidInput.
    """
    try:
        found = datetime.fromisoformat(text.strip())
    except ValueError:
        raise InvalidInput("提醒时间应写作 2026-05-01 或 2026-05-01T09:30", details={"remind_at": text[:40]}) from None
    if len(text.strip()) == len("2026-05-01"):
        found = datetime.combine(found.date(), MORNING)
    return found if found.tzinfo else found.replace(tzinfo=ZoneInfo(time_zone))


def add(
    session: Session,
    viewer: Viewer,
    external_userid: str,
    text: str,
    remind_at: datetime | None,
    now: datetime,
) -> FollowUpView:
    """Write a note; raise NotInSight, NotAllowed for somebody who is no member, or InvalidInput."""
    customer = find_customer(session, viewer, external_userid, Purpose.EDIT).customer
    if viewer.staff_id is None:
        raise NotAllowed("跟进记录只能由企业成员填写")
    note = FollowUp(
        customer_id=customer.id,
        staff_id=viewer.staff_id,
        text=_clean(text),
        remind_at=_checked(remind_at, now),
        remind_state=None if remind_at is None else "waiting",
        created_at=now,
    )
    session.add(note)
    session.flush()
    return _one(session, viewer, note.id, now)


def edit(session: Session, viewer: Viewer, follow_up_id: int, change: FollowUpEdit, now: datetime) -> FollowUpView:
    """Change one's own note; raise NotFound for a colleague's, a deleted one or one that never was."""
    note = _own(session, viewer, follow_up_id)
    if change.text is not UNCHANGED:
        note.text, note.edited_at = _clean(change.text), now
    if change.remind_at is not UNCHANGED and change.remind_at != note.remind_at:
        note.remind_at = _checked(change.remind_at, now)
        note.remind_reason = None
        note.remind_state = None if note.remind_at is None else "waiting"
    if change.done is not UNCHANGED:
        note.done_at = (note.done_at or now) if change.done else None
    _settle_reminder(note, now)
    session.flush()
    return _one(session, viewer, note.id, now)


def delete(session: Session, viewer: Viewer, follow_up_id: int, now: datetime) -> None:
    """Take one's own note away; raise NotFound as `edit` does."""
    note = _own(session, viewer, follow_up_id)
    note.deleted_at, note.remind_state = now, None
    session.flush()


def reminders(session: Session, viewer: Viewer, customer: Customer, now: datetime) -> tuple[FollowUpView, ...]:
    """Return a customer's notes with a date that are not done, the earliest first."""
    found = session.connection().execute(DATED, {"customer_id": customer.id})
    return tuple(view(row, viewer, now) for row in found)


def due(session: Session, viewer: Viewer, now: datetime, *, limit: int = MOST) -> list[FollowUpView]:
    """Return the viewer's own notes whose time has come and which are not done, the longest due first.

    Those on customers who are no longer his friends are left out.
    """
    if viewer.staff_id is None:
        return []
    friends = select(Relation.customer_id).where(Relation.staff_id == viewer.staff_id, Relation.lost_at.is_(None))
    query = SHOWN.where(
        FollowUp.staff_id == viewer.staff_id,
        FollowUp.remind_at <= now,
        FollowUp.done_at.is_(None),
        FollowUp.customer_id.in_(friends),
    ).order_by(FollowUp.remind_at, FollowUp.id)
    return [view(row, viewer, now) for row in session.connection().execute(query.limit(limit))]


def view(row: Any, viewer: Viewer, now: datetime) -> FollowUpView:
    """Return a row of `SHOWN` as the viewer sees it."""
    is_mine = row.staff_id == viewer.staff_id
    uncertain = row.remind_state == "sending" and row.remind_at is not None and row.remind_at <= now - UNCERTAIN_AFTER
    return FollowUpView(
        id=row.id,
        external_userid=row.external_userid,
        customer_name=row.customer_name,
        text=row.text,
        author=row.staff_name or row.userid,
        author_userid=row.userid,
        is_mine=is_mine,
        created_at=row.created_at,
        edited_at=row.edited_at,
        remind_at=row.remind_at,
        done_at=row.done_at,
        is_due=row.remind_at is not None and row.done_at is None and row.remind_at <= now,
        remind_reason=(row.remind_reason or (UNCERTAIN if uncertain else None)) if is_mine else None,
    )


def _one(session: Session, viewer: Viewer, follow_up_id: int, now: datetime) -> FollowUpView:
    return view(session.connection().execute(SHOWN.where(FollowUp.id == follow_up_id)).one(), viewer, now)


def _own(session: Session, viewer: Viewer, follow_up_id: int) -> FollowUp:
    note = session.get(FollowUp, follow_up_id)
    if note is None or note.deleted_at is not None or viewer.staff_id is None or note.staff_id != viewer.staff_id:
        raise NotFound("没有这条跟进记录")
    customer = session.get_one(Customer, note.customer_id)
    find_customer(session, viewer, customer.external_userid, Purpose.VIEW)
    return note


def _settle_reminder(note: FollowUp, now: datetime) -> None:
    """What is done reminds nobody; what is opened again reminds if its time is still to come."""
    if note.done_at is not None and note.remind_state == "waiting":
        note.remind_state = None
    elif note.done_at is None and note.remind_state is None and note.remind_at is not None and note.remind_at > now:
        note.remind_state = "waiting"


def _clean(text: str) -> str:
    cleaned = text.strip()
    if not cleaned:
        raise InvalidInput("请填写跟进内容", details={"text": "不能为空"})
    if len(cleaned) > MAX_TEXT:
        raise InvalidInput(f"跟进内容最多 {MAX_TEXT} 字", details={"text": f"最多 {MAX_TEXT} 字"})
    if "\0" in cleaned:
        raise InvalidInput("跟进内容不能含有 NUL 字符", details={"text": "不能含有 NUL 字符"})
    return cleaned


def _checked(remind_at: datetime | None, now: datetime) -> datetime | None:
    if remind_at is not None and not now < remind_at <= now + FURTHEST:
        raise InvalidInput("提醒时间需在将来五年之内", details={"remind_at": remind_at.isoformat()})
    return remind_at
