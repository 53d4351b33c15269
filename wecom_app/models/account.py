"""Who may use the deployment: its one corp and app, API keys, and answers kept for repeated requests."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, String, Text, false
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class Deployment(Base):
    """The corp and app this database belongs to; a single row, written at the first start."""

    __tablename__ = "deployment"

    id: Mapped[int] = mapped_column(primary_key=True)
    corp_id: Mapped[str] = mapped_column(String(64))
    agent_id: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime]
    link_held: Mapped[bool] = mapped_column(default=False, server_default=false())
    """Whether what the first pull found in WeCom waits for approval before it is pushed to other members."""
    tag_limit_seen: Mapped[int | None]
    """How many tags the library had when WeCom refused to make one more (40126); None while it never has."""


class ApiKey(Base):
    """A bearer key `prefix.secret`; only the SHA-256 of the random 256-bit secret is kept."""

    __tablename__ = "api_key"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    prefix: Mapped[str] = mapped_column(String(16), unique=True)
    secret_hash: Mapped[str] = mapped_column(String(64))
    scopes: Mapped[list[Any]]
    created_at: Mapped[datetime]
    revoked_at: Mapped[datetime | None]


class IdempotencyRecord(Base):
    """The answer to a POST that carried an Idempotency-Key, given again when the request comes again."""

    __tablename__ = "idempotency_record"

    api_key_id: Mapped[int] = mapped_column(ForeignKey("api_key.id"), primary_key=True)
    key: Mapped[str] = mapped_column(String(128), primary_key=True)
    request_hash: Mapped[str] = mapped_column(String(64))
    status: Mapped[int | None]
    """None while the first request is still being answered."""
    body: Mapped[str | None] = mapped_column(Text)
    created_at: Mapped[datetime]
