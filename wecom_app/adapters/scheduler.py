"""The clock of a working process: APScheduler calls each `Tick` now and again; a tick only enqueues.

Any number of processes may run one: what they enqueue is unique. Made by `bootstrap`, started and stopped
with the runtime's threads.
"""

import logging
from collections.abc import Sequence

from apscheduler.schedulers.background import BackgroundScheduler

from wecom_app.errors import Unavailable
from wecom_app.services.runtime import Store, Tick

logger = logging.getLogger(__name__)


class BackgroundClock:
    """Implements `Scheduler` with a thread of APScheduler's and a job store in memory."""

    def __init__(self, store: Store, ticks: Sequence[Tick]) -> None:
        self._store, self._ticks = store, tuple(ticks)
        self._scheduler: BackgroundScheduler | None = None

    def start(self) -> None:
        """Call every tick now, then each in its interval."""
        scheduler = BackgroundScheduler(timezone="UTC")
        for tick in self._ticks:
            scheduler.add_job(
                self._call,
                "interval",
                args=[tick],
                id=tick.name,
                seconds=tick.every.total_seconds(),
                next_run_time=self._store.clock.now(),
                # A process that was asleep catches up once.
                coalesce=True,
                misfire_grace_time=None,
            )
        scheduler.start()
        self._scheduler = scheduler

    def stop(self) -> None:
        """Let a tick under way finish, then end the thread; nothing if it was not started."""
        if self._scheduler is not None:
            self._scheduler.shutdown(wait=True)
            self._scheduler = None

    def _call(self, tick: Tick) -> None:
        try:
            tick.call(self._store)
        except Unavailable:
            logger.warning("tick.database_unavailable", extra={"tick": tick.name})
        except Exception:
            logger.exception("tick.failed", extra={"tick": tick.name})
