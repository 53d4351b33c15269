"""Tools that wait for what a started queue does, instead of sleeping."""

import logging
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

from wecom_app.db import Database
from wecom_app.services.ports import JobQueue

PATIENCE_S = 120
"""Only a bug waits this long."""


def run_all(queue: JobQueue) -> None:
    """Run every due job; a queue that never ends is a failure, not a hang."""
    for _ in range(1000):
        if not queue.step():
            return
    raise AssertionError("jobs without end")


class CountingDatabase(Database):
    """Counts finished transactions and lets a test wait for them."""

    def __init__(self, url: str) -> None:
        super().__init__(url)
        self._counted = threading.Condition()
        self.reads = 0
        self.writes = 0

    @contextmanager
    def read(self) -> Iterator[Any]:
        with super().read() as session:
            yield session
        with self._counted:
            self.reads += 1
            self._counted.notify_all()

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Any]:
        with super().write(urgent=urgent) as session:
            yield session
        with self._counted:
            self.writes += 1
            self._counted.notify_all()

    def wait_for_reads(self, count: int) -> None:
        with self._counted:
            assert self._counted.wait_for(lambda: self.reads >= count, PATIENCE_S)

    def wait_for_writes(self, count: int) -> None:
        with self._counted:
            assert self._counted.wait_for(lambda: self.writes >= count, PATIENCE_S)


@contextmanager
def wait_for_log(message: str) -> Iterator[None]:
    """Return at the end of the block only after a record with this text was logged within it."""
    logged = threading.Event()

    class Listener(logging.Handler):
        def emit(self, record: logging.LogRecord) -> None:
            if message in record.getMessage():
                logged.set()

    listener = Listener()
    logging.getLogger().addHandler(listener)
    try:
        yield
        assert logged.wait(PATIENCE_S)
    finally:
        logging.getLogger().removeHandler(listener)
