"""What only the embedded engine promises: jobs of dead processes at once, and nothing lost to a locked database."""

import os
import sqlite3
import subprocess
import sys
import threading

import pytest
from job_tools import PATIENCE_S, wait_for_log

import wecom_app.db
from wecom_app.adapters.jobs import leases
from wecom_app.adapters.jobs.outcomes import LOST
from wecom_app.clock import SystemClock
from wecom_app.services.runtime import SimulatedCrash


def own_job(database, job_id, owner):
    with database.write() as session:
        session.connection().exec_driver_sql("UPDATE job SET lease_owner = ? WHERE id = ?", (owner, job_id))


def crash(_runtime, _args):
    raise SimulatedCrash


def owner_of_an_ended_process():
    host, _, _ = leases.name_owner().split(":")
    process = subprocess.Popen([sys.executable, "-c", "input()"], stdin=subprocess.PIPE)
    start = leases._start_of(process.pid)
    process.communicate()
    return f"{host}:{process.pid}.{start}:abcd"


@pytest.mark.parametrize("lane", ["welcome", "bulk"])
def test_a_job_of_a_dead_process_of_this_host_is_run_again_at_once(database, make_queue, add, view, notes, lane):
    crashed, queue = make_queue({"work": crash}), make_queue({"work": notes})
    job_id = add(crashed, "work", "x", lane=lane)
    with pytest.raises(SimulatedCrash):
        crashed.step()
    assert not queue.step(), "its process is alive"

    own_job(database, job_id, owner_of_an_ended_process())

    assert queue.step()
    assert notes.names == ["x"]


@pytest.mark.parametrize(
    "change",
    [
        lambda host, process, start: f"elsewhere:{process}.{start}:abcd",
        lambda host, process, start: f"{host}:{process}.:abcd",
        lambda host, process, start: "nonsense",
    ],
    ids=["another host", "no start time", "not a name of ours"],
)
def test_an_owner_that_is_not_proved_dead_keeps_its_job(database, make_queue, add, notes, clock, change):
    crashed, queue = make_queue({"work": crash}), make_queue({"work": notes})
    job_id = add(crashed, "work", "x")
    with pytest.raises(SimulatedCrash):
        crashed.step()
    host, process, _ = leases.name_owner().split(":")
    pid, _, start = process.partition(".")

    own_job(database, job_id, change(host, pid, start))

    assert not queue.step()
    clock.advance(11)
    assert queue.step()


def test_a_process_id_that_another_process_has_got_is_no_owner():
    host, process, _ = leases.name_owner().split(":")
    pid, _, start = process.partition(".")

    assert int(pid) == os.getpid()
    assert not leases.is_ended(f"{host}:{pid}.{start}:abcd")
    assert leases.is_ended(f"{host}:{pid}.{int(start) + 1}:abcd")


def test_a_process_that_waits_to_be_reaped_has_ended():
    host, _, _ = leases.name_owner().split(":")
    process = subprocess.Popen([sys.executable, "-c", "print(input())"], stdin=subprocess.PIPE, stdout=subprocess.PIPE)
    owner = f"{host}:{process.pid}.{leases._start_of(process.pid)}:abcd"
    assert not leases.is_ended(owner)

    process.kill()
    os.waitid(os.P_PID, process.pid, os.WEXITED | os.WNOWAIT)

    assert leases.is_ended(owner)
    process.communicate()


def test_two_owners_are_never_named_alike():
    assert leases.name_owner() != leases.name_owner()
    assert len(leases.name_owner()) <= 96


def test_a_locked_database_does_not_lose_a_result(database, add, view, make_queue, monkeypatch, caplog):
    monkeypatch.setattr(wecom_app.db, "LOCK_WAIT_S", 0.05)
    begun, release = threading.Event(), threading.Event()
    runs = []

    def work(_runtime, _args):
        runs.append(1)
        begun.set()
        assert release.wait(PATIENCE_S)

    queue = make_queue({"work": work})
    job_id = add(queue, "work")
    queue.start()
    assert begun.wait(PATIENCE_S)
    locker = sqlite3.connect(database.url.database, isolation_level=None)
    locker.execute("BEGIN EXCLUSIVE")
    with wait_for_log("jobs.database_unavailable"):
        release.set()
    assert view(queue, job_id).state == "running"

    locker.execute("ROLLBACK")
    locker.close()
    queue.stop(PATIENCE_S)

    assert view(queue, job_id).state == "done"
    assert runs == [1]


def test_stop_takes_no_new_job_when_a_thread_falls_free(make_queue, add, view, monkeypatch):
    begun, release = threading.Event(), threading.Event()

    def work(_runtime, _args):
        begun.set()
        assert release.wait(PATIENCE_S)

    queue = make_queue({"work": work}, lanes={"local": 1})
    first, second = add(queue, "work"), add(queue, "work")
    queue.start()
    assert begun.wait(PATIENCE_S)
    changed = queue._dispatcher._changed
    real_wait_for = changed.wait_for

    def release_and_wait_for(*arguments):
        release.set()
        return real_wait_for(*arguments)

    monkeypatch.setattr(changed, "wait_for", release_and_wait_for)
    queue.stop(PATIENCE_S)

    assert (view(queue, first).state, view(queue, second).state) == ("done", "waiting")


def test_a_dispatcher_that_fails_goes_on(make_queue, add, view, monkeypatch):
    queue = make_queue({"work": lambda runtime, args: ran.set()})
    ran = threading.Event()
    real, failures = queue._store.claim, [OSError("disk full")]

    def claim(session, free):
        if failures:
            raise failures.pop()
        return real(session, free)

    monkeypatch.setattr(queue._store, "claim", claim)
    queue.start()
    job_id = add(queue, "work")

    assert ran.wait(PATIENCE_S)
    queue.stop(PATIENCE_S)
    assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("done", 1)


def test_a_lost_job_says_so_until_it_ends(make_queue, add, view, clock, notes):
    faults = [1]

    def crash_once(runtime, args):
        if faults:
            raise SimulatedCrash
        assert view(queue, job_id).last_error == f"{LOST} (1)"

    queue = make_queue({"work": crash_once})
    job_id = add(queue, "work")
    with pytest.raises(SimulatedCrash):
        queue.step()
    faults.clear()
    clock.advance(11)
    assert queue.step()

    assert (view(queue, job_id).state, view(queue, job_id).last_error) == ("done", None)


def test_while_welcomes_queue_up_the_other_lanes_run_one_job_at_a_time(database, make_queue, add, view):
    welcoming, bulk_began, go_on = threading.Event(), threading.Event(), threading.Event()

    def welcome(_runtime, _args):
        welcoming.set()
        assert go_on.wait(PATIENCE_S)

    def bulk(_runtime, _args):
        bulk_began.set()
        assert go_on.wait(PATIENCE_S)

    queue = make_queue({"welcome": welcome, "bulk": bulk}, lanes={"welcome": 1, "bulk": 4}, clock=SystemClock())
    queue.start()
    add(queue, "welcome", lane="welcome")
    assert welcoming.wait(PATIENCE_S)

    with database.write() as session:
        jobs = [queue.enqueue(session, "bulk", {"name": None}, lane="bulk") for _ in range(4)]
    queue.wake()
    assert bulk_began.wait(PATIENCE_S)

    # What one cycle claims it claims together: the first has begun, so the others were passed over.
    with database.read() as session:
        states = [queue.get_job(session, job_id).state for job_id in jobs]
    assert sorted(states) == ["running", "waiting", "waiting", "waiting"]
    go_on.set()
    queue.stop()
