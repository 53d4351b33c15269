"""From an empty file to the newest schema and back, without losing a row; a backup first, and nothing newer touched."""

import sqlite3
import stat
from collections.abc import Callable
from contextlib import closing
from pathlib import Path
from typing import Any

import pytest
from alembic import command
from alembic.autogenerate import compare_metadata
from alembic.config import Config
from alembic.runtime.migration import MigrationContext
from alembic.script import ScriptDirectory
from sqlalchemy import inspect, text

from tests.conftest import START
from tests.services.shop import API, CHANNEL, Shop
from wecom_app import migrations
from wecom_app.clock import ManualClock
from wecom_app.db import Base, Database
from wecom_app.errors import ConfigurationError
from wecom_app.migrations import runner
from wecom_app.models import Channel, ChannelStaff, ChannelTag

ALIEN = ("procrastinate", "alembic")
"""Tables that are not ours: the cluster queue's and the version's."""
CONFIG = Config()
CONFIG.set_main_option("script_location", str(Path(migrations.__file__).parent))
CONFIG.set_main_option("path_separator", "os")
REVISIONS = [script.revision for script in ScriptDirectory.from_config(CONFIG).walk_revisions()]
"""Newest first."""


def migrate(database: Database, step: Callable[..., Any], revision: str) -> None:
    """Run alembic's upgrade or downgrade to a revision."""
    with database.write() as session:
        CONFIG.attributes["connection"] = session.connection()
        step(CONFIG, revision)


def our_tables(database: Database) -> set[str]:
    with database.engine.connect() as connection:
        return {name for name in inspect(connection).get_table_names() if not name.startswith(ALIEN)}


def version(database: Database) -> str | None:
    with database.engine.connect() as connection:
        return MigrationContext.configure(connection).get_current_revision()


def counts(database: Database) -> dict[str, int]:
    """Return how many rows each of the first revision's tables has."""
    names = ("customer", "relation", "staff", "customer_tag", "tag_event", "channel", "channel_staff", "channel_tag")
    with database.read() as session:
        return {name: session.execute(text(f"SELECT count(*) FROM {name}")).scalar_one() for name in names}


@pytest.fixture
def empty(tmp_path: Path) -> Database:
    return Database(f"sqlite:///{tmp_path / 'empty.db'}")


@pytest.fixture
def filled(shop: Shop) -> Database:
    """A database with customers, tags, history and a channel, each row referring to others."""
    (tag,) = shop.tags("vip")
    customer = shop.customer("zhang", "wang")
    shop.add(customer, tag, API)
    shop.add(customer, tag, CHANNEL)
    with shop.store.write() as session:
        channel = Channel(name="海报", source="门店", state="poster-1", attachments=[], created_at=START)
        session.add(channel)
        session.flush()
        session.add(ChannelStaff(channel_id=channel.id, staff_id=1, position=0))
        session.add(ChannelTag(channel_id=channel.id, tag_id=tag, position=0))
    return shop.store.database


@pytest.mark.both
def test_models_and_migrations_agree(database: Database) -> None:
    def ours(_object: Any, name: str | None, kind: str, _reflected: bool, _other: Any) -> bool:
        return kind != "table" or not str(name).startswith(ALIEN)

    with database.engine.connect() as connection:
        context = MigrationContext.configure(connection, opts={"compare_type": True, "include_object": ours})
        assert compare_metadata(context, Base.metadata) == []


@pytest.mark.both
def test_everything_can_be_taken_down_and_built_up_from_nothing(database: Database) -> None:
    migrate(database, command.downgrade, "base")
    assert (our_tables(database), runner.is_at_head(database)) == (set(), False)

    runner.upgrade(database)

    assert our_tables(database) == set(Base.metadata.tables)
    assert (version(database), runner.is_at_head(database)) == (REVISIONS[0], True)


@pytest.mark.both
def test_each_step_back_and_forth_loses_no_row(filled: Database) -> None:
    before = counts(filled)
    assert all(before.values())

    for revision in REVISIONS[1:]:
        migrate(filled, command.downgrade, revision)
        assert counts(filled) == before
    runner.upgrade(filled)

    assert counts(filled) == before
    assert runner.is_at_head(filled)


def test_rows_of_an_upgraded_database_still_refer_to_one_another(filled: Database) -> None:
    migrate(filled, command.downgrade, REVISIONS[-1])
    runner.upgrade(filled)

    with filled.read() as session:
        assert session.execute(text("PRAGMA foreign_key_check")).all() == []
        assert session.execute(text("PRAGMA integrity_check")).scalar_one() == "ok"


@pytest.mark.both
def test_upgrading_again_changes_nothing(database: Database) -> None:
    runner.upgrade(database)

    assert version(database) == REVISIONS[0]


@pytest.mark.both
def test_the_built_in_dimensions_come_with_the_schema(database: Database) -> None:
    with database.read() as session:
        rows = session.execute(text("SELECT key, name FROM tag_dimension")).all()

    assert {row.key: row.name for row in rows} == {
        "consumption": "消费属性",
        "behaviour": "行为属性",
        "basic_info": "基础信息",
        "journey": "用户旅程",
    }


@pytest.mark.both
@pytest.mark.parametrize("act", [runner.upgrade, lambda database: runner.prepare(database, ManualClock(START))])
def test_a_newer_schema_is_refused_and_left_alone(database: Database, act: Callable[[Database], object]) -> None:
    with database.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    with pytest.raises(ConfigurationError, match="更新的版本"):
        act(database)

    with database.read() as session:
        assert session.execute(text("SELECT version_num FROM alembic_version")).scalar_one() == "9999"


@pytest.mark.both
def test_a_schema_that_is_current_is_left_as_it_is(database: Database, clock: ManualClock, tmp_path: Path) -> None:
    assert runner.prepare(database, clock) is None
    assert list(tmp_path.glob("*before-upgrade*")) == []


@pytest.mark.both
def test_an_older_schema_is_brought_up_on_sqlite_and_refused_on_postgresql(
    database: Database, clock: ManualClock
) -> None:
    migrate(database, command.downgrade, "base")
    if database.is_sqlite:
        runner.prepare(database, clock)
        assert runner.is_at_head(database)
        return

    with pytest.raises(ConfigurationError, match="wecom-app db upgrade"):
        runner.prepare(database, clock)
    assert our_tables(database) == set()


def test_a_new_file_is_made_without_a_backup(empty: Database, clock: ManualClock, tmp_path: Path) -> None:
    assert runner.prepare(empty, clock) is None

    assert runner.is_at_head(empty)
    assert list(tmp_path.glob("*before-upgrade*")) == []
    empty.close()


def test_an_older_database_is_backed_up_before_it_is_upgraded(filled: Database, clock: ManualClock) -> None:
    oldest = REVISIONS[-1]
    migrate(filled, command.downgrade, oldest)

    backup = runner.prepare(filled, clock)

    assert backup is not None
    assert backup.name == "test-before-upgrade-20261123T020000.db"
    assert stat.S_IMODE(backup.stat().st_mode) == 0o600
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT version_num FROM alembic_version").fetchone() == (oldest,)
        assert copy.execute("SELECT external_userid FROM customer").fetchall() == [("wm_li",)]
    assert runner.is_at_head(filled)


def test_a_backup_holds_what_was_written_last(filled: Database, clock: ManualClock) -> None:
    """The last commits of a database in WAL mode stand in a file of their own, which no plain copy would take."""
    migrate(filled, command.downgrade, REVISIONS[-1])
    with filled.write() as session:
        session.execute(text("UPDATE customer SET name = '林晓芸'"))

    backup = runner.prepare(filled, clock)

    assert backup is not None
    with closing(sqlite3.connect(backup)) as copy:
        assert copy.execute("SELECT name FROM customer").fetchall() == [("林晓芸",)]


def test_another_process_that_upgrades_meanwhile_is_waited_for(empty: Database, tmp_path: Path) -> None:
    class Other(ManualClock):
        def sleep_until(self, deadline: float) -> None:
            super().sleep_until(deadline)
            if other.in_transaction:
                other.execute("COMMIT")

    with closing(sqlite3.connect(tmp_path / "empty.db", isolation_level=None)) as other:
        other.execute("PRAGMA journal_mode=WAL")
        other.execute("BEGIN EXCLUSIVE")
        database = Database(f"sqlite:///{tmp_path / 'empty.db'}", clock=Other(START))
        runner.upgrade(database)

    assert runner.is_at_head(empty)
    database.close()
    empty.close()
