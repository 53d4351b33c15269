"""The two ways into the database: `read()` sees one moment and cannot write, `write()` waits its turn and no longer."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing
from datetime import UTC, datetime, timedelta, timezone
from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import delete, func, select, text
from sqlalchemy.exc import DBAPIError, IntegrityError

from tests.conftest import START
from wecom_app import db
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import ConfigurationError, Unavailable
from wecom_app.models import Customer, InboxEvent, Relation


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
