"""Browser sessions: begun at log-in, looked up on every request, ended by log-out, by time, and when a member leaves.

The cookie's value is 256 random bits, and only its SHA-256 is stored: whoever reads the table can sign in as nobody.
"""

import hashlib
import secrets
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, or_, select, update
from sqlalchemy.orm import Session

from wecom_app.models import Deployment, LocalAdmin, Staff, WebSession
from wecom_app.services.access import Viewer, admin_viewer, staff_viewer

IDLE = timedelta(hours=2)
ABSOLUTE = timedelta(hours=12)
SEEN_STEP = timedelta(minutes=1)
"""How exactly the last use is known: it is not worth a write on every request."""
GONE = ("disabled", "left")
"""States of a member who may not be signed in."""


@dataclass(frozen=True)
class Present:
    """A session that holds now."""

    viewer: Viewer
    confirmed_at: datetime
    is_due: bool
    """Whether `touch` should be called."""


def start(
    session: Session, now: datetime, *, staff_id: int | None = None, admin_id: int | None = None, replaces: str = ""
) -> str:
    """Begin a session of a member or a local administrator, and return its new token.

    `replaces` is the token that the browser came with: whatever session it names is over.
    """
    assert (staff_id is None) != (admin_id is None)
    end(session, replaces)
    deployment = session.scalars(select(Deployment)).one()
    token = secrets.token_hex(32)
    session.add(
        WebSession(
            token_hash=digest(token),
            staff_id=staff_id,
            admin_id=admin_id,
            corp_id=deployment.corp_id,
            agent_id=deployment.agent_id,
            created_at=now,
            seen_at=now,
            confirmed_at=now,
        )
    )
    return token


def find(session: Session, token: str, now: datetime) -> Present | None:
    """Return who is behind a token; None where it is unknown, too old, of another app, or of one who is gone."""
    query = (
        select(WebSession, Staff, LocalAdmin)
        .outerjoin(Staff, Staff.id == WebSession.staff_id)
        .outerjoin(LocalAdmin, LocalAdmin.id == WebSession.admin_id)
        .join(
            Deployment,
            (Deployment.corp_id == WebSession.corp_id) & (Deployment.agent_id == WebSession.agent_id),
        )
        .where(
            WebSession.token_hash == digest(token),
            WebSession.seen_at > now - IDLE,
            WebSession.created_at > now - ABSOLUTE,
            or_(Staff.status.not_in(GONE), (LocalAdmin.id.is_not(None)) & LocalAdmin.disabled_at.is_(None)),
        )
    )
    found = session.execute(query).one_or_none()
    if found is None:
        return None
    row, staff, admin = found
    viewer = admin_viewer(admin, row.id) if staff is None else staff_viewer(session, staff, row.id)
    return Present(viewer, row.confirmed_at, now - row.seen_at >= SEEN_STEP)


def touch(session: Session, session_id: int, now: datetime) -> None:
    """Write down that a session is in use."""
    session.execute(update(WebSession).where(WebSession.id == session_id).values(seen_at=now))


def postpone(session: Session, session_id: int, until: datetime, period: timedelta) -> None:
    """Let a proof that WeCom cannot give now be due at `until`; `period` is how long one normally holds."""
    session.execute(update(WebSession).where(WebSession.id == session_id).values(confirmed_at=until - period))


def end(session: Session, token: str) -> None:
    """End the session of a token, if there is one."""
    session.execute(delete(WebSession).where(WebSession.token_hash == digest(token)))


def end_for_staff(session: Session, staff_ids: Iterable[int]) -> None:
    """End every session of members who were disabled or have left: coming back does not revive them."""
    session.execute(delete(WebSession).where(WebSession.staff_id.in_(list(staff_ids))))


def end_for_admin(session: Session, admin_id: int) -> None:
    """End every session of a local administrator."""
    session.execute(delete(WebSession).where(WebSession.admin_id == admin_id))


def purge(session: Session, now: datetime, limit: int) -> int:
    """Delete up to `limit` sessions that have ended by time; return how many."""
    ended = (WebSession.seen_at <= now - IDLE) | (WebSession.created_at <= now - ABSOLUTE)
    ids = session.scalars(select(WebSession.id).where(ended).limit(limit)).all()
    session.execute(delete(WebSession).where(WebSession.id.in_(ids)))
    return len(ids)


def digest(secret: str) -> str:
    """Return what is stored of a random secret; a fast hash is right for 256 bits that nobody can guess."""
    return hashlib.sha256(secret.encode()).hexdigest()
