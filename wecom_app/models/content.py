"""What reps can send to customers, and what became of it; written by `services.content` and `.content_use`."""

from datetime import date, datetime
from typing import Any

from sqlalchemy import JSON, ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class ContentItem(Base):
    """A script, article, product, coupon or file that is suggested to reps for the customers its condition fits."""

    __tablename__ = "content_item"
    __table_args__ = {"sqlite_autoincrement": True}  # noqa: RUF012  ids are never reused

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    """script, article, product, coupon or material."""
    title: Mapped[str] = mapped_column(String(64))
    spellings: Mapped[str] = mapped_column(String(600))
    """The title as people may type it: itself, its pinyin, its initials."""
    text: Mapped[str] = mapped_column(Text, default="")
    link: Mapped[str | None] = mapped_column(String(1024))
    media_id: Mapped[int | None] = mapped_column(ForeignKey("media.id"))
    """Of a material the file itself, else the picture."""
    mini_program: Mapped[str | None] = mapped_column(String(64))
    """Its appid; where it is set the item is sent as a mini-program."""
    mini_program_page: Mapped[str | None] = mapped_column(String(1024))
    condition: Mapped[dict[str, Any] | None] = mapped_column(JSON(none_as_null=True))
    """Whom it is for, as `domain.conditions` reads it; None means everybody."""
    priority: Mapped[int] = mapped_column(default=50)
    valid_from: Mapped[datetime | None]
    valid_until: Mapped[datetime | None]
    status: Mapped[str] = mapped_column(String(8), default="draft")
    """draft or active; an archived item keeps the one it had."""
    departments: Mapped[list[Any]] = mapped_column(default=list)
    """Ids of the departments whose members may use it, with all below them; none means everybody."""
    rest_days: Mapped[int] = mapped_column(default=30)
    """For how long a customer is spared the item once it was dismissed for him."""
    version: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[str] = mapped_column(String(64))
    updated_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    archived_at: Mapped[datetime | None]


class ContentRevision(Base):
    """The number of the last change to any item, in a single row: what every process's cache is compared with."""

    __tablename__ = "content_revision"

    id: Mapped[int] = mapped_column(primary_key=True)
    number: Mapped[int] = mapped_column(BigId, default=0)


class ContentEvent(Base):
    """An item that was shown to a rep beside a customer, sent to him, or dismissed for him."""

    __tablename__ = "content_event"
    __table_args__ = (
        UniqueConstraint("item_id", "customer_id", "staff_id", "shown_on"),
        Index("ix_content_event_customer", "customer_id", "at"),
        Index("ix_content_event_item", "item_id", "at"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    item_id: Mapped[int] = mapped_column(ForeignKey("content_item.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    result: Mapped[str] = mapped_column(String(9))
    """shown, sent or dismissed."""
    shown_on: Mapped[date | None]
    """The business day, of what was shown only: once a day is enough."""
    at: Mapped[datetime]
