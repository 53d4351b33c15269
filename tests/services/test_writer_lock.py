"""The line in which the threads of a process wait to write: who comes next, and who gives up."""

import threading

import pytest

from wecom_app.writers import WriterLock


class Line:
    """Threads that take a lock one after another, and the order in which they got it."""

    def __init__(self, lock: WriterLock) -> None:
        self.lock = lock
        self.order: list[str] = []
        self._threads: list[threading.Thread] = []

    def join(self, name: str, *, urgent: bool = False) -> None:
        """Start a thread that waits for the lock, and return once it stands in line."""
        standing = self.lock.waiting
        thread = threading.Thread(target=self._take, args=(name, urgent))
        self._threads.append(thread)
        thread.start()
        while self.lock.waiting == standing:
            assert thread.is_alive()

    def finish(self) -> list[str]:
        for thread in self._threads:
            thread.join()
        return self.order

    def _take(self, name: str, urgent: bool) -> None:
        assert self.lock.acquire(urgent=urgent, timeout_s=10)
        self.order.append(name)
        self.lock.release()


@pytest.fixture
def held() -> WriterLock:
    lock = WriterLock()
    assert lock.acquire(urgent=False, timeout_s=0)
    return lock


def test_writers_get_the_lock_in_the_order_they_came(held: WriterLock) -> None:
    line = Line(held)
    for name in "abc":
        line.join(name)

    held.release()

    assert line.finish() == ["a", "b", "c"]


def test_an_urgent_writer_is_the_next(held: WriterLock) -> None:
    line = Line(held)
    line.join("a")
    line.join("b")
    line.join("urgent", urgent=True)

    held.release()

    assert line.finish() == ["urgent", "a", "b"]


def test_urgent_writers_keep_their_order_and_let_another_in_after_three(held: WriterLock) -> None:
    line = Line(held)
    line.join("a")
    line.join("b")
    for name in ("u1", "u2", "u3", "u4"):
        line.join(name, urgent=True)

    held.release()

    assert line.finish() == ["u1", "u2", "u3", "a", "u4", "b"]


def test_a_free_lock_is_had_at_once(held: WriterLock) -> None:
    held.release()

    assert held.acquire(urgent=False, timeout_s=0)


def test_who_gives_up_waiting_leaves_the_line(held: WriterLock) -> None:
    assert not held.acquire(urgent=False, timeout_s=0)
    line = Line(held)
    line.join("a")

    held.release()

    assert line.finish() == ["a"]
    assert held.acquire(urgent=False, timeout_s=0)
