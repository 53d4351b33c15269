"""Four real processes fire a hundred due times of one database, while some are killed, ended and held: each once."""

import os
import select
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from datetime import timedelta
from pathlib import Path
from typing import cast

import pytest
from sqlalchemy import func
from sqlalchemy import select as query

from tests.adapters.jobs.job_worker import open_queue
from tests.flows.schedule_worker import JOBS, WORK
from wecom_app.clock import SystemClock
from wecom_app.db import Database
from wecom_app.models import Schedule, ScheduleRun
from wecom_app.services import schedule_runs
from wecom_app.services.schedule_kinds import KINDS, ScheduleKind

pytestmark = [pytest.mark.both, pytest.mark.slow]
PROGRAM = Path(__file__).with_name("schedule_worker.py")
ROOT = Path(__file__).parents[2]
TIMES = 100
PATIENCE_S = 300


class Workers:
    """Processes that print into one pipe; `at` says after how many printed lines what happens to one of them."""

    def __init__(self, url: str, output: int) -> None:
        self._url, self._output = url, output
        self.running: list[subprocess.Popen[bytes]] = []
        self.held: list[subprocess.Popen[bytes]] = []
        self._all: list[subprocess.Popen[bytes]] = []
        for _ in range(4):
            self.start()

    def start(self) -> None:
        process = subprocess.Popen(
            [sys.executable, str(PROGRAM), self._url],
            stdin=subprocess.PIPE,
            stdout=self._output,
            env={**os.environ, "PYTHONPATH": str(ROOT)},
        )
        self.running.append(process)
        self._all.append(process)

    def lose(self, how: signal.Signals) -> None:
        """End one process without a word, and start another in its place."""
        process = self.running.pop(0)
        process.send_signal(how)
        process.wait(30)
        self.start()

    def hold(self) -> None:
        process = self.running.pop(0)
        process.send_signal(signal.SIGSTOP)
        self.held.append(process)

    def release(self) -> None:
        for process in self.held:
            process.send_signal(signal.SIGCONT)
            self.running.append(process)
        self.held.clear()

    def close(self) -> None:
        self.release()
        for process in self._all:
            assert process.stdin is not None
            process.stdin.close()
            process.wait(30)


@pytest.fixture
def lines() -> Iterator[tuple[int, int]]:
    reading, writing = os.pipe()
    yield reading, writing
    os.close(reading)
    os.close(writing)


def make_due(database: Database) -> None:
    """Half the times are due already, the others fall due one after another in the next seconds."""
    now = SystemClock().now()
    with database.write() as session:
        for number in range(TIMES):
            session.add(
                Schedule(
                    kind="work",
                    name="试做",
                    cron="0 0 1 1 *",
                    time_zone="UTC",
                    args={"number": number},
                    misfire_grace_s=3600,
                    next_at=now + timedelta(milliseconds=max(0, number - TIMES // 2) * 100),
                    created_by="tests",
                    updated_by="tests",
                    created_at=now,
                    updated_at=now,
                )
            )


def ended(database: Database) -> Counter[str]:
    with database.read() as session:
        return Counter(session.scalars(query(ScheduleRun.state)))


def test_each_of_a_hundred_times_fires_one_job_in_whatever_happens_to_processes(
    database_url: str, database: Database, lines: tuple[int, int], monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(cast("dict[str, ScheduleKind]", KINDS), "work", WORK)
    make_due(database)
    reading, writing = lines
    workers = Workers(database_url, writing)
    acts = [
        (10, lambda: workers.lose(signal.SIGKILL)),
        (25, workers.hold),
        (45, workers.release),
        (55, lambda: workers.lose(signal.SIGTERM)),
        (75, lambda: workers.lose(signal.SIGKILL)),
    ]
    printed = b""
    deadline = time.monotonic() + PATIENCE_S
    try:
        while ended(database)["done"] < TIMES and time.monotonic() < deadline:
            if select.select([reading], [], [], 1.5)[0]:
                printed += os.read(reading, 256)
            else:
                # One that was held in a transaction may hold up all the others.
                workers.release()
            while acts and printed.count(b"\n") >= acts[0][0]:
                acts.pop(0)[1]()
    finally:
        workers.close()

    assert acts == []
    assert ended(database) == {"done": TIMES}
    assert {int(number) for number in printed.split()} == set(range(TIMES))
    with database.read() as session:
        runs_each = query(func.count()).select_from(ScheduleRun).group_by(ScheduleRun.schedule_id)
        assert set(session.scalars(runs_each)) == {1}
        jobs = open_queue(database_url, JOBS).list_jobs(session, kind=schedule_runs.KIND, limit=200).items
    assert len(jobs) == TIMES
