"""How many calls may be under way at once: places per group, which the corp's processes share; half after a 45033."""

import threading
from collections.abc import Callable, Iterator, Mapping
from contextlib import contextmanager
from datetime import datetime, timedelta

from wecom_app.adapters.wecom.apis import Api, Group
from wecom_app.adapters.wecom.errcodes import SOON_S, TOO_PARALLEL, error_for
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.shares import HALVED_S, Share, Shares
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import Clock
from wecom_app.db import Database

SHARED = (Group.READ, Group.MARK)
"""Groups whose places the processes divide. Library writes need none of it: their jobs have one key, so that only one
of them runs at a time anywhere. Urgent calls have places in each process: a welcome waits for no other process."""
LOOK_S = 0.2
"""How soon a waiting call notices that this process's share has grown."""


def _nothing() -> None:
    """What a group does that this process shares with nobody."""


class _Places:
    """The places of one group in this process; `room` says how many there are, `refresh` learns who else has some."""

    def __init__(self, room: Callable[[], int], clock: Clock, refresh: Callable[[], None] = _nothing) -> None:
        self._room = room
        self._refresh = refresh
        self._clock = clock
        self._changed = threading.Condition()
        self._taken = 0

    def take(self, wait_s: float) -> bool:
        end, waited_s, look_s = self._clock.monotonic() + wait_s, 0.0, min(LOOK_S, wait_s)
        while True:
            self._refresh()  # not under our lock: it may ask the database
            with self._changed:
                if self._taken < self._room():
                    self._taken += 1
                    return True
                if waited_s >= wait_s or self._clock.monotonic() >= end:
                    return False
                waited_s += 0.0 if self._changed.wait(look_s) else look_s

    def leave(self) -> None:
        with self._changed:
            self._taken -= 1
            self._changed.notify()


class Places:
    """The places of all groups in this process."""

    def __init__(self, limits: Limits, database: Database, clock: Clock) -> None:
        self._wait_s = limits.wait_s
        self._clock = clock
        self._shares = Shares(database, clock)
        self._halved_until: dict[str, datetime] = {}
        """Of urgent calls and library writes, which know only their own process."""
        capacities = {Group.READ: limits.reads, Group.MARK: limits.marks, Group.LIBRARY: limits.library_writes}
        self._urgent = _Places(lambda: self._own("urgent", limits.urgent), clock)
        self._groups: Mapping[Group, _Places] = {
            group: self._places_of(group, capacity) for group, capacity in capacities.items()
        }

    @contextmanager
    def hold(self, api: Api, deadline: Deadline, *, urgent: bool) -> Iterator[None]:
        """Hold a place while the call is under way; WeComThrottled if none comes free in time."""
        places = self._urgent if urgent else self._groups.get(api.group)
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
        if urgent:
            self._halved_until["urgent"] = self._clock.now() + timedelta(seconds=HALVED_S)
        elif api.group in SHARED:
            self._shares.halve(api)
        else:
            self._halved_until[api.group] = self._clock.now() + timedelta(seconds=HALVED_S)

    def give_up(self) -> None:
        """Leave the corp's places to other processes; called at the end."""
        self._shares.leave()

    def _places_of(self, group: Group, capacity: int) -> _Places:
        if group not in SHARED:
            return _Places(lambda: self._own(group, capacity), self._clock)
        return _Places(lambda: self._shares.own(group, capacity), self._clock, lambda: self._shares.refresh(group))

    def _own(self, name: str, capacity: int) -> int:
        return Share(halved_until=self._halved_until.get(name)).of(capacity, self._clock.now())
