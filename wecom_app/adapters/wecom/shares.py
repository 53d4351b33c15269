"""How many of the corp's places in flight are this process's own: divided among the processes that call.

A process says every few seconds, in one short transaction for each group of APIs, that it is calling, and looks every
second who else does; in between a call costs no statement. Used by `places`.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass, replace
from datetime import datetime, timedelta

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from wecom_app.adapters.wecom.apis import APIS, Api, Group
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import Unavailable
from wecom_app.models import ApiWindow, FlightShare
from wecom_app.services.upsert import upsert

BEAT_S = 5.0
LOOK_S = 1.0
NEW_S = 2 * LOOK_S
"""After this the others have looked, and the calls that they had under way have ended."""
COUNTS_S = 15.0
"""A process that has not called for so long counts no more; one that was killed holds its share that long."""
TURN_S = 2
"""Where there are more processes than places they take turns of this length."""
HALVED = "halved"
"""The row of an API in `api_window` that says until when its group has half of its places."""
HALVED_S = 600.0


@dataclass(frozen=True)
class Share:
    """This process's rank among those that call a group of APIs, as of its last beat."""

    rank: int = 0
    processes: int = 1
    halved_until: datetime | None = None
    is_new: bool = False
    """Whether the others may not have heard of us yet: one place must do until they have."""

    def of(self, capacity: int, now: datetime) -> int:
        """Return how many of the corp's places are ours at a moment; without newcomers all shares make the whole."""
        whole = self._whole(capacity, now)
        return min(1, whole) if self.is_new and self.processes > 1 else whole

    def _whole(self, capacity: int, now: datetime) -> int:
        halved = self.halved_until is not None and now < self.halved_until
        places = max(1, capacity // 2) if halved else capacity
        if self.processes <= places:
            return places // self.processes + (self.rank < places % self.processes)
        turn = int(now.timestamp()) // TURN_S
        return int((self.rank + turn) % self.processes < places)


class Shares:
    """The shares of one process.

    Two races are accepted. Others learn of a newcomer, or of a 45033 that was not their own, when they next look:
    until then, `NEW_S` seconds at most, each newcomer may have one call under way beyond the corp's places. And a
    call that is under way when a turn or a share ends is finished beside the next process's.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._process = secrets.token_hex(8)
        self._locks: Mapping[Group, threading.Lock] = {group: threading.Lock() for group in Group}
        self._shares: dict[Group, Share] = {}
        self._beaten_at: dict[Group, float] = {}
        self._looked_at: dict[Group, float] = {}
        self._joined_at: dict[Group, float] = {}

    def own(self, group: Group, capacity: int) -> int:
        """Return how many places of a group this process may use now."""
        return self._shares.get(group, Share()).of(capacity, self._clock.now())

    def refresh(self, group: Group) -> None:
        """Say that we call this group and learn who else does, each if it is time to.

        Where our own store is stuck, the last share stands: the call is not the worse for it.
        """
        if not self._is_due(group) or not self._locks[group].acquire(blocking=group not in self._shares):
            return
        try:
            if self._is_due(group):
                self._refresh(group)
        except Unavailable:
            pass
        finally:
            # At the end, so that the first calls of all threads wait until the share is known.
            self._looked_at[group] = self._clock.monotonic()
            self._locks[group].release()

    def halve(self, api: Api) -> None:
        """Let every process use half of the places of the API's group for ten minutes."""
        now = self._clock.now()
        until = now + timedelta(seconds=HALVED_S)
        known = self._shares.get(api.group, Share())
        self._shares[api.group] = replace(known, halved_until=until)
        row = {"api": api.path, "span": HALVED, "starts_at": now, "taken": 0, "blocked_until": until}
        try:
            with self._database.write() as session:
                upsert(session, ApiWindow, [row], ("api", "span"))
        except Unavailable:
            pass  # this process knows; another one learns it from its own 45033

    def leave(self) -> None:
        """Give the others our places; called at the end."""
        if not self._shares:
            return
        for known in (self._shares, self._beaten_at, self._looked_at, self._joined_at):
            known.clear()
        try:
            with self._database.write() as session:
                session.execute(delete(FlightShare).where(FlightShare.process == self._process))
        except Unavailable:
            pass  # they have them once our rows have run out

    def _is_due(self, group: Group) -> bool:
        return self._has_passed(self._looked_at.get(group), LOOK_S)

    def _has_passed(self, since: float | None, seconds: float) -> bool:
        return since is None or self._clock.monotonic() - since >= seconds

    def _refresh(self, group: Group) -> None:
        now, beaten_at = self._clock.now(), self._beaten_at.get(group)
        if self._has_passed(beaten_at, COUNTS_S):
            # The others have forgotten us, if they ever knew.
            self._joined_at.pop(group, None)
        if self._has_passed(beaten_at, BEAT_S):
            with self._database.write() as session:
                self._beat(session, group, now)
            self._beaten_at[group] = self._clock.monotonic()
        with self._database.read() as session:
            share = self._read(session, group, now)
        if share is None:
            # Somebody whose clock is ahead of ours took our row for an old one.
            self._beaten_at.pop(group, None)
        else:
            self._shares[group] = share

    def _beat(self, session: Session, group: Group, now: datetime) -> None:
        row = {"api_group": group.value, "process": self._process, "counts_until": now + timedelta(seconds=COUNTS_S)}
        session.execute(delete(FlightShare).where(FlightShare.counts_until <= now))
        upsert(session, FlightShare, [row], ("api_group", "process"))

    def _read(self, session: Session, group: Group, now: datetime) -> Share | None:
        calling = select(FlightShare.process).where(
            FlightShare.api_group == group.value, FlightShare.counts_until > now
        )
        processes = session.scalars(calling.order_by(FlightShare.process)).all()
        if self._process not in processes:
            return None
        paths = [api.path for api in APIS.values() if api.group is group]
        halved = select(func.max(ApiWindow.blocked_until)).where(
            ApiWindow.span == HALVED, ApiWindow.api.in_(paths), ApiWindow.blocked_until > now
        )
        is_new = not self._has_passed(self._joined_at.setdefault(group, self._clock.monotonic()), NEW_S)
        return Share(processes.index(self._process), len(processes), session.scalar(halved), is_new)
