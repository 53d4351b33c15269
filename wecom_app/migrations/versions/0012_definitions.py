"""Names and orders of groups and tags as last agreed on with WeCom, conflict policies, and disagreements about them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0012"
down_revision: str | None = "0011"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")
AT_WECOM = {"tag_group": "wecom_group_id", "tag": "wecom_tag_id"}
COLUMNS = ("deleting_at", "blocked_by", "tries", "sent_order", "sent_name", "base_order", "base_name")
OF_MARKS = ("customer_id", "relation_id", "tag_id")
SETTLING = ("settled_at", "settled_by", "resolution")


def upgrade() -> None:
    for table, wecom_id in AT_WECOM.items():
        with op.batch_alter_table(table, recreate="never") as batch_op:
            batch_op.add_column(sa.Column("base_name", sa.String(length=64), nullable=True))
            batch_op.add_column(sa.Column("base_order", BIG, nullable=True))
            batch_op.add_column(sa.Column("sent_name", sa.String(length=64), nullable=True))
            batch_op.add_column(sa.Column("sent_order", BIG, nullable=True))
            batch_op.add_column(sa.Column("tries", sa.Integer(), server_default="0", nullable=False))
            batch_op.add_column(sa.Column("blocked_by", sa.String(length=8), nullable=True))
            batch_op.add_column(sa.Column("deleting_at", UtcDateTime(), nullable=True))
        # Until now an edit was made at WeCom before it was made here.
        agreed = f"UPDATE {table} SET base_name = name, base_order = position WHERE {wecom_id} IS NOT NULL"  # noqa: S608
        op.execute(sa.text(agreed))
    op.execute(sa.text("UPDATE tag SET blocked_by = 'refused' WHERE blocked IS NOT NULL"))
    with op.batch_alter_table("tag_group", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("blocked", sa.String(length=200), nullable=True))
        batch_op.add_column(sa.Column("aliases", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("conflict_policy", sa.String(length=8), server_default="wecom", nullable=False))
    op.add_column("deployment", sa.Column("tag_limit_seen", sa.Integer(), nullable=True))
    with op.batch_alter_table("sync_conflict") as batch_op:
        for name in OF_MARKS:
            batch_op.alter_column(name, existing_type=BIG, nullable=True)
        batch_op.add_column(sa.Column("group_id", BIG, nullable=True))
        batch_op.add_column(sa.Column("resolution", sa.String(length=8), nullable=True))
        batch_op.add_column(sa.Column("settled_by", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("settled_at", UtcDateTime(), nullable=True))
        batch_op.create_foreign_key(op.f("fk_sync_conflict_group_id"), "tag_group", ["group_id"], ["id"])


def downgrade() -> None:
    op.execute(sa.text("DELETE FROM sync_conflict WHERE customer_id IS NULL"))
    with op.batch_alter_table("sync_conflict") as batch_op:
        batch_op.drop_constraint(op.f("fk_sync_conflict_group_id"), type_="foreignkey")
        for name in (*SETTLING, "group_id"):
            batch_op.drop_column(name)
        for name in OF_MARKS:
            batch_op.alter_column(name, existing_type=BIG, nullable=False)
    op.drop_column("deployment", "tag_limit_seen")
    with op.batch_alter_table("tag_group", recreate="never") as batch_op:
        for name in ("conflict_policy", "aliases", "blocked"):
            batch_op.drop_column(name)
    for table in AT_WECOM:
        with op.batch_alter_table(table, recreate="never") as batch_op:
            for name in COLUMNS:
                batch_op.drop_column(name)
