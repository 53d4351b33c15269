"""How often something may be done within a while, counted in the database for all processes; called where people
or programs could guess, flood or go round in circles.
"""

import hashlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wecom_app.errors import TooMany
from wecom_app.models import RateWindow
from wecom_app.services.upsert import insert_ignore


@dataclass(frozen=True)
class Limit:
    """At most `most` times in a window that begins with the first; `purpose` is a word of at most 20 letters."""

    purpose: str
    most: int
    window: timedelta

    def bucket(self, subject: str = "") -> str:
        """Return the name under which a subject is counted, without the subject in it."""
        return f"{self.purpose}:{hashlib.sha256(subject.encode()).hexdigest()[:32]}"


Counted = tuple[Limit, str]
"""A limit and the subject that it counts."""


def take(session: Session, now: datetime, *counted: Counted, message: str | None = None) -> None:
    """Count once in every window named; raise TooMany, counting nowhere, where one of them is full."""
    rows = [(limit, _locked(session, limit, subject, now)) for limit, subject in sorted(counted, key=_order)]
    _refuse_full(rows, now, message)
    for _, row in rows:
        row.taken += 1


def check(session: Session, now: datetime, *counted: Counted, message: str | None = None) -> None:
    """Raise TooMany as `take` would; only looks, so that a flood takes no lock."""
    pairs = ((limit, session.get(RateWindow, limit.bucket(subject))) for limit, subject in counted)
    _refuse_full([(limit, row) for limit, row in pairs if row is not None and row.ends_at > now], now, message)


def give_back(session: Session, *counted: Counted) -> None:
    """Take one count back: what was counted turned out not to be what the limit is there for."""
    for limit, subject in sorted(counted, key=_order):
        row = session.get(RateWindow, limit.bucket(subject), with_for_update=True)
        if row is not None and row.taken > 0:
            row.taken -= 1


def forget(session: Session, counted: Sequence[Counted]) -> None:
    """Begin anew for the subjects named."""
    buckets = [limit.bucket(subject) for limit, subject in counted]
    session.execute(delete(RateWindow).where(RateWindow.bucket.in_(buckets)))


def purge(session: Session, now: datetime, limit: int) -> int:
    """Delete up to `limit` windows that are over; return how many."""
    over = session.scalars(select(RateWindow.bucket).where(RateWindow.ends_at <= now).limit(limit)).all()
    session.execute(delete(RateWindow).where(RateWindow.bucket.in_(over), RateWindow.ends_at <= now))
    return len(over)


def _refuse_full(rows: Sequence[tuple[Limit, RateWindow]], now: datetime, message: str | None) -> None:
    full = [row.ends_at for limit, row in rows if row.taken >= limit.most]
    if full:
        error = TooMany(message)
        error.retry_after_s = max(1.0, (max(full) - now).total_seconds())
        raise error


def _order(counted: Counted) -> str:
    """Locks are taken in one order, so that two callers never wait for each other."""
    return counted[0].bucket(counted[1])


def _locked(session: Session, limit: Limit, subject: str, now: datetime) -> RateWindow:
    bucket = limit.bucket(subject)
    insert_ignore(session, RateWindow, [{"bucket": bucket, "taken": 0, "ends_at": now + limit.window}], ["bucket"])
    row = session.scalars(select(RateWindow).where(RateWindow.bucket == bucket).with_for_update()).one()
    if row.ends_at <= now:
        row.taken, row.ends_at = 0, now + limit.window
    return row
