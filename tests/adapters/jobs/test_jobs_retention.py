"""Done jobs go after 3 days, dead ones after 90, the rest never."""

import pytest
from job_tools import run_all

from wecom_app.errors import AppError

pytestmark = pytest.mark.both
DAY_S = 86_400.0


def fail(_runtime, _args):
    raise AppError


def test_old_jobs_are_deleted_by_their_state_and_age(database, make_queue, add, clock, notes):
    queue = make_queue({"note": notes, "fail": fail})
    done, dead = add(queue, "note"), add(queue, "fail")
    run_all(queue)
    waiting = add(queue, "note", unique="u")

    def left():
        deleted = queue.purge()
        with database.read() as session:
            return deleted, [job.id for job in queue.list_jobs(session).items]

    clock.advance(2.9 * DAY_S)
    assert left() == (0, [waiting, dead, done])
    clock.advance(0.2 * DAY_S)
    assert left() == (1, [waiting, dead])
    clock.advance(86.8 * DAY_S)
    assert left() == (0, [waiting, dead])
    clock.advance(0.2 * DAY_S)
    assert left() == (1, [waiting])
    clock.advance(1000 * DAY_S)
    assert left() == (0, [waiting])


def test_a_purge_takes_at_most_500_rows_a_transaction(database, make_queue, add, clock, notes):
    queue = make_queue({"note": notes})
    with database.write() as session:
        for _ in range(600):
            job_id = queue.enqueue(session, "note", {}, lane="local")
            assert job_id is not None
            queue.cancel(session, job_id)
    clock.advance(91 * DAY_S)

    assert [queue.purge() for _ in range(3)] == [500, 100, 0]
