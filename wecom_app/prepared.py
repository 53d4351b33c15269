"""Statements of hot paths, which cost SQLAlchemy several times what they cost SQLite: compiled once, then run directly.

A `Prepared` is built where a service keeps its statement, and does on every database what the statement itself would.
"""

from collections import namedtuple
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from itertools import repeat
from operator import is_
from typing import Any, NamedTuple

from sqlalchemy import Connection, Dialect
from sqlalchemy.exc import DBAPIError
from sqlalchemy.orm import Session

Parameters = Mapping[str, Any]
MOST_VALUES = 128
"""A longer list is left to SQLAlchemy."""
FEW_VALUES = 2
"""Lists up to this length have a text each."""


class Place(NamedTuple):
    """Where a parameter goes: one value, or one part of a list."""

    position: int
    name: str
    part: int | None
    process: Any


class Column(NamedTuple):
    """A column whose values are stored as something else."""

    position: int
    process: Any


@dataclass(frozen=True)
class Shape:
    """The text of a statement for certain names of parameters and lengths of lists."""

    text: str
    template: Sequence[Any]
    """What is bound, with the values that never change."""
    places: Sequence[Place]
    names: Sequence[str]
    columns: Sequence[Column]
    row: Any
    """Makes a row with names from a sequence of values."""

    def bind(self, parameters: Parameters) -> list[Any]:
        """Return the values in the order of the text."""
        values = list(self.template)
        for position, name, part, process in self.places:
            value = parameters[name]
            if part is not None:
                value = value[part] if part < len(value) else value[-1]
            values[position] = value if process is None else process(value)
        return values

    def bind_many(self, rows: Sequence[Parameters]) -> list[tuple[Any, ...]]:
        """Return the values of each of the rows; a column at a time, which costs half as much. No value is a list."""
        columns: list[Iterable[Any]] = [repeat(value, len(rows)) for value in self.template]
        for position, name, _, process in self.places:
            values = [row[name] for row in rows]
            columns[position] = values if process is None else _processed(process, values)
        return list(zip(*columns, strict=True))

    def read(self, found: Sequence[Sequence[Any]]) -> list[Sequence[Any]]:
        """Return rows as Python's values."""
        if not self.columns:
            return list(found)
        rows: list[Sequence[Any]] = []
        for stored in found:
            values = list(stored)
            for position, process in self.columns:
                values[position] = process(values[position])
            rows.append(values)
        return rows


class Prepared:
    """One statement; every method takes part in the session's transaction and sends nothing of the session's own.

    On SQLite it goes past SQLAlchemy, unless somebody listens to what is executed, a value has a default of
    Python's, or a list is long.
    """

    def __init__(self, statement: Any) -> None:
        self.statement = statement
        self._shapes: dict[Any, Shape | None] = {}
        self._lists: tuple[str, ...] | None = None

    def rows(self, session: Session, parameters: Parameters) -> Sequence[Any]:
        """Return all rows; their columns have names."""
        connection = session.connection()
        shape = self._shape(connection, parameters)
        if shape is None:
            return connection.execute(self.statement, parameters).all()
        return [shape.row(values) for values in self._found(connection, shape, parameters)]

    def mappings(self, session: Session, parameters: Parameters) -> list[dict[str, Any]]:
        """Return all rows as dictionaries."""
        connection = session.connection()
        shape = self._shape(connection, parameters)
        if shape is None:
            return [dict(row) for row in connection.execute(self.statement, parameters).mappings()]
        return [dict(zip(shape.names, values, strict=True)) for values in self._found(connection, shape, parameters)]

    def row(self, session: Session, parameters: Parameters) -> Any:
        """Return the first row; None if there is none."""
        return next(iter(self.rows(session, parameters)), None)

    def rows_of_many(self, session: Session, rows: Sequence[Parameters]) -> Sequence[Any]:
        """Run for each of the rows, all of the same names; return what all of them return."""
        if len(rows) == 1:
            return self.rows(session, rows[0])
        return session.connection().execute(self.statement, [dict(row) for row in rows]).all()

    def scalars(self, session: Session, parameters: Parameters) -> list[Any]:
        """Return the first column of all rows."""
        connection = session.connection()
        shape = self._shape(connection, parameters)
        if shape is None:
            return list(connection.execute(self.statement, parameters).scalars())
        return [values[0] for values in self._found(connection, shape, parameters)]

    def scalar(self, session: Session, parameters: Parameters) -> Any:
        """Return the first column of the first row; None if there is none."""
        return next(iter(self.scalars(session, parameters)), None)

    def run(self, session: Session, parameters: Parameters) -> int:
        """Return how many rows were written."""
        connection = session.connection()
        shape = self._shape(connection, parameters)
        if shape is None:
            return connection.execute(self.statement, parameters).rowcount
        return int(_execute(connection, shape.text, shape.bind(parameters)).rowcount)

    def run_many(self, session: Session, rows: Sequence[Parameters]) -> int:
        """Run once for each of the rows, all of the same names; return how many rows were written."""
        connection = session.connection()
        shape = self._shape(connection, rows[0])
        if shape is None or self._lists:
            return connection.execute(self.statement, [dict(row) for row in rows]).rowcount
        return int(_execute(connection, shape.text, shape.bind_many(rows), many=True).rowcount)

    def _found(self, connection: Connection, shape: Shape, parameters: Parameters) -> Sequence[Sequence[Any]]:
        return shape.read(_execute(connection, shape.text, shape.bind(parameters)).fetchall())

    def _shape(self, connection: Connection, parameters: Parameters) -> Shape | None:
        """Return the shape to run; None where SQLAlchemy must."""
        if connection.dialect.name != "sqlite" or connection.engine._has_events or connection._has_events:
            return None
        if self._lists is None:
            compiled = self._compile(connection.dialect, parameters)
            self._lists = tuple(name for name, bind in compiled.binds.items() if bind.expanding and name in parameters)
        names = tuple(parameters)
        key = (names, *[_room(parameters[name]) for name in self._lists]) if self._lists else names
        try:
            return self._shapes[key]
        except KeyError:
            is_long = any(len(parameters[name]) > MOST_VALUES for name in self._lists)
            shape = None if is_long else self._make(connection.dialect, parameters)
            if not is_long:
                self._shapes[key] = shape
            return shape

    def _compile(self, dialect: Dialect, parameters: Parameters) -> Any:
        returns = bool(_columns_of(self.statement))
        more = {} if returns else {"for_executemany": True}
        return self.statement.compile(dialect=dialect, column_keys=list(parameters), **more)

    def _make(self, dialect: Dialect, parameters: Parameters) -> Shape | None:
        compiled = self._compile(dialect, parameters)
        if getattr(compiled, "insert_prefetch", ()) or getattr(compiled, "update_prefetch", ()):
            return None
        parameters = {**parameters, **{name: _filled(parameters[name]) for name in self._lists or ()}}
        state = compiled.construct_expanded_state(parameters)
        parts = {part: (name, index) for name in self._lists or () for index, part in _parts(state, name)}
        template, places = list(state.positional_parameters), []
        for position, name in enumerate(state.positiontup):
            bind = compiled.binds.get(name)
            process = state.processors.get(name) if bind is None else _writer(bind.type, dialect)
            given, index = parts.get(name, (name, None))
            if given in parameters:
                template[position] = None
                places.append(Place(position, given, index, process))
            elif process is not None:
                template[position] = process(template[position])
        columns = _columns_of(self.statement)
        names = [name for name, _ in columns]
        readers = [(index, _reader(kind, dialect)) for index, (_, kind) in enumerate(columns)]
        return Shape(
            text=state.statement,
            template=template,
            places=places,
            names=names,
            columns=[Column(index, process) for index, process in readers if process is not None],
            row=_row_of(names),
        )


def _processed(process: Any, values: Sequence[Any]) -> Iterable[Any]:
    """Return what is stored for a column's values; of one that all rows share, such as the time, it is made once."""
    first = values[0]
    if all(map(is_, values, repeat(first))):
        return repeat(process(first), len(values))
    return map(process, values)


def _room(values: Sequence[Any]) -> int:
    """Return for how many values the text is that takes this list: few texts serve all lengths.

    The last value is repeated, which no IN minds.
    """
    return len(values) if len(values) <= FEW_VALUES else 1 << (len(values) - 1).bit_length()


def _filled(values: Sequence[Any]) -> list[Any]:
    return [*values, *[values[-1]] * (_room(values) - len(values))] if values else []


def _parts(state: Any, name: str) -> Any:
    return enumerate(state.parameter_expansion.get(name, ()))


def _columns_of(statement: Any) -> list[tuple[str, Any]]:
    """Return names and types of what a statement returns, nothing for one that only writes or is plain text."""
    if not getattr(statement, "is_select", False) and not getattr(statement, "_returning", ()):
        return []
    return [(name, column.type) for name, column in statement.exported_columns.items()]


def _writer(kind: Any, dialect: Dialect) -> Any:
    return kind.dialect_impl(dialect).bind_processor(dialect)


def _reader(kind: Any, dialect: Dialect) -> Any:
    return kind.dialect_impl(dialect).result_processor(dialect, None)


def _row_of(names: Sequence[str]) -> Any:
    made: Any = namedtuple("Row", names, rename=True)  # type: ignore[misc]  # the names are a statement's
    return made._make


def _execute(connection: Connection, text: str, values: Sequence[Any], *, many: bool = False) -> Any:
    raw: Any = connection.connection.dbapi_connection
    try:
        return raw.executemany(text, values) if many else raw.execute(text, values)
    except connection.dialect.loaded_dbapi.Error as error:
        raise DBAPIError.instance(
            text, None, error, connection.dialect.loaded_dbapi.Error, hide_parameters=True, dialect=connection.dialect
        ) from error
