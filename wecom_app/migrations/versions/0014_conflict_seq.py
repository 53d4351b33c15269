"""When a disagreement was noted, as a sequence number: a later word of a person answers it"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0014"
down_revision: str | None = "0013"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

BIG = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.add_column("sync_conflict", sa.Column("seq", BIG, nullable=True))


def downgrade() -> None:
    op.drop_column("sync_conflict", "seq")
