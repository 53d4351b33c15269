"""How many calls may be under way at once: places per group, fewer for ten minutes after a 45033."""

import threading
from collections.abc import Iterator, Mapping
from contextlib import contextmanager

from wecom_app.adapters.wecom.apis import Api, Group
from wecom_app.adapters.wecom.errcodes import SOON_S, TOO_PARALLEL, error_for
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import Clock

HALVED_S = 600.0


class _Places:
    """The places of one group."""

    def __init__(self, capacity: int, clock: Clock) -> None:
        self._capacity = capacity
        self._clock = clock
        self._changed = threading.Condition()
        self._taken = 0
        self._halved_until = clock.monotonic()

    def take(self, wait_s: float) -> bool:
        with self._changed:
            free = self._changed.wait_for(lambda: self._taken < self._room(), wait_s)
            self._taken += free
            return free

    def leave(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify()

    def halve(self) -> None:
        self._halved_until = self._clock.monotonic() + HALVED_S

    def _room(self) -> int:
        halved = self._clock.monotonic() < self._halved_until
        return max(1, self._capacity // 2) if halved else self._capacity


class Places:
    """The places of all groups in this process; urgent calls have their own."""

    def __init__(self, limits: Limits, clock: Clock) -> None:
        self._wait_s = limits.wait_s
        self._urgent = _Places(limits.urgent, clock)
        self._groups: Mapping[Group, _Places] = {
            Group.READ: _Places(limits.reads, clock),
            Group.MARK: _Places(limits.marks, clock),
            Group.LIBRARY: _Places(limits.library_writes, clock),
        }

    @contextmanager
    def hold(self, api: Api, deadline: Deadline, *, urgent: bool) -> Iterator[None]:
        """Hold a place while the call is under way; WeComThrottled if none comes free in time."""
        places = self._of(api, urgent)
        if places is None:
            yield
            return
        if not places.take(min(self._wait_s, deadline.remaining())):
            raise error_for(api.path, TOO_PARALLEL, retry_after_s=SOON_S)
        try:
            yield
        finally:
            places.leave()

    def halve(self, api: Api, *, urgent: bool) -> None:
        """Use half of a group's places for ten minutes."""
        places = self._of(api, urgent)
        if places is not None:
            places.halve()

    def _of(self, api: Api, urgent: bool) -> _Places | None:
        return self._urgent if urgent else self._groups.get(api.group)
