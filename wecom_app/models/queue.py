"""The embedded engine's jobs; read and written only by `adapters.jobs`."""

from datetime import datetime
from typing import Any

from sqlalchemy import Index, String, Text, text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId

READY = text("state IN ('waiting', 'retrying')")
LIVE_WITH_KEY = text("key IS NOT NULL AND state IN ('waiting', 'retrying', 'running')")
WAITING_UNIQUE = text("\"unique\" IS NOT NULL AND state = 'waiting'")
RETRYING_UNIQUE = text("\"unique\" IS NOT NULL AND state = 'retrying'")
RUNNING = text("state = 'running'")


class Job(Base):
    __tablename__ = "job"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(64))
    args: Mapped[dict[str, Any]]
    lane: Mapped[str] = mapped_column(String(16))
    key: Mapped[str | None] = mapped_column(String(128))
    unique: Mapped[str | None] = mapped_column(String(128))
    priority: Mapped[int] = mapped_column(default=0)
    run_at: Mapped[datetime] = mapped_column()
    state: Mapped[str] = mapped_column(String(8), default="waiting")
    """waiting, running, retrying, done or dead."""
    attempts: Mapped[int] = mapped_column(default=0)
    lease_until: Mapped[datetime | None]
    lease_owner: Mapped[str | None] = mapped_column(String(96))
    last_error: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]

    __table_args__ = (
        Index("ix_job_ready", lane, priority.desc(), id, run_at, sqlite_where=READY, postgresql_where=READY),
        Index("ix_job_key", "lane", "key", "id", sqlite_where=LIVE_WITH_KEY, postgresql_where=LIVE_WITH_KEY),
        Index(
            "uq_job_unique",
            "kind",
            "unique",
            unique=True,
            sqlite_where=WAITING_UNIQUE,
            postgresql_where=WAITING_UNIQUE,
        ),
        Index(
            "ix_job_retrying_unique",
            "kind",
            "unique",
            sqlite_where=RETRYING_UNIQUE,
            postgresql_where=RETRYING_UNIQUE,
        ),
        Index("ix_job_lease", "lease_until", sqlite_where=RUNNING, postgresql_where=RUNNING),
        Index("ix_job_state", "state", "id"),
        {"sqlite_autoincrement": True},
    )
