"""Moments between two transactions, or between a look and a notification, that the cluster engine must survive."""

import asyncio
import json
import threading
from concurrent.futures import ThreadPoolExecutor

import pytest
from job_tools import PATIENCE_S
from sqlalchemy import text

from wecom_app.adapters.jobs.cluster.carrier import ConnectorException
from wecom_app.adapters.jobs.cluster.manager import ClaimingManager
from wecom_app.adapters.jobs.cluster.store import ClusterStore
from wecom_app.adapters.jobs.outcomes import SUPERSEDED, Outcome
from wecom_app.services.runtime import LANES

pytestmark = pytest.mark.both


def in_a_loop_of_its_own(work):
    """Run a coroutine function in another thread: a browser's tests before may have left this one's loop running."""
    with ThreadPoolExecutor(1) as pool:
        return pool.submit(lambda: asyncio.run(work())).result(PATIENCE_S)


def wait_until_blocked(database):
    """Return once some session of this database waits for another one's lock."""
    pause = threading.Event()
    for _ in range(100 * PATIENCE_S):
        with database.read() as session:
            blocked = session.execute(
                text(
                    "SELECT count(*) FROM pg_stat_activity"
                    " WHERE datname = current_database() AND wait_event_type = 'Lock'"
                )
            )
            if blocked.scalar():
                return
        pause.wait(0.01)
    raise AssertionError("nobody is blocked")


def test_an_enqueue_that_loses_the_race_for_a_name_leaves_its_transaction_usable(database, make_queue, notes):
    queue = make_queue({"note": notes})

    def enqueue_two():
        with database.write() as session:
            return [queue.enqueue(session, "note", {"name": name}, lane="local", unique=name) for name in ("u", "v")]

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            assert queue.enqueue(session, "note", {"name": "u"}, lane="local", unique="u") is not None
            second = pool.submit(enqueue_two)
            wait_until_blocked(database)
        lost, won = second.result(PATIENCE_S)

    assert lost is None
    assert won is not None


def test_a_retry_that_loses_the_race_against_its_twin_is_dropped(database, make_queue, add, view, clock):
    queue, store = make_queue({"work": None}), ClusterStore(clock, tuple(LANES), 10.0)
    retry = Outcome("retrying", 5.0, "down")
    claims = []
    for _ in range(2):
        add(queue, "work", unique="u")
        with database.write() as session:
            claims.append(store.claim(session, store.register(session)))

    def write_second():
        with database.write() as session:
            store.write_back(session, claims[1], retry)

    with ThreadPoolExecutor(1) as pool:
        with database.write() as session:
            store.write_back(session, claims[0], retry)
            second = pool.submit(write_second)
            wait_until_blocked(database)
        second.result(PATIENCE_S)

    assert view(queue, claims[0].job.id).state == "retrying"
    assert view(queue, claims[1].job.id).last_error == SUPERSEDED


class LateNotification:
    """A connector whose first look finds nothing, and is told of a job while it looks."""

    def __init__(self, row):
        self.looks, self.row = 0, row

    async def listen_notify(self, on_notification, channels):
        self.notify = on_notification
        await asyncio.Event().wait()

    async def execute_query_all_async(self, query, **parameters):
        self.looks += 1
        if self.looks > 1:
            return [self.row]
        await self.notify(channel="any", payload=json.dumps({"type": "job_inserted", "job_id": 1}))
        return []


def test_a_notification_that_comes_during_a_look_makes_it_look_again(backend, clock):
    row = {
        "id": 1,
        "kind": "work",
        "lane": "local",
        "args": {},
        "queueing_lock": None,
        "lock": None,
        "attempts": 0,
        "worker_id": 7,
        "created_at": clock.now(),
    }
    connector, claimed = LateNotification(row), []

    async def listen_and_fetch():
        manager = ClaimingManager(connector, clock, claimed.append, print)

        async def ignore(**_):
            pass

        listening = asyncio.create_task(manager.listen_for_jobs(on_notification=ignore, queues=["local"]))
        await asyncio.sleep(0)
        job = await manager.fetch_job(["local"], 7)
        listening.cancel()
        return job

    job = in_a_loop_of_its_own(listen_and_fetch)

    assert (job.id, job.task_kwargs, connector.looks) == (1, {}, 2)
    assert [claim.job.id for claim in claimed] == [1]


class BrokenConnector:
    async def execute_query_all_async(self, query, **parameters):
        raise ConnectorException

    async def execute_query_async(self, query, **parameters):
        raise ConnectorException


def test_a_database_that_refuses_ends_neither_the_fetch_nor_the_heartbeat(backend, clock, caplog):
    beats = []

    async def use():
        manager = ClaimingManager(BrokenConnector(), clock, print, lambda: beats.append(1))
        await manager.update_heartbeat(7)
        return [await manager.fetch_job(["local"], 7) for _ in range(3)]

    assert in_a_loop_of_its_own(use) == [None, None, None]
    assert beats == []
    ours = [record.getMessage() for record in caplog.records if record.name.startswith("wecom_app")]
    assert ours == ["jobs.database_trouble"]
