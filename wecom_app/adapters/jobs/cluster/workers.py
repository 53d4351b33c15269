"""Procrastinate's workers, one a lane, in one event loop on a thread of its own; handlers run in our threads.

Procrastinate listens, fetches, counts the running jobs of a lane and keeps the heartbeat. The thread that ran
a job writes its result, again and again until the database takes it.
"""

import asyncio
import logging
import threading
from collections.abc import Callable, Mapping
from contextlib import suppress
from typing import Any

from sqlalchemy.orm import Session

from wecom_app.adapters.jobs.cluster.carrier import App, JobContext, PsycopgConnector
from wecom_app.adapters.jobs.cluster.keeper import Keeper
from wecom_app.adapters.jobs.cluster.manager import RUN, ClaimingManager
from wecom_app.adapters.jobs.cluster.store import Claim, ClusterStore
from wecom_app.adapters.jobs.lanes import Lane
from wecom_app.adapters.jobs.runner import Runner
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import Unavailable

POLL_S = 0.5
"""How soon a job is seen that falls due, or whose notification was lost."""
NEVER_S = 86_400.0
RESTART_S = 1.0
WRITE_AGAIN_S = 0.5
GIVE_BACK_S = 8.0
"""Longer than a write transaction waits for its locks."""

Run = tuple[int, int]
"""A job's id and attempt: one process may hold two runs of a job for a moment."""

logger = logging.getLogger(__name__)


class ClusterWorkers:
    """Started once and stopped once."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        store: ClusterStore,
        runner: Runner,
        *,
        threads: Mapping[str, int],
        heartbeat_s: float,
        stalled_after_s: float,
    ) -> None:
        self._database, self._clock, self._store, self._runner = database, clock, store, runner
        self._threads, self._heartbeat_s, self._stalled_after_s = dict(threads), heartbeat_s, stalled_after_s
        self._lanes = {name: Lane[Claim](name, count, self._run) for name, count in threads.items()}
        self._keeper = Keeper(database, clock, store)
        self._beat_at = clock.monotonic()
        self._mutex = threading.Lock()
        """Guards the claims."""
        self._claims: dict[Run, Claim] = {}
        self._ended = threading.Event()
        self._loop = asyncio.new_event_loop()
        self._stopping = asyncio.Event()
        self._finished: dict[Run, asyncio.Event] = {}
        """Touched in the loop only."""
        self._thread = threading.Thread(target=self._run_loop, name="job-workers", daemon=True)

    def start(self) -> None:
        for lane in self._lanes.values():
            lane.start()
        self._keeper.start()
        self._thread.start()

    def beat_age_s(self) -> float:
        """Return how long ago a worker last told the database that it is alive."""
        return self._clock.monotonic() - self._beat_at

    def stop(self, timeout_s: float) -> None:
        """Fetch no more, wait for what runs, and give back what did not finish."""
        self._call(self._stopping.set)
        self._thread.join(timeout_s)
        self._ended.set()
        self._call(self._abandon_all)
        self._thread.join(GIVE_BACK_S)
        self._keeper.stop(GIVE_BACK_S)
        for lane in self._lanes.values():
            lane.close()
        self._give_back()

    def _run_loop(self) -> None:
        try:
            self._loop.run_until_complete(self._serve_all())
        finally:
            self._loop.close()

    async def _serve_all(self) -> None:
        while not self._stopping.is_set():
            try:
                await self._open_and_serve()
            except Exception:
                logger.exception("jobs.workers_failed")
            await self._pause()

    async def _open_and_serve(self) -> None:
        url = self._database.url.set(drivername="postgresql")
        connector = PsycopgConnector(
            conninfo=url.render_as_string(hide_password=False), min_size=1, max_size=len(self._threads) + 1
        )
        app = App(connector=connector)
        app.job_manager = ClaimingManager(connector, self._clock, self._note_claim, self._note_beat)
        app.task(name=RUN, pass_context=True)(self._run_and_wait)
        async with app.open_async():
            await asyncio.gather(*[self._serve(app, lane) for lane in self._threads])

    async def _serve(self, app: App, lane: str) -> None:
        while not self._stopping.is_set():
            worker = asyncio.create_task(
                app.run_worker_async(
                    queues=[lane],
                    name=lane,
                    concurrency=self._threads[lane],
                    fetch_job_polling_interval=POLL_S,
                    # We never ask for an abort; this only spares the queries.
                    abort_job_polling_interval=NEVER_S,
                    install_signal_handlers=False,
                    update_heartbeat_interval=self._heartbeat_s,
                    stalled_worker_timeout=self._stalled_after_s,
                )
            )
            stopping = asyncio.create_task(self._stopping.wait())
            await asyncio.wait({worker, stopping}, return_when=asyncio.FIRST_COMPLETED)
            stopping.cancel()
            # A cancelled worker takes no new job and waits for its running ones.
            worker.cancel()
            (result,) = await asyncio.gather(worker, return_exceptions=True)
            if isinstance(result, Exception):
                logger.error("jobs.worker_failed", exc_info=result, extra={"lane": lane})
            await self._pause()

    async def _pause(self) -> None:
        with suppress(TimeoutError):
            await asyncio.wait_for(self._stopping.wait(), RESTART_S)

    async def _run_and_wait(self, context: JobContext) -> None:
        assert context.job.id is not None
        run = (context.job.id, context.job.attempts)
        if self._ended.is_set():
            return
        self._finished[run] = finished = asyncio.Event()
        claim = self._claims[run]
        self._lanes[claim.job.lane].submit(claim)
        await finished.wait()
        del self._finished[run]

    def _note_claim(self, claim: Claim) -> None:
        with self._mutex:
            self._claims[_run_of(claim)] = claim

    def _note_beat(self) -> None:
        self._beat_at = self._clock.monotonic()

    def _abandon_all(self) -> None:
        for finished in self._finished.values():
            finished.set()

    def _finish(self, run: Run) -> None:
        if run in self._finished:
            self._finished[run].set()

    def _run(self, claim: Claim) -> None:
        try:
            outcome = self._runner.run(claim.job)
        except BaseException:
            # Nothing is written about the run: the job is found lost, as if the process had ended.
            logger.exception("jobs.abandoned", extra={"job_id": claim.job.id, "kind": claim.job.kind})
            self._persist(lambda session: self._store.detach(session, claim))
        else:
            self._persist(lambda session: self._store.write_back(session, claim, outcome))
        if not self._ended.is_set():
            with self._mutex:
                self._claims.pop(_run_of(claim), None)
        self._call(self._finish, _run_of(claim))

    def _persist(self, write: Callable[[Session], None]) -> None:
        # After the end the job is given back, and not ours to write about.
        while not self._ended.is_set():
            try:
                with self._database.write() as session:
                    write(session)
            except Unavailable:
                # The keeper tells of it.
                self._ended.wait(WRITE_AGAIN_S)
            except Exception:
                logger.exception("jobs.result_not_written")
                self._ended.wait(WRITE_AGAIN_S)
            else:
                return

    def _give_back(self) -> None:
        with self._mutex:
            unfinished = list(self._claims.values())
        if not unfinished:
            return
        try:
            with self._database.write() as session:
                for claim in unfinished:
                    self._store.release(session, claim)
        except Unavailable:
            logger.warning("jobs.leases_left", extra={"jobs": len(unfinished)})

    def _call(self, function: Callable[..., Any], *arguments: Any) -> None:
        # The loop is closed once every worker has stopped.
        with suppress(RuntimeError):
            self._loop.call_soon_threadsafe(function, *arguments)


def _run_of(claim: Claim) -> Run:
    return claim.job.id, claim.job.attempts
