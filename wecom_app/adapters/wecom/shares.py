"""How many of the corp's places in flight are this process's own: divided among the processes that call.

A process says every few seconds, in one short transaction for each group of APIs, that it is calling; between two
such beats a call costs no statement. Used by `places`.
"""

import secrets
import threading
from collections.abc import Mapping
from dataclasses import dataclass
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

    def of(self, capacity: int, now: datetime) -> int:
        """Return how many of the corp's places are ours at a moment; the shares of all add up to `capacity`."""
        halved = self.halved_until is not None and now < self.halved_until
        places = max(1, capacity // 2) if halved else capacity
        if self.processes <= places:
            return places // self.processes + (self.rank < places % self.processes)
        turn = int(now.timestamp()) // TURN_S
        return int((self.rank + turn) % self.processes < places)


class Shares:
    """The shares of one process.

    Two races are accepted. Others learn of a newcomer, or of a 45033 that was not their own, at their next beat, so
    that for at most `BEAT_S` seconds more calls may be under way than the corp has places for. And a call that is
    under way when a turn or a share ends is finished beside the next process's.
    """

    def __init__(self, database: Database, clock: Clock) -> None:
        self._database = database
        self._clock = clock
        self._process = secrets.token_hex(8)
        self._locks: Mapping[Group, threading.Lock] = {group: threading.Lock() for group in Group}
        self._shares: dict[Group, Share] = {}
        self._beaten_at: dict[Group, float] = {}

    def own(self, group: Group, capacity: int) -> int:
        """Return how many places of a group this process may use now."""
        return self._shares.get(group, Share()).of(capacity, self._clock.now())

    def beat(self, group: Group) -> None:
        """Say that we call this group, if that was not said of late; learn who else does.

        Where our own store is stuck, the last share stands: the call is not the worse for it.
        """
        if not self._is_due(group) or not self._locks[group].acquire(blocking=group not in self._shares):
            return
        try:
            if self._is_due(group):
                self._beat(group)
        except Unavailable:
            self._beaten_at[group] = self._clock.monotonic()
        finally:
            self._locks[group].release()

    def halve(self, api: Api) -> None:
        """Let every process use half of the places of the API's group for ten minutes."""
        now = self._clock.now()
        until = now + timedelta(seconds=HALVED_S)
        known = self._shares.get(api.group, Share())
        self._shares[api.group] = Share(known.rank, known.processes, until)
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
        self._shares.clear()
        self._beaten_at.clear()
        try:
            with self._database.write() as session:
                session.execute(delete(FlightShare).where(FlightShare.process == self._process))
        except Unavailable:
            pass  # they have them once our rows have run out

    def _is_due(self, group: Group) -> bool:
        beaten_at = self._beaten_at.get(group)
        return beaten_at is None or self._clock.monotonic() - beaten_at >= BEAT_S

    def _beat(self, group: Group) -> None:
        now = self._clock.now()
        row = {"api_group": group.value, "process": self._process, "counts_until": now + timedelta(seconds=COUNTS_S)}
        with self._database.write() as session:
            session.execute(delete(FlightShare).where(FlightShare.counts_until <= now))
            upsert(session, FlightShare, [row], ("api_group", "process"))
            self._shares[group] = self._read(session, group, now)
        self._beaten_at[group] = self._clock.monotonic()

    def _read(self, session: Session, group: Group, now: datetime) -> Share:
        calling = select(FlightShare.process).where(FlightShare.api_group == group.value)
        processes = session.scalars(calling.order_by(FlightShare.process)).all()
        paths = [api.path for api in APIS.values() if api.group is group]
        halved = select(func.max(ApiWindow.blocked_until)).where(
            ApiWindow.span == HALVED, ApiWindow.api.in_(paths), ApiWindow.blocked_until > now
        )
        return Share(processes.index(self._process), len(processes), session.scalar(halved))
