"""When a name or an order was last touched, so that an older list of WeCom's says nothing about it"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0013"
down_revision: str | None = "0012"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    for table in ("tag_group", "tag"):
        op.add_column(table, sa.Column("touched_seq", BIG, server_default="0", nullable=False))


def downgrade() -> None:
    for table in ("tag", "tag_group"):
        op.drop_column(table, "touched_seq")
