"""What sync remembers beside the cells: intents towards WeCom, disagreements, runs, and the one sequence counter."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint, text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

OPEN = text("state IN ('pending', 'sent')")
UNFINISHED = text("state IN ('queued', 'running', 'held')")


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
        Index("ix_tag_operation_open_tag", "tag_id", "customer_id", sqlite_where=OPEN, postgresql_where=OPEN),
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
    """A disagreement that a person should know of, kept even where it was settled by rule.

    About a mark it names customer, relation and tag; about the library only the tag, or the group.
    """

    __tablename__ = "sync_conflict"
    __table_args__ = (Index("ix_sync_conflict_state", "state", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(16))
    """One of `domain.merge.Conflict` for a mark, of `domain.definitions.Dispute` for the library."""
    customer_id: Mapped[int | None] = mapped_column(ForeignKey("customer.id"), index=True)
    relation_id: Mapped[int | None] = mapped_column(ForeignKey("relation.id"))
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    group_id: Mapped[int | None] = mapped_column(ForeignKey("tag_group.id"))
    ours: Mapped[dict[str, Any]]
    theirs: Mapped[dict[str, Any]]
    state: Mapped[str] = mapped_column(String(12), default="open")
    resolution: Mapped[str | None] = mapped_column(String(8))
    """Whose value held in the end: ours, theirs, same where both sides came to agree, newer where a person has decided
    anew since; None while it is open."""
    seq: Mapped[int | None] = mapped_column(BigId)
    """Of a mark: the number of the look that noted it, once that look is written down."""
    settled_by: Mapped[str | None] = mapped_column(String(64))
    """The person who settled it; None where a rule did."""
    change: Mapped[dict[str, Any] | None]
    """What his word changed, to take it back: of a mark the change set, of a name or order what stood before."""
    created_at: Mapped[datetime]
    settled_at: Mapped[datetime | None]


class SyncRun(Base):
    """One piece of sync work that somebody asked for, or that a guard has stopped; at most one of a kind unfinished."""

    __tablename__ = "sync_run"
    __table_args__ = (
        Index("uq_sync_run_unfinished", "kind", unique=True, sqlite_where=UNFINISHED, postgresql_where=UNFINISHED),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(12))
    """pull (every member's customers), library (deletions that wait for a person) or undo (of another run)."""
    state: Mapped[str] = mapped_column(String(12))
    """queued, running, held, done, failed or stopped."""
    phase: Mapped[str] = mapped_column(String(12))
    """What a running one is at: start, pages, compare, ask or release."""
    asked_by: Mapped[str] = mapped_column(String(64))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("sync_run.id"))
    """The run that this one undoes."""
    start_seq: Mapped[int] = mapped_column(BigId, default=0)
    """The number drawn at its start: what was seen since has a larger one."""
    first_link: Mapped[bool] = mapped_column(default=False)
    """Whether nothing that it finds may be pushed before somebody has seen the preview."""
    expected: Mapped[int] = mapped_column(BigId, default=0)
    """Relations known at its start, of the members that it reads."""
    cursor: Mapped[int] = mapped_column(BigId, default=0)
    """How far its last phases have come: a row's id."""
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    guard: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What it is held for, as numbers; empty where no guard has stopped it."""
    reason: Mapped[str | None] = mapped_column(String(300))
    settled_by: Mapped[str | None] = mapped_column(String(64))
    """Who approved, rejected or stopped it."""
    change_set_id: Mapped[int | None] = mapped_column(ForeignKey("change_set.id"))
    """The parent of all change sets that it made."""
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]


class SyncChain(Base):
    """Some members whose customers are read page by page, each page going on from the cursor of the one before."""

    __tablename__ = "sync_chain"

    run_id: Mapped[int] = mapped_column(ForeignKey("sync_run.id"), primary_key=True)
    number: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    userids: Mapped[list[Any]]
    state: Mapped[str] = mapped_column(String(8), default="open")
    """open, done or failed."""
    cursor: Mapped[str | None] = mapped_column(Text)
    landmark: Mapped[str | None] = mapped_column(Text)
    """An earlier cursor: meeting it again means that the pages go round in a circle."""
    pages: Mapped[int] = mapped_column(default=0)
    restarts: Mapped[int] = mapped_column(default=0)
    asked_library: Mapped[bool] = mapped_column(default=False)
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    error: Mapped[str | None] = mapped_column(String(300))


class SyncRunItem(Base):
    """Something that a run found: what waits for approval or a second look, a difference, or an error."""

    __tablename__ = "sync_run_item"
    __table_args__ = (
        UniqueConstraint("run_id", "kind", "subject"),
        Index("ix_sync_run_item_relation", "relation_id", "state"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    run_id: Mapped[int] = mapped_column(ForeignKey("sync_run.id"))
    kind: Mapped[str] = mapped_column(String(12))
    """removal, absent, tag_gone (these wait), unreadable, failed, adopted or made."""
    subject: Mapped[str] = mapped_column(String(80))
    """What it is about, once per run and kind: a relation's id, a tag's id or a userid."""
    relation_id: Mapped[int | None] = mapped_column(ForeignKey("relation.id"))
    detail: Mapped[dict[str, Any]] = mapped_column(default=dict)
    state: Mapped[str] = mapped_column(String(8), default="noted")
    """noted, waiting, asked, applied or rejected."""
    asked_seq: Mapped[int] = mapped_column(BigId, default=0)
    """Drawn when a single look was asked for: one taken later has answered it."""


class Counter(Base):
    """The sequence numbers on SQLite; on PostgreSQL a sequence object serves."""

    __tablename__ = "counter"

    name: Mapped[str] = mapped_column(String(16), primary_key=True)
    value: Mapped[int] = mapped_column(BigId)
