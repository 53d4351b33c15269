"""Bringing a database to head, checking that it is there, and backing it up first; used by the commands and tests."""

import sqlite3
from functools import cache
from pathlib import Path

from alembic import command
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import Connection, text

from wecom_app.clock import Clock
from wecom_app.db import Database
from wecom_app.errors import ConfigurationError

ADVISORY_LOCK = 0x7765636F6D
"""Keeps two processes from migrating one PostgreSQL database at once."""


def upgrade(database: Database) -> None:
    """Bring the database to the newest revision; a database that is newer than this program is refused."""
    with database.write() as session:
        connection = session.connection()
        if not database.is_sqlite:
            connection.execute(text("SELECT pg_advisory_xact_lock(:key)"), {"key": ADVISORY_LOCK})
        _refuse_newer(connection)
        config = _config()
        config.attributes["connection"] = connection
        command.upgrade(config, "head")


def prepare(database: Database, clock: Clock) -> Path | None:
    """Bring SQLite to head, with a backup first if it holds anything; on PostgreSQL only check.

    Returns the backup's path, if one was made. Raises ConfigurationError where PostgreSQL is not at head.
    """
    if is_at_head(database):
        return None
    if not database.is_sqlite:
        raise ConfigurationError("数据库结构不是最新版本：请先运行 wecom-app db upgrade")
    backup = _back_up(database, clock)
    upgrade(database)
    return backup


def is_at_head(database: Database) -> bool:
    """Return whether the database stands at this program's newest revision."""
    with database.read() as session:
        connection = session.connection()
        current = MigrationContext.configure(connection).get_current_revision()
        if current is not None:
            _refuse_newer(connection)
        return current == _scripts().get_current_head()


def _refuse_newer(connection: Connection) -> None:
    current = MigrationContext.configure(connection).get_current_revision()
    known = {script.revision for script in _scripts().walk_revisions()}
    if current is not None and current not in known:
        raise ConfigurationError("数据库由更新的版本创建：请升级 wecom-app，或恢复对应版本的备份")


def _back_up(database: Database, clock: Clock) -> Path | None:
    path = Path(database.url.database or "")
    if not path.exists() or path.stat().st_size == 0:
        return None
    with sqlite3.connect(path) as source:
        if source.execute("SELECT count(*) FROM sqlite_master").fetchone()[0] == 0:
            return None
        target = path.with_name(f"{path.stem}-before-upgrade-{clock.now():%Y%m%dT%H%M%S}.db")
        with sqlite3.connect(target) as copy:
            source.backup(copy)
        copy.close()
    source.close()
    target.chmod(0o600)
    return target


@cache
def _scripts() -> ScriptDirectory:
    """Return this program's revisions: read once, since `/readyz` asks for the newest again and again."""
    return ScriptDirectory.from_config(_config())


def _config() -> Config:
    config = Config()
    config.set_main_option("script_location", str(Path(__file__).parent))
    config.set_main_option("path_separator", "os")
    return config
