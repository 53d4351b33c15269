"""Runs one claimed job through its handler and turns whatever happens into an `Outcome`."""

import logging
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from structlog.contextvars import bound_contextvars

from wecom_app.adapters.jobs.outcomes import DONE, Outcome, describe, judge, judge_unknown
from wecom_app.clock import Clock
from wecom_app.errors import AppError
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import JobKind, Runtime

logger = logging.getLogger(__name__)


@dataclass(frozen=True, slots=True)
class ClaimedJob:
    """A job that this process holds a lease on; `attempts` counts the run that begins now."""

    id: int
    kind: str
    lane: str
    args: JobArgs
    unique: str | None
    attempts: int
    created_at: datetime


class Runner:
    """Knows the handlers; safe to share between threads."""

    def __init__(self, kinds: Mapping[str, JobKind], clock: Clock, metrics: Metrics | None) -> None:
        self._kinds, self._clock, self._metrics = kinds, clock, metrics
        self._runtime: Runtime | None = None

    def bind(self, runtime: Runtime) -> None:
        """Give the handlers their runtime, which is made after the queue."""
        self._runtime = runtime

    @property
    def runtime(self) -> Runtime:
        if self._runtime is None:
            raise RuntimeError("the queue has no runtime: call bind(runtime) first")
        return self._runtime

    def run(self, job: ClaimedJob) -> Outcome:
        """Run the handler. Only what is no ordinary Exception (SimulatedCrash) comes out."""
        with bound_contextvars(job_id=job.id, job_kind=job.kind):
            outcome = self._outcome(job)
        if self._metrics is not None:
            self._metrics.jobs.labels(job.kind, outcome.state).inc()
        return outcome

    def _outcome(self, job: ClaimedJob) -> Outcome:
        kind = self._kinds.get(job.kind)
        if kind is None:
            outcome = judge_unknown(job.kind, attempts=job.attempts, age=self._clock.now() - job.created_at)
            self._log(job, outcome, None)
            return outcome
        runtime = self.runtime
        try:
            kind.handler(runtime, job.args)
        except Exception as error:
            age = self._clock.now() - job.created_at
            outcome = judge(error, kind, attempts=job.attempts, age=age)
            self._log(job, outcome, error)
            return outcome
        return DONE

    def _log(self, job: ClaimedJob, outcome: Outcome, error: Exception | None) -> None:
        extra = {"job_id": job.id, "kind": job.kind, "attempts": job.attempts, "state": outcome.state}
        if error is None or isinstance(error, AppError):
            # An outage of WeCom makes hundreds of retries a second; the metric counts them.
            level = logging.ERROR if outcome.state == "dead" else logging.INFO
            logger.log(level, "job.failed: %s", outcome.error, extra=extra)
        else:
            logger.error("job.failed: %s", describe(error), extra=extra, exc_info=error)
