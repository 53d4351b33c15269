"""Channels (live codes), the welcome messages and remarks they cause, and the default welcome.

Written by `services.channels` and its neighbours, `.welcome`, `.greetings` and `.channel_remarks`.
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, and_
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId
from wecom_app.models.customer import Relation


class Channel(Base):
    """A live code: whoever scans it becomes a customer of one of its staff and gets its tags and welcome."""

    __tablename__ = "channel"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    source: Mapped[str] = mapped_column(String(64))
    state: Mapped[str] = mapped_column(String(30), unique=True)
    """What WeCom sends back with each customer; reserved for ever."""
    welcome_text: Mapped[str | None] = mapped_column(Text)
    welcome_fallback_text: Mapped[str | None] = mapped_column(Text)
    """The wording without the customer's name, for when WeCom does not tell it in time."""
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    remark_rule: Mapped[str | None] = mapped_column(String(100))
    """Template of the remark that a new customer gets at WeCom."""
    skip_verify: Mapped[bool] = mapped_column(default=True)
    exclusive: Mapped[bool] = mapped_column(default=False)
    code: Mapped[str] = mapped_column(String(8), default="ours")
    """Whose the live code is: ours, foreign (adopted from another tool), deleting or deleted."""
    config_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    """Kept after the code was deleted, for history."""
    qr_code: Mapped[str | None] = mapped_column(String(512))
    sync_state: Mapped[str] = mapped_column(String(8), default="pending")
    sync_reason: Mapped[str | None] = mapped_column(String(300))
    attempted_at: Mapped[datetime | None]
    """Set before a creation call whose outcome we do not know yet."""
    pushed_hash: Mapped[str | None] = mapped_column(String(64))
    """Hash of what WeCom last took over; None where that is not known."""
    pushing_until: Mapped[datetime | None]
    """While somebody calls WeCom for this channel nobody else does; a claim that ran out counts for nothing."""
    created_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class ChannelStaff(Base):
    __tablename__ = "channel_staff"

    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    position: Mapped[int]


class ChannelTag(Base):
    __tablename__ = "channel_tag"

    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    position: Mapped[int]


class Welcome(Base):
    """One welcome message to send, from the callback that brought its code to its end."""

    __tablename__ = "welcome"
    __table_args__ = (
        Index("ix_welcome_pair", "external_userid", "userid"),
        Index("ix_welcome_received", "received_at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    event_id: Mapped[int] = mapped_column(ForeignKey("inbox_event.id"), unique=True)
    code: Mapped[str] = mapped_column(String(512), unique=True)
    external_userid: Mapped[str] = mapped_column(String(64))
    userid: Mapped[str] = mapped_column(String(64))
    state: Mapped[str | None] = mapped_column(String(64))
    channel_id: Mapped[int | None] = mapped_column(ForeignKey("channel.id"))
    status: Mapped[str] = mapped_column(String(12), default="waiting")
    """waiting, sent, expired, taken, failed or none (nothing to say)."""
    deadline_at: Mapped[datetime]
    text: Mapped[str | None] = mapped_column(Text)
    tries: Mapped[int] = mapped_column(default=0)
    """Calls whose outcome we do not know: the message may have gone out."""
    errcode: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(200))
    received_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class DefaultWelcome(Base):
    """The deployment's one welcome for contacts whose channel has none, or who came through none."""

    __tablename__ = "default_welcome"

    id: Mapped[int] = mapped_column(primary_key=True)
    text: Mapped[str | None] = mapped_column(Text)
    fallback_text: Mapped[str | None] = mapped_column(Text)
    attachments: Mapped[list[Any]] = mapped_column(default=list)
    updated_at: Mapped[datetime]


class ChannelRemark(Base):
    """The remark that a channel's rule gives one friendship, once per epoch, from the add event to its end."""

    __tablename__ = "channel_remark"
    __table_args__ = (
        UniqueConstraint("relation_id", "life_seq"),
        Index("ix_channel_remark_channel", "channel_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    relation_id: Mapped[int] = mapped_column(ForeignKey("relation.id"))
    life_seq: Mapped[int] = mapped_column(BigId)
    """The relation's epoch: a re-add makes a new one."""
    channel_id: Mapped[int] = mapped_column(ForeignKey("channel.id"))
    status: Mapped[str] = mapped_column(String(8), default="waiting")
    """waiting, set, kept (a person's own remark stands), failed or void (the friendship ended)."""
    remark: Mapped[str | None] = mapped_column(String(20))
    reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


_unrecognised = and_(Relation.state.is_not(None), Relation.channel_id.is_(None))
# Stands here rather than with the relation because only channels ask for it: the states nobody knows.
Index(
    "ix_relation_unknown_state",
    Relation.state,
    Relation.id,
    sqlite_where=_unrecognised,
    postgresql_where=_unrecognised,
)
