"""How many calls of an API may still be made this minute and this hour, shared by all processes.

A process takes calls in blocks, in one short write transaction each, and spends them from memory.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime, timedelta

from sqlalchemy import select

from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.book import BLOCK, HOUR, MINUTE, SPANS, Book
from wecom_app.adapters.wecom.errcodes import RATE_LIMITED, error_for
from wecom_app.adapters.wecom.limits import OWN_LIMIT, Limits
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import Unavailable, WeComError
from wecom_app.models.wecom import ApiWindow
from wecom_app.services.wecom_status import ApiBudget

POLL_S = 1.0
"""How soon a process learns that another one was told 45009."""
FIRST_BLOCK = 4
"""Blocks double from here while they are used up, so that rare calls set little aside."""
SHARE = 4
"""No block is more than a quarter of what is left, so that other processes get some."""


@dataclass
class _Purse:
    """The calls that this process has taken and not yet made; they are good for one slot of the minute."""

    lock: threading.Lock = field(default_factory=threading.Lock)
    left: int = 0
    taken_at: datetime | None = None
    refused_at: datetime | None = None
    """When nothing was left; not asked again for a second."""
    wait_s: float = 0.0
    size: int = FIRST_BLOCK // 2


class Budget:
    """Spends calls; raises WeComThrottled where none is left."""

    def __init__(self, limits: Limits, database: Database, clock: Clock) -> None:
        self._limits = limits
        self._database = database
        self._clock = clock
        self._lock = threading.Lock()
        self._purses: dict[tuple[str, bool], _Purse] = {}
        self._blocks: dict[str, datetime] = {}
        self._polled_at = clock.monotonic()

    def spend(self, api: str, *, urgent: bool) -> None:
        """Take one call; an urgent one may use the reserve, and goes ahead if our own store is stuck."""
        with self._lock:
            purse = self._purses.setdefault((api, urgent), _Purse())
        try:
            with purse.lock:
                self._spend(api, purse, urgent)
        except Unavailable:
            if not urgent:
                raise

    def block(self, api: str) -> float:
        """Stop an API for everybody after a 45009; return for how many seconds."""
        now = self._clock.now()
        until = now + timedelta(seconds=MINUTE.length_s)
        self._blocks[api] = until
        try:
            with self._database.write(urgent=True) as session:
                until = Book(session, api, now).block(self._limits.per_hour)
        except Unavailable:
            pass  # this process knows; another one learns it from its own 45009
        self._blocks[api] = until
        return (until - now).total_seconds()

    def read(self) -> Sequence[ApiBudget]:
        """Return the budget of each API that was called of late."""
        now = self._clock.now()
        query = select(ApiWindow.api).where(~ApiWindow.api.contains(OWN_LIMIT)).distinct().order_by(ApiWindow.api)
        with self._database.read() as session:
            names = session.scalars(query).all()
            return [self._budget(Book(session, name, now, locked=False)) for name in names]

    def _budget(self, book: Book) -> ApiBudget:
        minute, hour = book.used(MINUTE), book.used(HOUR)
        of_minute = self._limits.ceiling(MINUTE.name, urgent=False)
        of_hour = self._limits.ceiling(HOUR.name, urgent=False)
        return ApiBudget(
            api=book.api,
            used_this_minute=minute,
            left_this_minute=max(0, of_minute - minute),
            used_this_hour=hour,
            left_this_hour=max(0, of_hour - hour),
            blocked_until=book.blocked_until(),
            minute_limit=self._limits.per_minute,
            hour_limit=self._limits.per_hour,
            minute_reserve=self._limits.per_minute - of_minute,
            hour_reserve=self._limits.per_hour - of_hour,
        )

    def _spend(self, api: str, purse: _Purse, urgent: bool) -> None:
        now = self._clock.now()
        if purse.left and purse.taken_at is not None and MINUTE.index(purse.taken_at) == MINUTE.index(now):
            self._poll(now)
            self._check_block(api, now)
        else:
            self._check_block(api, now)
            self._check_refused(api, purse, now)
            self._take(api, purse, urgent, now)
        purse.left -= 1

    def _take(self, api: str, purse: _Purse, urgent: bool, now: datetime) -> None:
        size = self._next_size(purse, urgent)
        with self._database.write(urgent=urgent) as session:
            book = Book(session, api, now)
            if purse.taken_at is not None:
                book.give_back(purse.taken_at, purse.left)
            purse.left, purse.taken_at = 0, now
            blocked_until = book.blocked_until()
            if blocked_until is None:
                self._fill(purse, book, size, urgent)
        if blocked_until is not None:
            self._blocks[api] = blocked_until
            self._check_block(api, now)
        self._check_refused(api, purse, now)

    def _fill(self, purse: _Purse, book: Book, size: int, urgent: bool) -> None:
        """Take a block, or note how long to wait."""
        left = {span: self._limits.ceiling(span.name, urgent=urgent) - book.used(span) for span in SPANS}
        waits = [book.frees_in(span) for span, calls in left.items() if calls <= 0]
        purse.refused_at = book.now if waits else None
        purse.wait_s = max(waits, default=0.0)
        if not waits:
            purse.left = min(size, max(1, min(left.values()) // SHARE))
            book.take(purse.left)

    def _next_size(self, purse: _Purse, urgent: bool) -> int:
        """Take more where the last block was used up, less where some of it was given back."""
        size = purse.size * 2 if purse.left == 0 else max(FIRST_BLOCK, purse.size // 2)
        purse.size = min(size, self._limits.most_urgent_block if urgent else self._limits.most_block)
        return purse.size

    def _poll(self, now: datetime) -> None:
        """Learn now and then of blocks that other processes set."""
        if self._clock.monotonic() - self._polled_at < POLL_S:
            return
        self._polled_at = self._clock.monotonic()
        query = select(ApiWindow.api, ApiWindow.blocked_until).where(
            ApiWindow.span == BLOCK, ApiWindow.blocked_until > now
        )
        with self._database.read() as session:
            self._blocks.update({api: until for api, until in session.execute(query) if until is not None})

    def _check_refused(self, api: str, purse: _Purse, now: datetime) -> None:
        since_s = (now - purse.refused_at).total_seconds() if purse.refused_at is not None else POLL_S
        if since_s < POLL_S:
            raise _throttled(api, purse.wait_s - since_s)

    def _check_block(self, api: str, now: datetime) -> None:
        until = self._blocks.get(api)
        if until is not None and now < until:
            raise _throttled(api, (until - now).total_seconds())


def push_time_s(budgets: Iterable[ApiBudget], calls: int, now: datetime) -> float | None:
    """Return how long so many mark_tag calls take at our pace; None before the first one was made."""
    found = next((budget for budget in budgets if budget.api == apis.MARK.path), None)
    return None if found is None else time_for(found, calls, now)


class StoredPace:
    """The pace as the database knows it, for commands that call nothing themselves."""

    def __init__(self, limits: Limits, database: Database, clock: Clock) -> None:
        self._budget, self._clock = Budget(limits, database, clock), clock

    def budget(self) -> Sequence[ApiBudget]:
        return self._budget.read()

    def push_time_s(self, calls: int) -> float | None:
        return push_time_s(self.budget(), calls, self._clock.now())


def time_for(budget: ApiBudget, calls: int, now: datetime) -> float:
    """Return how long so many calls take, from when WeCom takes them again and as fast as both windows allow."""
    a_minute = (budget.minute_limit - budget.minute_reserve) / MINUTE.length_s
    an_hour = (budget.hour_limit - budget.hour_reserve) / HOUR.length_s
    shut_s = (budget.blocked_until - now).total_seconds() if budget.blocked_until is not None else 0.0
    return max(0.0, shut_s) + calls / min(a_minute, an_hour)


def _throttled(api: str, wait_s: float) -> WeComError:
    return error_for(api, RATE_LIMITED, retry_after_s=wait_s)
