"""Tags of WeCom that the library has not taken in"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0021"
down_revision: str | None = "0020"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "unlinked_tag",
        sa.Column("id", BIG, nullable=False),
        sa.Column("wecom_tag_id", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("wecom_group_id", sa.String(length=64), nullable=False),
        sa.Column("group_name", sa.String(length=64), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_unlinked_tag")),
        sa.UniqueConstraint("wecom_tag_id", name=op.f("uq_unlinked_tag_wecom_tag_id")),
    )


def downgrade() -> None:
    op.drop_table("unlinked_tag")
