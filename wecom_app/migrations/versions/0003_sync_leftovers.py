"""Leftovers of what keeps both sides equal: shares of the flight, and indexes for sweeps and lists"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0003"
down_revision: str | None = "0002"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

DEAD = sa.text("dead")
RUNS_OUT = sa.text("expires_at IS NOT NULL")
WANTED_AND_RUNS_OUT = sa.text("wanted AND expires_at IS NOT NULL")


def upgrade() -> None:
    op.create_table(
        "flight_share",
        sa.Column("api_group", sa.String(length=8), nullable=False),
        sa.Column("process", sa.String(length=16), nullable=False),
        sa.Column("counts_until", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("api_group", "process", name=op.f("pk_flight_share")),
    )
    _create_partial_index("ix_customer_tag_dead", "customer_tag", ["customer_id"], DEAD)
    _create_partial_index("ix_customer_tag_expiry", "customer_tag", ["expires_at", "customer_id"], WANTED_AND_RUNS_OUT)
    _create_partial_index("ix_tag_claim_expiry", "tag_claim", ["expires_at", "customer_id"], RUNS_OUT)
    op.create_index("ix_sync_conflict_state", "sync_conflict", ["state", "id"])


def downgrade() -> None:
    op.drop_index("ix_sync_conflict_state", "sync_conflict")
    op.drop_index("ix_tag_claim_expiry", "tag_claim")
    op.drop_index("ix_customer_tag_expiry", "customer_tag")
    op.drop_index("ix_customer_tag_dead", "customer_tag")
    op.drop_table("flight_share")


def _create_partial_index(name: str, table: str, columns: list[str], where: sa.TextClause) -> None:
    op.create_index(name, table, columns, sqlite_where=where, postgresql_where=where)
