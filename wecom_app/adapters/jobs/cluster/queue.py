"""`JobQueue` over Procrastinate 3 on PostgreSQL, for any number of processes and machines."""

from collections.abc import Mapping, Sequence
from datetime import datetime

from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from wecom_app.adapters.jobs.cluster import records
from wecom_app.adapters.jobs.cluster.store import Claim, ClusterStore
from wecom_app.adapters.jobs.cluster.workers import ClusterWorkers
from wecom_app.adapters.jobs.contract import choose_lanes, refuse_wrong_job
from wecom_app.adapters.jobs.leases import HEARTBEAT_S, LEASE
from wecom_app.adapters.jobs.runner import Runner
from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports import JobArgs, JobPage, JobView
from wecom_app.services.runtime import LANES, JobKind, Runtime


class ClusterQueue:
    """Implements `JobQueue`; `bind` the runtime before the first job runs.

    `step` measures leases by the injected clock, started workers by the database's, since a lease is
    judged by other machines; do not use both on one database.
    """

    def __init__(
        self,
        database: Database,
        clock: Clock,
        kinds: Mapping[str, JobKind],
        lanes: Mapping[str, int] = LANES,
        metrics: Metrics | None = None,
        *,
        heartbeat_s: float = HEARTBEAT_S,
        stalled_after_s: float = LEASE.total_seconds(),
    ) -> None:
        self._database, self._clock, self._kinds, self._lanes = database, clock, kinds, lanes
        self._heartbeat_s, self._stalled_after_s = heartbeat_s, stalled_after_s
        self._runner = Runner(kinds, clock, metrics)
        self._store = ClusterStore(clock, tuple(lanes), stalled_after_s)
        self._stepping_worker: int | None = None
        self._workers: ClusterWorkers | None = None

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
        return records.add_job(
            session,
            kind,
            args,
            lane=lane,
            key=key,
            unique=unique,
            run_at=run_at,
            priority=priority,
            now=self._clock.now(),
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
        """Do nothing: PostgreSQL notifies the workers of every machine at the commit."""

    def step(self) -> bool:
        _ = self._runner.runtime
        claim = self._claim_one()
        if claim is None:
            return False
        try:
            outcome = self._runner.run(claim.job)
        except BaseException:
            # A SimulatedCrash: nothing is written, and the job stays `doing` until this worker has stalled.
            self._stepping_worker = None
            raise
        with self._database.write() as session:
            self._store.write_back(session, claim, outcome)
        return True

    def next_due(self) -> datetime | None:
        with self._database.read() as session:
            return self._store.next_due(session)

    def purge(self) -> int:
        """Delete done and dead jobs that were kept long enough, a transaction's worth; return how many."""
        with self._database.write() as session:
            return self._store.purge(session)

    def start(self, lanes: Sequence[str] | None = None) -> None:
        if self._workers is not None:
            raise RuntimeError("the queue is already started")
        _ = self._runner.runtime
        self._workers = ClusterWorkers(
            self._database,
            self._clock,
            self._store,
            self._runner,
            threads=choose_lanes(self._lanes, lanes),
            heartbeat_s=self._heartbeat_s,
            stalled_after_s=self._stalled_after_s,
        )
        self._workers.start()

    def stop(self, timeout_s: float = 10.0) -> None:
        if self._workers is not None:
            self._workers.stop(timeout_s)
            self._workers = None

    def beat_age_s(self) -> float | None:
        return None if self._workers is None else self._workers.beat_age_s()

    def _claim_one(self) -> Claim | None:
        try:
            with self._database.write() as session:
                worker_id = self._beat(session)
                self._store.reclaim(session, self._clock.now())
                claim = self._store.claim(session, worker_id)
        except IntegrityError:
            # Another claimed a job of the key between our look and our change.
            return None
        self._stepping_worker = worker_id
        return claim

    def _beat(self, session: Session) -> int:
        if self._stepping_worker is None:
            return self._store.register(session)
        self._store.beat(session, self._stepping_worker)
        return self._stepping_worker
