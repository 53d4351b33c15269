"""Tags that looks have shown before the library had them, so that they do not pass for put on later"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0020"
down_revision: str | None = "0019"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.add_column("relation", sa.Column("missed_tags", sa.JSON(), nullable=True))


def downgrade() -> None:
    op.drop_column("relation", "missed_tags")
