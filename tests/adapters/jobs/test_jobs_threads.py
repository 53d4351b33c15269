"""Started queues: worker threads of several lanes, two queues on one database, and an orderly stop."""

import threading

import pytest
from job_tools import PATIENCE_S

from wecom_app.clock import SystemClock
from wecom_app.errors import WeComThrottled
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both


class Overlaps:
    """A handler that notes per key what ran, and whether two of a key ever ran at once."""

    def __init__(self, expected: int) -> None:
        self.lock = threading.Lock()
        self.running: set[object] = set()
        self.order: dict[object, list[int]] = {}
        self.overlapped = False
        self.left = expected
        self.all_ran = threading.Event()

    def __call__(self, _runtime, args):
        key, number = args["name"]
        with self.lock:
            self.overlapped |= key in self.running
            self.running.add(key)
            self.order.setdefault(key, []).append(number)
        with self.lock:
            self.running.discard(key)
            self.left -= 1
            if self.left == 0:
                self.all_ran.set()


def test_jobs_of_a_key_never_overlap_or_overtake_in_many_threads_of_two_queues(make_queue, add):
    handler = Overlaps(expected=48)
    queues = [make_queue({"work": handler}, lanes={"event": 4}, clock=SystemClock()) for _ in range(2)]
    for number in range(12):
        for key in "abcd":
            add(queues[0], "work", (key, number), lane="event", key=key, priority=number % 3)

    for queue in queues:
        queue.start()
    assert handler.all_ran.wait(PATIENCE_S)
    for queue in queues:
        queue.stop()

    assert not handler.overlapped
    assert handler.order == {key: list(range(12)) for key in "abcd"}


def test_a_lane_runs_as_many_jobs_at_once_as_it_has_threads(make_queue, add):
    together = threading.Barrier(3)
    queue = make_queue({"meet": lambda runtime, args: together.wait(PATIENCE_S)}, clock=SystemClock())
    queue.start(["event"])

    for _ in range(2):
        add(queue, "meet", lane="event")

    together.wait(PATIENCE_S)
    queue.stop()


def test_a_full_lane_does_not_hold_up_another(make_queue, add):
    release, welcomed = threading.Event(), threading.Event()
    kinds = {
        "bulk": lambda runtime, args: release.wait(PATIENCE_S),
        "welcome": lambda runtime, args: welcomed.set(),
    }
    queue = make_queue(kinds, lanes={"welcome": 1, "bulk": 2}, clock=SystemClock())
    for _ in range(20):
        add(queue, "bulk", lane="bulk", priority=9)
    queue.start()

    add(queue, "welcome", lane="welcome")

    assert welcomed.wait(PATIENCE_S)
    release.set()


def test_only_the_lanes_that_were_started_run(database, make_queue, add, notes):
    ran = threading.Event()
    queue = make_queue({"note": notes, "end": lambda runtime, args: ran.set()}, clock=SystemClock())
    add(queue, name="elsewhere", lane="welcome", priority=9)
    add(queue, "end", lane="push")

    queue.start(["push", "local"])
    assert ran.wait(PATIENCE_S)
    queue.stop()

    assert notes.names == []
    with database.read() as session:
        assert queue.count_by_state(session) == {("welcome", "waiting"): 1}


def test_a_lane_that_there_is_not_is_refused(make_queue):
    queue = make_queue({})

    with pytest.raises(ValueError, match="nowhere"):
        queue.start(["local", "nowhere"])


def test_workers_tell_how_long_ago_they_looked_for_work(make_queue, add, clock):
    ran = threading.Event()
    queue = make_queue({"work": lambda runtime, args: ran.set()}, heartbeat_s=0.05)
    assert queue.beat_age_s() is None

    queue.start()
    add(queue, "work")
    assert ran.wait(PATIENCE_S)
    clock.advance(100)
    pause = threading.Event()
    for _ in range(100 * PATIENCE_S):
        if queue.beat_age_s() == 0:
            break
        pause.wait(0.01)

    assert queue.beat_age_s() == 0
    queue.stop(PATIENCE_S)
    assert queue.beat_age_s() is None


def test_a_started_queue_cannot_be_started_twice(make_queue):
    queue = make_queue({}, lanes={"local": 1})
    queue.start()

    with pytest.raises(RuntimeError, match="already"):
        queue.start()


def test_stop_lets_a_running_job_finish_and_writes_its_result(make_queue, add, view):
    begun, release = threading.Event(), threading.Event()

    def work(_runtime, _args):
        begun.set()
        assert release.wait(PATIENCE_S)

    queue = make_queue({"work": work}, clock=SystemClock())
    job_id = add(queue, "work")
    queue.start()
    assert begun.wait(PATIENCE_S)
    stopping = threading.Thread(target=queue.stop, args=(PATIENCE_S,))
    stopping.start()
    release.set()
    stopping.join(PATIENCE_S)

    assert not stopping.is_alive()
    assert view(queue, job_id).state == "done"


def test_stop_takes_no_new_job_and_gives_back_what_does_not_finish_in_time(make_queue, add, view):
    begun, release = threading.Event(), threading.Event()
    ran_elsewhere = threading.Semaphore(0)

    def hang(_runtime, _args):
        begun.set()
        release.wait(PATIENCE_S)

    queue = make_queue({"work": hang}, lanes={"local": 1}, clock=SystemClock())
    job_ids = [add(queue, "work"), add(queue, "work")]
    queue.start()
    assert begun.wait(PATIENCE_S)
    queue.stop(0.01)

    for job_id in job_ids:
        assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("waiting", 0)
    other = make_queue({"work": lambda runtime, args: ran_elsewhere.release()}, clock=SystemClock())
    other.start()
    for _ in job_ids:
        assert ran_elsewhere.acquire(timeout=PATIENCE_S)
    other.stop(PATIENCE_S)
    release.set()
    for job_id in job_ids:
        assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("done", 1)


def test_a_stopped_queue_can_be_started_again(make_queue, add):
    ran = [threading.Event(), threading.Event()]
    queue = make_queue({"work": lambda runtime, args: ran[args["name"]].set()}, clock=SystemClock())

    for turn in range(2):
        queue.start()
        add(queue, "work", turn)
        assert ran[turn].wait(PATIENCE_S)
        queue.stop(PATIENCE_S)
        queue.stop(PATIENCE_S)


def test_a_crash_in_a_thread_neither_ends_the_lane_nor_writes_a_result(make_queue, add, view):
    ran = threading.Event()

    def crash(_runtime, _args):
        raise SimulatedCrash

    queue = make_queue(
        {"crash": crash, "work": lambda runtime, args: ran.set()}, lanes={"local": 1}, clock=SystemClock()
    )
    crashed = add(queue, "crash", priority=9)
    add(queue, "work")

    queue.start()
    assert ran.wait(PATIENCE_S)
    queue.stop(PATIENCE_S)

    assert view(queue, crashed).state in {"running", "retrying"}, "found lost, or not yet"


def test_a_job_whose_thread_crashed_is_found_lost_and_run_again(make_queue, add, view, clock):
    crashes, ran = [SimulatedCrash()], threading.Event()

    def crash_once(_runtime, _args):
        if crashes:
            raise crashes.pop()
        ran.set()

    queue = make_queue({"work": crash_once})
    queue.start()
    job_id = add(queue, "work")

    while not ran.wait(0.05):
        assert clock.monotonic() < 60 * PATIENCE_S
        clock.advance(5)
    queue.stop(PATIENCE_S)
    assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("done", 2)


def test_a_failed_job_is_tried_again_by_the_workers(make_queue, add, view):
    faults, ran = [WeComThrottled(retry_after_s=0.0)], threading.Event()

    def stumble(_runtime, _args):
        if faults:
            raise faults.pop()
        ran.set()

    queue = make_queue({"work": stumble}, clock=SystemClock())
    queue.start()
    job_id = add(queue, "work", key="li")

    assert ran.wait(PATIENCE_S)
    queue.stop(PATIENCE_S)
    assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("done", 2)
