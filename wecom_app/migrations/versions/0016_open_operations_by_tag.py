"""Open operations are found by their tag: a tag that is gone closes its own, page by page"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0016"
down_revision: str | None = "0015"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

OPEN = sa.text("state IN ('pending', 'sent')")


def upgrade() -> None:
    op.create_index(
        "ix_tag_operation_open_tag",
        "tag_operation",
        ["tag_id", "customer_id"],
        sqlite_where=OPEN,
        postgresql_where=OPEN,
    )


def downgrade() -> None:
    op.drop_index("ix_tag_operation_open_tag", "tag_operation")
