"""What becomes of a job whose run fails, crashes, is replayed or cancelled."""

from datetime import timedelta

import pytest
from job_tools import run_all
from sqlalchemy import event

from wecom_app.adapters.jobs.outcomes import LOST, LOST_LIMIT
from wecom_app.errors import AppError, Unavailable, WeComThrottled
from wecom_app.services.ports import CANCELLED, JobPage
from wecom_app.services.runtime import JobKind, SimulatedCrash

pytestmark = pytest.mark.both


def raising(*errors):
    """A handler that raises these in turn, and then succeeds."""
    left = list(errors)

    def handler(_runtime, _args):
        if left:
            raise left.pop(0)

    return handler


def test_an_outside_fault_is_tried_again_ever_more_slowly(make_queue, add, view, clock):
    queue = make_queue({"fail": raising(*[Unavailable()] * 8)})
    job_id = add(queue, "fail")

    waits = []
    for _ in range(8):
        assert queue.step()
        job = view(queue, job_id)
        assert job.state == "retrying"
        waits.append((job.run_at - clock.now()).total_seconds())
        assert not queue.step()
        clock.advance(61)

    for wait, nominal in zip(waits, [1, 2, 4, 8, 16, 32, 60, 60], strict=True):
        assert nominal * 0.8 - 0.001 <= wait <= min(60, nominal * 1.2) + 0.001
    assert queue.step()
    assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("done", 9)


def test_a_throttled_job_waits_as_long_as_it_was_told(make_queue, add, view, clock):
    queue = make_queue({"fail": raising(WeComThrottled(retry_after_s=1234.0))})
    job_id = add(queue, "fail")

    queue.step()

    assert view(queue, job_id).run_at == clock.now() + timedelta(seconds=1234)


def test_an_outside_fault_is_given_up_once_the_job_is_old(make_queue, add, view, clock):
    queue = make_queue({"fail": JobKind(raising(*[Unavailable()] * 9), give_up_after=timedelta(hours=1))})
    job_id = add(queue, "fail")

    queue.step()
    clock.advance(3599)
    queue.step()
    assert view(queue, job_id).state == "retrying"
    clock.advance(61)
    queue.step()

    job = view(queue, job_id)
    assert (job.state, job.finished_at) == ("dead", clock.now())
    assert job.last_error == f"Unavailable: {Unavailable.default_message}"


def test_a_refusal_that_is_not_retryable_ends_the_job_at_once(make_queue, add, view):
    queue = make_queue({"fail": raising(AppError("不行"))})
    job_id = add(queue, "fail")

    run_all(queue)

    job = view(queue, job_id)
    assert (job.state, job.attempts, job.last_error) == ("dead", 1, "AppError: 不行")


def test_a_fault_of_ours_is_tried_a_few_times_and_logged_without_its_arguments(make_queue, add, view, clock, caplog):
    queue = make_queue({"fail": JobKind(raising(*[KeyError("boom")] * 9), max_attempts=3)})
    job_id = add(queue, "fail", name="13800000000")

    for _ in range(3):
        assert view(queue, job_id).state in {"waiting", "retrying"}
        assert queue.step()
        clock.advance(61)

    job = view(queue, job_id)
    assert (job.state, job.attempts, job.last_error) == ("dead", 3, "KeyError: 'boom'")
    assert "Traceback" in caplog.text
    assert "13800000000" not in caplog.text


def test_a_kind_that_this_version_does_not_know_is_left_to_another(make_queue, add, view, clock, notes):
    newer, older = make_queue({"new": notes}), make_queue({})
    job_id = add(newer, "new", name=1)

    assert older.step()
    job = view(older, job_id)
    assert (job.state, job.last_error) == ("retrying", "UnknownKind: new is not known to this version")
    clock.advance(61)
    assert newer.step()

    assert notes.names == [1]
    orphan = add(newer, "new", name=2)
    clock.advance(4 * 86_400)
    assert older.step()
    assert view(older, orphan).state == "dead"


def test_the_error_kept_holds_no_secret_and_no_second_line(make_queue, add, view):
    error = AppError("GET /gettoken?corpsecret=s3cret&debug=1 failed\n[parameters: ('13800000000',)]")
    queue = make_queue({"fail": raising(error)})
    job_id = add(queue, "fail")

    run_all(queue)

    assert view(queue, job_id).last_error == "AppError: GET /gettoken?corpsecret=…&debug=1 failed"


def test_a_replayed_job_starts_afresh(database, make_queue, add, view, clock):
    queue = make_queue({"fail": JobKind(raising(AppError(), Unavailable()), give_up_after=timedelta(hours=1))})
    job_id = add(queue, "fail")
    run_all(queue)
    clock.advance(7200)

    with database.write() as session:
        assert queue.replay(session, job_id)
        assert not queue.replay(session, job_id)
    job = view(queue, job_id)
    assert (job.state, job.attempts, job.finished_at) == ("waiting", 0, None)

    queue.step()
    assert view(queue, job_id).state == "retrying", "its age counts from the replay"
    clock.advance(61)
    queue.step()
    assert view(queue, job_id).state == "done"


def test_only_a_dead_job_can_be_replayed(database, make_queue, add, notes):
    queue = make_queue({"note": notes})
    job_id = add(queue, name=1)

    with database.write() as session:
        assert not queue.replay(session, job_id)
        assert not queue.replay(session, 987654)
    run_all(queue)
    with database.write() as session:
        assert not queue.replay(session, job_id)

    assert notes.names == [1]


def test_a_cancelled_job_is_dead_and_never_runs(database, make_queue, add, view, clock, notes):
    queue = make_queue({"note": notes, "fail": raising(Unavailable())})
    waiting, retrying = add(queue, name=1, lane="push"), add(queue, "fail", lane="event")
    queue.step()

    with database.write() as session:
        assert queue.cancel(session, waiting)
        assert queue.cancel(session, retrying)
        assert not queue.cancel(session, waiting)
        assert not queue.cancel(session, 987654)
    clock.advance(61)

    assert not queue.step()
    for job_id in (waiting, retrying):
        job = view(queue, job_id)
        assert (job.state, job.last_error, job.finished_at is None) == ("dead", CANCELLED, False)


def test_a_running_or_finished_job_cannot_be_cancelled(database, make_queue, add, view):
    answers = []

    def cancel_itself(_runtime, _args):
        with database.write() as session:
            answers.append(queue.cancel(session, job_id))

    queue = make_queue({"cancel": cancel_itself})
    job_id = add(queue, "cancel")
    run_all(queue)
    with database.write() as session:
        answers.append(queue.cancel(session, job_id))

    assert answers == [False, False]
    assert view(queue, job_id).state == "done"


def test_a_crash_leaves_the_job_running_until_its_lease_ends(make_queue, add, view, clock, notes):
    def crash(_runtime, _args):
        raise SimulatedCrash

    crashed = make_queue({"work": crash})
    job_id = add(crashed, "work", "x", key="li")
    with pytest.raises(SimulatedCrash):
        crashed.step()
    assert view(crashed, job_id).state == "running"

    restarted = make_queue({"work": notes})
    add(restarted, "work", "y", key="li")
    assert not restarted.step(), "the lease has not ended, and it holds the key"
    clock.advance(11)
    run_all(restarted)

    assert notes.names == ["x", "y"]
    assert (view(restarted, job_id).state, view(restarted, job_id).attempts) == ("done", 2)


def test_a_job_that_always_ends_its_process_is_given_up(make_queue, add, view, clock):
    def crash(_runtime, _args):
        raise SimulatedCrash

    queue = make_queue({"work": crash})
    job_id = add(queue, "work")
    crashes = 0
    for _ in range(2 * LOST_LIMIT):
        try:
            queue.step()
        except SimulatedCrash:
            crashes += 1
        clock.advance(61)

    assert crashes == LOST_LIMIT
    assert view(queue, job_id).state == "dead"
    assert view(queue, job_id).last_error == f"{LOST} ({LOST_LIMIT})"


def test_the_result_of_a_lost_lease_is_dropped(make_queue, add, view, clock, notes):
    """The first worker is so slow that a second one takes its job over and finishes it."""

    def be_slow(runtime, args):
        notes(runtime, args)
        if len(notes.names) == 1:
            clock.advance(11)
            assert other.step()
            assert view(other, job_id).state == "done"
            raise AppError("too late")

    queue, other = make_queue({"slow": be_slow}), make_queue({"slow": be_slow})
    job_id = add(queue, "slow", "x")

    assert queue.step()

    assert notes.names == ["x", "x"]
    assert (view(queue, job_id).state, view(queue, job_id).last_error) == ("done", None)


def test_a_late_result_does_not_touch_a_job_that_another_runs(make_queue, add, view, clock):
    def be_slow(_runtime, _args):
        clock.advance(11)
        with pytest.raises(SimulatedCrash):
            other.step()
        assert view(other, job_id).state == "running"

    def crash(_runtime, _args):
        raise SimulatedCrash

    queue, other = make_queue({"slow": be_slow}), make_queue({"slow": crash})
    job_id = add(queue, "slow")

    assert queue.step()

    assert (view(queue, job_id).state, view(queue, job_id).attempts) == ("running", 2)


def test_jobs_are_listed_newest_first_page_by_page(database, make_queue, add, notes):
    queue = make_queue({"note": notes})
    ids = [add(queue, name=number) for number in range(5)]
    queue.step()

    with database.read() as session:
        first = queue.list_jobs(session, limit=2)
        second = queue.list_jobs(session, limit=2, before_id=first.next_cursor)
        last = queue.list_jobs(session, limit=2, before_id=second.next_cursor)
        waiting = queue.list_jobs(session, state="waiting")
        assert queue.list_jobs(session, state="dead") == JobPage((), None)
        assert queue.get_job(session, 987654) is None

    newest = list(reversed(ids))
    assert [[job.id for job in page.items] for page in (first, second, last)] == [
        newest[:2],
        newest[2:4],
        newest[4:],
    ]
    assert last.next_cursor is None
    assert [job.id for job in waiting.items] == newest[:4]


def test_jobs_are_found_by_kind_and_by_a_text_in_their_error(database, make_queue, add, notes):
    queue = make_queue({"note": notes, "fail": raising(AppError("标签 A_b 不存在"), AppError("no a_b"))})
    first, second, other = add(queue, "fail"), add(queue, "fail"), add(queue, "note")
    run_all(queue)

    def found(**conditions):
        with database.read() as session:
            return [job.id for job in queue.list_jobs(session, **conditions).items]

    assert found(kind="fail") == [second, first]
    assert found(kind="note") == [other]
    assert found(error="A_b") == [first], "as it is written"
    assert found(error="%") == []
    assert found(kind="fail", error="no a_b", state="dead", before_id=second + 1) == [second]
    assert found(kind="fail", error="no a_b", before_id=second) == []


def test_a_queue_is_longer_than_a_number_by_what_is_due_in_its_lane(database, make_queue, add, notes, clock):
    queue = make_queue({"note": notes, "fail": raising(Unavailable())})
    add(queue, "fail", lane="push")
    run_all(queue)
    for _ in range(2):
        add(queue, lane="push")
        add(queue, lane="bulk")
    add(queue, lane="push", run_at=clock.now() + timedelta(days=1))

    def is_longer(than):
        with database.read() as session:
            return queue.is_queue_longer(session, "push", than)

    assert [is_longer(than) for than in (0, 1, 2)] == [True, True, False], "neither back-off nor what is for later"
    clock.advance(61)
    assert [is_longer(than) for than in (2, 3)] == [True, False], "a retry that is due stands in line"


def test_the_length_of_a_queue_is_asked_of_an_index(database, make_queue, notes):
    queue = make_queue({"note": notes})
    asked = []
    with database.read() as session:
        event.listen(session.connection(), "before_cursor_execute", lambda *given: asked.append(given[2:4]))
        queue.is_queue_longer(session, "push", 1000)
        ((text, parameters),) = [one for one in asked if "OFFSET" in one[0].upper()]
        if not database.is_sqlite:
            # With next to no rows a whole table is the cheapest way.
            session.connection().exec_driver_sql("SET LOCAL enable_seqscan = off")
        explain = "EXPLAIN QUERY PLAN " if database.is_sqlite else "EXPLAIN "
        plan = str(session.connection().exec_driver_sql(explain + text, parameters).all())

    # Of two indexes that begin alike PostgreSQL takes either while there are next to no rows.
    assert ("ix_job_ready" if database.is_sqlite else "Index Scan using") in plan


def test_counts_are_told_by_lane_and_state(database, make_queue, add, notes):
    queue = make_queue({"note": notes, "dead": raising(AppError()), "fail": raising(Unavailable())})
    add(queue, "dead", lane="push")
    add(queue, "fail", lane="event")
    add(queue, lane="welcome")
    run_all(queue)
    for _ in range(2):
        add(queue, lane="bulk")

    with database.read() as session:
        assert queue.count_by_state(session) == {
            ("push", "dead"): 1,
            ("event", "retrying"): 1,
            ("bulk", "waiting"): 2,
        }
