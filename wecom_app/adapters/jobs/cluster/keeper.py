"""The thread that puts the jobs of stalled workers back and deletes old ones; one in every process."""

import logging
import threading

from wecom_app.adapters.jobs.cluster.store import ClusterStore
from wecom_app.adapters.jobs.contract import PURGE_ROWS
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import Unavailable

SWEEP_S = 1.0
PURGE_S = 600.0

logger = logging.getLogger(__name__)


class Keeper:
    """Started once and stopped once."""

    def __init__(self, database: Database, clock: Clock, store: ClusterStore) -> None:
        self._database, self._clock, self._store = database, clock, store
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._loop, name="job-keeper", daemon=True)
        self._purge_at = clock.monotonic()

    def start(self) -> None:
        self._thread.start()

    def stop(self, timeout_s: float) -> None:
        self._ended.set()
        self._thread.join(timeout_s)

    def _loop(self) -> None:
        trouble = False
        while not self._ended.is_set():
            try:
                self._sweep()
                trouble = False
            except Unavailable:
                if not trouble:
                    logger.warning("jobs.database_unavailable")
                trouble = True
            except Exception:
                logger.exception("jobs.keeper_failed")
            self._ended.wait(SWEEP_S)

    def _sweep(self) -> None:
        with self._database.write() as session:
            self._store.reclaim(session, None)
        if self._clock.monotonic() >= self._purge_at:
            with self._database.write() as session:
                deleted = self._store.purge(session)
            if deleted < PURGE_ROWS:
                self._purge_at = self._clock.monotonic() + PURGE_S
