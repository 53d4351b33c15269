"""Changes and imports of the tag library, how far each is and what it did; tags of WeCom that it has not taken in."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

AT_WORK = text("state IN ('running', 'undoing')")


class LibraryChange(Base):
    """One decision about the library that is carried out customer by customer, and undone likewise."""

    __tablename__ = "library_change"
    __table_args__ = (
        Index("ix_library_change_at_work", "group_id", sqlite_where=AT_WORK, postgresql_where=AT_WORK),
        Index("ix_library_change_source", "source_tag_id", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    """merge (a tag into another), single (a group to one choice) or mirror (a group's tags to WeCom)."""
    state: Mapped[str] = mapped_column(String(8))
    """running, done, undoing or undone."""
    group_id: Mapped[int] = mapped_column(ForeignKey("tag_group.id"))
    """The group; of a merge that of the tag which goes."""
    source_tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    target_tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    cursor: Mapped[int] = mapped_column(BigId, default=0)
    expected: Mapped[int] = mapped_column(BigId, default=0)
    """Customers to change when it began."""
    changed: Mapped[int] = mapped_column(BigId, default=0)
    restored: Mapped[int] = mapped_column(BigId, default=0)
    kept: Mapped[int] = mapped_column(BigId, default=0)
    """What an undo left as it stands."""
    deletion: Mapped[str | None] = mapped_column(String(8))
    """Of a merge whose tag is to be deleted at WeCom: waiting (for its marks to move) or asked; None where it stays."""
    details: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What else changed with it, so that it can be put back: uses, aliases, policies."""
    actor_kind: Mapped[str] = mapped_column(String(16))
    asked_by: Mapped[str] = mapped_column(String(128))
    undone_by: Mapped[str | None] = mapped_column(String(128))
    change_set_id: Mapped[int | None] = mapped_column(ForeignKey("change_set.id"))
    undo_change_set_id: Mapped[int | None] = mapped_column(ForeignKey("change_set.id"))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]
    undone_at: Mapped[datetime | None]


class LibraryChangeItem(Base):
    """One unit of a customer that a change touched: rows and claims before and after, as history keeps them."""

    __tablename__ = "library_change_item"
    __table_args__ = (
        Index("ix_library_change_item_customer", "change_id", "customer_id", "relation_id"),
        Index("ix_library_change_item_state", "change_id", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    change_id: Mapped[int] = mapped_column(ForeignKey("library_change.id"))
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    relation_id: Mapped[int] = mapped_column(BigId)
    detail: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(8), default="done")
    """done, restored or kept."""
    reason: Mapped[str | None] = mapped_column(String(12))
    """Why an undo left it: a key of `undo.KEPT_WORDS`."""


class LibraryImport(Base):
    """A file that is being carried into the library, slice by slice, or was."""

    __tablename__ = "library_import"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    state: Mapped[str] = mapped_column(String(8))
    """running or done."""
    asked_by: Mapped[str] = mapped_column(String(128))
    only_add: Mapped[bool]
    content: Mapped[dict[str, Any] | None] = mapped_column(deferred=True)
    """The file as it was read, until the import is done."""
    cursor: Mapped[int] = mapped_column(default=0)
    """How many slices are done, of `total`."""
    total: Mapped[int]
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What was done: how many of each action and kind."""
    problems: Mapped[list[Any]] = mapped_column(default=list)
    """Rows that could not be carried in after all, as [line, words]."""
    pending: Mapped[list[Any]] = mapped_column(default=list)
    """Keys of tags that it made and whose replacement is still to be named."""
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class UnlinkedTag(Base):
    """A tag that WeCom has and no tag here is linked with; why is told from how the library stands when it is read."""

    __tablename__ = "unlinked_tag"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    wecom_tag_id: Mapped[str] = mapped_column(String(64), unique=True)
    name: Mapped[str] = mapped_column(String(64))
    wecom_group_id: Mapped[str] = mapped_column(String(64))
    group_name: Mapped[str] = mapped_column(String(64))
    seen_at: Mapped[datetime]
    """When it was first met."""
