"""Callbacks as they came, durable before they are answered; written by the intake and `services.inbox`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class InboxEvent(Base):
    __tablename__ = "inbox_event"
    __table_args__ = (
        Index("ix_inbox_event_state", "state", "id"),
        Index("ix_inbox_event_subject", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    digest: Mapped[str] = mapped_column(String(64), unique=True)
    """SHA-256 of the decrypted message; outlives the body so that a late delivery is still known."""
    event: Mapped[str] = mapped_column(String(64))
    change_type: Mapped[str] = mapped_column(String(64), default="")
    subject: Mapped[str] = mapped_column(String(128), default="")
    """Whom it is about: the external_userid, else the member or tag named."""
    fields: Mapped[dict[str, Any] | None]
    """The message's elements; cleared when its retention ends."""
    body: Mapped[str | None] = mapped_column(Text)
    occurred_at: Mapped[datetime | None]
    """WeCom's CreateTime, in whole seconds."""
    received_at: Mapped[datetime]
    last_received_at: Mapped[datetime]
    deliveries: Mapped[int] = mapped_column(default=1)
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    """waiting, done, ignored (no handler) or failed."""
    handled_at: Mapped[datetime | None]
    error: Mapped[str | None] = mapped_column(String(500))
