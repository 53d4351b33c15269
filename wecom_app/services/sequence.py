"""The one sequence that orders intents, looks and pushes; always drawn while the customer's row is locked."""

from sqlalchemy import text
from sqlalchemy.orm import Session

_SQLITE = text("UPDATE counter SET value = value + 1 WHERE name = 'sync' RETURNING value")
_POSTGRESQL = text("SELECT nextval('sync_seq')")


def draw(session: Session) -> int:
    """Return the next number."""
    statement = _SQLITE if session.get_bind().dialect.name == "sqlite" else _POSTGRESQL
    return int(session.connection().execute(statement).scalar_one())
