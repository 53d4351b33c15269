"""What runs next: keys, priorities, lanes and times."""

from datetime import timedelta

import pytest
from job_tools import run_all

from wecom_app.errors import AppError

pytestmark = pytest.mark.both
FAR = timedelta(days=3650)


class OutsideFault(AppError):
    retryable = True


def test_jobs_of_one_key_run_in_order_of_id_whatever_their_priority(make_queue, add, notes):
    queue = make_queue({"note": notes})
    for name, priority in ((1, 0), (2, 9), (3, -5), (4, 9)):
        add(queue, name=name, key="li", priority=priority)

    run_all(queue)

    assert notes.names == [1, 2, 3, 4]


def test_larger_priority_goes_first_and_then_the_older(make_queue, add, notes):
    queue = make_queue({"note": notes})
    for name, options in (
        ("a", {}),
        ("b", {"priority": 5}),
        ("c", {"priority": 5, "key": "k"}),
        ("d", {"priority": 9}),
    ):
        add(queue, name=name, **options)

    run_all(queue)

    assert notes.names == ["d", "b", "c", "a"]


def test_the_same_key_in_another_lane_is_another_key(make_queue, add, notes):
    queue = make_queue({"note": notes, "fail": fail_always})
    add(queue, "fail", key="li", lane="event")
    add(queue, name="pushed", key="li", lane="push")

    run_all(queue)

    assert notes.names == ["pushed"]


def test_lanes_are_stepped_in_their_fixed_order(make_queue, add, notes):
    queue = make_queue({"note": notes})
    for lane in ("local", "bulk", "push", "event", "welcome"):
        add(queue, name=lane, lane=lane, priority=1 if lane == "bulk" else 0)

    run_all(queue)

    assert notes.names == ["welcome", "event", "push", "bulk", "local"]


def test_a_job_of_the_far_future_does_not_run_yet(make_queue, add, notes, clock):
    queue = make_queue({"note": notes})
    due = clock.now() + FAR
    add(queue, name="later", run_at=due)
    add(queue, name="now", run_at=clock.now() - FAR)

    run_all(queue)
    assert notes.names == ["now"]
    assert queue.next_due() == due

    clock.advance(FAR.total_seconds())
    run_all(queue)
    assert notes.names == ["now", "later"]
    assert queue.next_due() is None


def test_a_job_in_back_off_keeps_its_place_in_the_key(make_queue, add, view, clock, notes):
    faults = [OutsideFault(), OutsideFault()]

    def stumble(runtime, args):
        notes(runtime, args)
        if faults:
            raise faults.pop()

    queue = make_queue({"stumble": stumble, "note": notes})
    first = add(queue, "stumble", name="first", key="li")
    add(queue, name="second", key="li", priority=9)
    add(queue, name="stranger", key="chen")

    run_all(queue)
    assert notes.names == ["first", "stranger"]
    assert view(queue, first).state == "retrying"
    assert queue.next_due() == view(queue, first).run_at

    for _ in range(2):
        clock.advance(61)
        run_all(queue)
    assert notes.names == ["first", "stranger", "first", "first", "second"]


def test_a_dead_head_lets_its_followers_proceed(make_queue, add, view, notes):
    queue = make_queue({"note": notes, "fail": fail_always})
    head = add(queue, "fail", key="li")
    add(queue, name="follower", key="li")

    run_all(queue)

    assert view(queue, head).state == "dead"
    assert notes.names == ["follower"]


def test_a_cancelled_head_lets_its_followers_proceed(database, make_queue, add, view, notes):
    queue = make_queue({"note": notes})
    head = add(queue, name="head", key="li")
    add(queue, name="follower", key="li")

    with database.write() as session:
        assert queue.cancel(session, head)
    run_all(queue)

    assert notes.names == ["follower"]
    assert view(queue, head).state == "dead"


def test_a_replayed_job_waits_for_the_one_of_its_key_that_runs(database, make_queue, add, notes):
    """The replayed job has the lower id, and still two of a key never run at once."""
    ran_meanwhile = []

    def replay_the_dead(runtime, args):
        with database.write() as session:
            assert queue.replay(session, dead)
        ran_meanwhile.append(other.step())
        notes(runtime, args)

    kinds = {"fail": fail_once(notes), "replay": replay_the_dead}
    queue, other = make_queue(kinds), make_queue(kinds)
    dead = add(queue, "fail", name="dead", key="li")
    add(queue, "replay", name="follower", key="li")

    run_all(queue)

    assert ran_meanwhile == [False]
    assert notes.names == ["dead", "follower", "dead"]


def fail_always(_runtime, _args):
    raise AppError


def fail_once(notes):
    def handler(runtime, args):
        notes(runtime, args)
        if notes.names.count(args["name"]) == 1:
            raise AppError

    return handler
