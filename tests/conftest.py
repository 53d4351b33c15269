"""Fixtures that every folder of tests shares: a fresh database per test, on SQLite or (marked `both`) on both."""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import psycopg
import pytest
import structlog
from sqlalchemy import make_url

from wecom_app.bootstrap import upgrade_database
from wecom_app.clock import ManualClock
from wecom_app.db import Database

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL")
NO_POSTGRES = "TEST_POSTGRES_URL is not set: the PostgreSQL half of this test did not run"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    backends: list[object] = ["sqlite"]
    if metafunc.definition.get_closest_marker("both"):
        skip = [] if POSTGRES_URL else [pytest.mark.skip(reason=NO_POSTGRES)]
        backends.append(pytest.param("postgresql", marks=[pytest.mark.postgresql, *skip]))
    metafunc.parametrize("backend", backends)


@pytest.fixture(autouse=True)
def logging_stays_as_it_was() -> Iterator[None]:
    """Fail a test that runs the root command: it sets up logging, and later tests would find other lines."""
    before = _logging()
    yield
    assert _logging() == before, "invoke the command itself, or main.commands[...], but not main"


def _logging() -> tuple[int, bool]:
    return logging.getLogger("procrastinate").level, structlog.get_config()["cache_logger_on_first_use"]


@pytest.fixture
def clock() -> ManualClock:
    return ManualClock(START)


@pytest.fixture(scope="session")
def sqlite_template(tmp_path_factory: pytest.TempPathFactory) -> Path:
    path = tmp_path_factory.mktemp("template") / "template.db"
    database = Database(f"sqlite:///{path}")
    upgrade_database(database)
    with database.engine.connect() as connection:
        connection.exec_driver_sql("SELECT 1")
    database.close()
    return path


@pytest.fixture(scope="session")
def postgresql_template() -> Iterator[str]:
    name = f"wecom_app_template_{uuid.uuid4().hex[:8]}"
    with _postgresql_database(name):
        database = Database(_postgresql_url(name))
        upgrade_database(database)
        database.close()
        yield name


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if backend == "sqlite":
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    name = f"wecom_app_test_{uuid.uuid4().hex[:8]}"
    with _postgresql_database(name, template=request.getfixturevalue("postgresql_template")):
        yield _postgresql_url(name)


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()


def _postgresql_url(name: str) -> str:
    assert POSTGRES_URL
    return make_url(POSTGRES_URL).set(database=name).render_as_string(hide_password=False)


class _postgresql_database:
    """Creates a database and drops it at the end, with whoever is still connected."""

    def __init__(self, name: str, template: str = "template1") -> None:
        self._name, self._template = name, template

    def __enter__(self) -> None:
        self._run(f'CREATE DATABASE "{self._name}" TEMPLATE "{self._template}"')

    def __exit__(self, *_: object) -> None:
        self._run(f'DROP DATABASE IF EXISTS "{self._name}" WITH (FORCE)')

    def _run(self, statement: str) -> None:
        assert POSTGRES_URL
        url = make_url(POSTGRES_URL).set(drivername="postgresql").render_as_string(hide_password=False)
        with psycopg.connect(url, autocommit=True) as connection:
            connection.execute(statement)
