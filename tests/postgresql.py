"""Databases on the PostgreSQL server of `TEST_POSTGRES_URL`; the fixtures of `tests/conftest.py` hand them out."""

import uuid
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass

import psycopg
from psycopg import sql
from sqlalchemy import make_url

MOST_BYTES = 2 * 1024 * 1024
"""A larger table is faster replaced with its database than emptied, and would slow the tests after it."""
SHAPE = """
SELECT md5(concat(
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_class WHERE relnamespace::regnamespace::text !~ '^pg_'),
    (SELECT string_agg(concat(attrelid, attname, atttypid, attnotnull, atthasdef), ',' ORDER BY attrelid, attnum)
     FROM pg_attribute JOIN pg_class ON pg_class.oid = attrelid WHERE relnamespace::regnamespace::text !~ '^pg_'),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_constraint),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_trigger),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_proc WHERE pronamespace::regnamespace::text !~ '^pg_'),
    (SELECT string_agg(oid::text, ',' ORDER BY oid) FROM pg_namespace WHERE nspname !~ '^pg_')
))
"""
"""Another after each change of the schema, even one that was taken back."""
LARGEST = "SELECT max(pg_relation_size(oid)) FROM pg_class WHERE relnamespace = 'public'::regnamespace"
TABLES = "SELECT tablename FROM pg_tables WHERE schemaname = 'public' ORDER BY 1"
SEQUENCES = """
SELECT format('%I.%I', schemaname, sequencename), coalesce(last_value, start_value), last_value IS NOT NULL
FROM pg_sequences ORDER BY 1
"""
EVICT = "SELECT pg_terminate_backend(pid, 5000) FROM pg_stat_activity WHERE datname = %s"


class Server:
    """One connection to the server, for making, renaming and dropping databases."""

    def __init__(self, url: str) -> None:
        self._url = make_url(url).set(drivername="postgresql")
        self._connection = psycopg.connect(self._url.render_as_string(hide_password=False), autocommit=True)

    def close(self) -> None:
        self._connection.close()

    def url(self, name: str) -> str:
        return self._url.set(database=name).render_as_string(hide_password=False)

    @property
    def may_do_all(self) -> bool:
        return self._connection.info.parameter_status("is_superuser") == "on"

    def create(self, name: str, template: str = "template1") -> None:
        self._run("CREATE DATABASE {} TEMPLATE {}", name, template)
        # What is asked for here is what a transaction does; that it is on the disk is PostgreSQL's promise.
        self._run("ALTER DATABASE {} SET synchronous_commit = off", name)

    def rename(self, name: str, new_name: str) -> None:
        """Give a database that nobody is connected to another name."""
        self._run("ALTER DATABASE {} RENAME TO {}", name, new_name)

    def drop(self, name: str) -> None:
        """Drop a database, with whoever is still connected."""
        self._run("DROP DATABASE IF EXISTS {} WITH (FORCE)", name)

    def evict(self, name: str) -> None:
        """End whatever is still connected to a database."""
        self._connection.execute(EVICT, [name])

    @contextmanager
    def connect(self, name: str) -> Iterator[psycopg.Connection]:
        with psycopg.connect(self.url(name), autocommit=True) as connection:
            yield connection

    def _run(self, statement: str, *names: str) -> None:
        self._connection.execute(sql.SQL(statement).format(*map(sql.Identifier, names)))


@dataclass(frozen=True)
class Original:
    """A database to copy: its name, and how its copies can be told to be like it, or be made so again."""

    name: str
    shape: str
    tables: tuple[str, ...]
    rows: dict[str, bytes]
    """What the tables hold that are not empty, as COPY writes it."""
    sequences: tuple[tuple[str, int, bool], ...]


def read_original(server: Server, name: str) -> Original:
    """Return what a database is like, which nobody may change from now on."""
    with server.connect(name) as connection:
        tables = tuple(row[0] for row in connection.execute(TABLES))
        return Original(
            name=name,
            shape=_shape(connection),
            tables=tables,
            rows={table: _copy_out(connection, table) for table in _filled(connection, tables)},
            sequences=tuple(connection.execute(SEQUENCES)),
        )


class Loan:
    """One copy of an original that is lent to one test after another, to each under a new name and as if new.

    To make and to drop a copy takes a hundred times as long as to empty it. The new name keeps out whoever the test
    before has left behind.
    """

    def __init__(self, server: Server, original: Original) -> None:
        self._server, self._original = server, original
        self._name: str | None = None

    def lend(self) -> str:
        """Return the database's URL."""
        name = f"wecom_app_test_{uuid.uuid4().hex[:12]}"
        if self._name is None or not self._renamed(name):
            self._server.create(name, self._original.name)
        self._name = name
        return self._server.url(name)

    def take_back(self) -> None:
        """Make the database as it was, or drop it if that cannot be."""
        assert self._name is not None
        self._server.evict(self._name)
        if not (self._server.may_do_all and self._restored()):
            self.close()

    def close(self) -> None:
        if self._name is not None:
            self._server.drop(self._name)
        self._name = None

    def _renamed(self, name: str) -> bool:
        assert self._name is not None
        try:
            self._server.rename(self._name, name)
        except psycopg.errors.ObjectInUse:
            self.close()
            return False
        return True

    def _restored(self) -> bool:
        assert self._name is not None
        with self._server.connect(self._name) as connection:
            if _shape(connection) != self._original.shape or _largest(connection) > MOST_BYTES:
                return False
            with connection.transaction():
                self._restore(connection)
        return True

    def _restore(self, connection: psycopg.Connection) -> None:
        # Neither foreign keys nor triggers have a say: in the end everything is as it was.
        connection.execute("SET session_replication_role = replica")
        for table in _filled(connection, self._original.tables):
            connection.execute(sql.SQL("DELETE FROM {}").format(sql.Identifier(table)))
        for table, rows in self._original.rows.items():
            with connection.cursor().copy(sql.SQL("COPY {} FROM STDIN").format(sql.Identifier(table))) as copy:
                copy.write(rows)
        now = set(connection.execute(SEQUENCES))
        for sequence in self._original.sequences:
            if sequence not in now:
                connection.execute("SELECT setval(%s::regclass, %s, %s)", sequence)


def _shape(connection: psycopg.Connection) -> str:
    return str(connection.execute(SHAPE).fetchone()[0])


def _largest(connection: psycopg.Connection) -> int:
    return int(connection.execute(LARGEST).fetchone()[0])


def _filled(connection: psycopg.Connection, tables: tuple[str, ...]) -> list[str]:
    looks = [
        sql.SQL("SELECT {} WHERE EXISTS (SELECT FROM {})").format(sql.Literal(table), sql.Identifier(table))
        for table in tables
    ]
    return [row[0] for row in connection.execute(sql.SQL(" UNION ALL ").join(looks))]


def _copy_out(connection: psycopg.Connection, table: str) -> bytes:
    with connection.cursor().copy(sql.SQL("COPY {} TO STDOUT").format(sql.Identifier(table))) as copy:
        return b"".join(copy)
