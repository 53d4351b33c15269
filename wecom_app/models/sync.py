"""What sync remembers beside the cells: intents towards WeCom, disagreements, and the one sequence counter."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

OPEN = text("state IN ('pending', 'sent')")


class TagOperation(Base):
    """The intent to make one cell (relation, tag) at WeCom equal to the truth; at most one open per cell."""

    __tablename__ = "tag_operation"
    __table_args__ = (
        Index(
            "uq_tag_operation_open",
            "relation_id",
            "tag_id",
            unique=True,
            sqlite_where=OPEN,
            postgresql_where=OPEN,
        ),
        Index("ix_tag_operation_customer", "customer_id", "state"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    relation_id: Mapped[int] = mapped_column(ForeignKey("relation.id"))
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"))
    ver: Mapped[int] = mapped_column(BigId)
    state: Mapped[str] = mapped_column(String(12), default="pending")
    """pending, sent, verified, void, dead or superseded."""
    tries: Mapped[int] = mapped_column(default=0)
    reason: Mapped[str | None] = mapped_column(String(200))
    created_at: Mapped[datetime]
    closed_at: Mapped[datetime | None]


class SyncConflict(Base):
    """A disagreement that a person should know of, kept even where it was settled by rule."""

    __tablename__ = "sync_conflict"
    __table_args__ = (Index("ix_sync_conflict_state", "state", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """One of `domain.merge.Conflict`: concurrent, repush, single, link or policy."""
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), index=True)
    relation_id: Mapped[int] = mapped_column(ForeignKey("relation.id"))
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"))
    ours: Mapped[dict[str, Any]]
    theirs: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default="open")
    created_at: Mapped[datetime]


class Counter(Base):
    """The sequence numbers on SQLite; on PostgreSQL a sequence object serves."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[int] = mapped_column(BigId)
