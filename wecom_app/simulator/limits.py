"""How often and how many at once an API may be called (Tencent's page 90312)."""

import threading
from collections import Counter
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

from wecom_app.clock import Clock
from wecom_app.simulator.errcodes import ApiError

MINUTE_S = 60.0
HOUR_S = 3600.0


@dataclass(slots=True)
class Window:
    """Calls counted since `start`; once over the limit, refused for a whole window's length."""

    start: float
    count: int = 0
    blocked_until: float = float("-inf")


class Limits:
    """Counters for one corp."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._windows: dict[tuple[str, float], Window] = {}
        self._running: Counter[str] = Counter()
        self._pairs: set[tuple[str, str]] = set()

    def count(self, key: str, limit: int | None, window_s: float) -> None:
        """Count one call, or refuse it with 45009."""
        if not self.is_within(key, limit, window_s):
            raise ApiError(45009)

    def is_within(self, key: str, limit: int | None, window_s: float) -> bool:
        """Count one call and tell whether it is within the limit."""
        if limit is None:
            return True
        now = self._clock.monotonic()
        with self._lock:
            window = self._windows.get((key, window_s))
            if window is None or now - window.start >= window_s:
                blocked = window.blocked_until if window else float("-inf")
                window = self._windows[(key, window_s)] = Window(now, blocked_until=blocked)
            if now < window.blocked_until:
                return False
            window.count += 1
            if window.count > limit:
                window.blocked_until = now + window_s
            return window.count <= limit

    def is_blocked(self, key: str, window_s: float) -> bool:
        """Tell whether a key is blocked now, without counting."""
        with self._lock:
            window = self._windows.get((key, window_s))
            return window is not None and self._clock.monotonic() < window.blocked_until

    @contextmanager
    def running(self, api: str, most: int | None) -> Iterator[None]:
        """Hold a place among the calls of an API under way, or refuse with 45033."""
        with self._lock:
            if most is not None and self._running[api] >= most:
                raise ApiError(45033)
            self._running[api] += 1
        try:
            yield
        finally:
            with self._lock:
                self._running[api] -= 1

    @contextmanager
    def pair(self, pair: tuple[str, str] | None) -> Iterator[None]:
        """Hold a member and customer for one mark_tag, or refuse with 45035."""
        if pair is None:
            yield
            return
        with self._lock:
            if pair in self._pairs:
                raise ApiError(45035)
            self._pairs.add(pair)
        try:
            yield
        finally:
            with self._lock:
                self._pairs.discard(pair)

    def reset(self) -> None:
        """Forget all counts and blocks; calls under way keep their places."""
        with self._lock:
            self._windows.clear()
