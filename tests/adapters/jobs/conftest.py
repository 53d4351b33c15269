"""The two engines behind one fixture, and small tools to enqueue and to note what ran."""

from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from types import SimpleNamespace
from typing import Any, Protocol

import pytest

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
    return in_cluster_file and item.callspec.params.get("backend") == "sqlite"


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
