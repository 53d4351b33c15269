"""Which tests are the fast ones, and which begin a run; called by `tests/conftest.py` with what was collected."""

from pathlib import Path

import pytest

HERE = Path(__file__).parent
FAST_FOLDERS = ("domain", "simulator", "services")
COSTLY = frozenset(
    {
        "domain/test_merge_states.py",
        "services/test_access_properties.py",
        "services/test_condition_queries.py",
        "services/test_library_files.py",
        "services/test_migrations.py",
        "services/test_page_lines.py",
        "services/test_undo.py",
    }
)
"""Files of the fast folders that take seconds of computing, as `pytest --durations` says."""
LONG = (
    "stateful/test_two_way_sync.py",
    "adapters/jobs/test_jobs_processes.py",
    "flows/test_storm.py",
    "flows/test_kills.py",
    "flows/test_schedule_processes.py",
    "flows/test_demo.py",
    "flows/test_doctor_command.py",
    "web/test_flood.py",
    "services/test_access_properties.py",
)
"""Files with a test of more than ten seconds, the longest first: begun last, they would let the other workers idle."""


def is_fast(item: pytest.Item) -> bool:
    """Return whether `make test-fast` runs it: in a cheap folder, on SQLite, and not in a costly file."""
    name = _name(item)
    left_out = name in COSTLY or any(item.get_closest_marker(mark) for mark in ("slow", "postgresql"))
    return name.startswith(tuple(f"{folder}/" for folder in FAST_FOLDERS)) and not left_out


def begin_with_long(items: list[pytest.Item], workers: int) -> None:
    """Put the long tests where each worker begins; xdist cuts the list into equal parts, one a worker."""
    rank = {name: place for place, name in enumerate(LONG)}
    long = sorted((item for item in items if _name(item) in rank), key=lambda item: rank[_name(item)])
    others = [item for item in items if _name(item) not in rank]
    ordered: list[pytest.Item] = []
    for worker in range(workers):
        size = (len(items) - len(ordered)) // (workers - worker)
        begin = long[worker::workers]
        ordered += begin
        fill = max(0, size - len(begin))
        ordered += others[:fill]
        del others[:fill]
    items[:] = ordered + others


def _name(item: pytest.Item) -> str:
    return item.path.relative_to(HERE).as_posix()
