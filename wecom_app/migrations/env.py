"""Alembic's entry: runs revisions on the connection that `migrations.runner` opened."""

from alembic import context
from sqlalchemy import Connection

import wecom_app.models  # noqa: F401  registers the tables for autogenerate
from wecom_app.db import Base

connection: Connection = context.config.attributes["connection"]
context.configure(
    connection=connection,
    target_metadata=Base.metadata,
    render_as_batch=True,
    compare_type=True,
    transaction_per_migration=False,
)
with context.begin_transaction():
    context.run_migrations()
