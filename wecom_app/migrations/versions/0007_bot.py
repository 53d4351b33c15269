"""The bot: its messages, dialogues, duty and cards; what the group robot is told, and alerts"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0007"
down_revision: str | None = "0006"
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "alert",
        sa.Column("key", sa.String(length=32), nullable=False),
        sa.Column("firing", sa.Boolean(), nullable=False),
        sa.Column("level", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("words", sa.String(length=300), nullable=False),
        sa.Column("since", UtcDateTime(), nullable=False),
        sa.Column("seen_at", UtcDateTime(), nullable=False),
        sa.Column("recovered_at", UtcDateTime(), nullable=True),
        sa.Column("told_level", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("told_at", UtcDateTime(), nullable=True),
        sa.Column("told_in", sa.String(length=40), nullable=True),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_alert")),
    )
    op.create_table(
        "robot_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("robot", sa.String(length=16), nullable=False),
        sa.Column("kind", sa.String(length=8), nullable=False),
        sa.Column("period", sa.String(length=40), nullable=False),
        sa.Column("content", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_robot_message")),
        sa.UniqueConstraint("robot", "kind", "period", name=op.f("uq_robot_message_robot_kind_period")),
    )
    op.create_table(
        "bot_dialogue",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("command", sa.Text(), nullable=True),
        sa.Column("asking", sa.String(length=200), nullable=True),
        sa.Column("options", sa.JSON(), nullable=False),
        sa.Column("answers", sa.JSON(), nullable=False),
        sa.Column("ask_until", UtcDateTime(), nullable=True),
        sa.Column("pages", sa.JSON(), nullable=False),
        sa.Column("change_set_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_bot_dialogue_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_bot_dialogue")),
    )
    op.create_table(
        "bot_message",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("cause", sa.String(length=64), nullable=False),
        sa.Column("text", sa.Text(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_bot_message_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_message")),
        sa.UniqueConstraint("cause", name=op.f("uq_bot_message_cause")),
    )
    op.create_index("ix_bot_message_staff", "bot_message", ["staff_id", "state"])

    op.create_table(
        "duty",
        sa.Column(
            "staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("on_duty", sa.Boolean(), nullable=False),
        sa.Column("changed_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_duty_staff_id")),
        sa.PrimaryKeyConstraint("staff_id", name=op.f("pk_duty")),
    )
    op.create_table(
        "bot_settings",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("cards", sa.Boolean(), nullable=False),
        sa.Column("card_group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("card_delay_s", sa.Integer(), nullable=False),
        sa.Column("digest", sa.Boolean(), nullable=False),
        sa.Column("digest_at", sa.String(length=5), nullable=False),
        sa.Column("alerts", sa.Boolean(), nullable=False),
        sa.Column("updated_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["card_group_id"], ["tag_group.id"], name=op.f("fk_bot_settings_card_group_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_bot_settings")),
    )
    op.create_table(
        "intention_card",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("relation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("life_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("task_id", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=10), nullable=False),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("sent_at", UtcDateTime(), nullable=True),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["tag_group.id"], name=op.f("fk_intention_card_group_id")),
        sa.ForeignKeyConstraint(["relation_id"], ["relation.id"], name=op.f("fk_intention_card_relation_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_intention_card_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_intention_card")),
        sa.UniqueConstraint("relation_id", "life_seq", name=op.f("uq_intention_card_relation_id_life_seq")),
        sa.UniqueConstraint("task_id", name=op.f("uq_intention_card_task_id")),
    )
    op.create_index("ix_intention_card_state", "intention_card", ["state", "id"])
    op.create_index("ix_welcome_received", "welcome", ["received_at"])


def downgrade() -> None:
    op.drop_index("ix_welcome_received", "welcome")
    op.drop_table("intention_card")
    op.drop_table("bot_settings")
    op.drop_table("duty")
    op.drop_table("bot_message")
    op.drop_table("bot_dialogue")
    op.drop_table("robot_message")
    op.drop_table("alert")
