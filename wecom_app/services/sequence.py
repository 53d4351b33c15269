"""The one sequence that orders intents, looks and pushes; drawn while the customer's row is locked.

A look at many customers at once draws alone instead: on PostgreSQL, where commits and numbers may come in different
orders, it waits until everybody who holds a number has committed.
"""

from collections.abc import Iterator
from contextlib import contextmanager

from sqlalchemy import text
from sqlalchemy.orm import Session

from wecom_app.prepared import Prepared
from wecom_app.services.runtime import Store

_REACHED = text("SELECT value FROM counter WHERE name = 'sync'")
_SQLITE = Prepared(text("UPDATE counter SET value = value + 1 WHERE name = 'sync' RETURNING value"))
# The lock must be held before the number is drawn: a CTE that is referred to is evaluated first. The key is our own;
# whoever draws under a customer's lock shares it, a look at many customers has it alone.
_POSTGRESQL = Prepared(
    text("WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock_shared(1513)) SELECT nextval('sync_seq') FROM held")
)
_ALONE = text("WITH held AS MATERIALIZED (SELECT pg_advisory_xact_lock(1513)) SELECT nextval('sync_seq') FROM held")


def draw(session: Session) -> int:
    """Return the next number."""
    statement = _SQLITE if session.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    return int(statement.scalar(session, {}))


def draw_alone(session: Session) -> int:
    """Return the next number once every transaction that drew one is over; commit at once, hold no other lock."""
    if session.get_bind().dialect.name == "sqlite":
        return draw(session)
    return int(session.connection().execute(_ALONE).scalar_one())


@contextmanager
def looking(store: Store) -> Iterator[tuple[Session, int]]:
    """Open a short transaction for a look at many customers, with the number that orders the look.

    Whatever was committed before has at most that number, whatever is drawn later a larger one. On SQLite a number
    is drawn in the one transaction that writes it, so that the last one committed will do, and nothing is written.
    """
    if store.database.is_sqlite:
        with store.read() as session:
            yield session, int(session.connection().execute(_REACHED).scalar_one())
    else:
        with store.write() as session:
            yield session, draw_alone(session)
