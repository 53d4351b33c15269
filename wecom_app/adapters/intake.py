"""The intake writer: many callbacks, one commit. Request threads wait for the commit, then answer WeCom.

SQLite writers that fight for the lock cost four times the rate and thirteen times the tail of one writer
that commits for all of them (docs/engineering/measurements).
"""

import queue
import threading
from collections.abc import Sequence
from dataclasses import dataclass, field

import structlog

from wecom_app.db import Database
from wecom_app.errors import Unavailable
from wecom_app.services import inbox
from wecom_app.services.ports import IncomingEvent, JobQueue

BATCH = 200
"""Callbacks per commit at most: about 20 ms of work."""
WAIT_S = 4.0
"""WeCom hangs up after 5 s; an answer must be out before."""

log = structlog.get_logger(__name__)


@dataclass(eq=False)
class _Waiting:
    incoming: IncomingEvent
    done: threading.Event = field(default_factory=threading.Event)
    error: Exception | None = None


class GroupCommitIntake:
    """Stores callbacks in a thread of its own once started; before that, in the caller's."""

    def __init__(self, database: Database, jobs: JobQueue) -> None:
        self._database, self._jobs = database, jobs
        self._arrivals: queue.SimpleQueue[_Waiting | None] = queue.SimpleQueue()
        self._thread: threading.Thread | None = None

    def store(self, incoming: IncomingEvent) -> None:
        """Return once the event and its jobs are committed; raise Unavailable if they could not be."""
        if self._thread is None:
            self._commit([incoming])
            return
        waiting = _Waiting(incoming)
        self._arrivals.put(waiting)
        if not waiting.done.wait(WAIT_S):
            raise Unavailable
        if waiting.error is not None:
            raise Unavailable from waiting.error

    def start(self) -> None:
        """Start the writer."""
        if self._thread is None:
            self._thread = threading.Thread(target=self._run, name="intake", daemon=True)
            self._thread.start()

    def stop(self) -> None:
        """Store what has arrived, then end the writer."""
        if self._thread is not None:
            self._arrivals.put(None)
            self._thread.join()
            self._thread = None

    def _run(self) -> None:
        while True:
            batch, ended = self._next_batch()
            if batch:
                self._store_batch(batch)
            if ended:
                return

    def _next_batch(self) -> tuple[list[_Waiting], bool]:
        first = self._arrivals.get()
        if first is None:
            return [], True
        batch = [first]
        while len(batch) < BATCH:
            try:
                item = self._arrivals.get_nowait()
            except queue.Empty:
                break
            if item is None:
                return batch, True
            batch.append(item)
        return batch, False

    def _store_batch(self, batch: Sequence[_Waiting]) -> None:
        """Commit all at once; if that fails for another reason than the database's state, one by one."""
        try:
            self._commit([waiting.incoming for waiting in batch])
        except Unavailable as error:
            self._release(batch, error)
        except Exception as error:
            if len(batch) == 1:
                log.exception("intake.not_stored", event=batch[0].incoming.event)
                self._release(batch, error)
                return
            for waiting in batch:
                self._store_batch([waiting])
        else:
            self._release(batch, None)

    def _commit(self, events: Sequence[IncomingEvent]) -> None:
        with self._database.write(urgent=True) as session:
            inbox.store(session, self._jobs, events)
        self._jobs.wake()

    @staticmethod
    def _release(batch: Sequence[_Waiting], error: Exception | None) -> None:
        for waiting in batch:
            waiting.error = error
            waiting.done.set()
