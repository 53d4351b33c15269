"""Channels (live codes) and the welcome messages they cause; written by `services.channels` and `.welcome`."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


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
    config_id: Mapped[str | None] = mapped_column(String(64), unique=True)
    qr_code: Mapped[str | None] = mapped_column(String(512))
    sync_state: Mapped[str] = mapped_column(String(8), default="pending")
    sync_reason: Mapped[str | None] = mapped_column(String(300))
    attempted_at: Mapped[datetime | None]
    """Set before a creation call whose outcome we do not know yet."""
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
    __table_args__ = (Index("ix_welcome_pair", "external_userid", "userid"),)

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
    errcode: Mapped[int | None]
    reason: Mapped[str | None] = mapped_column(String(200))
    received_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
