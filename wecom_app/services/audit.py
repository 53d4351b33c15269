"""The audit trail: who did what to what. Called in the transaction of the act: neither stands without the other."""

from collections.abc import Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wecom_app.models import AuditEntry
from wecom_app.services.access import Viewer

COMMAND = "command"


def record(
    session: Session,
    viewer: Viewer,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None = None,
    *,
    now: datetime,
) -> None:
    """Write one entry; `action` is `noun.verb`, `subject` `noun:id`, `details` holds ids and counts, never names."""
    _add(
        session,
        "staff" if viewer.staff_id is not None else "admin",
        viewer.userid or viewer.name,
        action,
        subject,
        details,
        now,
        viewer.session_id,
    )


def record_command(
    session: Session, action: str, subject: str, details: Mapping[str, Any] | None = None, *, now: datetime
) -> None:
    """Write one entry for what an operator did by a command on the server."""
    _add(session, COMMAND, "wecom-app", action, subject, details, now, None)


def purge(session: Session, now: datetime, limit: int, *, keep: timedelta) -> int:
    """Delete up to `limit` entries older than `keep`; return how many."""
    old = session.scalars(select(AuditEntry.id).where(AuditEntry.at < now - keep).limit(limit)).all()
    session.execute(delete(AuditEntry).where(AuditEntry.id.in_(old)))
    return len(old)


def _add(
    session: Session,
    actor_kind: str,
    actor: str,
    action: str,
    subject: str,
    details: Mapping[str, Any] | None,
    now: datetime,
    session_id: int | None,
) -> None:
    session.add(
        AuditEntry(
            at=now,
            actor_kind=actor_kind,
            actor=actor[:64],
            action=action,
            subject=subject[:128],
            details=dict(details or {}),
            session_id=session_id,
        )
    )
