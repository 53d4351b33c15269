"""Enqueueing belongs to the caller's transaction; what could never run is refused."""

from datetime import timedelta

import pytest

from wecom_app.services.runtime import ENQUEUED

pytestmark = pytest.mark.both
FAR = timedelta(days=3650)


def test_rollback_takes_the_job_with_it(database, make_queue, notes):
    queue = make_queue({"note": notes})

    def enqueue_and_fail():
        with database.write() as session:
            queue.enqueue(session, "note", {"name": 1}, lane="local")
            raise ZeroDivisionError

    with pytest.raises(ZeroDivisionError):
        enqueue_and_fail()

    assert not queue.step()
    assert notes.names == []


def test_committed_job_runs_once_with_its_arguments(database, make_queue, add, view):
    seen = []
    queue = make_queue({"note": lambda runtime, args: seen.append((runtime.name, args))})
    with database.write() as session:
        job_id = queue.enqueue(session, "note", {"名": ["a", {"b": None}], "n": 1.5}, lane="local")
        assert session.info[ENQUEUED] is True

    assert queue.step()
    assert not queue.step()

    assert seen == [("the runtime", {"名": ["a", {"b": None}], "n": 1.5})]
    job = view(queue, job_id)
    assert (job.state, job.attempts, job.last_error) == ("done", 1, None)
    assert job.finished_at is not None


def test_waiting_job_is_shown_with_everything_that_was_asked(make_queue, add, view, clock, notes):
    queue = make_queue({"note": notes})

    job_id = add(queue, name="x", lane="push", key="li:1", unique="u:1", priority=7)

    job = view(queue, job_id)
    assert (job.id, job.kind, job.lane, job.state, job.key) == (job_id, "note", "push", "waiting", "li:1")
    assert (job.args, job.attempts, job.priority) == ({"name": "x"}, 0, 7)
    assert (job.run_at, job.created_at, job.finished_at) == (clock.now(), clock.now(), None)


@pytest.mark.parametrize(
    ("kind", "options", "text"),
    [
        ("nothing", {"lane": "local"}, "nothing"),
        ("note", {"lane": "nowhere"}, "nowhere"),
        ("note", {"lane": "local", "key": "k", "run_at": "future"}, "run_at"),
    ],
    ids=["unknown kind", "unknown lane", "key with run_at"],
)
def test_what_could_never_run_in_order_is_refused(database, make_queue, notes, clock, kind, options, text):
    queue = make_queue({"note": notes})
    if "run_at" in options:
        options = {**options, "run_at": clock.now() + FAR}

    with database.write() as session:
        with pytest.raises(ValueError, match=text):
            queue.enqueue(session, kind, {}, **options)
        assert ENQUEUED not in session.info

    assert queue.next_due() is None


def test_a_job_without_a_runtime_is_not_run(make_queue, add, notes):
    queue = make_queue({"note": notes}, bind=False)
    add(queue, name=1)

    with pytest.raises(RuntimeError, match="bind"):
        queue.step()
    with pytest.raises(RuntimeError, match="bind"):
        queue.start()

    assert notes.names == []
