"""Whether the tag that a merge takes out of use is deleted at WeCom, and how far that is"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0018"
down_revision: str | None = "0017"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    with op.batch_alter_table("library_change", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("deletion", sa.String(length=8), nullable=True))


def downgrade() -> None:
    with op.batch_alter_table("library_change", recreate="never") as batch_op:
        batch_op.drop_column("deletion")
