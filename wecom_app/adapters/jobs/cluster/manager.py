"""Procrastinate's job manager with our claim, and without the results: our threads write those themselves."""

import asyncio
import logging
from collections.abc import Callable, Iterable
from datetime import datetime
from typing import Any

from wecom_app.adapters.jobs.cluster import statements
from wecom_app.adapters.jobs.cluster.carrier import (
    ConnectorException,
    Job,
    JobManager,
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
    """Hands each claim to `claimed` and survives a database that cannot be reached.

    Procrastinate would end a worker over a failed fetch, and silently go on without its heartbeat
    or its listener after those failed once.
    """

    def __init__(self, connector: PsycopgConnector, clock: Clock, claimed: Callable[[Claim], None]) -> None:
        super().__init__(connector)
        self._clock, self._claimed = clock, claimed
        self._trouble = False

    async def fetch_job(self, queues: Iterable[str] | None, worker_id: int) -> Job | None:
        assert queues is not None
        (lane,) = queues
        try:
            rows = await self._query(
                statements.CLAIM_FOR_PSYCOPG, lane=lane, worker_id=worker_id, now=self._clock.now()
            )
        except ConnectorException:
            # Also where another claimed a job of the key between our look and our change.
            self._note_trouble()
            return None
        self._trouble = False
        if not rows:
            return None
        claim = read_claim(rows[0])
        self._claimed(claim)
        return Job(
            id=claim.job.id,
            queue=lane,
            lock=None,
            queueing_lock=None,
            task_name=RUN,
            attempts=claim.job.attempts,
            worker_id=worker_id,
        )

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
            await self._query(statements.BEAT_FOR_PSYCOPG, worker_id=worker_id)
        except ConnectorException:
            self._note_trouble()

    async def listen_for_jobs(
        self, *, on_notification: NotificationCallback, queues: Iterable[str] | None = None
    ) -> None:
        while True:
            try:
                await super().listen_for_jobs(on_notification=on_notification, queues=queues)
            except ConnectorException:
                self._note_trouble()
            await asyncio.sleep(LISTEN_AGAIN_S)

    async def _query(self, query: str, **parameters: Any) -> list[dict[str, Any]]:
        return await self.connector.execute_query_all_async(query, **parameters)

    def _note_trouble(self) -> None:
        # Told once: five workers ask twice a second.
        if not self._trouble:
            logger.warning("jobs.database_unavailable", exc_info=True)
        self._trouble = True
