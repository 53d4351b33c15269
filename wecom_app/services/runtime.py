"""The `Runtime`: everything a use case needs, put together by `bootstrap` and handed to services and web.

A function whose first argument is `session` joins the caller's transaction; one whose first argument is
`runtime` opens its own short transactions and may use the network between them.
"""

from collections.abc import Callable, Iterator, Mapping
from contextlib import AbstractContextManager, contextmanager
from dataclasses import dataclass, field
from datetime import timedelta

from sqlalchemy.orm import Session

from wecom_app.clock import Clock
from wecom_app.config import Settings
from wecom_app.db import Database
from wecom_app.domain.keys import Slugify
from wecom_app.services.content_cache import ContentCache
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports import CallbackCipher, GroupRobot, Intake, JobArgs, JobQueue, Scheduler, WeCom
from wecom_app.services.wecom_status import WeComStatus

JobHandler = Callable[["Runtime", JobArgs], None]
"""Runs one job; must be safe to run again. What it raises decides: AppError.retryable, else dead."""


@dataclass(frozen=True)
class JobKind:
    """How a kind of job runs, and when it is given up.

    A failure that is ours (any exception without `retryable`) is tried `max_attempts` times in all, an AppError
    that says it is not retryable just once; a failure of the outside world (AppError.retryable) is retried,
    ever more slowly, until the job is `give_up_after` old.
    """

    handler: JobHandler
    max_attempts: int = 5
    give_up_after: timedelta = timedelta(days=3)


ENQUEUED = "enqueued"
"""Key in `session.info` that `JobQueue.enqueue` sets to True."""

CLOSED = "operations_closed"
"""Key in `session.info` under which `cells` counts the tag operations that a transaction ends, by their end."""


class SimulatedCrash(BaseException):
    """Raised by a test's crash hook; a BaseException so that no handler takes it for an ordinary failure."""


@dataclass(frozen=True)
class Tick:
    """What the clock of a working process calls every so often; it only enqueues."""

    name: str
    every: timedelta
    call: Callable[["Store"], None]


@dataclass
class Store:
    """The database with its queue: all that is needed to look at work and to repair it, without WeCom."""

    clock: Clock
    database: Database
    queue: JobQueue = field(init=False)

    def read(self) -> AbstractContextManager[Session]:
        """One snapshot of the database that cannot write."""
        return self.database.read()

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Session]:
        """A short write transaction: no network inside, at most 500 rows or 50 ms.

        Wakes the workers after the commit if jobs were enqueued in it.
        """
        with self.database.write(urgent=urgent) as session:
            yield session
        if session.info.get(ENQUEUED):
            self.queue.wake(urgent=False)


@dataclass
class Runtime(Store):
    """Everything; made by `bootstrap`, which fills in what needs the runtime itself."""

    settings: Settings
    metrics: Metrics
    wecom: WeCom
    cipher: CallbackCipher
    slugify: Slugify
    intake: Intake = field(init=False)
    wecom_status: WeComStatus = field(init=False)
    scheduler: Scheduler = field(init=False)
    content_cache: ContentCache = field(default_factory=ContentCache)
    robots: Mapping[str, GroupRobot] = field(default_factory=dict)
    """The group robots by name."""
    threads: bool = True
    crash_hook: Callable[[str], None] | None = None

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Session]:
        """As a store's; what the transaction ended is counted after its commit."""
        with super().write(urgent=urgent) as session:
            yield session
        for state, count in session.info.get(CLOSED, {}).items():
            self.metrics.operations_closed.labels(state).inc(count)

    def crash_point(self, name: str) -> None:
        """Do nothing, unless a test has planned a crash at this named point."""
        if self.crash_hook is not None:
            self.crash_hook(name)

    def run_until_idle(self, *, max_steps: int = 100_000) -> int:
        """Run due jobs one after another until none is due; return how many ran."""
        steps = 0
        while steps < max_steps and self.queue.step():
            steps += 1
        return steps

    def start(self, lanes: tuple[str, ...] | None = None) -> None:
        """Start worker threads for the given lanes (default: all), and the clock."""
        self.queue.start(lanes)
        self.scheduler.start()

    def stop(self) -> None:
        """Stop threads, write down what waits to be logged, and close the database."""
        self.scheduler.stop()
        self.queue.stop()
        self.intake.stop()
        self.wecom_status.flush()
        self.database.close()


URGENT_LANE = "welcome"
"""The lane whose work dies within seconds; the others make way for it."""
LANES: Mapping[str, int] = {"welcome": 8, "event": 4, "push": 8, "bulk": 12, "local": 2}
"""Threads per lane: priorities alone do not protect the welcome message from bulk work.

A push job waits for two answers of WeCom's for most of its time, hence more threads than may call `mark_tag` at once.
A full pull takes one page in while it waits for others, hence more threads for `bulk` than there may be reads.
"""
