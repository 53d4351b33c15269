"""What only the cluster engine has: Procrastinate's schema, its notifications, and a server that goes away."""

import importlib
import logging
import sys
import threading

import pytest
from job_tools import PATIENCE_S
from sqlalchemy import text

from wecom_app.adapters.jobs.cluster import install_schema, is_installed, workers
from wecom_app.adapters.jobs.cluster.manager import ClaimingManager
from wecom_app.clock import SystemClock
from wecom_app.errors import AppError, ConfigurationError

pytestmark = pytest.mark.both


@pytest.fixture
def start_without_poll(monkeypatch, add):
    """Start workers that see a job only because they are told; return once the lane listens and has no work."""
    monkeypatch.setattr(workers, "POLL_S", 3600.0)
    real_claim, idle = ClaimingManager._claim, threading.Event()

    async def note_and_claim(*arguments):
        claim = await real_claim(*arguments)
        if claim is None:
            idle.set()
        return claim

    monkeypatch.setattr(ClaimingManager, "_claim", note_and_claim)

    def start(queue, warmed):
        queue.start()
        # The first may have been found by the look at the start; the second tells that the lane listens.
        for _ in range(2):
            warmed.clear()
            idle.clear()
            add(queue, "warm", priority=9)
            while not warmed.wait(0.2):
                add(queue, "warm", priority=9)
            assert idle.wait(PATIENCE_S)

    return start


def run_sql(database, statement):
    with database.write() as session:
        session.execute(text(statement))


def set_event(event):
    return lambda _runtime, _args: event.set()


def test_installing_the_schema_again_changes_nothing(database, make_queue, add, view, notes):
    queue = make_queue({"note": notes})
    job_id = add(queue)

    with database.engine.connect() as connection, connection.begin():
        install_schema(connection)
        assert is_installed(connection)

    assert view(queue, job_id).state == "waiting"


def test_the_schema_belongs_to_the_callers_transaction(database):
    with database.engine.connect() as connection:
        with connection.begin() as transaction:
            connection.execute(text("CREATE SCHEMA elsewhere"))
            connection.execute(text("SET LOCAL search_path TO elsewhere"))
            assert not is_installed(connection)
            install_schema(connection)
            assert is_installed(connection)
            transaction.rollback()
        assert connection.execute(text("SELECT to_regnamespace('elsewhere')")).scalar() is None


def test_a_missing_extra_is_named(monkeypatch, database):
    for name in [name for name in sys.modules if name.startswith("wecom_app.adapters.jobs.cluster")]:
        monkeypatch.delitem(sys.modules, name)
    monkeypatch.setitem(sys.modules, "procrastinate", None)

    with pytest.raises(ConfigurationError, match=r"\[postgres\]"):
        importlib.import_module("wecom_app.adapters.jobs.cluster")


def test_the_next_job_of_a_key_starts_without_a_poll(make_queue, add, start_without_poll):
    ran, last, warmed = [], threading.Event(), threading.Event()

    def work(_runtime, args):
        ran.append(args["name"])
        if args["name"] == 19:
            last.set()

    queue = make_queue({"work": work, "warm": set_event(warmed)}, lanes={"local": 4}, clock=SystemClock())
    start_without_poll(queue, warmed)
    for name in range(20):
        add(queue, "work", name, key="li")

    assert last.wait(PATIENCE_S)
    assert ran == list(range(20))


def test_a_replayed_job_starts_without_a_poll(database, make_queue, add, start_without_poll):
    replayed, warmed, runs = threading.Event(), threading.Event(), []

    def fail_once(_runtime, _args):
        runs.append(1)
        if len(runs) == 1:
            raise AppError
        replayed.set()

    kinds = {"fail": fail_once, "warm": set_event(warmed)}
    queue = make_queue(kinds, lanes={"local": 1}, clock=SystemClock())
    dead = add(queue, "fail")
    assert queue.step()
    start_without_poll(queue, warmed)

    with database.write() as session:
        assert queue.replay(session, dead)

    assert replayed.wait(PATIENCE_S)


def test_the_follower_of_a_cancelled_job_starts_without_a_poll(database, make_queue, add, start_without_poll):
    followed, warmed = threading.Event(), threading.Event()
    kinds = {"follow": set_event(followed), "warm": set_event(warmed)}
    queue = make_queue(kinds, lanes={"local": 1}, clock=SystemClock())
    head = add(queue, "follow", key="li")
    run_sql(database, "UPDATE procrastinate_jobs SET scheduled_at = now() + interval '1 year'")
    add(queue, "follow", key="li")
    start_without_poll(queue, warmed)
    assert not followed.is_set()

    with database.write() as session:
        assert queue.cancel(session, head)

    assert followed.wait(PATIENCE_S)


def test_workers_survive_the_loss_of_every_connection(database, make_queue, add, view):
    ran = [threading.Event(), threading.Event()]
    queue = make_queue({"work": lambda runtime, args: ran[args["name"]].set()}, clock=SystemClock(), heartbeat_s=0.2)
    queue.start()
    add(queue, "work", 0)
    assert ran[0].wait(PATIENCE_S)

    run_sql(
        database,
        "SELECT pg_terminate_backend(pid) FROM pg_stat_activity"
        " WHERE datname = current_database() AND pid <> pg_backend_pid()",
    )
    job_id = add(queue, "work", 1)

    assert ran[1].wait(PATIENCE_S)
    queue.stop(PATIENCE_S)
    assert view(queue, job_id).state == "done"


def test_workers_go_on_after_their_rows_were_pruned(database, make_queue, add):
    ran = threading.Event()
    queue = make_queue({"work": set_event(ran)}, clock=SystemClock(), heartbeat_s=0.2)
    add(queue, "work")
    queue.start()
    assert ran.wait(PATIENCE_S)
    ran.clear()

    run_sql(database, "DELETE FROM procrastinate_workers")
    add(queue, "work")

    assert ran.wait(PATIENCE_S)


def test_a_result_is_written_though_the_row_of_its_worker_was_pruned(database, make_queue, add, view):
    def work(_runtime, _args):
        run_sql(database, "DELETE FROM procrastinate_workers")

    queue = make_queue({"work": work})
    job_id = add(queue, "work")

    assert queue.step()
    assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("done", 1)


def test_no_log_line_holds_the_arguments_of_a_job(make_queue, add, caplog):
    ran = threading.Event()

    def fail(_runtime, _args):
        ran.set()
        raise AppError

    caplog.set_level(logging.DEBUG)
    queue = make_queue({"work": fail}, clock=SystemClock())
    queue.start()
    add(queue, "work", "13800000000")
    assert ran.wait(PATIENCE_S)
    queue.stop(PATIENCE_S)

    assert "job.run" in caplog.text
    assert "13800000000" not in caplog.text
