"""How the writers of one process follow one another on SQLite: a fair lock, and a transaction that they share.

Used by `db.Database` alone.
"""

import threading
from collections import deque
from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import Connection, NestedTransaction

from wecom_app.errors import Unavailable

URGENT_IN_A_ROW = 3
"""After so many urgent writers another has his turn, so that no load of urgent work stops the rest."""


class WriterLock:
    """A first-come-first-served lock with a second line for urgent callers, who go before most others."""

    def __init__(self) -> None:
        self._mutex = threading.Lock()
        self._held = False
        self._urgent: deque[threading.Event] = deque()
        self._others: deque[threading.Event] = deque()
        self._in_a_row = 0
        """Urgent callers served since the last other one."""

    @property
    def waiting(self) -> int:
        """Return how many stand in line."""
        return len(self._urgent) + len(self._others)

    def acquire(self, *, urgent: bool, timeout_s: float) -> bool:
        """Return True once held, False if `timeout_s` went by."""
        with self._mutex:
            if not self._held:
                self._held = True
                return True
            turn = threading.Event()
            line = self._urgent if urgent else self._others
            line.append(turn)
        if turn.wait(timeout_s):
            return True
        with self._mutex:
            if turn.is_set():
                return True
            line.remove(turn)
            return False

    def hand_over(self) -> bool:
        """Give the lock to the next in line; return False, still holding it, if nobody waits."""
        with self._mutex:
            return self._call_next()

    def release(self) -> None:
        """Hand the lock to the next in line, or free it."""
        with self._mutex:
            self._held = self._call_next()

    def _call_next(self) -> bool:
        if self._urgent and (not self._others or self._in_a_row < URGENT_IN_A_ROW):
            self._in_a_row += 1
            self._urgent.popleft().set()
        elif self._others:
            self._in_a_row = 0
            self._others.popleft().set()
        else:
            return False
        return True


class SharedTransaction:
    """A write transaction that callers go through one after the other; all learn how its one commit went.

    Every method but `wait` is called by whoever holds the writer lock.
    """

    def __init__(self, connection: Connection, began: float) -> None:
        self.connection, self.began = connection, began
        self._entered = False
        self._ended = threading.Event()
        self._error: BaseException | None = None

    @property
    def is_over(self) -> bool:
        return self._ended.is_set()

    @contextmanager
    def part(self) -> Iterator[None]:
        """Let one caller write; if he raises, only what he wrote is undone."""
        savepoint = self.connection.begin_nested() if self._entered else None
        self._entered = True
        try:
            yield
            if savepoint is not None:
                savepoint.commit()
        except BaseException as error:
            self._undo(savepoint, error)
            raise

    def commit(self) -> None:
        """Commit for all who went through; `wait` tells each of them how it ended."""
        try:
            self.connection.commit()
        except Exception as error:
            self._end(error)
        else:
            self._end(None)

    def wait(self) -> None:
        """Return once all is durable; raise Unavailable if it is not, and nothing was written."""
        self._ended.wait()
        if self._error is not None:
            raise Unavailable from self._error

    def _undo(self, savepoint: NestedTransaction | None, error: BaseException) -> None:
        kept = False
        try:
            # After some failures, a full disk among them, SQLite has undone the whole transaction by itself.
            if savepoint is not None and self.connection.connection.dbapi_connection.in_transaction:  # type: ignore[union-attr]
                savepoint.rollback()
                kept = True
        finally:
            if not kept:
                self._end(error)

    def _end(self, error: BaseException | None) -> None:
        self._error = error
        try:
            # Where nothing is to be undone any more, this lets go of what has failed, so that closing resets.
            self.connection.rollback()
            self.connection.close()
        finally:
            self._ended.set()
