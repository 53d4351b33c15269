"""At most one waiting job for a unique name of a kind."""

import threading

import pytest
from job_tools import run_all

from wecom_app.adapters.jobs.outcomes import SUPERSEDED
from wecom_app.errors import AppError, Unavailable

pytestmark = pytest.mark.both


def test_second_enqueue_of_a_waiting_name_gives_none_and_the_transaction_goes_on(database, make_queue, notes):
    queue = make_queue({"note": notes})

    with database.write() as session:
        first = queue.enqueue(session, "note", {"name": 1}, lane="local", unique="u")
        second = queue.enqueue(session, "note", {"name": 2}, lane="local", unique="u")
        third = queue.enqueue(session, "note", {"name": 3}, lane="local", unique="v")

    assert first is not None
    assert second is None
    assert third is not None
    run_all(queue)
    assert notes.names == [1, 3]


def test_a_unique_name_is_one_of_its_kind_only(make_queue, add, notes):
    queue = make_queue({"note": notes, "other": notes})

    assert add(queue, "note", 1, unique="u") is not None
    assert add(queue, "other", 2, unique="u") is not None


def test_a_name_is_free_again_once_its_job_is_done(make_queue, add, notes):
    queue = make_queue({"note": notes})
    add(queue, name=1, unique="u")
    run_all(queue)

    assert add(queue, name=2, unique="u") is not None
    run_all(queue)
    assert notes.names == [1, 2]


def test_a_running_job_does_not_count(make_queue, add, notes):
    added = []

    def add_another(runtime, args):
        notes(runtime, args)
        if len(added) < 2:
            added.append(add(queue, "again", "second", unique="u"))
            added.append(add(queue, "again", "third", unique="u"))

    queue = make_queue({"again": add_another})
    add(queue, "again", "first", unique="u")

    run_all(queue)

    assert added[0] is not None
    assert added[1] is None
    assert notes.names == ["first", "second"]


def test_a_retry_that_meets_a_waiting_twin_is_dropped(make_queue, add, view, clock, notes):
    def fail_after_a_twin_came(runtime, args):
        notes(runtime, args)
        if args["name"] == "first":
            twins.append(add(queue, "fail", "twin", unique="u"))
            raise Unavailable

    twins = []
    queue = make_queue({"fail": fail_after_a_twin_came})
    first = add(queue, "fail", "first", unique="u")

    run_all(queue)
    clock.advance(3600)
    run_all(queue)

    assert notes.names == ["first", "twin"]
    assert (view(queue, first).state, view(queue, first).last_error) == ("done", SUPERSEDED)
    assert view(queue, twins[0]).state == "done"


def test_a_job_in_back_off_is_no_waiting_job_but_drops_a_second_retry(make_queue, add, view, clock):
    """Otherwise each enqueue during an outage would leave one more job that retries for days."""
    faults = []

    def fail_while_it_is_down(runtime, args):
        if faults:
            raise Unavailable

    queue = make_queue({"fail": fail_while_it_is_down})
    faults.append("down")
    first = add(queue, "fail", unique="u")
    queue.step()
    second = add(queue, "fail", unique="u")
    queue.step()

    assert view(queue, first).state == "retrying"
    assert (view(queue, second).state, view(queue, second).last_error) == ("done", SUPERSEDED)
    faults.clear()
    clock.advance(61)
    assert queue.step()
    assert view(queue, first).state == "done"


def test_replay_is_refused_while_a_twin_waits(database, make_queue, add, view):
    def fail(runtime, args):
        raise AppError

    queue = make_queue({"fail": fail})
    dead = add(queue, "fail", unique="u")
    run_all(queue)
    add(queue, "fail", unique="u")

    with database.write() as session:
        assert not queue.replay(session, dead)
        assert queue.enqueue(session, "fail", {}, lane="local", unique="v") is not None

    assert view(queue, dead).state == "dead"


def test_two_transactions_at_once_add_one_job(database, make_queue, notes):
    queue = make_queue({"note": notes})
    start = threading.Barrier(4)
    ids = []

    def enqueue():
        start.wait(20)
        with database.write() as session:
            ids.append(queue.enqueue(session, "note", {"name": 1}, lane="local", unique="u"))

    threads = [threading.Thread(target=enqueue) for _ in range(4)]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join(20)

    assert len(ids) == 4
    assert len([job_id for job_id in ids if job_id is not None]) == 1
