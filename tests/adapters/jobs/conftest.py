"""The two engines behind one fixture, and small tools to enqueue and to note what ran."""

import os
import uuid
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import psycopg
import pytest
from sqlalchemy import make_url, text

from wecom_app.adapters.jobs.cluster import ClusterQueue
from wecom_app.adapters.jobs.embedded import EmbeddedQueue
from wecom_app.clock import Clock, ManualClock
from wecom_app.db import Database
from wecom_app.services.ports import JobQueue, JobView
from wecom_app.services.runtime import LANES, JobHandler, JobKind

HERE = Path(__file__).parent
Kinds = Mapping[str, JobHandler | JobKind]
RUNTIME: Any = SimpleNamespace(name="the runtime")


def pytest_collection_modifyitems(items: list[pytest.Item]) -> None:
    """Drop the SQLite half of what is about the cluster engine only; `both` is all that the root knows."""
    items[:] = [item for item in items if not _is_cluster_on_sqlite(item)]


def _is_cluster_on_sqlite(item: pytest.Item) -> bool:
    in_cluster_file = item.path.parent == HERE and item.path.name.startswith("test_jobs_cluster")
    return in_cluster_file and item.callspec.params.get("backend") == "sqlite"  # type: ignore[attr-defined]


@pytest.fixture(scope="session")
def cluster_url(postgresql_template: str) -> Iterator[str]:
    """One PostgreSQL database for the whole folder: a new one for each test would cost most of its time."""
    server = make_url(os.environ["TEST_POSTGRES_URL"]).set(drivername="postgresql")
    name = f"wecom_app_jobs_{uuid.uuid4().hex[:8]}"
    with psycopg.connect(server.render_as_string(hide_password=False), autocommit=True) as connection:
        connection.execute(f'CREATE DATABASE "{name}" TEMPLATE "{postgresql_template}"')
        connection.execute(f'ALTER DATABASE "{name}" SET synchronous_commit = off')
        url = server.set(database=name).render_as_string(hide_password=False)
        yield url
        connection.execute(f'DROP DATABASE "{name}" WITH (FORCE)')


@pytest.fixture
def database_url(backend: str, request: pytest.FixtureRequest) -> str:
    if backend == "sqlite":
        path = request.getfixturevalue("tmp_path") / "test.db"
        path.write_bytes(request.getfixturevalue("sqlite_template").read_bytes())
        return f"sqlite:///{path}"
    url: str = request.getfixturevalue("cluster_url")
    emptied = Database(url)
    with emptied.write() as session:
        # TRUNCATE makes new files and takes thirty times as long.
        session.execute(text("DELETE FROM procrastinate_jobs"))
        session.execute(text("DELETE FROM procrastinate_workers"))
    emptied.close()
    return url


class MakeQueue(Protocol):
    def __call__(
        self,
        kinds: Kinds,
        *,
        lanes: Mapping[str, int] = LANES,
        clock: Clock = ...,
        bind: bool = True,
        **options: float,
    ) -> JobQueue: ...


@pytest.fixture
def make_queue(database: Database, clock: ManualClock) -> Iterator[MakeQueue]:
    opened: list[JobQueue] = []

    def make(
        kinds: Kinds,
        *,
        lanes: Mapping[str, int] = LANES,
        clock: Clock = clock,
        bind: bool = True,
        **options: float,
    ) -> JobQueue:
        full = {name: kind if isinstance(kind, JobKind) else JobKind(kind) for name, kind in kinds.items()}
        queue: EmbeddedQueue | ClusterQueue
        if database.is_sqlite:
            queue = EmbeddedQueue(database, clock, full, lanes)
        else:
            queue = ClusterQueue(database, clock, full, lanes, **options)
        if bind:
            queue.bind(RUNTIME)
        opened.append(queue)
        return queue

    yield make
    for queue in opened:
        queue.stop(5.0)


class Add(Protocol):
    def __call__(self, queue: JobQueue, kind: str = "note", name: object = None, **options: Any) -> int | None: ...


@pytest.fixture
def add(database: Database) -> Add:
    """Enqueue one job in its own transaction; `name` becomes its only argument."""

    def add_one(queue: JobQueue, kind: str = "note", name: object = None, **options: Any) -> int | None:
        with database.write() as session:
            job_id = queue.enqueue(session, kind, {"name": name}, **{"lane": "local", **options})
        queue.wake()
        return job_id

    return add_one


class Notes:
    """A handler that notes the names it ran."""

    def __init__(self) -> None:
        self.names: list[object] = []

    def __call__(self, _runtime: object, args: dict[str, Any]) -> None:
        self.names.append(args["name"])


@pytest.fixture
def notes() -> Notes:
    return Notes()


@pytest.fixture
def view(database: Database) -> Callable[[JobQueue, int | None], JobView]:
    """Return one job as lists show it."""

    def look(queue: JobQueue, job_id: int | None) -> JobView:
        assert job_id is not None
        with database.read() as session:
            found = queue.get_job(session, job_id)
        assert found is not None
        return found

    return look
