"""A process knows how long ago its own workers last looked for work."""

import threading

import pytest
from job_tools import PATIENCE_S

from tests.conftest import START
from wecom_app.clock import ManualClock

pytestmark = pytest.mark.both

BEATING = ("job-dispatcher", "job-workers")


class NotedClock(ManualClock):
    """Lets a test wait until the beating thread has asked for the time so and so often."""

    def __init__(self) -> None:
        super().__init__(START)
        self._asked = threading.Condition()
        self._times = 0

    def monotonic(self) -> float:
        if threading.current_thread().name in BEATING:
            with self._asked:
                self._times += 1
                self._asked.notify_all()
        return super().monotonic()

    def wait_for_a_beat(self) -> None:
        # A cycle asks up to six times; the next one begins only after the beat of the one before.
        with self._asked:
            enough = self._times + 15
            assert self._asked.wait_for(lambda: self._times >= enough, PATIENCE_S)


def test_started_workers_beat_again_and_again(make_queue, notes):
    clock = NotedClock()
    queue = make_queue({"note": notes}, clock=clock, heartbeat_s=0.02, stalled_after_s=10.0)
    assert queue.beat_age_s() is None

    queue.start()
    for _ in range(2):
        clock.advance(60)
        clock.wait_for_a_beat()
        assert queue.beat_age_s() == 0.0

    queue.stop(5.0)
    assert queue.beat_age_s() is None
