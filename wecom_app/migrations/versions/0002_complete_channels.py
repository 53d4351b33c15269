"""Complete channels: editing, remark rules, files, the default welcome, and the states nobody knows"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0002"
down_revision: str | None = "0001"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

UNRECOGNISED = sa.text("state IS NOT NULL AND channel_id IS NULL")
CHANNEL_COLUMNS = ("remark_rule", "skip_verify", "exclusive", "code", "pushed_hash", "pushing_until")


def upgrade() -> None:
    op.create_table(
        "media_piece",
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("position", sa.Integer(), autoincrement=False, nullable=False),
        sa.Column("content", sa.LargeBinary(), nullable=False),
        sa.PrimaryKeyConstraint("sha256", "position", name=op.f("pk_media_piece")),
    )
    op.create_table(
        "media",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("filename", sa.String(length=128), nullable=False),
        sa.Column("size", sa.Integer(), nullable=False),
        sa.Column("sha256", sa.String(length=64), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("media_id", sa.String(length=256), nullable=True),
        sa.Column("uploaded_at", UtcDateTime(), nullable=True),
        sa.Column("problem", sa.String(length=300), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_media")),
        sa.UniqueConstraint("sha256", "kind", "filename", name=op.f("uq_media_sha256_kind_filename")),
    )
    op.create_table(
        "default_welcome",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("fallback_text", sa.Text(), nullable=True),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_default_welcome")),
    )
    # Adding columns leaves the table in place; making it anew would break what refers to it on SQLite.
    with op.batch_alter_table("channel", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("remark_rule", sa.String(length=100), nullable=True))
        batch_op.add_column(sa.Column("skip_verify", sa.Boolean(), server_default=sa.true(), nullable=False))
        batch_op.add_column(sa.Column("exclusive", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("code", sa.String(length=8), server_default="ours", nullable=False))
        batch_op.add_column(sa.Column("pushed_hash", sa.String(length=64), nullable=True))
        batch_op.add_column(sa.Column("pushing_until", UtcDateTime(), nullable=True))

    op.create_table(
        "channel_remark",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("relation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("life_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("status", sa.String(length=8), nullable=False),
        sa.Column("remark", sa.String(length=20), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_channel_remark_channel_id")),
        sa.ForeignKeyConstraint(["relation_id"], ["relation.id"], name=op.f("fk_channel_remark_relation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel_remark")),
        sa.UniqueConstraint("relation_id", "life_seq", name=op.f("uq_channel_remark_relation_id_life_seq")),
    )
    op.create_index("ix_channel_remark_channel", "channel_remark", ["channel_id", "id"])
    op.create_index(
        "ix_relation_unknown_state",
        "relation",
        ["state", "id"],
        sqlite_where=UNRECOGNISED,
        postgresql_where=UNRECOGNISED,
    )


def downgrade() -> None:
    op.drop_index("ix_relation_unknown_state", table_name="relation")
    op.drop_table("channel_remark")
    with op.batch_alter_table("channel", recreate="never") as batch_op:
        for name in CHANNEL_COLUMNS:
            batch_op.drop_column(name)

    op.drop_table("default_welcome")
    op.drop_table("media")
    op.drop_table("media_piece")
