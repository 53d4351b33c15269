"""What settling a disagreement changed, so that a person can take it back"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0017"
down_revision: str | None = "0016"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("sync_conflict", sa.Column("change", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("sync_conflict", "change")
