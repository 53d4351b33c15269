"""Runs of sync: their chains of pages, what they found, and what a full pull notes on each relation"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0011"
down_revision: str | None = "0010"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
UNFINISHED = sa.text("state IN ('queued', 'running', 'held')")


def upgrade() -> None:
    op.create_table(
        "sync_run",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("phase", sa.String(length=12), nullable=False),
        sa.Column("asked_by", sa.String(length=64), nullable=False),
        sa.Column("parent_id", BIG, nullable=True),
        sa.Column("start_seq", BIG, nullable=False),
        sa.Column("first_link", sa.Boolean(), nullable=False),
        sa.Column("expected", BIG, nullable=False),
        sa.Column("cursor", BIG, nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("guard", sa.JSON(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("settled_by", sa.String(length=64), nullable=True),
        sa.Column("change_set_id", BIG, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["sync_run.id"], name=op.f("fk_sync_run_parent_id")),
        sa.ForeignKeyConstraint(["change_set_id"], ["change_set.id"], name=op.f("fk_sync_run_change_set_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_run")),
    )
    op.create_index(
        "uq_sync_run_unfinished",
        "sync_run",
        ["kind"],
        unique=True,
        sqlite_where=UNFINISHED,
        postgresql_where=UNFINISHED,
    )
    op.create_table(
        "sync_chain",
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("number", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("userids", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("cursor", sa.Text(), nullable=True),
        sa.Column("landmark", sa.Text(), nullable=True),
        sa.Column("pages", sa.Integer(), nullable=False),
        sa.Column("restarts", sa.Integer(), nullable=False),
        sa.Column("asked_library", sa.Boolean(), nullable=False),
        sa.Column("counts", sa.JSON(), nullable=False),
        sa.Column("error", sa.String(length=300), nullable=True),
        sa.ForeignKeyConstraint(["run_id"], ["sync_run.id"], name=op.f("fk_sync_chain_run_id")),
        sa.PrimaryKeyConstraint("run_id", "number", name=op.f("pk_sync_chain")),
    )
    op.create_table(
        "sync_run_item",
        sa.Column("id", BIG, nullable=False),
        sa.Column("run_id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("subject", sa.String(length=80), nullable=False),
        sa.Column("relation_id", BIG, nullable=True),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("asked_seq", BIG, nullable=False),
        sa.ForeignKeyConstraint(["run_id"], ["sync_run.id"], name=op.f("fk_sync_run_item_run_id")),
        sa.ForeignKeyConstraint(["relation_id"], ["relation.id"], name=op.f("fk_sync_run_item_relation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_run_item")),
        sa.UniqueConstraint("run_id", "kind", "subject", name=op.f("uq_sync_run_item_run_id_kind_subject")),
    )
    op.create_index("ix_sync_run_item_relation", "sync_run_item", ["relation_id", "state"])
    has_parent = sa.text("parent_id IS NOT NULL")
    op.create_index(
        "ix_change_set_parent", "change_set", ["parent_id"], sqlite_where=has_parent, postgresql_where=has_parent
    )
    op.add_column("relation", sa.Column("listed_seq", BIG, server_default="0", nullable=False))
    op.add_column("relation", sa.Column("absent_seq", BIG, server_default="0", nullable=False))
    op.add_column("deployment", sa.Column("link_held", sa.Boolean(), server_default=sa.false(), nullable=False))


def downgrade() -> None:
    op.drop_column("deployment", "link_held")
    op.drop_column("relation", "absent_seq")
    op.drop_column("relation", "listed_seq")
    op.drop_index("ix_change_set_parent", "change_set")
    op.drop_index("ix_sync_run_item_relation", "sync_run_item")
    op.drop_table("sync_run_item")
    op.drop_table("sync_chain")
    op.drop_index("uq_sync_run_unfinished", "sync_run")
    op.drop_table("sync_run")
