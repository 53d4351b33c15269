"""What happens to any corp, whatever is looked at: calls go wrong, callbacks come or do not, jobs run, processes end.

Shared by the histories of marks (`life`) and of definitions (`definitions_life`).
"""

from collections import deque
from typing import Any

from tests.stateful.corp import Corp
from tests.stateful.scripted import Scripted, act
from wecom_app.services.runtime import SimulatedCrash
from wecom_app.simulator.events import Event

CRASH = "crash"
IN_A_TRANSACTION = ("event.before_commit", "pull.before_commit")
"""Points at which the process may end, but nobody can act."""
Doing = tuple[Any, ...]
"""The name of an act and its arguments, to be done at a named point of the application's code."""


class Interrupted(BaseException):
    """A check failed in the middle of the application's code, which must not take it for a failed job."""


class Course(Scripted):
    """One corp with the callbacks that are on their way and the acts that are planned for a point of the code.

    A subclass says how it settles and how it heals.
    """

    def __init__(self, corp: Corp) -> None:
        super().__init__(corp)
        self.events: deque[Event] = deque()
        self.past: list[Event] = []
        self.is_deaf = False
        """Whether a callback never came: what it told of is found by a pass only."""
        self._read = 0
        self._plans: dict[str, deque[Doing]] = {}
        self.corp.crash_hook = self._at_point

    def close(self) -> None:
        """Put the corp away."""
        self.corp.close()

    def trouble(self) -> None:
        """Be told that something is to go wrong."""

    # What goes wrong.

    @act
    def fault(self, api: str, kind: str, *, errcode: int | None = None, times: int = 1, applied: bool = False) -> None:
        """The next calls of an API go wrong."""
        self.corp.simulator.faults.add(api, kind, errcode=errcode, times=times, applied=applied)
        self.trouble()

    @act
    def echo(self, *, on: bool) -> None:
        """Our own writes come back as callbacks from now on, or no longer."""
        self.corp.simulator.faults.set(echo_api_writes=on)

    @act
    def at(self, point: str, *doing: Any) -> None:
        """Plan an act, or `CRASH`, for the next time that the application comes by a named point."""
        self._plans.setdefault(point, deque()).append(doing)
        self.trouble()

    def _at_point(self, name: str) -> None:
        plans = self._plans.get(name)
        if not plans:
            return
        doing, *arguments = plans.popleft()
        if doing == CRASH:
            raise SimulatedCrash(name)
        if name not in IN_A_TRANSACTION:
            named: dict[str, Any] = arguments.pop() if arguments and isinstance(arguments[-1], dict) else {}
            try:
                getattr(self, doing)(*arguments, **named)
            except AssertionError as error:
                raise Interrupted from error

    # Callbacks and time.

    @act
    def deliver(self, *indexes: int) -> None:
        """Hand over waiting callbacks by their places in the queue, in this order; all of them if none is named."""
        self._collect()
        waiting = list(self.events)
        chosen = [waiting[index] for index in dict.fromkeys(i % len(waiting) for i in indexes)] if waiting else []
        for event in chosen if indexes else waiting:
            self.events.remove(event)
            self.past.append(event)
            self.corp.deliver(event.plaintext)

    @act
    def settle_events(self) -> None:
        """Deliver everything and run the next job, in the middle of another: lanes work side by side."""
        self.deliver()
        self.corp.runtime.run_until_idle(max_steps=1)

    @act
    def deliver_again(self, index: int) -> None:
        """Hand over a callback a second time, perhaps long after."""
        if self.past:
            self.corp.deliver(self.past[index % len(self.past)].plaintext)

    @act
    def drop(self, index: int) -> None:
        """A callback never comes."""
        self._collect()
        if self.events:
            event = self.events[index % len(self.events)]
            self.events.remove(event)
            self.is_deaf = True

    @act
    def work(self, jobs: int | None = None) -> None:
        """Let the application run its due jobs, all or so many; a planned crash ends it and opens it again."""
        try:
            if jobs is None:
                self.corp.runtime.run_until_idle(max_steps=200)
            else:
                self.corp.runtime.run_until_idle(max_steps=jobs)
        except SimulatedCrash:
            self.corp.restart()
        except Interrupted as interrupted:
            raise AssertionError("in the middle of a job") from interrupted.__cause__

    @act
    def wait(self, seconds: float) -> None:
        self.corp.clock.advance(seconds)

    def _deliver_and_work(self) -> None:
        """Deliver everything and run everything that is due, until nothing more comes of it."""
        for _ in range(6):
            self.deliver()
            self.work()
            self._collect()
            if not self.events:
                break

    def _pause(self) -> None:
        """People need a second for what they do; WeCom's times are whole seconds."""
        self.corp.clock.advance(1)

    def _collect(self) -> None:
        records = self.corp.simulator.callbacks.records
        while self._read < len(records):
            self.events.append(records[self._read].event)
            self._read += 1
