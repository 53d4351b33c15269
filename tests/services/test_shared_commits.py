"""Writers of one process who share a commit: what each of them is told, whatever becomes of the others."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from typing import Any

import pytest
from sqlalchemy import event, func, select
from sqlalchemy.exc import OperationalError
from sqlalchemy.orm import Session

from tests.conftest import START
from wecom_app import db
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import Unavailable
from wecom_app.models import Customer


def customer(name: str = "wm_li") -> Customer:
    return Customer(external_userid=name, created_at=START)


def count(database: Database) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(Customer)).scalar_one()


class Writers:
    """Threads that stand in line for the writer lock, and how each of them ended."""

    def __init__(self, database: Database) -> None:
        self.database = database
        self.ends: dict[str, BaseException | None] = {}
        self._threads: list[threading.Thread] = []

    def join(self, name: str, *, urgent: bool = False, fault: Callable[[Session], None] | None = None) -> None:
        """Start a writer, and return once he stands in line."""
        lock = self.database._writer_lock
        standing = lock.waiting
        thread = threading.Thread(target=self._write, args=(name, urgent, fault))
        self._threads.append(thread)
        thread.start()
        while lock.waiting == standing:
            assert thread.is_alive()

    def finish(self) -> None:
        for thread in self._threads:
            thread.join()

    def _write(self, name: str, urgent: bool, fault: Callable[[Session], None] | None) -> None:
        try:
            with self.database.write(urgent=urgent) as session:
                session.add(customer(name))
                session.flush()
                if fault is not None:
                    fault(session)
        except BaseException as error:
            self.ends[name] = error
        else:
            self.ends[name] = None


@pytest.fixture
def slow_database(database_url: str, database: Database) -> Iterator[Database]:
    """The same database under a clock that stands still, so that nobody finds that a transaction was open too long."""
    opened = Database(database_url, clock=ManualClock(START))
    yield opened
    opened.close()


@pytest.fixture
def commits(slow_database: Database) -> list[str]:
    """One entry for each commit."""
    made: list[str] = []
    event.listen(slow_database.engine, "commit", lambda _connection: made.append("commit"))
    return made


def names(database: Database) -> set[str]:
    with database.read() as session:
        return set(session.execute(select(Customer.external_userid)).scalars())


def give_up(session: Session) -> None:
    raise RuntimeError


def lose_everything(session: Session) -> None:
    """Undo the whole transaction as SQLite does on a full disk."""
    session.connection().exec_driver_sql("ROLLBACK")
    raise OperationalError("INSERT", {}, sqlite3.OperationalError("database or disk is full"))


def test_writers_who_wait_share_one_commit(slow_database: Database, commits: list[str]) -> None:
    writers = Writers(slow_database)
    with slow_database.write() as session:
        session.add(customer("first"))
        for name in "abc":
            writers.join(name)
    assert names(slow_database) == {"first", "a", "b", "c"}

    writers.finish()

    assert writers.ends == {"a": None, "b": None, "c": None}
    assert commits == ["commit"]


def test_a_transaction_that_has_been_open_long_enough_is_committed(
    slow_database: Database, commits: list[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "GATHER_S", 0.0)
    writers = Writers(slow_database)
    with slow_database.write():
        writers.join("a")

    writers.finish()

    assert len(commits) == 2


def test_an_urgent_writer_commits_at_once_for_all_before_him(slow_database: Database, commits: list[str]) -> None:
    writers = Writers(slow_database)
    with slow_database.write():
        writers.join("a")
        writers.join("urgent", urgent=True)

    writers.finish()

    assert names(slow_database) == {"a", "urgent"}
    assert len(commits) == 2


def test_one_who_fails_among_those_who_share_a_commit_undoes_only_his_own(
    slow_database: Database, commits: list[str]
) -> None:
    writers = Writers(slow_database)
    with slow_database.write() as session:
        session.add(customer("first"))
        writers.join("a")
        writers.join("fails", fault=give_up)
        writers.join("b")

    writers.finish()

    assert names(slow_database) == {"first", "a", "b"}
    assert isinstance(writers.ends["fails"], RuntimeError)
    assert commits == ["commit"]


def test_those_behind_a_first_one_who_fails_write_all_the_same(slow_database: Database) -> None:
    writers = Writers(slow_database)
    with slow_database.write(urgent=True):
        writers.join("fails", fault=give_up)
        writers.join("a")

    writers.finish()

    assert isinstance(writers.ends["fails"], RuntimeError)
    assert names(slow_database) == {"a"}


def test_a_commit_that_fails_is_told_to_all_who_shared_it(slow_database: Database, commits: list[str]) -> None:
    def refuse_the_second(_connection: Any) -> None:
        if len(commits) == 2:
            raise OperationalError("COMMIT", {}, sqlite3.OperationalError("disk I/O error"))

    event.listen(slow_database.engine, "commit", refuse_the_second)
    writers = Writers(slow_database)
    with slow_database.write(urgent=True):
        writers.join("a")
        writers.join("b")

    writers.finish()

    assert [type(end) for end in writers.ends.values()] == [Unavailable, Unavailable]
    assert names(slow_database) == set()
    with slow_database.write() as session:
        session.add(customer("later"))
    assert names(slow_database) == {"later"}


def test_where_sqlite_gives_up_the_transaction_nobody_believes_to_have_written(slow_database: Database) -> None:
    writers = Writers(slow_database)
    with slow_database.write(urgent=True):
        writers.join("first")
        writers.join("full", fault=lose_everything)
        writers.join("later")

    writers.finish()

    assert isinstance(writers.ends["first"], Unavailable)
    assert isinstance(writers.ends["full"], Unavailable)
    assert writers.ends["later"] is None
    assert names(slow_database) == {"later"}


def test_a_writer_of_this_process_that_takes_too_long_is_unavailable_to_the_next(
    database: Database, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_S", 0.01)

    with database.write(), pytest.raises(Unavailable), database.write():
        raise AssertionError("the first has not finished")
