"""The corp's places in flight, divided among the processes that call WeCom on one database."""

import threading
from collections.abc import Callable, Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager
from datetime import timedelta

import pytest
from hypothesis import given
from hypothesis import strategies as st

from tests.conftest import START
from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.apis import Api, Group
from wecom_app.adapters.wecom.errcodes import TOO_PARALLEL, error_for
from wecom_app.adapters.wecom.limiter import Limiter
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.shares import BEAT_S, COUNTS_S, LOOK_S, NEW_S, TURN_S, Share, Shares
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import Unavailable, WeComThrottled

NO_WAIT = Limits(wait_s=0.0)

Process = Callable[[], Limiter]


@pytest.fixture
def process(database: Database, clock: ManualClock) -> Process:
    """Return a function that starts another process on the same database."""
    return lambda: Limiter(NO_WAIT, database, clock)


def places_of(limiter: Limiter, api: Api, clock: ManualClock) -> int:
    """Return how many calls the process lets through at once."""
    with ExitStack() as held:
        for count in range(100):
            try:
                held.enter_context(limiter.admit(api, Deadline(clock, 1), urgent=False))
            except WeComThrottled:
                return count
    return 100


def all_places(limiters: list[Limiter], api: Api, clock: ManualClock) -> list[int]:
    """Return each process's places once all of them know of each other."""
    for limiter in limiters:
        places_of(limiter, api, clock)
    clock.advance(NEW_S)
    return [places_of(limiter, api, clock) for limiter in limiters]


@pytest.mark.both
@pytest.mark.parametrize("processes", [2, 3])
def test_processes_divide_the_corps_places(process: Process, clock: ManualClock, processes: int) -> None:
    limiters = [process() for _ in range(processes)]
    for api, whole in ((apis.CONTACT, 8), (apis.MARK, 4)):
        found = all_places(limiters, api, clock)
        assert sum(found) == whole
        assert max(found) - min(found) <= 1


def test_a_newcomer_makes_do_with_one_place_until_the_others_have_heard_of_it(
    process: Process, clock: ManualClock
) -> None:
    first, second = process(), process()
    assert places_of(first, apis.CONTACT, clock) == 8
    clock.advance(NEW_S)
    assert [places_of(limiter, apis.CONTACT, clock) for limiter in (first, second)] == [8, 1]
    clock.advance(LOOK_S)
    assert [places_of(limiter, apis.CONTACT, clock) for limiter in (first, second)] == [4, 1]
    clock.advance(LOOK_S)
    assert [places_of(limiter, apis.CONTACT, clock) for limiter in (first, second)] == [4, 4]


def test_a_process_that_was_silent_for_long_is_a_newcomer_again(process: Process, clock: ManualClock) -> None:
    first, second = process(), process()
    assert all_places([first, second], apis.MARK, clock) == [2, 2]
    for _ in range(int(COUNTS_S / BEAT_S) + 1):
        clock.advance(BEAT_S)
        places_of(first, apis.MARK, clock)
    assert [places_of(limiter, apis.MARK, clock) for limiter in (first, second)] == [4, 1]


def test_a_process_that_stopped_leaves_its_places_at_once(process: Process, clock: ManualClock) -> None:
    first, second = process(), process()
    assert all_places([first, second], apis.MARK, clock) == [2, 2]
    second.give_up_places()
    clock.advance(LOOK_S)
    assert places_of(first, apis.MARK, clock) == 4


def test_a_process_that_was_killed_holds_its_places_a_quarter_of_a_minute(process: Process, clock: ManualClock) -> None:
    first, second = process(), process()
    all_places([first, second], apis.MARK, clock)
    clock.advance(COUNTS_S)
    assert places_of(first, apis.MARK, clock) == 4


def test_a_process_that_calls_another_group_takes_no_share_of_this_one(process: Process, clock: ManualClock) -> None:
    first, second = process(), process()
    places_of(second, apis.CONTACT, clock)
    assert places_of(first, apis.MARK, clock) == 4


@pytest.mark.both
def test_too_much_at_once_halves_the_places_of_all_processes(process: Process, clock: ManualClock) -> None:
    limiters = [process(), process()]
    all_places(limiters, apis.CONTACT, clock)
    with pytest.raises(WeComThrottled), limiters[0].admit(apis.CONTACT, Deadline(clock, 1), urgent=False):
        raise error_for(apis.CONTACT.path, TOO_PARALLEL)
    assert places_of(limiters[0], apis.CONTACT, clock) == 2
    clock.advance(LOOK_S)
    assert [places_of(limiter, apis.CONTACT, clock) for limiter in limiters] == [2, 2]
    assert all_places(limiters, apis.MARK, clock) == [2, 2]
    clock.advance(600)
    assert all_places(limiters, apis.CONTACT, clock) == [4, 4]


def test_a_process_started_afterwards_keeps_to_the_half(process: Process, clock: ManualClock) -> None:
    first = process()
    with pytest.raises(WeComThrottled), first.admit(apis.MARK, Deadline(clock, 1), urgent=False):
        raise error_for(apis.MARK.path, TOO_PARALLEL)
    first.give_up_places()
    assert places_of(process(), apis.MARK, clock) == 2


def test_more_processes_than_places_take_turns(process: Process, clock: ManualClock) -> None:
    limiters = [process() for _ in range(6)]
    turns = [all_places(limiters, apis.MARK, clock)]
    for _ in range(5):
        clock.advance(TURN_S)
        turns.append([places_of(limiter, apis.MARK, clock) for limiter in limiters])
    assert {sum(turn) for turn in turns} == {4}
    assert all(sum(turn[index] for turn in turns) >= 2 for index in range(6))


@given(st.integers(1, 40), st.integers(1, 12), st.booleans(), st.integers(0, 10_000))
def test_the_shares_of_all_processes_are_the_whole(processes: int, capacity: int, halved: bool, seconds: int) -> None:
    now = START + timedelta(seconds=seconds)
    until = now + timedelta(seconds=1) if halved else now
    shares = [Share(rank, processes, until).of(capacity, now) for rank in range(processes)]
    assert sum(shares) == (max(1, capacity // 2) if halved else capacity)
    assert max(shares) - min(shares) <= 1


class Watched:
    """A database that counts its write transactions, or has none to give."""

    def __init__(self, database: Database) -> None:
        self.read = database.read
        self.written, self.is_stuck = 0, False
        self._database = database

    @contextmanager
    def write(self, *, urgent: bool = False) -> Iterator[object]:
        self.written += 1
        if self.is_stuck:
            raise Unavailable
        with self._database.write(urgent=urgent) as session:
            yield session


def test_between_two_beats_a_call_costs_no_transaction(database: Database, clock: ManualClock) -> None:
    watched = Watched(database)
    shares = Shares(watched, clock)
    for _ in range(1000):
        shares.refresh(Group.MARK)
        clock.advance(BEAT_S / 500)
    assert watched.written == 2


def test_a_stuck_store_leaves_the_share_as_it_was(database: Database, clock: ManualClock) -> None:
    watched = Watched(database)
    shares = Shares(watched, clock)
    Shares(database, clock).refresh(Group.MARK)
    for _ in range(2):
        shares.refresh(Group.MARK)
        clock.advance(NEW_S)
    watched.is_stuck = True
    clock.advance(BEAT_S)
    shares.refresh(Group.MARK)
    assert shares.own(Group.MARK, 4) == 2


def test_the_first_calls_of_all_threads_wait_until_the_share_is_known(database: Database, clock: ManualClock) -> None:
    Shares(database, clock).refresh(Group.MARK)
    began, go_on = threading.Event(), threading.Event()

    class Slow(Watched):
        @contextmanager
        def write(self, *, urgent: bool = False) -> Iterator[object]:
            began.set()
            assert go_on.wait(10)
            with super().write(urgent=urgent) as session:
                yield session

    shares = Shares(Slow(database), clock)

    def own(_: int) -> int:
        shares.refresh(Group.MARK)
        return shares.own(Group.MARK, 4)

    with ThreadPoolExecutor(4) as pool:
        found = [pool.submit(own, number) for number in range(4)]
        assert began.wait(10)
        assert not any(each.done() for each in found)
        go_on.set()
        assert [each.result(10) for each in found] == [1] * 4
