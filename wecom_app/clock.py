"""The one place that reads the computer's clock; everything else is handed a `Clock`.

`SystemClock` runs in production, `ManualClock` in tests, and `ShiftedClock` lets the simulator live
at another time than the application.
"""

import threading
import time
from datetime import UTC, datetime, timedelta
from typing import Protocol


class Clock(Protocol):
    """Wall time for records, monotonic time for waiting."""

    def now(self) -> datetime:
        """Return the present moment as an aware UTC datetime."""
        ...

    def monotonic(self) -> float:
        """Return seconds from an arbitrary start that never run backwards."""
        ...

    def sleep_until(self, deadline: float) -> None:
        """Return once `monotonic()` has reached `deadline` (seconds)."""
        ...


class SystemClock:
    """The computer's own clock."""

    def now(self) -> datetime:
        return datetime.now(UTC)

    def monotonic(self) -> float:
        return time.monotonic()

    def sleep_until(self, deadline: float) -> None:
        remaining = deadline - time.monotonic()
        if remaining > 0:
            time.sleep(remaining)


class ManualClock:
    """A clock that moves only when told to; sleeping moves it at once. Safe to share between threads."""

    def __init__(self, start: datetime) -> None:
        self._lock = threading.Lock()
        self._start = start.astimezone(UTC)
        self._elapsed = 0.0

    def now(self) -> datetime:
        with self._lock:
            return self._start + timedelta(seconds=self._elapsed)

    def monotonic(self) -> float:
        with self._lock:
            return self._elapsed

    def sleep_until(self, deadline: float) -> None:
        with self._lock:
            self._elapsed = max(self._elapsed, deadline)

    def advance(self, seconds: float) -> None:
        """Move both wall and monotonic time forward by `seconds`."""
        with self._lock:
            self._elapsed += seconds


class ShiftedClock:
    """Another clock's time plus an offset that can be changed while it runs."""

    def __init__(self, base: Clock) -> None:
        self._base = base
        self.offset_s = 0.0

    def now(self) -> datetime:
        return self._base.now() + timedelta(seconds=self.offset_s)

    def monotonic(self) -> float:
        return self._base.monotonic() + self.offset_s

    def sleep_until(self, deadline: float) -> None:
        self._base.sleep_until(deadline - self.offset_s)
