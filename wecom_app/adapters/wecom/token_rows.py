"""The stored side of a token: one row of `wecom_token` per credential, changed by compare-and-set.

Every function here is one short transaction; what they decide is told by `Stored.next_step`.
"""

import json
from collections.abc import Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta
from enum import Enum, auto

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.adapters.wecom.rows import insert_if_missing
from wecom_app.adapters.wecom.seal import Seal
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.models.wecom import WeComToken

EARLY_S = 300.0
"""A token is renewed this long before its end, while the old one still serves; one that is handed out again
with less life left, when a quarter of that remains."""
LEASE = timedelta(seconds=10)
FORCED_SPANS: Sequence[tuple[float, int]] = ((15.0, 3), (3600.0, 30))
"""At most so many gettoken calls within so many seconds, if refused tokens are what asks for them.
Tencent locks gettoken after 2,000 bad calls in an hour."""
OPEN_AFTER = 3
WRONG_CREDENTIALS = frozenset({40001, 40013, 40091, 41004})
PAUSE = timedelta(minutes=10)
LONG_PAUSE = timedelta(hours=1)
"""After wrong credentials: WeCom bans an address for an hour, and new ones do not wait for it anyhow."""
MOST_DOUBLINGS = 2


class Step(Enum):
    """What to do about a token now."""

    USE = auto()
    FETCH = auto()
    WAIT = auto()
    BLOCKED = auto()
    TOO_SOON = auto()


@dataclass(frozen=True)
class Stored:
    """A row of `wecom_token`, opened."""

    value: str | None = field(default=None, repr=False)
    expires_at: datetime | None = None
    fetched_at: datetime | None = None
    moments: tuple[float, ...] = ()
    """When gettoken was answered within the last hour (unix time)."""
    refreshing_until: datetime | None = None
    refusals: int = 0
    blocked_until: datetime | None = None
    last_error: str | None = None

    def is_alive(self, now: datetime, refused: str | None = None) -> bool:
        """Tell whether the token can be used at all."""
        usable = self.value is not None and self.value != refused
        return usable and self.expires_at is not None and now < self.expires_at

    def is_fresh(self, now: datetime, refused: str | None = None) -> bool:
        """Tell whether the token can be used and need not be renewed yet."""
        if not self.is_alive(now, refused):
            return False
        assert self.expires_at is not None
        life = (self.expires_at - (self.fetched_at or now)).total_seconds()
        early = min(EARLY_S, life / 4)
        return refused is not None or now < self.expires_at - timedelta(seconds=early)

    def next_step(self, now: datetime, refused: str | None) -> Step:
        """Decide what a caller does, whose last token was `refused` by WeCom or who has none."""
        if self.is_fresh(now, refused):
            return Step.USE
        halted = self._halted(now, refused)
        if halted is None:
            return Step.FETCH
        return Step.USE if self.is_alive(now, refused) else halted

    def retry_after_s(self, now: datetime) -> float:
        """Return when another forced renewal is allowed."""
        waits = [
            recent[-most] + span_s - now.timestamp()
            for span_s, most in FORCED_SPANS
            if len(recent := self._within(span_s, now)) >= most
        ]
        return max(waits, default=0.0)

    def _halted(self, now: datetime, refused: str | None) -> Step | None:
        if self.blocked_until is not None and now < self.blocked_until:
            return Step.BLOCKED
        if self.refreshing_until is not None and now < self.refreshing_until:
            return Step.WAIT
        if refused is not None and self.retry_after_s(now) > 0:
            return Step.TOO_SOON
        return None

    def _within(self, span_s: float, now: datetime) -> list[float]:
        return [moment for moment in self.moments if moment > now.timestamp() - span_s]


class TokenRows:
    """Reads and changes the row of one credential."""

    def __init__(self, name: str, database: Database, clock: Clock, seal: Seal) -> None:
        self._name = name
        self._database = database
        self._clock = clock
        self._seal = seal

    def load(self) -> Stored:
        """Return what is stored."""
        with self._database.read() as session:
            row = session.get(WeComToken, self._name)
            return self._opened(row) if row else Stored()

    def claim(self, refused: str | None) -> tuple[Step, Stored]:
        """Decide under the row's lock; FETCH means that this caller, and no other, may call gettoken now."""
        with self._database.write(urgent=True) as session:
            row = self._locked(session)
            now = self._clock.now()
            stored = self._opened(row)
            step = stored.next_step(now, refused)
            if step is Step.FETCH:
                row.refreshing_until = now + LEASE
            return step, stored

    def store(self, value: str, expires_in_s: float) -> Stored:
        """Keep a new token and close the circuit."""
        with self._database.write(urgent=True) as session:
            row = self._locked(session)
            now = self._clock.now()
            hour_s, most = FORCED_SPANS[-1]
            moments = (*self._opened(row)._within(hour_s, now), now.timestamp())[-most:]
            row.value = self._seal.close(json.dumps({"value": value, "moments": moments}))
            row.expires_at = now + timedelta(seconds=expires_in_s)
            row.fetched_at = now
            row.refreshing_until = row.blocked_until = row.last_error = None
            row.refusals = 0
            return self._opened(row)

    def refuse(self, errcode: int, message: str) -> None:
        """Count a refusal of gettoken; from the third on the circuit is open, ever longer."""
        with self._database.write(urgent=True) as session:
            row = self._locked(session)
            row.refreshing_until = None
            row.refusals += 1
            row.last_error = f"{errcode}: {message}"[:200]
            beyond = row.refusals - OPEN_AFTER
            if beyond >= 0:
                pause = LONG_PAUSE if errcode in WRONG_CREDENTIALS else PAUSE
                row.blocked_until = self._clock.now() + pause * 2 ** min(beyond, MOST_DOUBLINGS)

    def release(self) -> None:
        """Let others try, after an attempt of which nothing is known."""
        with self._database.write(urgent=True) as session:
            self._locked(session).refreshing_until = None

    def _locked(self, session: Session) -> WeComToken:
        insert_if_missing(session, WeComToken, name=self._name, refusals=0)
        return session.scalars(select(WeComToken).where(WeComToken.name == self._name).with_for_update()).one()

    def _opened(self, row: WeComToken) -> Stored:
        text = self._seal.open(row.value) if row.value else None
        held = json.loads(text) if text else {}
        return Stored(
            value=held.get("value"),
            expires_at=row.expires_at,
            fetched_at=row.fetched_at,
            moments=tuple(held.get("moments", ())),
            refreshing_until=row.refreshing_until,
            refusals=row.refusals,
            blocked_until=row.blocked_until,
            last_error=row.last_error,
        )
