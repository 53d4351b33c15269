"""Procrastinate's job manager with our claim, and without the results: our threads write those themselves."""

import asyncio
import logging
from collections import Counter
from collections.abc import Callable, Iterable
from datetime import datetime

from wecom_app.adapters.jobs.cluster import statements
from wecom_app.adapters.jobs.cluster.carrier import (
    ConnectorException,
    Job,
    JobManager,
    Notification,
    NotificationCallback,
    PsycopgConnector,
    Status,
)
from wecom_app.adapters.jobs.cluster.store import Claim, read_claim
from wecom_app.clock import Clock

RUN = "job.run"
"""The one task that Procrastinate knows. It is given no arguments, so that its log lines hold none."""
LISTEN_AGAIN_S = 1.0

logger = logging.getLogger(__name__)


class ClaimingManager(JobManager):
    """Hands each claim to `claimed`, calls `beaten` at each heartbeat, and survives a database that cannot be reached.

    Procrastinate would end a worker over a failed fetch, and silently go on without its heartbeat
    or its listener after those failed once.
    """

    def __init__(
        self,
        connector: PsycopgConnector,
        clock: Clock,
        claimed: Callable[[Claim], None],
        beaten: Callable[[], None],
    ) -> None:
        super().__init__(connector)
        self._clock, self._claimed, self._beaten = clock, claimed, beaten
        self._heard: Counter[str] = Counter()
        """Notifications by lane."""
        self._trouble = False

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        lane = _only(queues)
        while True:
            heard = self._heard[lane]
            claim = await self._claim(lane, worker_id)
            if claim is not None:
                self._claimed(claim)
                return _as_job(claim)
            # Procrastinate forgets a notification that comes while it looks, and would wait for its next poll.
            if heard == self._heard[lane]:
                return None

    async def _claim(self, lane: str, worker_id: int) -> Claim | None:
        try:
            rows = await self.connector.execute_query_all_async(
                statements.CLAIM_FOR_PSYCOPG, lane=lane, worker_id=worker_id, now=self._clock.now()
            )
        except ConnectorException:
            # Also where another claimed a job of the key between our look and our change.
            self._note_trouble()
            return None
        self._trouble = False
        return read_claim(rows[0]) if rows else None

    async def finish_job(self, job: Job, status: Status, delete_job: bool) -> None:
        """Do nothing: the thread that ran the job wrote its result, if the job was still ours."""

    async def retry_job(
        self,
        job: Job,
        retry_at: datetime | None = None,
        priority: int | None = None,
        queue: str | None = None,
        lock: str | None = None,
    ) -> None:
        """Do nothing, as `finish_job`."""

    async def update_heartbeat(self, worker_id: int) -> None:
        try:
            await self.connector.execute_query_async(statements.BEAT_FOR_PSYCOPG, worker_id=worker_id)
        except ConnectorException:
            self._note_trouble()
        else:
            self._beaten()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        lane = _only(queues)

        async def note_and_pass_on(*, channel: str, notification: Notification) -> None:
            self._heard[lane] += 1
            await on_notification(channel=channel, notification=notification)

        while True:
            try:
                await super().listen_for_jobs(on_notification=note_and_pass_on, queues=queues)
            except ConnectorException:
                self._note_trouble()
            await asyncio.sleep(LISTEN_AGAIN_S)

    def _note_trouble(self) -> None:
        # Told once: five workers ask twice a second.
        if not self._trouble:
            logger.warning("jobs.database_trouble", exc_info=True)
        self._trouble = True


def _only(queues: Iterable[str] | None) -> str:
    assert queues is not None
    (lane,) = queues
    return lane


def _as_job(claim: Claim) -> Job:
    return Job(
        id=claim.job.id,
        queue=claim.job.lane,
        lock=None,
        queueing_lock=None,
        task_name=RUN,
        attempts=claim.job.attempts,
        worker_id=claim.worker_id,
    )
