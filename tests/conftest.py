"""Fixtures that every folder of tests shares: a fresh database per test, on SQLite or (marked `both`) on both."""

import logging
import os
import shutil
import uuid
from collections.abc import Iterator
from datetime import UTC, datetime
from pathlib import Path

import pytest
import structlog

from tests import choice, once
from tests.postgresql import Loan, Server, read_original
from wecom_app.bootstrap import upgrade_database
from wecom_app.clock import ManualClock
from wecom_app.db import Database

START = datetime(2026, 11, 23, 2, 0, tzinfo=UTC)
POSTGRES_URL = os.environ.get("TEST_POSTGRES_URL")
MEMORY, ROOM = Path("/dev/shm"), 2 * 1024**3
NO_POSTGRES = "TEST_POSTGRES_URL is not set: the PostgreSQL half of this test did not run"


def pytest_generate_tests(metafunc: pytest.Metafunc) -> None:
    if "backend" not in metafunc.fixturenames:
        return
    backends: list[object] = ["sqlite"]
    if metafunc.definition.get_closest_marker("both"):
        skip = [] if POSTGRES_URL else [pytest.mark.skip(reason=NO_POSTGRES)]
        backends.append(pytest.param("postgresql", marks=[pytest.mark.postgresql, *skip]))
    metafunc.parametrize("backend", backends)


def pytest_configure(config: pytest.Config) -> None:
    """Put the tests' files into memory where there is room: SQLite waits for the disk at each commit."""
    if MEMORY.is_dir() and os.access(MEMORY, os.W_OK) and shutil.disk_usage(MEMORY).free > ROOM:
        os.environ.setdefault("PYTEST_DEBUG_TEMPROOT", str(MEMORY))


def pytest_itemcollected(item: pytest.Item) -> None:
    if choice.is_fast(item):
        item.add_marker(pytest.mark.fast)


@pytest.hookimpl(trylast=True)
def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    choice.begin_with_long(items, int(os.environ.get("PYTEST_XDIST_WORKER_COUNT", "1")))


@pytest.fixture(scope="session", autouse=True)
def made_once(tmp_path_factory: pytest.TempPathFactory) -> Iterator[None]:
    with pytest.MonkeyPatch.context() as patch:
        once.share_routes(patch)
        once.share_statements(patch)
        once.share_templates(patch, tmp_path_factory.mktemp("templates"))
        yield


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
def postgresql_server() -> Iterator[Server]:
    assert POSTGRES_URL
    server = Server(POSTGRES_URL)
    yield server
    server.close()


@pytest.fixture(scope="session")
def postgresql_loan(postgresql_server: Server) -> Iterator[Loan]:
    name = f"wecom_app_template_{uuid.uuid4().hex[:12]}"
    postgresql_server.create(name)
    database = Database(postgresql_server.url(name))
    upgrade_database(database)
    database.close()
    loan = Loan(postgresql_server, read_original(postgresql_server, name))
    yield loan
    loan.close()
    postgresql_server.drop(name)


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest, tmp_path: Path) -> Iterator[str]:
    if backend == "sqlite":
        path = tmp_path / "test.db"
        shutil.copy(request.getfixturevalue("sqlite_template"), path)
        yield f"sqlite:///{path}"
        return
    loan: Loan = request.getfixturevalue("postgresql_loan")
    yield loan.lend()
    loan.take_back()


@pytest.fixture
def database(database_url: str) -> Iterator[Database]:
    opened = Database(database_url)
    yield opened
    opened.close()
