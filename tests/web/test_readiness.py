"""`/readyz` names what is broken, and `/healthz` does not care."""

import shutil
import sqlite3
from collections.abc import Iterator
from contextlib import closing, contextmanager
from pathlib import Path
from typing import Any, NamedTuple

import pytest

from tests.adapters.jobs.job_tools import wait_for_log
from tests.flows.company import Company
from wecom_app import db


def ready(company: Company) -> tuple[int, Any]:
    assert company.client.get("/healthz").status_code == 200
    answer = company.client.get("/readyz")
    return answer.status_code, answer.get_json()["checks"]


@contextmanager
def file_of(company: Company) -> Iterator[sqlite3.Connection]:
    path = company.runtime.database.url.database
    assert path
    with closing(sqlite3.connect(Path(path), isolation_level=None)) as connection:
        yield connection


@pytest.mark.both
def test_all_is_well_in_a_process_without_workers(company: Company) -> None:
    assert ready(company) == (200, {"database": True, "schema": True, "disk": True})


def test_a_locked_database_is_named(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_S", 0.0)
    with file_of(company) as other:
        other.execute("BEGIN IMMEDIATE")
        status, checks = ready(company)
    assert (status, checks["database"], checks["schema"]) == (503, False, True)


@pytest.mark.parametrize("revision", ["0000_of_old", "9999_of_tomorrow"])
def test_another_schema_is_named(company: Company, revision: str) -> None:
    with file_of(company) as other:
        other.execute("UPDATE alembic_version SET version_num = ?", [revision])
    status, checks = ready(company)
    assert (status, checks["database"], checks["schema"]) == (503, True, False)


def test_a_full_disk_is_named(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    class Usage(NamedTuple):
        total: int = 100
        used: int = 96
        free: int = 4

    monkeypatch.setattr(shutil, "disk_usage", lambda _path: Usage())
    status, checks = ready(company)
    assert (status, checks["disk"], checks["database"]) == (503, False, True)


def test_workers_that_do_not_look_for_jobs_any_more_are_named(company: Company) -> None:
    company.runtime.queue.start()
    assert ready(company) == (200, {"database": True, "schema": True, "disk": True, "worker": True})

    # The dispatcher's next look fails, and every one after it.
    with wait_for_log("jobs.database_unavailable"), file_of(company) as other:
        other.execute("ALTER TABLE job RENAME TO job_elsewhere")
    company.clock.advance(29)
    assert ready(company)[0] == 200
    company.clock.advance(2)

    assert ready(company) == (503, {"database": True, "schema": True, "disk": True, "worker": False})
    company.runtime.queue.stop()
    assert "worker" not in ready(company)[1]


@pytest.mark.both
def test_the_heartbeat_is_that_of_started_workers(company: Company) -> None:
    queue = company.runtime.queue
    assert queue.beat_age_s() is None

    queue.start()
    age_s = queue.beat_age_s()
    queue.stop()

    assert age_s == 0.0
    assert queue.beat_age_s() is None
