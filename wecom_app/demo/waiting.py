"""Waiting for something that other processes do, with a word every few seconds and an end to it."""

from collections.abc import Callable

from wecom_app.clock import Clock
from wecom_app.demo.failures import DemoFailed
from wecom_app.demo.telling import Teller

PAUSE_S = 0.1
WORD_S = 3.0
"""Silence for longer looks like a hang."""


class Waiter:
    """Polls; `check` raises if waiting has become pointless, such as when a process has ended."""

    def __init__(self, clock: Clock, tell: Teller, check: Callable[[], None]) -> None:
        self._clock = clock
        self._tell = tell
        self._check = check

    def until_done(self, what_is_left: Callable[[], str | None], limit_s: float) -> float:
        """Wait until nothing is left; return the seconds that took. Raises DemoFailed after the limit."""
        started = said = self._clock.monotonic()
        while True:
            left = what_is_left()
            now = self._clock.monotonic()
            if left is None:
                return now - started
            self._check()
            if now - started >= limit_s:
                raise DemoFailed(f"等了 {limit_s:.0f} 秒仍未完成：{left}")
            if now - said >= WORD_S:
                self._tell.note(f"… {left}（已等 {now - started:.0f} 秒）")
                said = now
            self._clock.sleep_until(now + PAUSE_S)
