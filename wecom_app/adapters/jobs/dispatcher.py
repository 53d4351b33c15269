"""The one thread that moves jobs between the table and the lanes of a process.

Each cycle writes the results of all lanes and claims for all free threads in one transaction. It survives
whatever the database does: a result is kept until it could be written, and its lease with it.
"""

import logging
import threading
from collections import Counter
from collections.abc import Mapping

from wecom_app.adapters.jobs.contract import PURGE_ROWS
from wecom_app.adapters.jobs.lanes import Lane
from wecom_app.adapters.jobs.leases import HEARTBEAT_S
from wecom_app.adapters.jobs.runner import ClaimedJob, Runner
from wecom_app.adapters.jobs.store import Finished, JobStore
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import Unavailable
from wecom_app.services.runtime import URGENT_LANE

POLL_S = 0.2
"""How soon a job is seen that another process enqueued, or that falls due."""
LINGER_S = 0.02
"""How long a result waits for others to be written with it, while no lane needs the thread."""
GATHER_S = 0.005
"""How long a busy process leaves work that can wait in the table, so that one transaction moves more of it."""
REAP_S = 1.0
PURGE_S = 600.0
PURGE_ON_S = 1.0
GIVE_BACK_S = 8.0
"""Longer than a write transaction waits for its locks."""

logger = logging.getLogger(__name__)


class Dispatcher:
    """Started once and stopped once."""

    def __init__(
        self, database: Database, clock: Clock, store: JobStore, runner: Runner, threads: Mapping[str, int]
    ) -> None:
        self._database, self._clock, self._store, self._runner = database, clock, store, runner
        self._threads = dict(threads)
        self._lanes = {name: Lane[ClaimedJob](name, count, self._run) for name, count in threads.items()}
        self._bell, self._nudge, self._hurry = threading.Event(), threading.Event(), threading.Event()
        """Something happened; it should not wait long for company; it cannot wait at all."""
        self._woken = False
        self._changed = threading.Condition()
        """Guards the four fields below, and is notified when a job ends or its result is written."""
        self._running: dict[int, ClaimedJob] = {}
        self._finished: list[Finished] = []
        self._draining = False
        self._ended = False
        self._thread = threading.Thread(target=self._loop, name="job-dispatcher", daemon=True)
        self._heartbeat_at = self._reap_at = self._purge_at = self._beat_at = clock.monotonic()

    def start(self) -> None:
        for lane in self._lanes.values():
            lane.start()
        self._thread.start()

    def beat_age_s(self) -> float:
        """Return how long ago a cycle last succeeded."""
        return self._clock.monotonic() - self._beat_at

    def wake(self, *, urgent: bool = True) -> None:
        """Look for work: now, or soon where other work is under way and nobody's seconds count."""
        self._woken = True
        self._ring(hurry=urgent or not self._running)

    def stop(self, timeout_s: float) -> None:
        """Claim no more, wait for what runs, write its results, and give back what did not finish."""
        with self._changed:
            self._draining = True
            self._changed.wait_for(lambda: not self._running and not self._finished, timeout_s)
            self._ended = True
        self._ring(hurry=True)
        for lane in self._lanes.values():
            lane.close()
        self._thread.join(GIVE_BACK_S)

    def _loop(self) -> None:
        trouble = False
        while not self._ended:
            if self._bell.wait(POLL_S) and not self._hurry.wait(GATHER_S):
                self._nudge.wait(LINGER_S)
            self._bell.clear()
            self._nudge.clear()
            self._hurry.clear()
            try:
                self._cycle()
                self._beat_at = self._clock.monotonic()
                trouble = False
            except Unavailable:
                # Told once: a full disk lasts, and this loop turns five times a second.
                if not trouble:
                    logger.warning("jobs.database_unavailable")
                trouble = True
            except Exception:
                logger.exception("jobs.dispatcher_failed")
        self._give_back()

    def _cycle(self) -> None:
        self._dispatch()
        self._heartbeat()
        self._reap()
        self._purge()

    def _dispatch(self) -> None:
        woken, self._woken = self._woken, False
        with self._changed:
            finished = list(self._finished)
            free = self._free_threads()
        if not finished and not (free and (woken or self._has_due(free))):
            return
        with self._database.write(urgent=True) as session:
            self._store.write_back(session, finished)
            claimed = self._store.claim(session, free) if free else []
        with self._changed:
            del self._finished[: len(finished)]
            self._running.update({job.id: job for job in claimed})
            self._changed.notify_all()
            ended = self._ended
        if ended:
            # stop() did not see these: they are given back with whatever else did not finish.
            return
        for job in claimed:
            self._lanes[job.lane].submit(job)

    def _free_threads(self) -> dict[str, int]:
        if self._draining:
            return {}
        busy = Counter(job.lane for job in self._running.values())
        allowed = self._threads
        if busy[URGENT_LANE] >= allowed.get(URGENT_LANE, len(self._running) + 1):
            # Threads share one interpreter: while welcomes queue up, whatever can wait runs one at a time.
            allowed = {lane: count if lane == URGENT_LANE else 1 for lane, count in allowed.items()}
        return {lane: count - busy[lane] for lane, count in allowed.items() if count > busy[lane]}

    def _has_due(self, free: Mapping[str, int]) -> bool:
        with self._database.read() as session:
            return any(lane in free for lane in self._store.lanes_with_due(session))

    def _run(self, job: ClaimedJob) -> None:
        try:
            result = Finished(job, self._runner.run(job), self._clock.now())
        except BaseException:
            # Nothing is written: the lease runs out and the job is found lost, as if the process had ended.
            logger.exception("jobs.abandoned", extra={"job_id": job.id, "kind": job.kind})
            result = None
        with self._changed:
            was_full = job.lane not in self._free_threads()
            del self._running[job.id]
            if result is not None:
                self._finished.append(result)
            self._changed.notify_all()
        # A lane that was full may have more to do; while draining, stop() waits.
        self._ring(nudge=was_full, hurry=was_full and (job.lane == URGENT_LANE or not self._running))

    def _ring(self, *, nudge: bool = True, hurry: bool) -> None:
        if nudge:
            self._nudge.set()
        if hurry:
            self._hurry.set()
        self._bell.set()

    def _live(self) -> set[int]:
        with self._changed:
            return self._running.keys() | {result.job.id for result in self._finished}

    def _heartbeat(self) -> None:
        if self._clock.monotonic() < self._heartbeat_at:
            return
        live = self._live()
        if live:
            with self._database.write(urgent=True) as session:
                self._store.heartbeat(session, live)
        self._heartbeat_at = self._clock.monotonic() + HEARTBEAT_S

    def _reap(self) -> None:
        if self._clock.monotonic() < self._reap_at:
            return
        live = self._live()
        with self._database.read() as session:
            lost = self._store.list_lost(session, live)
        if lost:
            with self._database.write() as session:
                self._store.reclaim(session, live)
            self.wake()
        self._reap_at = self._clock.monotonic() + REAP_S

    def _purge(self) -> None:
        if self._clock.monotonic() < self._purge_at:
            return
        with self._database.read() as session:
            expired = self._store.list_expired(session)
        if expired:
            with self._database.write() as session:
                self._store.purge(session)
        wait_s = PURGE_ON_S if len(expired) == PURGE_ROWS else PURGE_S
        self._purge_at = self._clock.monotonic() + wait_s

    def _give_back(self) -> None:
        with self._changed:
            finished, unfinished = list(self._finished), list(self._running)
        if not finished and not unfinished:
            return
        try:
            with self._database.write() as session:
                self._store.write_back(session, finished)
                self._store.release(session, unfinished)
        except Unavailable:
            logger.warning("jobs.leases_left", extra={"jobs": len(finished) + len(unfinished)})
