"""What is done by the clock, and what came of it; written by `services.schedules` and `services.schedule_runs`."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class Schedule(Base):
    """A kind of work and when it is done; any process that finds it due may fire it."""

    __tablename__ = "schedule"
    __table_args__ = (
        Index("ix_schedule_next", "next_at"),
        {"sqlite_autoincrement": True},  # ids are never reused
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    seed: Mapped[str | None] = mapped_column(String(32), unique=True)
    """The default that it was made from; kept after a deletion, so that it is not made again."""
    kind: Mapped[str] = mapped_column(String(32))
    """A key of `services.schedule_kinds.KINDS`."""
    name: Mapped[str] = mapped_column(String(40))
    cron: Mapped[str] = mapped_column(String(100))
    time_zone: Mapped[str] = mapped_column(String(64))
    enabled: Mapped[bool] = mapped_column(default=True)
    args: Mapped[dict[str, Any]] = mapped_column(default=dict)
    misfire_grace_s: Mapped[int]
    """How late it may still run."""
    coalesce: Mapped[bool] = mapped_column(default=True)
    """Whether times that were missed are made up for once, or each."""
    jitter_s: Mapped[int] = mapped_column(default=0)
    """How much later than the cron says it may fire, the same for everybody who computes it."""
    next_at: Mapped[datetime | None]
    """When it fires next, jitter included; None while it is paused."""
    last_at: Mapped[datetime | None]
    """When it was last found due."""
    version: Mapped[int] = mapped_column(default=1)
    created_by: Mapped[str] = mapped_column(String(64))
    updated_by: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    updated_at: Mapped[datetime]
    deleted_at: Mapped[datetime | None]


class ScheduleRun(Base):
    """One time that a schedule was due or asked for: what came of it, also where it was left out."""

    __tablename__ = "schedule_run"
    __table_args__ = (UniqueConstraint("schedule_id", "fire_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    schedule_id: Mapped[int] = mapped_column(ForeignKey("schedule.id"))
    fire_at: Mapped[datetime]
    asked_by: Mapped[str | None] = mapped_column(String(64))
    """Who asked for it; None for the clock."""
    job_id: Mapped[int | None] = mapped_column(BigId)
    state: Mapped[str] = mapped_column(String(8))
    """waiting, running, done, failed, stopped or skipped."""
    reason: Mapped[str | None] = mapped_column(String(300))
    """Why it failed, was left out, or must be tried again."""
    stop_asked: Mapped[bool] = mapped_column(default=False)
    done: Mapped[int] = mapped_column(default=0)
    total: Mapped[int | None]
    """Steps in all, once they are known."""
    counts: Mapped[dict[str, Any]] = mapped_column(default=dict)
    errors: Mapped[list[Any]] = mapped_column(default=list)
    """The first of them, as objects of `item` and `reason`."""
    error_count: Mapped[int] = mapped_column(default=0)
    started_at: Mapped[datetime | None]
    finished_at: Mapped[datetime | None]
