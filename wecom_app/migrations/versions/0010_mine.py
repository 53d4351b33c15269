"""An index for the tags of one customer that run out"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

revision: str = "0010"
down_revision: str | None = "0009"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

WANTED_AND_RUNS_OUT = sa.text("wanted AND expires_at IS NOT NULL")


def upgrade() -> None:
    op.create_index(
        "ix_customer_tag_ending",
        "customer_tag",
        ["customer_id", "expires_at"],
        sqlite_where=WANTED_AND_RUNS_OUT,
        postgresql_where=WANTED_AND_RUNS_OUT,
    )


def downgrade() -> None:
    op.drop_index("ix_customer_tag_ending", "customer_tag")
