"""INSERT … ON CONFLICT on both databases; used by every service that meets rows that may be there already."""

from collections.abc import Mapping, Sequence
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from wecom_app.db import Base

Rows = Sequence[Mapping[str, Any]]


def insert_ignore(session: Session, table: type[Base], rows: Rows, keys: Sequence[str]) -> None:
    """Insert the rows whose `keys` are not taken; leave the others as they are."""
    if rows:
        statement = _insert(session, table).on_conflict_do_nothing(index_elements=list(keys))
        session.connection().execute(statement, [dict(row) for row in rows])


def upsert(
    session: Session,
    table: type[Base],
    rows: Rows,
    keys: Sequence[str],
    *,
    overwrite: Sequence[str] | None = None,
) -> None:
    """Insert the rows; where `keys` are taken, overwrite the columns named (default: all that are given).

    All rows must have the same columns.
    """
    if not rows:
        return
    statement = _insert(session, table)
    names = [name for name in rows[0] if name not in keys] if overwrite is None else overwrite
    statement = statement.on_conflict_do_update(
        index_elements=list(keys), set_={name: statement.excluded[name] for name in names}
    )
    session.connection().execute(statement, [dict(row) for row in rows])


def _insert(session: Session, table: type[Base]) -> Any:
    core = table.__table__
    assert isinstance(core, Table)
    module: Any = sqlite if session.get_bind().dialect.name == "sqlite" else postgresql
    return module.insert(core)
