"""The job queue of one machine: the `job` table in SQLite and lanes of threads; see `ports.JobQueue`."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.orm import Session

from wecom_app.adapters.jobs import records
from wecom_app.adapters.jobs.contract import choose_lanes, refuse_wrong_job
from wecom_app.adapters.jobs.dispatcher import Dispatcher
from wecom_app.adapters.jobs.leases import name_owner
from wecom_app.adapters.jobs.runner import ClaimedJob, Runner
from wecom_app.adapters.jobs.store import Finished, JobStore
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports import JobArgs, JobPage, JobView
from wecom_app.services.runtime import LANES, JobKind, Runtime


class EmbeddedQueue:
    """Implements `JobQueue`; `bind` the runtime before the first job runs."""

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kinds: Mapping[str, JobKind],
        lanes: Mapping[str, int] = LANES,
        metrics: Metrics | None = None,
    ) -> None:
        self._database, self._clock, self._kinds, self._lanes = database, clock, kinds, lanes
        self._runner = Runner(kinds, clock, metrics)
        self._store = JobStore(clock, tuple(lanes), name_owner())
        self._dispatcher: Dispatcher | None = None

    def bind(self, runtime: Runtime) -> None:
        """Give the handlers their runtime, which is made after the queue."""
        self._runner.bind(runtime)

    def enqueue(
        self,
        session: Session,
        kind: str,
        args: JobArgs,
        *,
        lane: str,
        key: str | None = None,
        unique: str | None = None,
        run_at: datetime | None = None,
        priority: int = 0,
    ) -> int | None:
        refuse_wrong_job(self._kinds, self._lanes, kind=kind, lane=lane, key=key, run_at=run_at)
        now = self._clock.now()
        return records.add_job(
            session,
            {
                "kind": kind,
                "args": args,
                "lane": lane,
                "key": key,
                "unique": unique,
                "priority": priority,
                "run_at": run_at or now,
                "state": "waiting",
                "attempts": 0,
                "created_at": now,
            },
        )

    def list_jobs(
        self,
        session: Session,
        *,
        state: str | None = None,
        kind: str | None = None,
        error: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> JobPage:
        return records.list_jobs(session, state, kind, error, before_id, limit)

    def get_job(self, session: Session, job_id: int) -> JobView | None:
        return records.get_job(session, job_id)

    def count_by_state(self, session: Session) -> Mapping[tuple[str, str], int]:
        return records.count_by_state(session)

    def is_queue_longer(self, session: Session, lane: str, than: int) -> bool:
        return records.is_queue_longer(session, lane, than, self._clock.now())

    def replay(self, session: Session, job_id: int) -> bool:
        return records.replay_job(session, job_id, self._clock.now())

    def cancel(self, session: Session, job_id: int) -> bool:
        return records.cancel_job(session, job_id, self._clock.now())

    def wake(self, *, urgent: bool = True) -> None:
        if self._dispatcher is not None:
            self._dispatcher.wake(urgent=urgent)

    def step(self) -> bool:
        job = self._claim_one()
        if job is None:
            return False
        # A SimulatedCrash leaves here with nothing written: the row stays running until its lease ends.
        result = Finished(job, self._runner.run(job), self._clock.now())
        with self._database.write() as session:
            self._store.write_back(session, [result])
        return True

    def next_due(self) -> datetime | None:
        with self._database.read() as session:
            return self._store.next_due(session)

    def purge(self) -> int:
        """Delete done and dead jobs that were kept long enough, a transaction's worth; return how many."""
        with self._database.write() as session:
            return self._store.purge(session)

    def start(self, lanes: Sequence[str] | None = None) -> None:
        if self._dispatcher is not None:
            raise RuntimeError("the queue is already started")
        _ = self._runner.runtime
        self._dispatcher = Dispatcher(
            self._database, self._clock, self._store, self._runner, choose_lanes(self._lanes, lanes)
        )
        self._dispatcher.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        if self._dispatcher is not None:
            self._dispatcher.stop(timeout_s)
            self._dispatcher = None

    def beat_age_s(self) -> float | None:
        return None if self._dispatcher is None else self._dispatcher.beat_age_s()

    def _claim_one(self) -> ClaimedJob | None:
        with self._database.read() as session:
            lost = self._store.list_lost(session, ())
            lanes = self._store.lanes_with_due(session)
        if not lost and not lanes:
            return None
        with self._database.write() as session:
            if lost:
                self._store.reclaim(session, ())
                lanes = self._store.lanes_with_due(session)
            claimed = self._store.claim(session, {lanes[0]: 1}) if lanes else []
        return claimed[0] if claimed else None
