"""The stored side of an API's budget: counts per slot in `api_window`, read and changed under one row's lock.

WeCom's windows start at a time that we do not know. Six slots and the current one cover every window that may
be running there, so that no burst across a boundary of ours goes over the limit.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.adapters.wecom.rows import insert_if_missing
from wecom_app.models.wecom import ApiWindow

SLOTS = 6
BLOCK = "blocked"
"""The row that holds a block by WeCom, and whose lock guards the API's other rows."""
NEAR_LIMIT = 0.9
SECOND_BLOCK_S = 60.0
"""A 45009 so soon after a minute's block means that it is the hour's limit."""


@dataclass(frozen=True)
class Span:
    """A window of WeCom's, counted in slots."""

    name: str
    length_s: int

    @property
    def slot_s(self) -> int:
        return self.length_s // SLOTS

    def index(self, moment: datetime) -> int:
        """Return the number of a moment's slot since 1970."""
        return int(moment.timestamp()) // self.slot_s

    def key(self, index: int) -> str:
        """Return a slot's place in the table; one old place is used anew for each new slot."""
        return f"{self.name}/{index % (SLOTS + 1)}"

    def start(self, index: int) -> datetime:
        return datetime.fromtimestamp(index * self.slot_s, UTC)


MINUTE, HOUR = Span("minute", 60), Span("hour", 3600)
SPANS = (MINUTE, HOUR)


class Book:
    """One API's rows, at one moment."""

    def __init__(self, session: Session, api: str, now: datetime, *, locked: bool = True) -> None:
        self.api = api
        self._session = session
        self.now = now
        if locked:
            insert_if_missing(session, ApiWindow, api=api, span=BLOCK, starts_at=now, taken=0)
            session.scalars(
                select(ApiWindow).where(ApiWindow.api == api, ApiWindow.span == BLOCK).with_for_update()
            ).one()
        rows = session.scalars(select(ApiWindow).where(ApiWindow.api == api))
        self._rows: Mapping[str, ApiWindow] = {row.span: row for row in rows}

    def used(self, span: Span) -> int:
        """Return the calls taken in every slot that a window running at WeCom may reach into."""
        return sum(row.taken for row in self._counted(span))

    def frees_in(self, span: Span) -> float:
        """Return in how many seconds the oldest counted slot leaves the window."""
        oldest = min((row.starts_at for row in self._counted(span)), default=self.now)
        leaves = oldest + timedelta(seconds=span.slot_s + span.length_s)
        return max(1.0, (leaves - self.now).total_seconds())

    def take(self, count: int) -> None:
        """Count calls that will be made before the minute's slot ends."""
        for span in SPANS:
            self._slot(span).taken += count

    def give_back(self, taken_at: datetime, count: int) -> None:
        """Uncount calls that were taken at a moment and not made."""
        for span in SPANS:
            index = span.index(taken_at)
            row = self._rows.get(span.key(index))
            if row is not None and row.starts_at == span.start(index):
                row.taken = max(0, row.taken - count)

    def blocked_until(self) -> datetime | None:
        """Return until when WeCom has shut the API; None if it has not."""
        row = self._rows.get(BLOCK)
        until = row.blocked_until if row else None
        return until if until is not None and self.now < until else None

    def block(self, per_hour: int) -> datetime:
        """Shut the API for a minute, or for an hour if that is the limit that was met; return the end.

        Refusals of calls that were under way at the same time do not add to it.
        """
        running = self.blocked_until()
        if running is not None:
            return running
        row = self._rows[BLOCK]
        again = row.blocked_until is not None and (self.now - row.blocked_until).total_seconds() < SECOND_BLOCK_S
        span = HOUR if again or self.used(HOUR) >= NEAR_LIMIT * per_hour else MINUTE
        row.starts_at = self.now
        row.blocked_until = self.now + timedelta(seconds=span.length_s)
        row.taken += 1
        return row.blocked_until

    def _counted(self, span: Span) -> list[ApiWindow]:
        first = span.index(self.now) - SLOTS
        rows = (row for key, row in self._rows.items() if key.startswith(f"{span.name}/"))
        return [row for row in rows if row.taken and span.index(row.starts_at) >= first]

    def _slot(self, span: Span) -> ApiWindow:
        index = span.index(self.now)
        key, start = span.key(index), span.start(index)
        row = self._rows.get(key)
        if row is None:
            row = ApiWindow(api=self.api, span=key, starts_at=start, taken=0)
            self._session.add(row)
            self._rows = {**self._rows, key: row}
        elif row.starts_at != start:
            row.starts_at, row.taken = start, 0
        return row
