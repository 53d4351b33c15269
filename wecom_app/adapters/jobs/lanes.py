"""The threads of one lane; they wait for jobs that the dispatcher claimed for them."""

import threading
from collections.abc import Callable
from queue import SimpleQueue
from typing import Generic, TypeVar

Job = TypeVar("Job")


class Lane(Generic[Job]):
    """`threads` daemon threads that call `run` for each submitted job; `run` must not raise."""

    def __init__(self, name: str, threads: int, run: Callable[[Job], None]) -> None:
        self._inbox: SimpleQueue[Job | None] = SimpleQueue()
        self._run = run
        # Daemons, so that a hung job cannot keep the process alive after stop().
        self._threads = [
            threading.Thread(target=self._work, name=f"job-{name}-{number}", daemon=True)
            for number in range(1, threads + 1)
        ]

    def start(self) -> None:
        for thread in self._threads:
            thread.start()

    def submit(self, job: Job) -> None:
        self._inbox.put(job)

    def close(self) -> None:
        """Let every thread end after what it is doing."""
        for _ in self._threads:
            self._inbox.put(None)

    def _work(self) -> None:
        while (job := self._inbox.get()) is not None:
            self._run(job)
