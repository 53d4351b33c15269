"""Create the first tables"""

from collections.abc import Sequence

import sqlalchemy as sa
from alembic import op

from wecom_app.db import UtcDateTime

revision: str = "0001"
down_revision: str | None = None
branch_labels: str | Sequence[str] | None = None
depends_on: str | Sequence[str] | None = None


def upgrade() -> None:
    op.create_table(
        "api_call",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("api", sa.String(length=64), nullable=False),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.Column("outcome", sa.String(length=16), nullable=False),
        sa.Column("duration_ms", sa.Integer(), nullable=False),
        sa.Column("job_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_call")),
    )
    with op.batch_alter_table("api_call", schema=None) as batch_op:
        batch_op.create_index("ix_api_call_at", ["at"], unique=False)

    op.create_table(
        "api_key",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("prefix", sa.String(length=16), nullable=False),
        sa.Column("secret_hash", sa.String(length=64), nullable=False),
        sa.Column("scopes", sa.JSON(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("revoked_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_api_key")),
        sa.UniqueConstraint("prefix", name=op.f("uq_api_key_prefix")),
    )
    op.create_table(
        "api_window",
        sa.Column("api", sa.String(length=64), nullable=False),
        sa.Column("span", sa.String(length=8), nullable=False),
        sa.Column("starts_at", UtcDateTime(), nullable=False),
        sa.Column("taken", sa.Integer(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("api", "span", name=op.f("pk_api_window")),
    )
    op.create_table(
        "change_set",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.Column("actor_kind", sa.String(length=16), nullable=False),
        sa.Column("actor_ref", sa.String(length=128), nullable=True),
        sa.Column("reason", sa.String(length=300), nullable=True),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.ForeignKeyConstraint(["parent_id"], ["change_set.id"], name=op.f("fk_change_set_parent_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_change_set")),
    )
    op.create_table(
        "channel",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("source", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=30), nullable=False),
        sa.Column("welcome_text", sa.Text(), nullable=True),
        sa.Column("welcome_fallback_text", sa.Text(), nullable=True),
        sa.Column("attachments", sa.JSON(), nullable=False),
        sa.Column("config_id", sa.String(length=64), nullable=True),
        sa.Column("qr_code", sa.String(length=512), nullable=True),
        sa.Column("sync_state", sa.String(length=8), nullable=False),
        sa.Column("sync_reason", sa.String(length=300), nullable=True),
        sa.Column("attempted_at", UtcDateTime(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_channel")),
        sa.UniqueConstraint("config_id", name=op.f("uq_channel_config_id")),
        sa.UniqueConstraint("state", name=op.f("uq_channel_state")),
    )
    op.create_table(
        "counter",
        sa.Column("name", sa.String(length=16), nullable=False),
        sa.Column("value", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_counter")),
    )
    op.create_table(
        "customer",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("external_userid", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("type", sa.String(length=8), nullable=False),
        sa.Column("avatar", sa.String(length=512), nullable=True),
        sa.Column("gender", sa.Integer(), nullable=True),
        sa.Column("unionid", sa.String(length=64), nullable=True),
        sa.Column("corp_name", sa.String(length=128), nullable=True),
        sa.Column("version", sa.Integer(), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("details_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_customer")),
        sa.UniqueConstraint("external_userid", name=op.f("uq_customer_external_userid")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_customer_unionid"), ["unionid"], unique=False)

    op.create_table(
        "deployment",
        sa.Column("id", sa.Integer(), nullable=False),
        sa.Column("corp_id", sa.String(length=64), nullable=False),
        sa.Column("agent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_deployment")),
    )
    op.create_table(
        "inbox_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("digest", sa.String(length=64), nullable=False),
        sa.Column("event", sa.String(length=64), nullable=False),
        sa.Column("change_type", sa.String(length=64), nullable=False),
        sa.Column("subject", sa.String(length=128), nullable=False),
        sa.Column("fields", sa.JSON(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("occurred_at", UtcDateTime(), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("last_received_at", UtcDateTime(), nullable=False),
        sa.Column("deliveries", sa.Integer(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("handled_at", UtcDateTime(), nullable=True),
        sa.Column("error", sa.String(length=500), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_inbox_event")),
        sa.UniqueConstraint("digest", name=op.f("uq_inbox_event_digest")),
    )
    with op.batch_alter_table("inbox_event", schema=None) as batch_op:
        batch_op.create_index("ix_inbox_event_state", ["state", "id"], unique=False)
        batch_op.create_index("ix_inbox_event_subject", ["subject", "id"], unique=False)

    op.create_table(
        "job",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=64), nullable=False),
        sa.Column("args", sa.JSON(), nullable=False),
        sa.Column("lane", sa.String(length=16), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=True),
        sa.Column("unique", sa.String(length=128), nullable=True),
        sa.Column("priority", sa.Integer(), nullable=False),
        sa.Column("run_at", UtcDateTime(), nullable=False),
        sa.Column("state", sa.String(length=8), nullable=False),
        sa.Column("attempts", sa.Integer(), nullable=False),
        sa.Column("lease_until", UtcDateTime(), nullable=True),
        sa.Column("lease_owner", sa.String(length=96), nullable=True),
        sa.Column("last_error", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("started_at", UtcDateTime(), nullable=True),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_job")),
        sqlite_autoincrement=True,
    )
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.create_index(
            "ix_job_key",
            ["lane", "key", "id"],
            unique=False,
            sqlite_where=sa.text("key IS NOT NULL AND state IN ('waiting', 'retrying', 'running')"),
            postgresql_where=sa.text("key IS NOT NULL AND state IN ('waiting', 'retrying', 'running')"),
        )
        batch_op.create_index(
            "ix_job_lease",
            ["lease_until"],
            unique=False,
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )
        batch_op.create_index(
            "ix_job_ready",
            ["lane", sa.literal_column("priority DESC"), "id", "run_at"],
            unique=False,
            sqlite_where=sa.text("state IN ('waiting', 'retrying')"),
            postgresql_where=sa.text("state IN ('waiting', 'retrying')"),
        )
        batch_op.create_index(
            "ix_job_retrying_unique",
            ["kind", "unique"],
            unique=False,
            sqlite_where=sa.text("\"unique\" IS NOT NULL AND state = 'retrying'"),
            postgresql_where=sa.text("\"unique\" IS NOT NULL AND state = 'retrying'"),
        )
        batch_op.create_index("ix_job_state", ["state", "id"], unique=False)
        batch_op.create_index(
            "uq_job_unique",
            ["kind", "unique"],
            unique=True,
            sqlite_where=sa.text("\"unique\" IS NOT NULL AND state = 'waiting'"),
            postgresql_where=sa.text("\"unique\" IS NOT NULL AND state = 'waiting'"),
        )

    op.create_table(
        "staff",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("userid", sa.String(length=64), nullable=False),
        sa.Column("userid_key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("status", sa.String(length=8), server_default="active", nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_staff")),
        sa.UniqueConstraint("userid_key", name=op.f("uq_staff_userid_key")),
    )
    op.create_table(
        "department",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False),
        sa.Column("name", sa.String(length=128), nullable=False),
        sa.Column("parent_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_department")),
    )
    op.create_table(
        "department_member",
        sa.Column(
            "department_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), autoincrement=False, nullable=False
        ),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("is_leader", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_department_member_staff_id")),
        sa.PrimaryKeyConstraint("department_id", "staff_id", name=op.f("pk_department_member")),
    )
    op.create_table(
        "tag_dimension",
        sa.Column("key", sa.String(length=64), nullable=False),
        sa.Column("name", sa.String(length=32), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.PrimaryKeyConstraint("key", name=op.f("pk_tag_dimension")),
        sa.UniqueConstraint("name", name=op.f("uq_tag_dimension_name")),
    )
    op.create_table(
        "wecom_token",
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("value", sa.Text(), nullable=True),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("refreshing_until", UtcDateTime(), nullable=True),
        sa.Column("refusals", sa.Integer(), nullable=False),
        sa.Column("blocked_until", UtcDateTime(), nullable=True),
        sa.Column("last_error", sa.String(length=200), nullable=True),
        sa.Column("fetched_at", UtcDateTime(), nullable=True),
        sa.PrimaryKeyConstraint("name", name=op.f("pk_wecom_token")),
    )
    op.create_table(
        "channel_staff",
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_channel_staff_channel_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_channel_staff_staff_id")),
        sa.PrimaryKeyConstraint("channel_id", "staff_id", name=op.f("pk_channel_staff")),
    )
    op.create_table(
        "idempotency_record",
        sa.Column("api_key_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=128), nullable=False),
        sa.Column("request_hash", sa.String(length=64), nullable=False),
        sa.Column("status", sa.Integer(), nullable=True),
        sa.Column("body", sa.Text(), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["api_key_id"], ["api_key.id"], name=op.f("fk_idempotency_record_api_key_id")),
        sa.PrimaryKeyConstraint("api_key_id", "key", name=op.f("pk_idempotency_record")),
    )
    op.create_table(
        "relation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("staff_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("half", sa.Boolean(), nullable=False),
        sa.Column("add_way", sa.Integer(), nullable=True),
        sa.Column("state", sa.String(length=64), nullable=True),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("remark", sa.String(length=64), nullable=True),
        sa.Column("description", sa.String(length=512), nullable=True),
        sa.Column("remark_mobiles", sa.JSON(), nullable=True),
        sa.Column("opened_at", UtcDateTime(), nullable=False),
        sa.Column("lost_at", UtcDateTime(), nullable=True),
        sa.Column("lost_by", sa.String(length=8), nullable=True),
        sa.Column("epoch_at", UtcDateTime(), nullable=True),
        sa.Column("linked", sa.Boolean(), nullable=False),
        sa.Column("life_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seen_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("dirty_gen", sa.Integer(), nullable=False),
        sa.Column("pulled_gen", sa.Integer(), nullable=False),
        sa.Column("parted", sa.JSON(), nullable=False),
        sa.Column("transfer_failure", sa.String(length=32), nullable=True),
        sa.Column("source_known", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_relation_channel_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_relation_customer_id")),
        sa.ForeignKeyConstraint(["staff_id"], ["staff.id"], name=op.f("fk_relation_staff_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_relation")),
        sa.UniqueConstraint("customer_id", "staff_id", name=op.f("uq_relation_customer_id_staff_id")),
    )
    with op.batch_alter_table("relation", schema=None) as batch_op:
        batch_op.create_index("ix_relation_staff_live", ["staff_id", "lost_at"], unique=False)

    op.create_table(
        "tag_group",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=160), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("dimension", sa.String(length=64), nullable=False),
        sa.Column("selection", sa.String(length=8), nullable=False),
        sa.Column("scope", sa.String(length=8), nullable=False),
        sa.Column("mirror", sa.String(length=8), nullable=False),
        sa.Column("owner", sa.String(length=8), nullable=False),
        sa.Column("wecom_group_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("gone_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["dimension"], ["tag_dimension.key"], name=op.f("fk_tag_group_dimension")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_group")),
        sa.UniqueConstraint("key", name=op.f("uq_tag_group_key")),
        sa.UniqueConstraint("wecom_group_id", name=op.f("uq_tag_group_wecom_group_id")),
    )
    with op.batch_alter_table("tag_group", schema=None) as batch_op:
        batch_op.create_index(
            "uq_tag_group_live_name",
            ["name"],
            unique=True,
            sqlite_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
        )

    op.create_table(
        "welcome",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("code", sa.String(length=512), nullable=False),
        sa.Column("external_userid", sa.String(length=64), nullable=False),
        sa.Column("userid", sa.String(length=64), nullable=False),
        sa.Column("state", sa.String(length=64), nullable=True),
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("status", sa.String(length=12), nullable=False),
        sa.Column("deadline_at", UtcDateTime(), nullable=False),
        sa.Column("text", sa.Text(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("errcode", sa.Integer(), nullable=True),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("received_at", UtcDateTime(), nullable=False),
        sa.Column("finished_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_welcome_channel_id")),
        sa.ForeignKeyConstraint(["event_id"], ["inbox_event.id"], name=op.f("fk_welcome_event_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_welcome")),
        sa.UniqueConstraint("code", name=op.f("uq_welcome_code")),
        sa.UniqueConstraint("event_id", name=op.f("uq_welcome_event_id")),
    )
    with op.batch_alter_table("welcome", schema=None) as batch_op:
        batch_op.create_index("ix_welcome_pair", ["external_userid", "userid"], unique=False)

    op.create_table(
        "tag",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("key", sa.String(length=200), nullable=False),
        sa.Column("group_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("name", sa.String(length=64), nullable=False),
        sa.Column("owner", sa.String(length=8), nullable=False),
        sa.Column("wecom_tag_id", sa.String(length=64), nullable=True),
        sa.Column("position", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("archived_at", UtcDateTime(), nullable=True),
        sa.Column("gone_at", UtcDateTime(), nullable=True),
        sa.Column("blocked", sa.String(length=200), nullable=True),
        sa.ForeignKeyConstraint(["group_id"], ["tag_group.id"], name=op.f("fk_tag_group_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag")),
        sa.UniqueConstraint("key", name=op.f("uq_tag_key")),
        sa.UniqueConstraint("wecom_tag_id", name=op.f("uq_tag_wecom_tag_id")),
    )
    with op.batch_alter_table("tag", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tag_group_id"), ["group_id"], unique=False)
        batch_op.create_index(
            "uq_tag_live_name",
            ["group_id", "name"],
            unique=True,
            sqlite_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
        )

    op.create_table(
        "channel_tag",
        sa.Column("channel_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("position", sa.Integer(), nullable=False),
        sa.ForeignKeyConstraint(["channel_id"], ["channel.id"], name=op.f("fk_channel_tag_channel_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_channel_tag_tag_id")),
        sa.PrimaryKeyConstraint("channel_id", "tag_id", name=op.f("pk_channel_tag")),
    )
    op.create_table(
        "customer_tag",
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "relation_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("wanted", sa.Boolean(), nullable=False),
        sa.Column("ver", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("person_at", UtcDateTime(), nullable=True),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_ref", sa.String(length=128), nullable=True),
        sa.Column("actor", sa.String(length=64), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("set_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.Column("base", sa.Boolean(), nullable=True),
        sa.Column("acked_ver", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("seen_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("touched_seq", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("sent", sa.Integer(), nullable=True),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("dead", sa.Boolean(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_customer_tag_customer_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_customer_tag_tag_id")),
        sa.PrimaryKeyConstraint("customer_id", "tag_id", "relation_id", name=op.f("pk_customer_tag")),
    )
    with op.batch_alter_table("customer_tag", schema=None) as batch_op:
        batch_op.create_index("ix_customer_tag_tag_wanted", ["tag_id", "relation_id", "wanted"], unique=False)

    op.create_table(
        "sync_conflict",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("kind", sa.String(length=16), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("relation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ours", sa.JSON(), nullable=False),
        sa.Column("theirs", sa.JSON(), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_sync_conflict_customer_id")),
        sa.ForeignKeyConstraint(["relation_id"], ["relation.id"], name=op.f("fk_sync_conflict_relation_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_sync_conflict_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_sync_conflict")),
    )
    with op.batch_alter_table("sync_conflict", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_sync_conflict_customer_id"), ["customer_id"], unique=False)

    op.create_table(
        "tag_claim",
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column(
            "relation_id",
            sa.BigInteger().with_variant(sa.Integer(), "sqlite"),
            autoincrement=False,
            nullable=False,
        ),
        sa.Column("source_kind", sa.String(length=16), nullable=False),
        sa.Column("source_ref", sa.String(length=128), nullable=False),
        sa.Column("actor", sa.String(length=64), nullable=True),
        sa.Column("evidence", sa.JSON(), nullable=False),
        sa.Column("claimed_at", UtcDateTime(), nullable=False),
        sa.Column("expires_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_tag_claim_customer_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_tag_claim_tag_id")),
        sa.PrimaryKeyConstraint(
            "customer_id", "tag_id", "relation_id", "source_kind", "source_ref", name=op.f("pk_tag_claim")
        ),
    )
    op.create_table(
        "tag_event",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("change_set_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("relation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("op", sa.String(length=8), nullable=False),
        sa.Column("before", sa.JSON(), nullable=True),
        sa.Column("after", sa.JSON(), nullable=True),
        sa.Column("event_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=True),
        sa.Column("at", UtcDateTime(), nullable=False),
        sa.ForeignKeyConstraint(["change_set_id"], ["change_set.id"], name=op.f("fk_tag_event_change_set_id")),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_tag_event_customer_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_tag_event_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_event")),
    )
    with op.batch_alter_table("tag_event", schema=None) as batch_op:
        batch_op.create_index(batch_op.f("ix_tag_event_change_set_id"), ["change_set_id"], unique=False)
        batch_op.create_index("ix_tag_event_customer", ["customer_id", "id"], unique=False)

    op.create_table(
        "tag_operation",
        sa.Column("id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("customer_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("relation_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("tag_id", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("ver", sa.BigInteger().with_variant(sa.Integer(), "sqlite"), nullable=False),
        sa.Column("state", sa.String(length=12), nullable=False),
        sa.Column("tries", sa.Integer(), nullable=False),
        sa.Column("reason", sa.String(length=200), nullable=True),
        sa.Column("created_at", UtcDateTime(), nullable=False),
        sa.Column("closed_at", UtcDateTime(), nullable=True),
        sa.ForeignKeyConstraint(["customer_id"], ["customer.id"], name=op.f("fk_tag_operation_customer_id")),
        sa.ForeignKeyConstraint(["relation_id"], ["relation.id"], name=op.f("fk_tag_operation_relation_id")),
        sa.ForeignKeyConstraint(["tag_id"], ["tag.id"], name=op.f("fk_tag_operation_tag_id")),
        sa.PrimaryKeyConstraint("id", name=op.f("pk_tag_operation")),
    )
    with op.batch_alter_table("tag_operation", schema=None) as batch_op:
        batch_op.create_index("ix_tag_operation_customer", ["customer_id", "state"], unique=False)
        batch_op.create_index(
            "uq_tag_operation_open",
            ["relation_id", "tag_id"],
            unique=True,
            sqlite_where=sa.text("state IN ('pending', 'sent')"),
            postgresql_where=sa.text("state IN ('pending', 'sent')"),
        )

    op.bulk_insert(
        sa.table(
            "tag_dimension",
            sa.column("key", sa.String),
            sa.column("name", sa.String),
            sa.column("position", sa.Integer),
        ),
        [
            {"key": "consumption", "name": "消费属性", "position": 1},
            {"key": "behaviour", "name": "行为属性", "position": 2},
            {"key": "basic_info", "name": "基础信息", "position": 3},
            {"key": "journey", "name": "用户旅程", "position": 4},
        ],
    )
    if op.get_bind().dialect.name == "postgresql":
        op.execute("CREATE SEQUENCE sync_seq")
    else:
        op.execute("INSERT INTO counter (name, value) VALUES ('sync', 0)")


def downgrade() -> None:
    if op.get_bind().dialect.name == "postgresql":
        op.execute("DROP SEQUENCE sync_seq")
    with op.batch_alter_table("tag_operation", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_tag_operation_open",
            sqlite_where=sa.text("state IN ('pending', 'sent')"),
            postgresql_where=sa.text("state IN ('pending', 'sent')"),
        )
        batch_op.drop_index("ix_tag_operation_customer")

    op.drop_table("tag_operation")
    with op.batch_alter_table("tag_event", schema=None) as batch_op:
        batch_op.drop_index("ix_tag_event_customer")
        batch_op.drop_index(batch_op.f("ix_tag_event_change_set_id"))

    op.drop_table("tag_event")
    op.drop_table("tag_claim")
    with op.batch_alter_table("sync_conflict", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_sync_conflict_customer_id"))

    op.drop_table("sync_conflict")
    with op.batch_alter_table("customer_tag", schema=None) as batch_op:
        batch_op.drop_index("ix_customer_tag_tag_wanted")

    op.drop_table("customer_tag")
    op.drop_table("channel_tag")
    with op.batch_alter_table("tag", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_tag_live_name",
            sqlite_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
        )
        batch_op.drop_index(batch_op.f("ix_tag_group_id"))

    op.drop_table("tag")
    with op.batch_alter_table("welcome", schema=None) as batch_op:
        batch_op.drop_index("ix_welcome_pair")

    op.drop_table("welcome")
    with op.batch_alter_table("tag_group", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_tag_group_live_name",
            sqlite_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
            postgresql_where=sa.text("archived_at IS NULL AND gone_at IS NULL"),
        )

    op.drop_table("tag_group")
    with op.batch_alter_table("relation", schema=None) as batch_op:
        batch_op.drop_index("ix_relation_staff_live")

    op.drop_table("relation")
    op.drop_table("idempotency_record")
    op.drop_table("channel_staff")
    op.drop_table("wecom_token")
    op.drop_table("tag_dimension")
    op.drop_table("department_member")
    op.drop_table("department")
    op.drop_table("staff")
    with op.batch_alter_table("job", schema=None) as batch_op:
        batch_op.drop_index(
            "uq_job_unique",
            sqlite_where=sa.text("\"unique\" IS NOT NULL AND state = 'waiting'"),
            postgresql_where=sa.text("\"unique\" IS NOT NULL AND state = 'waiting'"),
        )
        batch_op.drop_index("ix_job_state")
        batch_op.drop_index(
            "ix_job_ready",
            sqlite_where=sa.text("state IN ('waiting', 'retrying')"),
            postgresql_where=sa.text("state IN ('waiting', 'retrying')"),
        )
        batch_op.drop_index("ix_job_retrying_unique")
        batch_op.drop_index(
            "ix_job_lease",
            sqlite_where=sa.text("state = 'running'"),
            postgresql_where=sa.text("state = 'running'"),
        )
        batch_op.drop_index(
            "ix_job_key",
            sqlite_where=sa.text("key IS NOT NULL AND state IN ('waiting', 'retrying', 'running')"),
            postgresql_where=sa.text("key IS NOT NULL AND state IN ('waiting', 'retrying', 'running')"),
        )

    op.drop_table("job")
    with op.batch_alter_table("inbox_event", schema=None) as batch_op:
        batch_op.drop_index("ix_inbox_event_subject")
        batch_op.drop_index("ix_inbox_event_state")

    op.drop_table("inbox_event")
    op.drop_table("deployment")
    with op.batch_alter_table("customer", schema=None) as batch_op:
        batch_op.drop_index(batch_op.f("ix_customer_unionid"))

    op.drop_table("customer")
    op.drop_table("counter")
    op.drop_table("channel")
    op.drop_table("change_set")
    op.drop_table("api_window")
    op.drop_table("api_key")
    with op.batch_alter_table("api_call", schema=None) as batch_op:
        batch_op.drop_index("ix_api_call_at")

    op.drop_table("api_call")
