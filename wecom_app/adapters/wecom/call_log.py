"""The log of calls to WeCom, in the table `api_call` and in the metrics: never a token, a body or a name.

Rows wait in memory and are written together by a later call that is not urgent; losing some harms nobody.
"""

import logging
import threading
from collections import deque
from collections.abc import Callable
from datetime import datetime, timedelta
from enum import StrEnum

from sqlalchemy import delete, insert, select
from sqlalchemy.exc import SQLAlchemyError

from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import Unavailable
from wecom_app.models.wecom import ApiCall
from wecom_app.services.metrics import Metrics

logger = logging.getLogger(__name__)

KEEP = timedelta(days=14)
FLUSH_ROWS = 100
FLUSH_S = 1.0
MOST_WAITING = 5_000
ROWS_AT_ONCE = 500
"""Rows in one write transaction: others wait for the writer meanwhile."""


class Outcome(StrEnum):
    """How a call ended."""

    OK = "ok"
    REFUSED = "refused"
    UNKNOWN = "unknown"
    THROTTLED = "throttled"


Started = tuple[datetime, float]


class CallLog:
    """Counts every call at once and writes it down soon."""

    def __init__(self, database: Database, clock: Clock, metrics: Metrics) -> None:
        self._database = database
        self._clock = clock
        self._metrics = metrics
        self._lock = threading.Lock()
        self._rows: deque[dict[str, object]] = deque(maxlen=MOST_WAITING)
        self._flushed_at = clock.monotonic()

    def start(self) -> Started:
        """Return the mark from which `add` measures."""
        return self._clock.now(), self._clock.monotonic()

    def add(self, api: str, started: Started, outcome: Outcome, errcode: int | None) -> None:
        """Note a call; only memory is touched."""
        at, begin = started
        seconds = self._clock.monotonic() - begin
        self._metrics.wecom_calls.labels(api, outcome if errcode is None else str(errcode)).inc()
        self._metrics.wecom_seconds.labels(api).observe(seconds)
        row = {"at": at, "api": api[:64], "errcode": errcode, "outcome": str(outcome)}
        self._rows.append({**row, "duration_ms": round(seconds * 1000)})

    def flush_if_due(self) -> None:
        """Write if a second has gone by or many rows wait, unless another thread is at it."""
        age = self._clock.monotonic() - self._flushed_at
        if not self._rows or (age < FLUSH_S and len(self._rows) < FLUSH_ROWS):
            return
        if self._lock.acquire(blocking=False):
            self._holding_lock(self._write)

    def flush(self) -> None:
        """Write what waits; called at the end and before the log is shown."""
        self._lock.acquire()
        self._holding_lock(self._write_all)

    def purge(self, keep: timedelta = KEEP) -> int:
        """Delete rows that are older; return how many."""
        limit = self._clock.now() - keep
        deleted = 0
        while True:
            with self._database.write() as session:
                old = list(session.scalars(select(ApiCall.id).where(ApiCall.at < limit).limit(ROWS_AT_ONCE)))
                session.execute(delete(ApiCall).where(ApiCall.id.in_(old)))
            deleted += len(old)
            if len(old) < ROWS_AT_ONCE:
                return deleted

    def _holding_lock(self, work: Callable[[], None]) -> None:
        try:
            work()
        finally:
            self._lock.release()

    def _write_all(self) -> None:
        while self._rows:
            self._write()

    def _write(self) -> None:
        self._flushed_at = self._clock.monotonic()
        rows = [self._rows.popleft() for _ in range(min(len(self._rows), ROWS_AT_ONCE))]
        try:
            with self._database.write() as session:
                session.execute(insert(ApiCall), rows)
        except (Unavailable, SQLAlchemyError) as error:
            logger.warning("call_log.lost", extra={"rows": len(rows), "error": type(error).__name__})
