"""A prepared statement does what the statement itself does, and fails as it does."""

from collections.abc import Callable
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import bindparam, event, insert, select, update
from sqlalchemy.exc import IntegrityError
from sqlalchemy.orm import Session

from tests.conftest import START
from wecom_app.db import Database
from wecom_app.models import InboxEvent
from wecom_app.prepared import MOST_VALUES, Prepared

EVENT = InboxEvent.__table__
FOUND = select(EVENT).where(
    EVENT.c.digest.in_(bindparam("digests", expanding=True)), EVENT.c.state.in_(("waiting", "done"))
)
ADD = Prepared(insert(InboxEvent).returning(InboxEvent.id, InboxEvent.fields, InboxEvent.received_at))
END = Prepared(
    update(InboxEvent)
    .where(InboxEvent.digest == bindparam("of_digest"))
    .values(deliveries=InboxEvent.deliveries + bindparam("more"))
)


def row(digest: str) -> dict[str, Any]:
    return {
        "digest": digest,
        "event": "change_external_contact",
        "change_type": "add_external_contact",
        "subject": "wm_li",
        "fields": {"State": "门店", "numbers": [1, None]},
        "body": "<xml/>",
        "occurred_at": None,
        "received_at": START,
        "last_received_at": START + timedelta(microseconds=7),
        "deliveries": 1,
        "state": "waiting",
    }


@pytest.fixture
def filled(database: Database) -> Database:
    with database.write() as session:
        Prepared(insert(InboxEvent)).run_many(session, [row(f"digest{number}") for number in range(3)])
    return database


@pytest.mark.both
@pytest.mark.parametrize("count", [0, 1, 2, MOST_VALUES + 1])
def test_it_finds_what_the_statement_finds(filled: Database, count: int) -> None:
    prepared, parameters = Prepared(FOUND), {"digests": [f"digest{number}" for number in range(count)]}

    with filled.read() as session:
        expected = [dict(found) for found in session.connection().execute(FOUND, parameters).mappings()]
        mappings, rows = prepared.mappings(session, parameters), prepared.rows(session, parameters)
        first = prepared.row(session, parameters)
        ids = prepared.scalars(session, parameters)

    assert len(expected) == min(count, 3)
    assert mappings == expected
    assert [(found.digest, found.fields, found.last_received_at) for found in rows] == [
        (found["digest"], found["fields"], found["last_received_at"]) for found in expected
    ]
    assert ids == [found["id"] for found in expected]
    assert first == (rows[0] if rows else None)


@pytest.mark.both
def test_it_keeps_its_own_values_apart_from_call_to_call(filled: Database) -> None:
    prepared = Prepared(FOUND)

    with filled.read() as session:
        found = [prepared.row(session, {"digests": [name]}).digest for name in ("digest1", "digest2", "digest1")]

    assert found == ["digest1", "digest2", "digest1"]


@pytest.mark.both
def test_what_it_writes_is_read_as_it_was_given(database: Database) -> None:
    with database.write() as session:
        made = ADD.row(session, row("new"))
        changed = END.run(session, {"of_digest": "new", "more": 2, "state": "done"})
        missed = END.run(session, {"of_digest": "other", "more": 2, "state": "done"})

    with database.read() as session:
        stored = session.get_one(InboxEvent, made.id)
        assert (made.fields, made.received_at) == (stored.fields, stored.received_at)
        assert (stored.fields, stored.received_at) == (row("new")["fields"], START)
        assert (stored.deliveries, stored.state) == (3, "done")
    assert (changed, missed) == (1, 0)


@pytest.mark.both
def test_of_many_rows_each_keeps_what_was_given_for_it(database: Database) -> None:
    """Values that all rows share are converted once; they must not stand for those that differ."""
    fields = [{"State": "门店"}, {}, {"numbers": []}]
    given = [
        {**row(f"digest{number}"), "fields": found, "last_received_at": START + timedelta(days=number)}
        for number, found in enumerate(fields)
    ]
    with database.write() as session:
        Prepared(insert(InboxEvent)).run_many(session, given)

    with database.read() as session:
        stored = session.scalars(select(InboxEvent).order_by(InboxEvent.id)).all()
        assert [(one.fields, one.received_at, one.last_received_at) for one in stored] == [
            (one["fields"], START, one["last_received_at"]) for one in given
        ]


@pytest.mark.both
@pytest.mark.parametrize("run", [ADD.row, lambda session, values: session.execute(ADD.statement, values)])
def test_a_refusal_is_the_one_of_the_statement_and_tells_no_values(
    filled: Database, run: Callable[[Session, dict[str, Any]], object]
) -> None:
    with pytest.raises(IntegrityError) as refusal, filled.write() as session:
        run(session, {**row("digest1"), "body": "secret"})

    assert "secret" not in str(refusal.value)


def test_who_listens_to_statements_hears_of_it(filled: Database) -> None:
    heard: list[str] = []

    with filled.read() as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *call: heard.append(call[2]))
        Prepared(FOUND).rows(session, {"digests": ["digest1"]})

    assert len(heard) == 1
