"""Budgets per API and window, their reserve, blocks by WeCom, and how many calls run at once."""

import random
import threading
from collections.abc import Iterator
from concurrent.futures import ThreadPoolExecutor
from contextlib import ExitStack, contextmanager

import pytest

from tests.adapters.wecom.far_side import Call, FarSide, ok, refusal
from tests.adapters.wecom.support import MakeGateway, calls_of
from wecom_app.adapters.wecom import apis
from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.budget import Budget
from wecom_app.adapters.wecom.errcodes import TOO_PARALLEL, error_for
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.limiter import Limiter
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.transport import Deadline
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import Unavailable, WeComThrottled
from wecom_app.services.ports import WelcomeMessage
from wecom_app.simulator.server import Simulator
from wecom_app.simulator.world import World

FOLLOW, GET, WELCOME = apis.FOLLOW_USERS.path, apis.CONTACT.path, apis.WELCOME.path
SMALL = Limits(per_minute=100, per_hour=400, wait_s=0.0)


def spent(budget: Budget, api: str, most: int, *, urgent: bool = False) -> int:
    """Spend until the budget refuses; return how many calls it let through."""
    for count in range(most):
        try:
            budget.spend(api, urgent=urgent)
        except WeComThrottled:
            return count
    return most


@pytest.mark.both
def test_bulk_calls_stop_at_four_fifths_and_urgent_ones_use_the_rest(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    assert spent(budget, GET, 1000) == 80
    assert spent(budget, GET, 1000, urgent=True) == 20


def test_the_refusal_says_when_calls_are_allowed_again(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    spent(budget, GET, 1000)
    with pytest.raises(WeComThrottled) as caught:
        budget.spend(GET, urgent=False)
    assert 50 <= caught.value.retry_after_s <= 70
    clock.advance(caught.value.retry_after_s)
    assert spent(budget, GET, 1000) == 80


def test_the_hour_is_counted_too(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    total = 0
    for _ in range(20):
        total += spent(budget, GET, 1000)
        clock.advance(75)
    assert total == 320
    with pytest.raises(WeComThrottled) as caught:
        budget.spend(GET, urgent=False)
    assert caught.value.retry_after_s > 600


@pytest.mark.both
def test_processes_share_one_budget(database: Database, clock: ManualClock) -> None:
    budgets = [Budget(SMALL, database, clock) for _ in range(4)]
    total, chance = 0, random.Random(7)
    for _ in range(400):
        total += spent(chance.choice(budgets), GET, 1)
    assert 60 <= total <= 80  # what a process has taken and not spent is lost until its slot ends


def test_each_api_has_its_own_budget(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    spent(budget, GET, 1000)
    assert spent(budget, FOLLOW, 1000) == 80


@pytest.mark.parametrize("seed", range(2))
def test_no_minute_of_any_phase_goes_over_the_limit(database: Database, clock: ManualClock, seed: int) -> None:
    budget, chance = Budget(Limits(per_minute=100, per_hour=100_000), database, clock), random.Random(seed)
    moments: list[float] = []
    for _ in range(80):
        burst = spent(budget, GET, chance.choice((1, 5, 200)), urgent=chance.random() < 0.3)
        moments += [clock.monotonic()] * burst
        clock.advance(chance.choice((0.3, 2, 11, 29)))
    most = max(sum(start <= moment < start + 60 for moment in moments) for start in moments)
    assert 60 <= most <= 100


def test_rare_calls_set_little_aside(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    for _ in range(30):
        budget.spend(GET, urgent=False)
        clock.advance(20)
    (read,) = budget.read()
    assert read.used_this_hour <= 30 + 4


def test_the_budget_can_be_read(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    spent(budget, GET, 60)
    (read,) = budget.read()
    assert read.api == GET
    assert 60 <= read.used_this_minute <= 80
    assert read.left_this_minute == 80 - read.used_this_minute
    assert read.left_this_hour == 320 - read.used_this_hour
    assert read.blocked_until is None


def test_many_calls_cost_few_transactions(database: Database, clock: ManualClock) -> None:
    written = 0

    class Counted:
        read = database.read

        @contextmanager
        def write(self, *, urgent: bool = False) -> Iterator[object]:
            nonlocal written
            written += 1
            with database.write(urgent=urgent) as session:
                yield session

    budget = Budget(Limits(), Counted(), clock)
    assert spent(budget, GET, 5000) == 5000
    assert written <= 35


def test_an_urgent_call_goes_ahead_when_our_own_store_is_stuck(database: Database, clock: ManualClock) -> None:
    class Stuck:
        read = database.read

        def write(self, *, urgent: bool = False) -> object:
            raise Unavailable

    budget = Budget(SMALL, Stuck(), clock)
    budget.spend(WELCOME, urgent=True)
    with pytest.raises(Unavailable):
        budget.spend(GET, urgent=False)


@pytest.mark.both
def test_a_rate_limit_blocks_one_api_for_everybody_and_no_other(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    gateway, other = make_gateway(far_side), make_gateway(far_side)
    far_side.answer(FOLLOW, refusal(45009), ok(follow_user=["zhang"]))
    far_side.answer("externalcontact/list", ok(external_userid=["wm_li"]))
    far_side.answer(WELCOME, ok())
    for caller in (gateway, gateway, other, other):
        with pytest.raises(WeComThrottled) as caught:
            caller.list_follow_userids()
        assert 0 < caught.value.retry_after_s <= 60
    assert far_side.count(FOLLOW) == 1
    assert gateway.list_external_userids("zhang") == ("wm_li",)
    gateway.send_welcome("code", WelcomeMessage("您好"))
    blocked = {budget.api: budget.blocked_until for budget in gateway.budget()}
    assert blocked[FOLLOW] is not None
    assert blocked[WELCOME] is None
    clock.advance(61)
    assert other.list_follow_userids() == ("zhang",)


def test_another_process_with_calls_in_hand_learns_of_a_block_within_a_second(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    gateway, other = make_gateway(far_side), make_gateway(far_side)
    far_side.answer(FOLLOW, ok(follow_user=["zhang"]))
    other.list_follow_userids()
    far_side.answer(FOLLOW, refusal(45009))
    with pytest.raises(WeComThrottled):
        gateway.list_follow_userids()
    clock.advance(1)
    with pytest.raises(WeComThrottled):
        other.list_follow_userids()
    assert far_side.count(FOLLOW) == 2


@pytest.mark.both
def test_a_second_rate_limit_right_after_the_first_means_the_hour(
    scripted: Gateway, far_side: FarSide, clock: ManualClock
) -> None:
    far_side.answer(FOLLOW, refusal(45009))
    with pytest.raises(WeComThrottled):
        scripted.list_follow_userids()
    clock.advance(61)
    with pytest.raises(WeComThrottled) as caught:
        scripted.list_follow_userids()
    assert caught.value.retry_after_s == 3600
    clock.advance(3601 + 61)
    with pytest.raises(WeComThrottled) as caught:
        scripted.list_follow_userids()
    assert caught.value.retry_after_s == 60  # long after, it is a minute's again


def test_a_rate_limit_near_our_own_hour_count_means_the_hour(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    gateway = make_gateway(far_side, limits=Limits(per_minute=100, per_hour=20))
    far_side.answer(GET, ok(external_contact={"external_userid": "wm_li"}, follow_user=[]))
    for _ in range(18):
        gateway.get_contact("wm_li", urgent=True)
        clock.advance(15)
    far_side.answer(GET, refusal(45009))
    with pytest.raises(WeComThrottled) as caught:
        gateway.get_contact("wm_li", urgent=True)
    assert caught.value.retry_after_s == 3600


def test_refusals_under_way_together_count_as_one(database: Database, clock: ManualClock) -> None:
    budget = Budget(SMALL, database, clock)
    waits = [budget.block(GET) for _ in range(8)]
    assert waits == [60.0] * 8


def test_the_simulators_own_limit_is_never_met(
    make_gateway: MakeGateway, simulator: Simulator, world: World, clock: ManualClock
) -> None:
    simulator.faults.set(rates={"per_minute": 100, "per_hour": 400})
    gateway = make_gateway(simulator.wsgi, limits=SMALL)
    for _ in range(300):
        try:
            gateway.list_follow_userids()
        except WeComThrottled:
            clock.advance(7)
        clock.advance(0.1)
    answered = [call.errcode for call in simulator.calls.of(FOLLOW)]
    assert set(answered) == {0}
    assert len(answered) > 150


def places_of(limiter: Limiter, api: Api, clock: ManualClock, *, urgent: bool = False) -> int:
    """Return how many calls may be under way at once, by holding one more until none is let in."""
    with ExitStack() as held:
        for count in range(100):
            try:
                held.enter_context(limiter.admit(api, Deadline(clock, 1), urgent=urgent))
            except WeComThrottled:
                return count
    return 100


@pytest.fixture
def limiter(database: Database, clock: ManualClock) -> Limiter:
    return Limiter(Limits(wait_s=0.0), database, clock)


def test_each_group_has_its_places(limiter: Limiter, clock: ManualClock) -> None:
    groups = (apis.CONTACT, apis.MARK, apis.EDIT_TAG, apis.ADD_WAY)
    assert [places_of(limiter, api, clock) for api in groups] == [8, 4, 1, 100]


def test_urgent_calls_do_not_wait_behind_bulk_ones(limiter: Limiter, clock: ManualClock) -> None:
    with ExitStack() as held:
        for _ in range(8):
            held.enter_context(limiter.admit(apis.CONTACT, Deadline(clock, 1), urgent=False))
        assert places_of(limiter, apis.CONTACT, clock) == 0
        assert places_of(limiter, apis.CONTACT, clock, urgent=True) == 16


def refuse(limiter: Limiter, api: Api, clock: ManualClock) -> None:
    with pytest.raises(WeComThrottled), limiter.admit(api, Deadline(clock, 1), urgent=False):
        raise error_for(api.path, TOO_PARALLEL)


def test_too_much_at_once_halves_the_group_for_ten_minutes(limiter: Limiter, clock: ManualClock) -> None:
    refuse(limiter, apis.MARK, clock)
    assert [places_of(limiter, api, clock) for api in (apis.MARK, apis.CONTACT)] == [2, 8]
    clock.advance(601)
    assert places_of(limiter, apis.MARK, clock) == 4


def test_a_single_place_is_not_halved_away(limiter: Limiter, clock: ManualClock) -> None:
    refuse(limiter, apis.EDIT_TAG, clock)
    assert places_of(limiter, apis.EDIT_TAG, clock) == 1


def test_no_more_than_four_mark_tag_calls_are_ever_under_way(make_gateway: MakeGateway, far_side: FarSide) -> None:
    gateway = make_gateway(far_side, limits=Limits(wait_s=30.0))
    lock, together, most = threading.Lock(), 0, 0
    four = threading.Barrier(4)

    def mark(_: Call) -> dict[str, object]:
        nonlocal together, most
        with lock:
            together += 1
            most = max(most, together)
        four.wait(10)
        with lock:
            together -= 1
        return ok()

    far_side.answer("externalcontact/mark_tag", mark)
    with ThreadPoolExecutor(16) as pool:
        jobs = [pool.submit(gateway.mark_tags, "zhang", f"wm_{number}", add=["et"], remove=[]) for number in range(40)]
        for job in jobs:
            job.result(30)
    assert most == 4
    assert far_side.count("externalcontact/mark_tag") == 40


def test_the_simulators_parallel_limit_is_not_met(
    make_gateway: MakeGateway, simulator: Simulator, world: World
) -> None:
    simulator.faults.set(rates={"concurrency": 8})
    gateway = make_gateway(simulator.wsgi, limits=Limits(wait_s=30.0))
    with ThreadPoolExecutor(24) as pool:
        results = list(pool.map(lambda _: gateway.list_follow_userids(), range(100)))
    assert results == [("zhang", "wang")] * 100
    assert calls_of(simulator, FOLLOW) == 100
