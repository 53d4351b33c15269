"""INSERT … ON CONFLICT on both databases; used by every service that meets rows that may be there already."""

from collections.abc import Mapping, Sequence
from functools import lru_cache
from typing import Any

from sqlalchemy import Table
from sqlalchemy.dialects import postgresql, sqlite
from sqlalchemy.orm import Session

from wecom_app.db import Base
from wecom_app.prepared import Prepared

Rows = Sequence[Mapping[str, Any]]


def insert_ignore(session: Session, table: type[Base], rows: Rows, keys: Sequence[str]) -> None:
    """Insert the rows whose `keys` are not taken; leave the others as they are."""
    if rows:
        statement = ignoring(session, table, tuple(keys))
        statement.run_many(session, rows)


def ignoring(session: Session, table: type[Base], keys: tuple[str, ...], *, returning: tuple[str, ...] = ()) -> Any:
    """Return the INSERT that leaves rows whose `keys` are taken as they are; it returns columns of those it makes."""
    return _ignoring(_dialect(session), table, keys, returning)


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
    names = [name for name in rows[0] if name not in keys] if overwrite is None else overwrite
    statement = _overwriting(_dialect(session), table, tuple(keys), tuple(names))
    statement.run_many(session, rows)


def _dialect(session: Session) -> str:
    return session.get_bind().dialect.name


# Building these statements costs more than running them; there are a dozen shapes in all.
@lru_cache
def _ignoring(dialect: str, table: type[Base], keys: tuple[str, ...], returning: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table).on_conflict_do_nothing(index_elements=keys)
    if returning:
        statement = statement.returning(*(table.__table__.c[name] for name in returning))
    return Prepared(statement)


@lru_cache
def _overwriting(dialect: str, table: type[Base], keys: tuple[str, ...], names: tuple[str, ...]) -> Any:
    statement = _insert(dialect, table)
    changed = {name: statement.excluded[name] for name in names}
    return Prepared(statement.on_conflict_do_update(index_elements=keys, set_=changed))


def _insert(dialect: str, table: type[Base]) -> Any:
    core = table.__table__
    assert isinstance(core, Table)
    module: Any = sqlite if dialect == "sqlite" else postgresql
    return module.insert(core)
