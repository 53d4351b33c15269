"""What all processes share about talking to WeCom: tokens, call budgets and the call log; used by the gateway."""

from datetime import datetime

from sqlalchemy import Index, String, Text
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class WeComToken(Base):
    """An access token or ticket, encrypted under SECRET_KEY, refreshed by one thread of one process at a time."""

    __tablename__ = "wecom_token"

    name: Mapped[str] = mapped_column(String(64), primary_key=True)
    value: Mapped[str | None] = mapped_column(Text)
    expires_at: Mapped[datetime | None]
    refreshing_until: Mapped[datetime | None]
    refusals: Mapped[int] = mapped_column(default=0)
    """Consecutive refusals; at three the circuit opens until `blocked_until`."""
    blocked_until: Mapped[datetime | None]
    last_error: Mapped[str | None] = mapped_column(String(200))
    fetched_at: Mapped[datetime | None]


class ApiWindow(Base):
    """How many calls of one API are taken in one slot of a window, and until when WeCom has shut the API."""

    __tablename__ = "api_window"

    api: Mapped[str] = mapped_column(String(64), primary_key=True)
    span: Mapped[str] = mapped_column(String(8), primary_key=True)
    """A slot of a window (minute/0 to minute/6, hour/0 to hour/6), or one that holds `blocked_until`: `blocked` for the
    API itself, `halved` for the places in flight of its group."""
    starts_at: Mapped[datetime]
    taken: Mapped[int] = mapped_column(default=0)
    blocked_until: Mapped[datetime | None]


class FlightShare(Base):
    """A process that has called a group of APIs of late: the corp's places in flight are divided among these."""

    __tablename__ = "flight_share"

    api_group: Mapped[str] = mapped_column(String(8), primary_key=True)
    process: Mapped[str] = mapped_column(String(16), primary_key=True)
    counts_until: Mapped[datetime]


class ApiCall(Base):
    """One call to WeCom, for the call log: never a token, a body or a name."""

    __tablename__ = "api_call"
    __table_args__ = (Index("ix_api_call_at", "at"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    api: Mapped[str] = mapped_column(String(64))
    errcode: Mapped[int | None]
    outcome: Mapped[str] = mapped_column(String(16))
    """ok, refused, unknown (no believable answer) or throttled."""
    duration_ms: Mapped[int]
    job_id: Mapped[int | None] = mapped_column(BigId)
