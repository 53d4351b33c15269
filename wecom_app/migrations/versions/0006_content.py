"""Content items and what became of them"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0006"
down_revision: str | None = "0005"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

ID = sa.BigInteger().with_variant(sa.Integer(), "sqlite")


def upgrade() -> None:
    op.create_table(
        "content_item",
        sa.Column("id", ID, nullable=False),
        sa.Column("kind", sa.String(length=12), nullable=False),
        sa.Column("title", sa.String(length=64), nullable=False),
        sa.Column("spellings", sa.String(length=600), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("link", sa.String(length=1024), nullable=True),
        sa.Column("media_id", ID, nullable=True),
        sa.Column("mini_program", sa.String(length=64), nullable=True),
        sa.Column("mini_program_page", sa.String(length=1024), nullable=True),
        sa.Column("condition", sa.JSON(none_as_null=True), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("valid_from", UtcDateTime(), nullable=True),
        sa.Column("valid_until", UtcDateTime(), nullable=True),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("departments", sa.JSON(), nullable=False),
        sa.Column("rest_days", sa.Integer(), nullable=False),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_by", sa.String(length=64), nullable=False),
        sa.Column("updated_by", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["media_id"], ["media.id"], name=op.f("fk_content_item_media_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_item")),
        sqlite_autoincrement=True,
    )
    revisions = op.create_table(
        "content_revision",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("number", ID, nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_revision")),
    )
    op.bulk_insert(revisions, [{"id": 1, "number": 0}])
    op.create_table(
        "content_event",
        sa.Column("id", ID, nullable=False),
        sa.Column("item_id", ID, nullable=False),
        sa.Column("customer_id", ID, nullable=False),
        sa.Column("staff_id", ID, nullable=False),
        sa.Column("result", sa.String(length=9), nullable=False),
        sa.Column("shown_on", sa.Date(), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_content_event_customer_id")),
        sa.ForeignKeyConstraint(["item_id"], ["content_item.id"], name=op.f("fk_content_event_item_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_content_event_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_content_event")),
        sa.UniqueConstraint(
            "item_id",
            "customer_id",
            "staff_id",
            "shown_on",
            name=op.f("uq_content_event_item_id_customer_id_staff_id_shown_on"),
        ),
    )
    op.create_index("ix_content_event_customer", "content_event", ["customer_id", "at"])
    op.create_index("ix_content_event_item", "content_event", ["item_id", "at"])


def downgrade() -> None:
    op.drop_table("content_event")
    op.drop_table("content_revision")
    op.drop_table("content_item")
