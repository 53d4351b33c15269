"""Reminders of follow-ups that fall due: a message of the app to their author, at most once each.

`request` is a tick of the clock, `remind` the job `follow_up.remind`. A message that WeCom may have taken is never
sent again, not even after a crash: the note stands among those due, and says that the reminder may be missing.
"""

from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import WeComError
from wecom_app.models import Customer, FollowUp, Relation, Staff
from wecom_app.services import duty
from wecom_app.services.follow_ups import UNCERTAIN
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime, Store

KIND = "follow_up.remind"
MOST = 50
"""Reminders of one job."""
NOT_A_FRIEND = "已不是您的好友客户，未提醒"
UNREACHED = "您不在应用的可见范围内，请联系管理员"

DUE = (FollowUp.remind_state == "waiting", FollowUp.done_at.is_(None), FollowUp.deleted_at.is_(None))
AT_WORK = FollowUp.staff_id.not_in(duty.off_duty())
"""Whoever is off duty is reminded of everything at once when he begins work."""


def request(store: Store) -> None:
    """Have what is due sent; asked for once however often the clock ticks."""
    now = store.clock.now()
    with store.read() as session:
        due = select(FollowUp.id).where(*DUE, AT_WORK, FollowUp.remind_at <= now)
        if session.execute(due.limit(1)).first() is None:
            return
    with store.write() as session:
        _enqueue(session, store)


def remind(runtime: Runtime, _args: JobArgs) -> None:
    """Send what is due, one after another; raises where WeCom cannot be reached, what is left then waits."""
    for _ in range(MOST):
        with runtime.write() as session:
            reminder = _claim(session, runtime.clock.now(), AT_WORK)
        if reminder is None:
            return
        runtime.crash_point("reminder.before_call")
        state, reason, error = _send(runtime, reminder)
        runtime.crash_point("reminder.after_call")
        with runtime.write() as session:
            _note(session, reminder.follow_up_id, state, reason)
        if error is not None:
            raise error
    with runtime.write() as session:
        _enqueue(session, runtime)


def release(session: Session, staff_id: int, now: datetime) -> list[str]:
    """Return what fell due while a member was off duty, the longest due first; it counts as sent from now on."""
    texts = []
    while (reminder := _claim(session, now, FollowUp.staff_id == staff_id)) is not None:
        _note(session, reminder.follow_up_id, "sent", None)
        texts.append(reminder.text)
    return texts


@dataclass(frozen=True)
class _Reminder:
    follow_up_id: int
    userid: str
    text: str


def _enqueue(session: Session, store: Store) -> None:
    store.queue.enqueue(session, KIND, {}, lane="bulk", unique="due")


def _claim(session: Session, now: datetime, whose: ColumnElement[bool]) -> _Reminder | None:
    """Take the members' reminder that is due longest; those on customers lost meanwhile are ended on the way."""
    query = (
        select(FollowUp.id, FollowUp.text, Staff.userid, Customer.name, Relation.id, Relation.remark)
        .join(Staff, Staff.id == FollowUp.staff_id)
        .join(Customer, Customer.id == FollowUp.customer_id)
        .outerjoin(
            Relation,
            and_(
                Relation.customer_id == FollowUp.customer_id,
                Relation.staff_id == FollowUp.staff_id,
                Relation.lost_at.is_(None),
            ),
        )
        .where(*DUE, whose, FollowUp.remind_at <= now)
        .order_by(FollowUp.remind_at, FollowUp.id)
        .limit(1)
        .with_for_update(of=FollowUp, skip_locked=True)
    )
    while (row := session.execute(query).first()) is not None:
        follow_up_id, text, userid, name, relation_id, remark = row
        if relation_id is not None:
            _note(session, follow_up_id, "sending", None)
            return _Reminder(follow_up_id, userid, f"跟进提醒：{remark or name or '客户'}\n{text}")
        _note(session, follow_up_id, "failed", NOT_A_FRIEND)
    return None


def _send(runtime: Runtime, reminder: _Reminder) -> tuple[str, str | None, WeComError | None]:
    """Return the state and its reason, and the error where the job is to try again later."""
    try:
        sent = runtime.wecom.send_text([reminder.userid], reminder.text)
    except WeComError as error:
        if error.had_no_effect:
            return "waiting", error.message, error
        return "failed", UNCERTAIN if error.retryable else error.message, None
    return ("failed", UNREACHED, None) if sent.unreached else ("sent", None, None)


def _note(session: Session, follow_up_id: int, state: str, reason: str | None) -> None:
    values = {"remind_state": state, "remind_reason": reason[:200] if reason else None}
    session.execute(update(FollowUp).where(FollowUp.id == follow_up_id).values(**values))
