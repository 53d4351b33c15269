"""The embedded engine's dispatcher keeps its leases, leaves its own jobs alone, and an idle database too."""

import threading

import pytest
from job_tools import PATIENCE_S, CountingDatabase

from wecom_app.adapters.jobs import dispatcher


@pytest.fixture
def database(database_url):
    opened = CountingDatabase(database_url)
    yield opened
    opened.close()


@pytest.fixture(autouse=True)
def _poll_often(monkeypatch):
    monkeypatch.setattr(dispatcher, "POLL_S", 0.01)


class Held:
    """A handler that runs until it is released."""

    def __init__(self) -> None:
        self.begun, self.release = threading.Event(), threading.Event()
        self.runs = 0

    def __call__(self, _runtime, _args):
        self.runs += 1
        self.begun.set()
        assert self.release.wait(PATIENCE_S)


def test_an_idle_process_writes_nothing(database, make_queue):
    queue = make_queue({})
    queue.start()

    database.wait_for_reads(6)
    queue.stop(PATIENCE_S)

    assert database.writes == 0


def test_a_running_job_keeps_its_lease_as_long_as_its_process_lives(database, make_queue, add, view, clock):
    work = Held()
    queue, other = make_queue({"work": work}), make_queue({"work": work})
    job_id = add(queue, "work")
    queue.start()
    assert work.begun.wait(PATIENCE_S)

    for _ in range(5):
        writes = database.writes
        clock.advance(4)
        database.wait_for_writes(writes + 1)

    assert not other.step()
    work.release.set()
    queue.stop(PATIENCE_S)
    assert (view(queue, job_id).state, work.runs) == ("done", 1)


def test_a_process_never_takes_its_own_live_job_for_lost(database, make_queue, add, view, clock):
    """As after the machine slept: every lease has run out, and the jobs go on."""
    work = Held()
    queue = make_queue({"work": work})
    job_id = add(queue, "work")
    queue.start()
    assert work.begun.wait(PATIENCE_S)

    for _ in range(2):
        writes, reads = database.writes, database.reads
        clock.advance(3600)
        database.wait_for_writes(writes + 1)
        database.wait_for_reads(reads + 3)
    work.release.set()
    queue.stop(PATIENCE_S)

    assert (view(queue, job_id).state, view(queue, job_id).attempts, work.runs) == ("done", 1, 1)
