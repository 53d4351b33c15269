"""Who is signed in, what he may do, and what he did; written by `services.sessions`, `sign_in`, `roles` and `audit`."""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class LocalAdmin(Base):
    """An administrator with a password, for set-up and for the day WeCom's log-in does not work."""

    __tablename__ = "local_admin"

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    name: Mapped[str] = mapped_column(String(64))
    name_key: Mapped[str] = mapped_column(String(64), unique=True)
    """Lower case: what he types."""
    password_hash: Mapped[str] = mapped_column(String(200))
    created_at: Mapped[datetime]
    password_set_at: Mapped[datetime]
    disabled_at: Mapped[datetime | None]


class WebSession(Base):
    """Somebody who is signed in, in one browser. Deleted when it ends; the cookie's value itself is never stored."""

    __tablename__ = "web_session"
    __table_args__ = (Index("ix_web_session_seen_at", "seen_at"), {"sqlite_autoincrement": True})

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    token_hash: Mapped[str] = mapped_column(String(64), unique=True)
    staff_id: Mapped[int | None] = mapped_column(ForeignKey("staff.id"), index=True)
    admin_id: Mapped[int | None] = mapped_column(ForeignKey("local_admin.id"), index=True)
    corp_id: Mapped[str] = mapped_column(String(64))
    agent_id: Mapped[int] = mapped_column(BigId)
    created_at: Mapped[datetime]
    seen_at: Mapped[datetime]
    confirmed_at: Mapped[datetime]
    """When WeCom, or the password, last proved who it is."""


class SignInState(Base):
    """A log-in under way at WeCom: its single-use `state`, the browser it belongs to, and where it leads."""

    __tablename__ = "sign_in_state"
    __table_args__ = (Index("ix_sign_in_state_created_at", "created_at"),)

    state_hash: Mapped[str] = mapped_column(String(64), primary_key=True)
    visitor_hash: Mapped[str] = mapped_column(String(64))
    next_path: Mapped[str] = mapped_column(String(512))
    is_retry: Mapped[bool]
    """Begun by ourselves after WeCom refused the code of a first try; there is no third."""
    created_at: Mapped[datetime]


class StaffRole(Base):
    """A role given to a member by an administrator; rep and leader need none."""

    __tablename__ = "staff_role"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    role: Mapped[str] = mapped_column(String(16), primary_key=True)
    granted_by: Mapped[str] = mapped_column(String(64))
    granted_at: Mapped[datetime]


class StaffScope(Base):
    """Whose customers a member's roles reach: a department with all below it, or with 0 the whole company."""

    __tablename__ = "staff_scope"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True)
    department_id: Mapped[int] = mapped_column(BigId, primary_key=True, autoincrement=False)


class RateWindow(Base):
    """How often something was done since the window's start, by all processes together."""

    __tablename__ = "rate_window"
    __table_args__ = (Index("ix_rate_window_ends_at", "ends_at"),)

    bucket: Mapped[str] = mapped_column(String(64), primary_key=True)
    """The purpose and a digest of whom it counts: neither an address nor a name is stored."""
    taken: Mapped[int]
    ends_at: Mapped[datetime]


class AuditEntry(Base):
    """Who did what to what, when. Rows are only added, and leave by age alone."""

    __tablename__ = "audit_entry"
    __table_args__ = (
        Index("ix_audit_entry_at", "at"),
        Index("ix_audit_entry_subject", "subject", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    at: Mapped[datetime]
    actor_kind: Mapped[str] = mapped_column(String(8))
    """staff, admin (a local one), command or system."""
    actor: Mapped[str] = mapped_column(String(64))
    """A member's userid, or an administrator's name."""
    action: Mapped[str] = mapped_column(String(64))
    subject: Mapped[str] = mapped_column(String(128))
    details: Mapped[dict[str, Any]]
    session_id: Mapped[int | None] = mapped_column(BigId)
