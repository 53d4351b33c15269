"""The database: column types, the declarative base, and the two ways in, `read()` and `write()`.

`read()` gives one snapshot that cannot write; `write()` takes the process's writer lock (SQLite) and
BEGIN IMMEDIATE before its first statement. Used by the runtime; nothing else opens connections.
"""

import json
import random
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from datetime import UTC, datetime, timedelta
from pathlib import Path
from typing import Any

from sqlalchemy import (
    BigInteger,
    Connection,
    DateTime,
    Dialect,
    Engine,
    Integer,
    MetaData,
    create_engine,
    event,
    make_url,
)
from sqlalchemy.exc import ArgumentError, OperationalError
from sqlalchemy.orm import DeclarativeBase, Session
from sqlalchemy.types import JSON, TypeDecorator, TypeEngine

from wecom_app.clock import Clock, SystemClock
from wecom_app.errors import ConfigurationError, DatabaseUnreachable, Unavailable
from wecom_app.writers import SharedTransaction, WriterLock

NAMING_CONVENTION = {
    "ix": "ix_%(table_name)s_%(column_0_N_name)s",
    "uq": "uq_%(table_name)s_%(column_0_N_name)s",
    "ck": "ck_%(table_name)s_%(constraint_name)s",
    "fk": "fk_%(table_name)s_%(column_0_N_name)s",
    "pk": "pk_%(table_name)s",
}
LOCK_WAIT_S = 3.0
"""How long a writer waits for another thread's or process's lock before it gives up with `Unavailable`."""
BUSY_TIMEOUT_MS = 40
"""SQLite's own wait per attempt; short, since its handler sleeps in coarse steps and starves waiters."""
GATHER_S = 0.01
"""How long a write transaction of SQLite's is left to others who wait to write, so that they share its commit."""
STATEMENTS_KEPT = 512
"""Per connection of SQLite's; of the 128 that are usual there are too few for all that a worker asks."""
CONNECT_S = 5
"""How long PostgreSQL has to answer, unless DATABASE_URL says otherwise (`?connect_timeout=`)."""
CANNOT_OPEN = "打不开数据库文件：请检查 DATABASE_URL 指向的路径与文件权限"
CANNOT_CONNECT = "连不上数据库：请确认 PostgreSQL 正在运行，并检查 DATABASE_URL 里的地址、库名、用户与密码"
EPOCH = datetime(1970, 1, 1, tzinfo=UTC)

EMPTY: dict[type[object], str] = {list: "[]", dict: "{}"}
"""Most of what is stored; the encoder takes a dozen times as long over it."""
ENCODER = json.JSONEncoder(ensure_ascii=False, separators=(",", ":"))
"""One for all: `json.dumps` makes an encoder for each value."""

BigId = BigInteger().with_variant(Integer, "sqlite")


class UtcDateTime(TypeDecorator[datetime]):
    """Aware datetimes: BIGINT microseconds since 1970 on SQLite, timestamptz on PostgreSQL."""

    impl = BigInteger
    cache_ok = True

    def load_dialect_impl(self, dialect: Dialect) -> TypeEngine[Any]:
        if dialect.name == "postgresql":
            return dialect.type_descriptor(DateTime(timezone=True))
        return dialect.type_descriptor(BigInteger())

    def process_bind_param(self, value: datetime | None, dialect: Dialect) -> Any:
        if value is None or dialect.name == "postgresql":
            return value
        return (value - EPOCH) // timedelta(microseconds=1)

    def process_result_value(self, value: Any, dialect: Dialect) -> datetime | None:
        if value is None:
            return None
        if dialect.name == "postgresql":
            return value.astimezone(UTC)  # type: ignore[no-any-return]
        return EPOCH + timedelta(microseconds=value)


class Base(DeclarativeBase):
    """Parent of every table class."""

    metadata = MetaData(naming_convention=NAMING_CONVENTION)
    type_annotation_map = {  # noqa: RUF012  SQLAlchemy reads this class attribute; it is never changed
        datetime: UtcDateTime(),
        dict[str, Any]: JSON(),
        list[Any]: JSON(),
    }


class Database:
    """One database, opened once per process."""

    def __init__(self, url: str, *, clock: Clock | None = None, pool_size: int = 40) -> None:
        try:
            self.url = make_url(url)
        except ArgumentError:
            raise ConfigurationError("DATABASE_URL 格式有误，应为 sqlite:///… 或 postgresql://…") from None
        self.is_sqlite = self.url.get_backend_name() == "sqlite"
        self._clock = clock or SystemClock()
        self._writer_lock = WriterLock()
        self._shared: SharedTransaction | None = None
        """The write transaction that is open on SQLite; belongs to whoever holds the lock."""
        if self.is_sqlite:
            self._writer, self._reader = self._open_sqlite(pool_size)
        else:
            self._writer, self._reader = self._open_postgresql(pool_size)

    @property
    def engine(self) -> Engine:
        """The engine that writes; for migrations and the cluster's queue."""
        return self._writer

    @contextmanager
    def read(self) -> Iterator[Session]:
        """Open one snapshot; a write in it fails."""
        with _reachable(), self._connect(self._reader) as connection, connection.begin():
            yield _BoundSession(connection, autoflush=False, expire_on_commit=False)

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[Session]:
        """Open a write transaction, committed when the block has been left, rolled back if it raises.

        On SQLite those who wait for their turn meanwhile share the commit, unless one of them is urgent, who
        commits at once for all before him. Raises Unavailable if the lock cannot be had within 3 s or the disk
        refuses, DatabaseUnreachable where there is nothing to connect to.
        """
        if not self.is_sqlite:
            with _reachable(), self._connect(self._writer) as connection, connection.begin():
                yield from _session(connection)
            return
        shared = self._enter(urgent)
        try:
            with _reachable(), shared.part():
                yield from _session(shared.connection)
        finally:
            self._leave(shared, urgent)
        shared.wait()

    def close(self) -> None:
        """Close every pooled connection."""
        self._reader.dispose()
        self._writer.dispose()

    def _connect(self, engine: Engine) -> Connection:
        try:
            return engine.connect()
        except OperationalError as error:
            if _is_lock(error):
                raise
            raise DatabaseUnreachable(CANNOT_OPEN if self.is_sqlite else CANNOT_CONNECT) from error

    def _enter(self, urgent: bool) -> SharedTransaction:
        """Take the writer lock; return the transaction that the one before has left open, else a new one."""
        if not self._writer_lock.acquire(urgent=urgent, timeout_s=LOCK_WAIT_S):
            raise Unavailable
        if self._shared is None:
            try:
                with _reachable():
                    self._shared = self._begin_shared()
            except BaseException:
                self._writer_lock.release()
                raise
        return self._shared

    def _leave(self, shared: SharedTransaction, urgent: bool) -> None:
        """Let the next writer into the transaction, or commit it for all and free the lock."""
        lingers = not urgent and self._clock.monotonic() - shared.began < GATHER_S
        if lingers and not shared.is_over and self._writer_lock.hand_over():
            return
        self._shared = None
        try:
            if not shared.is_over:
                shared.commit()
        finally:
            self._writer_lock.release()

    def _begin_shared(self) -> SharedTransaction:
        connection = self._connect(self._writer)
        try:
            self._begin_immediate(connection)
        except BaseException:
            connection.close()
            raise
        return SharedTransaction(connection, self._clock.monotonic())

    def _begin_immediate(self, connection: Connection) -> None:
        deadline = self._clock.monotonic() + LOCK_WAIT_S
        while True:
            try:
                connection.begin()
                return
            except OperationalError as error:
                if not _is_lock(error) or self._clock.monotonic() >= deadline:
                    raise
            self._clock.sleep_until(self._clock.monotonic() + random.uniform(0.001, 0.015))  # noqa: S311  jitter, not a secret

    def _open_sqlite(self, pool_size: int) -> tuple[Engine, Engine]:
        path = self.url.database
        if not path or path == ":memory:":
            raise ConfigurationError("DATABASE_URL: an SQLite database needs a file path")
        try:
            Path(path).parent.mkdir(parents=True, exist_ok=True)
        except OSError as error:
            raise DatabaseUnreachable(CANNOT_OPEN) from error
        writer = self._sqlite_engine("BEGIN IMMEDIATE", query_only=False, pool_size=2)
        return writer, self._sqlite_engine("BEGIN", query_only=True, pool_size=pool_size)

    def _sqlite_engine(self, begin: str, *, query_only: bool, pool_size: int) -> Engine:
        engine = create_engine(
            self.url,
            pool_size=pool_size,
            max_overflow=pool_size,
            hide_parameters=True,
            json_serializer=dump_json,
            connect_args={
                "check_same_thread": False,
                "isolation_level": None,
                "cached_statements": STATEMENTS_KEPT,
            },
        )

        def configure(connection: Any, _record: object) -> None:
            cursor = connection.cursor()
            cursor.execute(f"PRAGMA busy_timeout={BUSY_TIMEOUT_MS}")
            if not query_only:
                cursor.execute("PRAGMA journal_mode=WAL")
            cursor.execute("PRAGMA synchronous=FULL")
            cursor.execute("PRAGMA foreign_keys=ON")
            cursor.execute(f"PRAGMA query_only={'ON' if query_only else 'OFF'}")
            cursor.close()

        event.listen(engine, "connect", configure)
        # Not by a listener to "begin": an engine that has one asks for listeners around every statement.
        dialect: Any = engine.dialect
        dialect.do_begin = lambda connection: connection.execute(begin)
        dialect.do_savepoint = _run_plainly("SAVEPOINT")
        dialect.do_release_savepoint = _run_plainly("RELEASE SAVEPOINT")
        return engine

    def _open_postgresql(self, pool_size: int) -> tuple[Engine, Engine]:
        patience = {} if "connect_timeout" in self.url.query else {"connect_timeout": CONNECT_S}
        try:
            engine = create_engine(
                self.url.set(drivername="postgresql+psycopg"),
                pool_size=pool_size,
                max_overflow=pool_size,
                pool_pre_ping=True,
                hide_parameters=True,
                json_serializer=dump_json,
                connect_args={**patience, "options": "-c lock_timeout=3000 -c timezone=UTC"},
            )
        except ModuleNotFoundError as error:
            raise ConfigurationError("使用 PostgreSQL 需要安装：pip install 'wecom-app[postgres]'") from error
        reader = engine.execution_options(isolation_level="REPEATABLE READ", postgresql_readonly=True)
        return engine, reader


def _run_plainly(words: str) -> Callable[[Connection, str], None]:
    """Return what tells SQLite about a savepoint without a statement being built for it."""

    def run(connection: Connection, name: str) -> None:
        connection.exec_driver_sql(f"{words} {name}")

    return run


def dump_json(value: object) -> str:
    """Serialise for a JSON column: compact, and Chinese left readable."""
    if not value and type(value) in EMPTY:
        return EMPTY[type(value)]
    return ENCODER.encode(value)


class _BoundSession(Session):
    """A session on one connection whose transaction has begun: who asks for it need not enlist in it first."""

    def __init__(self, connection: Connection, **options: Any) -> None:
        super().__init__(connection, **options)
        self._bound = connection

    def connection(self, *_arguments: Any, **_options: Any) -> Connection:
        return self._bound


def _session(connection: Connection) -> Iterator[Session]:
    # The caller of this one ends the transaction, or the savepoint that the session has a part in.
    session = _BoundSession(connection, autoflush=False, expire_on_commit=False, join_transaction_mode="rollback_only")
    yield session
    session.flush()


@contextmanager
def _reachable() -> Iterator[None]:
    """Turn a locked, full or unreachable database into `Unavailable`."""
    try:
        yield
    except OperationalError as error:
        raise Unavailable from error


def _is_lock(error: OperationalError) -> bool:
    return "locked" in str(error.orig) or "busy" in str(error.orig)
