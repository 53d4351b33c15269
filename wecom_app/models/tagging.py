"""Who has which tag and why: truth and cells, claims, history; written only by tagging and sync services.

`customer_tag` with `relation_id` 0 is the customer's own truth; with a relation's id it is that relation's
cell, which mirrors WeCom (in groups of scope `relation` it is truth and cell in one).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

DEAD = text("dead")
HAS_PARENT = text("parent_id IS NOT NULL")
RUNS_OUT = text("expires_at IS NOT NULL")
WANTED_AND_RUNS_OUT = text("wanted AND expires_at IS NOT NULL")

CUSTOMER_LEVEL = 0
"""The `relation_id` of a row that speaks for the customer as a whole."""


class CustomerTag(Base):
    __tablename__ = "customer_tag"
    __table_args__ = (
        Index("ix_customer_tag_tag_wanted", "tag_id", "relation_id", "wanted"),
        Index("ix_customer_tag_dead", "customer_id", sqlite_where=DEAD, postgresql_where=DEAD),
        Index(
            "ix_customer_tag_expiry",
            "expires_at",
            "customer_id",
            sqlite_where=WANTED_AND_RUNS_OUT,
            postgresql_where=WANTED_AND_RUNS_OUT,
        ),
        Index(
            "ix_customer_tag_ending",
            "customer_id",
            "expires_at",
            sqlite_where=WANTED_AND_RUNS_OUT,
            postgresql_where=WANTED_AND_RUNS_OUT,
        ),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    relation_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    wanted: Mapped[bool]
    ver: Mapped[int] = mapped_column(BigId, default=0)
    """Sequence number of the last change of the value."""
    person_seq: Mapped[int] = mapped_column(BigId, default=0)
    person_at: Mapped[datetime | None]
    source_kind: Mapped[str] = mapped_column(String(16))
    source_ref: Mapped[str | None] = mapped_column(String(128))
    actor: Mapped[str | None] = mapped_column(String(64))
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    set_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]
    base: Mapped[bool | None]
    """The last state observed at WeCom; None means never looked."""
    acked_ver: Mapped[int] = mapped_column(BigId, default=0)
    seen_seq: Mapped[int] = mapped_column(BigId, default=0)
    touched_seq: Mapped[int] = mapped_column(BigId, default=0)
    sent: Mapped[int | None]
    """Values pushed since the last applied look: 0, 1, or 2 for both; None means none."""
    tries: Mapped[int] = mapped_column(default=0)
    dead: Mapped[bool] = mapped_column(default=False)


class TagClaim(Base):
    """A source that wants the tag but does not hold the row; the best one takes over when the winner lets go."""

    __tablename__ = "tag_claim"
    __table_args__ = (
        Index("ix_tag_claim_expiry", "expires_at", "customer_id", sqlite_where=RUNS_OUT, postgresql_where=RUNS_OUT),
    )

    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"), primary_key=True)
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"), primary_key=True)
    relation_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)
    source_kind: Mapped[str] = mapped_column(String(16), primary_key=True)
    source_ref: Mapped[str] = mapped_column(String(128), primary_key=True)
    actor: Mapped[str | None] = mapped_column(String(64))
    evidence: Mapped[dict[str, Any]] = mapped_column(default=dict)
    claimed_at: Mapped[datetime]
    expires_at: Mapped[datetime | None]


class ChangeSet(Base):
    """One act that changed tags, undone as a whole."""

    __tablename__ = "change_set"
    __table_args__ = (
        Index("ix_change_set_actor", "actor_kind", "actor_ref", "id"),
        Index("ix_change_set_parent", "parent_id", sqlite_where=HAS_PARENT, postgresql_where=HAS_PARENT),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(16))
    actor_ref: Mapped[str | None] = mapped_column(String(128))
    reason: Mapped[str | None] = mapped_column(String(300))
    parent_id: Mapped[int | None] = mapped_column(ForeignKey("change_set.id"))


class TagEvent(Base):
    """History: one line per tag changed, with the full row before and after."""

    __tablename__ = "tag_event"
    __table_args__ = (Index("ix_tag_event_customer", "customer_id", "id"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    change_set_id: Mapped[int] = mapped_column(ForeignKey("change_set.id"), index=True)
    customer_id: Mapped[int] = mapped_column(ForeignKey("customer.id"))
    tag_id: Mapped[int] = mapped_column(ForeignKey("tag.id"))
    relation_id: Mapped[int] = mapped_column(BigId)
    op: Mapped[str] = mapped_column(String(8))
    before: Mapped[dict[str, Any] | None]
    after: Mapped[dict[str, Any] | None]
    claims: Mapped[dict[str, Any] | None]
    """What other sources wanted of the unit before and after; None where none did."""
    event_id: Mapped[int | None] = mapped_column(BigId)
    """The callback that caused it, if one did."""
    at: Mapped[datetime]
