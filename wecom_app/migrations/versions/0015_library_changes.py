"""Merges of tags and turns of groups: what was decided, how far it is, and what it did to each customer"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0015"
down_revision: str | None = "0014"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT_WORK = sa.text("state IN ('running', 'undoing')")
REFERENCES = {
    "group_id": "tag_group.id",
    "source_tag_id": "tag.id",
    "target_tag_id": "tag.id",
    "change_set_id": "change_set.id",
    "undo_change_set_id": "change_set.id",
}


def upgrade() -> None:
    with op.batch_alter_table("tag", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("merged_into", sa.String(length=200), nullable=True))
    with op.batch_alter_table("tag_group", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("colour", sa.String(length=8), nullable=True))
    op.create_table(
        "library_change",
        sa.Column("id", BIG, nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("group_id", BIG, nullable=False),
        sa.Column("source_tag_id", BIG, nullable=True),
        sa.Column("target_tag_id", BIG, nullable=True),
        sa.Column("cursor", BIG, nullable=False),
        sa.Column("expected", BIG, nullable=False),
        sa.Column("changed", BIG, nullable=False),
        sa.Column("restored", BIG, nullable=False),
        sa.Column("kept", BIG, nullable=False),
        sa.Column("details", sa.JSON(), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("asked_by", sa.String(length=128), nullable=False),
        sa.Column("undone_by", sa.String(length=128), nullable=True),
        sa.Column("change_set_id", BIG, nullable=True),
        sa.Column("undo_change_set_id", BIG, nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.Column("undone_at", UtcDateTime(), nullable=True),
        *(
            sa.ForeignKeyConstraint([name], [target], name=op.f(f"fk_library_change_{name}"))
            for name, target in REFERENCES.items()
        ),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_library_change")),
    )
    op.create_index(
        "ix_library_change_at_work",
        "library_change",
        ["group_id"],
        sqlite_where=AT_WORK,
        postgresql_where=AT_WORK,
    )
    op.create_index("ix_library_change_source", "library_change", ["source_tag_id", "id"])
    op.create_table(
        "library_change_item",
        sa.Column("id", BIG, nullable=False),
        sa.Column("change_id", BIG, nullable=False),
        sa.Column("customer_id", BIG, nullable=False),
        sa.Column("relation_id", BIG, nullable=False),
        sa.Column("detail", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=12), nullable=True),
        sa.ForeignKeyConstraint(["change_id"], ["library_change.id"], name=op.f("fk_library_change_item_change_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_library_change_item_customer_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_library_change_item")),
    )
    op.create_index(
        "ix_library_change_item_customer", "library_change_item", ["change_id", "customer_id", "relation_id"]
    )
    op.create_index("ix_library_change_item_state", "library_change_item", ["change_id", "state", "id"])


def downgrade() -> None:
    op.drop_table("library_change_item")
    op.drop_table("library_change")
    with op.batch_alter_table("tag_group", recreate="never") as batch_op:
        batch_op.drop_column("colour")
    with op.batch_alter_table("tag", recreate="never") as batch_op:
        batch_op.drop_column("merged_into")
