"""The two ways into the database: `read()` sees one moment and cannot write, `write()` waits its turn and no longer."""

import sqlite3
import threading
from collections.abc import Callable, Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, event, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError, OperationalError
from sqlalchemy.orm import Session

from tests.conftest import START
from wecom_app import db
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import ConfigurationError, Unavailable
from wecom_app.models import Customer, InboxEvent, Relation
from wecom_app.writers import WriterLock


def customer(name: str = "wm_li") -> Customer:
    return Customer(external_userid=name, created_at=START)


def count(database: Database) -> int:
    with database.read() as session:
        return session.execute(select(func.count()).select_from(Customer)).scalar_one()


# Reading and writing.


@pytest.mark.both
def test_what_was_written_is_there_afterwards(database: Database) -> None:
    with database.write() as session:
        session.add(customer())

    assert count(database) == 1


@pytest.mark.both
def test_what_failed_half_way_was_never_written(database: Database) -> None:
    with pytest.raises(RuntimeError):
        write_and_fail(database)

    assert count(database) == 0


def write_and_fail(database: Database) -> None:
    with database.write() as session:
        session.add(customer())
        session.flush()
        raise RuntimeError


@pytest.mark.both
def test_a_reader_cannot_write(database: Database) -> None:
    with pytest.raises((Unavailable, DBAPIError)), database.read() as session:
        session.execute(text("DELETE FROM customer"))


@pytest.mark.both
def test_a_reader_sees_one_moment(database: Database) -> None:
    query = select(func.count()).select_from(Customer)
    with database.read() as session:
        before = session.execute(query).scalar_one()
        with database.write() as other:
            other.add(customer())
        assert session.execute(query).scalar_one() == before == 0

    assert count(database) == 1


@pytest.mark.both
def test_the_next_writer_works_after_one_that_failed(database: Database) -> None:
    for _ in range(3):
        with pytest.raises(RuntimeError), database.write():
            raise RuntimeError

    with database.write() as session:
        session.add(customer())
    assert count(database) == 1


@pytest.mark.both
def test_a_row_that_refers_to_nothing_is_refused(database: Database) -> None:
    with pytest.raises(IntegrityError), database.write() as session:
        session.add(Relation(customer_id=99, staff_id=99, opened_at=START, parted=[]))


@pytest.mark.both
def test_an_id_is_never_given_again(database: Database) -> None:
    ids = []
    for _ in range(3):
        with database.write() as session:
            made = customer()
            session.add(made)
            session.flush()
            ids.append(made.id)
        with database.write() as session:
            session.execute(delete(Customer))

    assert ids == sorted(set(ids))


def test_every_connection_is_set_up_to_lose_nothing(database: Database) -> None:
    with database.write() as session:
        written = {
            name: pragma(session, name) for name in ("journal_mode", "synchronous", "foreign_keys", "query_only")
        }
    with database.read() as session:
        read_only = pragma(session, "query_only")

    assert written == {"journal_mode": "wal", "synchronous": 2, "foreign_keys": 1, "query_only": 0}
    assert read_only == 1


def pragma(session: Any, name: str) -> Any:
    return session.execute(text(f"PRAGMA {name}")).scalar_one()


# Values.

INSTANTS = [
    datetime(2026, 11, 23, 2, 0, 0, 123456, tzinfo=UTC),
    datetime(2026, 11, 23, 10, 0, tzinfo=timezone(timedelta(hours=8))),
    datetime(1970, 1, 1, tzinfo=UTC),
    datetime(1969, 12, 31, 23, 59, 59, 999999, tzinfo=UTC),
    datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC),
]


@pytest.mark.both
def test_moments_come_back_as_they_were_in_utc(database: Database) -> None:
    with database.write() as session:
        session.add_all(Customer(external_userid=str(n), created_at=moment) for n, moment in enumerate(INSTANTS))

    with database.read() as session:
        found = list(session.execute(select(Customer.created_at).order_by(Customer.external_userid)).scalars())
        none = session.execute(select(Customer.details_at)).scalars().all()
    assert found == INSTANTS
    assert {moment.utcoffset() for moment in found} == {timedelta(0)}
    assert none == [None] * len(INSTANTS)


@pytest.mark.both
def test_moments_sort_as_they_happened(database: Database) -> None:
    with database.write() as session:
        session.add_all(Customer(external_userid=str(n), created_at=moment) for n, moment in enumerate(INSTANTS))

    with database.read() as session:
        found = list(session.execute(select(Customer.created_at).order_by(Customer.created_at)).scalars())
    assert found == sorted(INSTANTS)


@pytest.mark.both
def test_chinese_in_json_stays_readable(database: Database) -> None:
    event = InboxEvent(digest="d", event="text", fields={"内容": "您好😀"}, received_at=START, last_received_at=START)
    with database.write() as session:
        session.add(event)

    with database.read() as session:
        raw = session.execute(text("SELECT CAST(fields AS TEXT) FROM inbox_event")).scalar_one()
        assert session.get_one(InboxEvent, event.id).fields == {"内容": "您好😀"}
    assert raw == '{"内容":"您好😀"}'


# Locks.


@pytest.fixture
def other(database: Database) -> Iterator[sqlite3.Connection]:
    """A connection as another process would have it."""
    path = database.url.database
    assert path
    with closing(sqlite3.connect(path, isolation_level=None, check_same_thread=False)) as connection:
        yield connection


def test_another_processs_lock_that_stays_is_unavailable(
    database: Database, other: sqlite3.Connection, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_S", 0.05)
    other.execute("BEGIN EXCLUSIVE")

    with pytest.raises(Unavailable), database.write():
        raise AssertionError("the lock is another's")

    assert count(database) == 0
    other.execute("ROLLBACK")
    with database.write() as session:
        session.add(customer())
    assert count(database) == 1


class ReleasingClock(ManualClock):
    """Gives the other's lock back at the first wait for it."""

    def __init__(self, other: sqlite3.Connection) -> None:
        super().__init__(START)
        self.other, self.waits = other, 0

    def sleep_until(self, deadline: float) -> None:
        super().sleep_until(deadline)
        if self.waits == 0:
            self.other.execute("COMMIT")
        self.waits += 1


def test_another_processs_lock_that_goes_is_waited_for(database_url: str, other: sqlite3.Connection) -> None:
    clock = ReleasingClock(other)
    database = Database(database_url, clock=clock)
    other.execute("BEGIN EXCLUSIVE")

    with database.write() as session:
        session.add(customer())

    assert clock.waits > 0
    assert count(database) == 1
    database.close()


def test_a_locked_database_can_still_be_read(database: Database, other: sqlite3.Connection) -> None:
    other.execute("BEGIN EXCLUSIVE")

    assert count(database) == 0


def test_a_database_that_cannot_be_reached_is_unavailable() -> None:
    database = Database("postgresql://nobody@127.0.0.1:1/nothing")
    for enter in (database.read, database.write):
        with pytest.raises(Unavailable), enter() as session:
            session.execute(text("SELECT 1"))
    database.close()


@pytest.mark.parametrize("url", ["sqlite://", "sqlite:///:memory:"])
def test_a_database_in_memory_is_refused(url: str) -> None:
    with pytest.raises(ConfigurationError, match="DATABASE_URL"):
        Database(url)


def test_the_folder_of_a_new_database_is_made(tmp_path: Path) -> None:
    database = Database(f"sqlite:///{tmp_path / 'a' / 'b' / 'new.db'}")

    with database.write() as session:
        session.execute(text("SELECT 1"))
    assert (tmp_path / "a" / "b" / "new.db").exists()
    database.close()


# The process's own queue of writers.


class Line:
    """Threads that take a lock one after another, and the order in which they got it."""

    def __init__(self, lock: WriterLock) -> None:
        self.lock = lock
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []

    def join(self, name: str, *, urgent: bool = False) -> None:
        """Start a thread that waits for the lock, and return once it stands in line."""
        standing = self.lock.waiting
        thread = threading.Thread(target=self._take, args=(name, urgent))
        self._threads.append(thread)
        thread.start()
        while self.lock.waiting == standing:
            assert thread.is_alive()

    def finish(self) -> list[str]:
        for thread in self._threads:
            thread.join()
        return self.order

    def _take(self, name: str, urgent: bool) -> None:
        assert self.lock.acquire(urgent=urgent, timeout_s=10)
        self.order.append(name)
        self.lock.release()


@pytest.fixture
def held() -> WriterLock:
    lock = WriterLock()
    assert lock.acquire(urgent=False, timeout_s=0)
    return lock


def test_writers_get_the_lock_in_the_order_they_came(held: WriterLock) -> None:
    line = Line(held)
    for name in "abc":
        line.join(name)

    held.release()

    assert line.finish() == ["a", "b", "c"]


def test_an_urgent_writer_is_the_next(held: WriterLock) -> None:
    line = Line(held)
    line.join("a")
    line.join("b")
    line.join("urgent", urgent=True)

    held.release()

    assert line.finish() == ["urgent", "a", "b"]


def test_urgent_writers_keep_their_order_and_let_another_in_after_three(held: WriterLock) -> None:
    line = Line(held)
    line.join("a")
    line.join("b")
    for name in ("u1", "u2", "u3", "u4"):
        line.join(name, urgent=True)

    held.release()

    assert line.finish() == ["u1", "u2", "u3", "a", "u4", "b"]


def test_a_free_lock_is_had_at_once(held: WriterLock) -> None:
    held.release()

    assert held.acquire(urgent=False, timeout_s=0)


def test_who_gives_up_waiting_leaves_the_line(held: WriterLock) -> None:
    assert not held.acquire(urgent=False, timeout_s=0)
    line = Line(held)
    line.join("a")

    held.release()

    assert line.finish() == ["a"]
    assert held.acquire(urgent=False, timeout_s=0)


# Writers who share a commit.


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
