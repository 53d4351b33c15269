"""Whether members are at work: off duty nobody is disturbed by cards and reminders; changed by 上班 and 下班."""

from datetime import datetime

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from wecom_app.models import Duty
from wecom_app.services.upsert import upsert


def is_on(session: Session, staff_id: int) -> bool:
    """Return whether a member is at work; who has never said so is."""
    row = session.get(Duty, staff_id)
    return row is None or row.on_duty


def off_duty() -> Select[int]:
    """Return the selection of the ids of members who are not at work."""
    return select(Duty.staff_id).where(~Duty.on_duty)


def set_to(session: Session, staff_id: int, on_duty: bool, now: datetime) -> None:
    """Note that a member begins or ends work."""
    upsert(session, Duty, [{"staff_id": staff_id, "on_duty": on_duty, "changed_at": now}], ["staff_id"])
