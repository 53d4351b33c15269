"""Follow-up notes, profile fields and their values, remarks on their way to WeCom, and who may edit a tag group"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0005"
down_revision: str | None = "0004"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None

LIVE_FIELD = sa.text("archived_at IS NULL")
CURRENT_VALUE = sa.text("ended_at IS NULL")
REMINDER_WAITS = sa.text("remind_state = 'waiting'")
EDIT_OPEN = sa.text("state IN ('pending', 'sent')")


def upgrade() -> None:
    op.create_table(
        "profile_field",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("repeated", sa.Boolean(), nullable=False),
        sa.Column("required", sa.Boolean(), nullable=False),
        sa.Column("sensitive", sa.Boolean(), nullable=False),
        sa.Column("help", sa.String(length=200), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_field")),
        sa.UniqueConstraint("key", name=op.f("uq_profile_field_key")),
    )
    op.create_index(
        "uq_profile_field_live_name",
        "profile_field",
        ["name"],
        unique=True,
        sqlite_where=LIVE_FIELD,
        postgresql_where=LIVE_FIELD,
    )

    op.create_table(
        "follow_up",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("remind_at", UtcDateTime(), nullable=True),
        sa.Column("remind_state", sa.String(length=8), nullable=True),
        sa.Column("remind_reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("edited_at", UtcDateTime(), nullable=True),
        sa.Column("done_at", UtcDateTime(), nullable=True),
        sa.Column("deleted_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_follow_up_customer_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_follow_up_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_follow_up")),
    )
    op.create_index("ix_follow_up_customer", "follow_up", ["customer_id", "created_at"], unique=False)
    op.create_index(
        "ix_follow_up_reminder",
        "follow_up",
        ["remind_at"],
        unique=False,
        sqlite_where=REMINDER_WAITS,
        postgresql_where=REMINDER_WAITS,
    )
    op.create_index("ix_follow_up_staff", "follow_up", ["staff_id", "remind_at"], unique=False)

    op.create_table(
        "profile_value",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("field_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("value", sa.String(length=500), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_ref", sa.String(length=128), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=True),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("ended_at", UtcDateTime(), nullable=True),
        sa.Column("ended_by", sa.String(length=64), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_profile_value_customer_id")),
        sa.ForeignKeyConstraint(["field_id"], ["profile_field.id"], name=op.f("fk_profile_value_field_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_profile_value")),
    )
    op.create_index("ix_profile_value_customer", "profile_value", ["customer_id", "field_id", "id"], unique=False)
    op.create_index(
        "ix_profile_value_field",
        "profile_value",
        ["field_id", "value"],
        unique=False,
        sqlite_where=CURRENT_VALUE,
        postgresql_where=CURRENT_VALUE,
    )

    op.create_table(
        "remark_edit",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("relation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("life_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("base", sa.JSON(), nullable=False),
        sa.Column("wanted", sa.JSON(), nullable=False),
        sa.Column("pushed", sa.JSON(), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=True),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("challenged", sa.Boolean(), nullable=False),
        sa.Column("looked", sa.Boolean(), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["relation_id"], ["relation.id"], name=op.f("fk_remark_edit_relation_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_remark_edit")),
    )
    op.create_index("ix_remark_edit_relation", "remark_edit", ["relation_id", "id"], unique=False)
    op.create_index(
        "uq_remark_edit_open",
        "remark_edit",
        ["relation_id"],
        unique=True,
        sqlite_where=EDIT_OPEN,
        postgresql_where=EDIT_OPEN,
    )

    op.create_index("ix_change_set_actor", "change_set", ["actor_kind", "actor_ref", "id"], unique=False)
    with op.batch_alter_table("tag_event", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("claims", sa.JSON(), nullable=True))
    with op.batch_alter_table("relation", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("remark_company", sa.String(length=64), nullable=True))

    with op.batch_alter_table("tag_group", recreate="never") as batch_op:
        batch_op.add_column(sa.Column("sensitive", sa.Boolean(), server_default=sa.false(), nullable=False))
        batch_op.add_column(sa.Column("editable_by", sa.String(length=12), server_default="everybody", nullable=False))


def downgrade() -> None:
    with op.batch_alter_table("tag_group", recreate="never") as batch_op:
        batch_op.drop_column("editable_by")
        batch_op.drop_column("sensitive")
    with op.batch_alter_table("relation", recreate="never") as batch_op:
        batch_op.drop_column("remark_company")
    with op.batch_alter_table("tag_event", recreate="never") as batch_op:
        batch_op.drop_column("claims")
    op.drop_index("ix_change_set_actor", table_name="change_set")
    for table in ("remark_edit", "profile_value", "follow_up", "profile_field"):
        op.drop_table(table)
