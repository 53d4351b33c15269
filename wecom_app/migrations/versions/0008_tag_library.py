"""The tag library: descriptions, aliases, lifecycle, default life and edit versions of dimensions, groups and tags"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0008"
down_revision: str | None = "0007"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

COMMON = ("version", "ttl_days", "lifecycle", "maintainer", "definition", "description")


def upgrade() -> None:
    with op.batch_alter_table("tag_dimension", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
        batch_op.add_column(sa.Column("archived_at", UtcDateTime(), nullable=True))
    for table in ("tag_group", "tag"):
        with op.batch_alter_table(table, recreate="never") as batch_op:
            batch_op.add_column(sa.Column("description", sa.String(length=300), server_default="", nullable=False))
            batch_op.add_column(sa.Column("definition", sa.String(length=500), server_default="", nullable=False))
            batch_op.add_column(sa.Column("maintainer", sa.String(length=64), nullable=True))
            batch_op.add_column(sa.Column("lifecycle", sa.String(length=12), server_default="active", nullable=False))
            batch_op.add_column(sa.Column("ttl_days", sa.Integer(), nullable=True))
            batch_op.add_column(sa.Column("version", sa.Integer(), server_default="1", nullable=False))
    with op.batch_alter_table("tag", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("aliases", sa.JSON(), server_default="[]", nullable=False))
        batch_op.add_column(sa.Column("replaced_by", sa.String(length=200), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("tag", recreate="never") as batch_op:
        batch_op.drop_column("replaced_by")
        batch_op.drop_column("aliases")
    for table in ("tag", "tag_group"):
        with op.batch_alter_table(table, recreate="never") as batch_op:
            for name in COMMON:
                batch_op.drop_column(name)
    with op.batch_alter_table("tag_dimension", recreate="never") as batch_op:
        batch_op.drop_column("archived_at")
        batch_op.drop_column("version")
