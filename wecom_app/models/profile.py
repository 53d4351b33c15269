"""What members note: follow-up notes, profile fields with their values, and remarks on their way to WeCom.

Written by `services.follow_ups`, `.profile_fields`, `.profile_values` and `.remarks`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

LIVE_FIELD = text("archived_at IS NULL")
CURRENT_VALUE = text("ended_at IS NULL")
REMINDER_WAITS = text("remind_state = 'waiting'")
EDIT_OPEN = text("state IN ('pending', 'sent')")


class FollowUp(Base):
    """A note on a customer by one member, read by all who may see the customer; with `remind_at` it reminds him."""

    __tablename__ = "follow_up"
    __table_args__ = (
        Index("ix_follow_up_customer", "customer_id", "created_at"),
        Index("ix_follow_up_staff", "staff_id", "remind_at"),
        Index("ix_follow_up_reminder", "remind_at", sqlite_where=REMINDER_WAITS, postgresql_where=REMINDER_WAITS),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    text: Mapped[str] = mapped_column(Text)
    remind_at: Mapped[datetime | None]
    remind_state: Mapped[str | None] = mapped_column(String(8))
    """waiting, sending (a call is under way, or its outcome is unknown), sent or failed; None without a date."""
    remind_reason: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    edited_at: Mapped[datetime | None]
    done_at: Mapped[datetime | None]
    deleted_at: Mapped[datetime | None]


class ProfileField(Base):
    """One field that admins have defined for customers; key and kind never change."""

    __tablename__ = "profile_field"
    __table_args__ = (
        Index("uq_profile_field_live_name", "name", unique=True, sqlite_where=LIVE_FIELD, postgresql_where=LIVE_FIELD),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    key: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(32))
    kind: Mapped[str] = mapped_column(String(8))
    """text, number, date, choice, phone or region (`domain.profile_values.Kind`)."""
    repeated: Mapped[bool] = mapped_column(default=False)
    required: Mapped[bool] = mapped_column(default=False)
    sensitive: Mapped[bool] = mapped_column(default=False)
    help: Mapped[str | None] = mapped_column(String(200))
    options: Mapped[list[Any]] = mapped_column(default=list)
    """The choices of a field of kind choice, in their order."""
    position: Mapped[int] = mapped_column(default=0)
    """The smaller, the further to the front."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class ProfileValue(Base):
    """One value of a field, from when it was set until it was replaced; what ended is the history."""

    __tablename__ = "profile_value"
    __table_args__ = (
        Index("ix_profile_value_customer", "customer_id", "field_id", "id"),
        Index(
            "ix_profile_value_field",
            "field_id",
            "value",
            sqlite_where=CURRENT_VALUE,
            postgresql_where=CURRENT_VALUE,
        ),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    field_id: Mapped[int] = mapped_column(ForeignKey("profile_field.id"))
    value: Mapped[str] = mapped_column(String(500))
    """In the one spelling that `domain.profile_values` gives it."""
    position: Mapped[int] = mapped_column(default=0)
    source_kind: Mapped[str] = mapped_column(String(16))
    source_ref: Mapped[str | None] = mapped_column(String(128))
    actor: Mapped[str | None] = mapped_column(String(64))
    set_at: Mapped[datetime]
    ended_at: Mapped[datetime | None]
    ended_by: Mapped[str | None] = mapped_column(String(64))


class RemarkEdit(Base):
    """What a member wrote here about his friendship with a customer, on its way to WeCom; at most one open each."""

    __tablename__ = "remark_edit"
    __table_args__ = (
        Index("uq_remark_edit_open", "relation_id", unique=True, sqlite_where=EDIT_OPEN, postgresql_where=EDIT_OPEN),
        Index("ix_remark_edit_relation", "relation_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    relation_id: Mapped[int] = mapped_column(ForeignKey("relation.id"))
    life_seq: Mapped[int] = mapped_column(BigId)
    """The relation's epoch: what was written for one friendship is not pushed to the next."""
    seq: Mapped[int] = mapped_column(BigId)
    """Drawn at the last change of it: a look that was asked for before proves nothing about it."""
    base: Mapped[dict[str, Any]]
    """What stood at WeCom, as last seen, by part: what differs from it later was changed there."""
    wanted: Mapped[dict[str, Any]]
    """The parts to write: remark, description, company, phones."""
    pushed: Mapped[dict[str, Any]]
    """Values sent to WeCom since it was last looked at, by part."""
    actor: Mapped[str | None] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(10), default="pending")
    """pending, sent, done, failed, superseded (changed at WeCom later, or anew here) or void."""
    challenged: Mapped[bool] = mapped_column(default=False)
    """WeCom told of an edit there that is later than ours: where the two differ, WeCom's stands."""
    looked: Mapped[bool] = mapped_column(default=False)
    """WeCom was looked at since it was written: a change there after that is later."""
    tries: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    """When it was written, or last added to."""
    finished_at: Mapped[datetime | None]
