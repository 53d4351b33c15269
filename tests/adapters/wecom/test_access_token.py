"""One token for all threads and processes; faults never turn into a flood of gettoken calls."""

import threading
from collections import Counter
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import replace
from datetime import timedelta

import pytest

from tests.adapters.wecom.far_side import Call, FarSide, Raw, ok, refusal
from tests.adapters.wecom.support import SETTINGS, MakeGateway, calls_of
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.clock import ManualClock
from wecom_app.errors import WeComError, WeComMisconfigured, WeComThrottled, WeComUnavailable
from wecom_app.simulator.server import Simulator
from wecom_app.simulator.world import World

FOLLOW = "externalcontact/get_follow_user_list"


def together(count: int, work: Callable[[], object]) -> list[object]:
    """Run something in many threads at once; return results and WeCom's errors."""
    gate = threading.Barrier(count)

    def run(_: int) -> object:
        gate.wait()
        try:
            return work()
        except WeComError as error:
            return error

    with ThreadPoolExecutor(count) as pool:
        return list(pool.map(run, range(count)))


@pytest.mark.both
def test_fifty_threads_on_a_cold_token_call_gettoken_once(gateway: Gateway, simulator: Simulator) -> None:
    results = together(50, gateway.list_follow_userids)
    assert results == [("zhang", "wang")] * 50
    assert calls_of(simulator, "gettoken") == 1


@pytest.mark.both
def test_fifty_threads_under_one_expiry_call_gettoken_once_more(gateway: Gateway, simulator: Simulator) -> None:
    gateway.list_follow_userids()
    simulator.faults.set(token={"invalidate_now": True})
    results = together(50, gateway.list_follow_userids)
    assert results == [("zhang", "wang")] * 50
    assert calls_of(simulator, "gettoken") == 2


@pytest.mark.both
def test_another_process_uses_the_stored_token(
    gateway: Gateway, make_gateway: MakeGateway, simulator: Simulator
) -> None:
    gateway.list_follow_userids()
    make_gateway(simulator.wsgi).list_follow_userids()
    assert calls_of(simulator, "gettoken") == 1


def test_another_process_finds_the_token_that_replaced_a_refused_one(
    gateway: Gateway, make_gateway: MakeGateway, simulator: Simulator
) -> None:
    other = make_gateway(simulator.wsgi)
    gateway.list_follow_userids()
    other.list_follow_userids()
    simulator.world.kill_tokens()
    gateway.list_follow_userids()
    other.list_follow_userids()
    assert calls_of(simulator, "gettoken") == 2


class PolledClock(ManualClock):
    """Stands still while it is polled, and tells when that happens first."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock.now())
        self.polled = threading.Event()

    def sleep_until(self, deadline: float) -> None:
        self.polled.set()


@pytest.mark.both
def test_a_second_process_waits_for_the_one_that_refreshes(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    polled_clock = PolledClock(clock)
    first, second = make_gateway(far_side), make_gateway(far_side, own_clock=polled_clock)
    asked = threading.Event()

    def slow_token(_: Call) -> dict[str, object]:
        asked.set()
        assert polled_clock.polled.wait(10)
        return ok(access_token="CANARY-TOKEN", expires_in=7200)

    far_side.answer("gettoken", slow_token)
    far_side.answer(FOLLOW, ok(follow_user=["zhang"]))
    with ThreadPoolExecutor(2) as pool:
        leader = pool.submit(first.list_follow_userids)
        assert asked.wait(10)
        follower = pool.submit(second.list_follow_userids)
        assert leader.result(10) == follower.result(10) == ("zhang",)
    assert far_side.count("gettoken") == 1


def test_a_refresh_that_died_with_its_process_is_taken_over(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    class Killed(BaseException):
        pass

    def die(_: Call) -> dict[str, object]:
        raise Killed

    far_side.answer("gettoken", die, ok(access_token="CANARY-TOKEN", expires_in=7200))
    far_side.answer(FOLLOW, ok(follow_user=["zhang"]))
    with pytest.raises(Killed):
        make_gateway(far_side).list_follow_userids()
    assert make_gateway(far_side).list_follow_userids() == ("zhang",)
    assert clock.monotonic() >= 10  # it waited for the lease of the dead one to end
    assert far_side.count("gettoken") == 2


def test_the_token_is_renewed_before_its_end_while_the_old_one_serves(
    gateway: Gateway, simulator: Simulator, clock: ManualClock
) -> None:
    gateway.list_follow_userids()
    clock.advance(7200 - 301)
    gateway.list_follow_userids()
    assert calls_of(simulator, "gettoken") == 1
    clock.advance(2)
    simulator.faults.add("gettoken", "down")
    assert gateway.list_follow_userids() == ("zhang", "wang")
    assert calls_of(simulator, "gettoken") == 3  # one attempt and its repetition; the old token served
    assert gateway.list_follow_userids() == ("zhang", "wang")
    assert calls_of(simulator, "gettoken") == 3  # and not again at once
    simulator.faults.clear()
    clock.advance(31)
    assert gateway.list_follow_userids() == ("zhang", "wang")
    assert calls_of(simulator, "gettoken") == 4


def test_a_new_process_uses_the_old_token_while_the_circuit_is_open(
    gateway: Gateway, make_gateway: MakeGateway, simulator: Simulator, clock: ManualClock
) -> None:
    gateway.list_follow_userids()
    clock.advance(7200 - 250)
    simulator.faults.add("gettoken", "errcode", errcode=40001)
    for _ in range(3):
        assert gateway.list_follow_userids() == ("zhang", "wang")
        clock.advance(31)
    assert gateway.token_state().blocked_until is not None
    assert make_gateway(simulator.wsgi).list_follow_userids() == ("zhang", "wang")
    assert calls_of(simulator, "gettoken") == 4
    clock.advance(250)
    with pytest.raises(WeComMisconfigured):
        gateway.list_follow_userids()
    assert calls_of(simulator, "gettoken") == 4


def test_a_life_of_a_token_costs_few_gettoken_calls(gateway: Gateway, simulator: Simulator, clock: ManualClock) -> None:
    for pause_s, calls in ((60, 115), (2, 175)):  # 7,250 seconds, busy around the end
        for _ in range(calls):
            assert gateway.list_follow_userids()
            clock.advance(pause_s)
    assert calls_of(simulator, "gettoken") == 5  # WeCom hands out the same token again until its end
    assert calls_of(simulator, FOLLOW) <= 290 + 1


def test_a_token_that_stays_refused_costs_three_gettoken_calls(
    scripted: Gateway, far_side: FarSide, clock: ManualClock
) -> None:
    far_side.answer(FOLLOW, refusal(40014))
    errors = []
    for _ in range(60):
        with pytest.raises(WeComError) as caught:
            scripted.list_follow_userids()
        errors.append(caught.value)
        clock.advance(0.2)
    assert far_side.tokens == 3
    assert all(error.retryable for error in errors)
    assert isinstance(errors[-1], WeComThrottled)
    assert 0 < errors[-1].retry_after_s <= 15
    far_side.answer(FOLLOW, ok(follow_user=["zhang"]))
    assert scripted.list_follow_userids() == ("zhang",)


def test_an_hour_of_a_refused_token_stays_far_from_the_ban(
    scripted: Gateway, far_side: FarSide, clock: ManualClock
) -> None:
    far_side.answer(FOLLOW, refusal(42001))
    for _ in range(60):
        with pytest.raises(WeComError):
            scripted.list_follow_userids()
        clock.advance(60)
    assert far_side.tokens <= 31


@pytest.mark.parametrize("errcode", [40014, 42001])
def test_a_call_is_repeated_exactly_once_after_a_dead_token(scripted: Gateway, far_side: FarSide, errcode: int) -> None:
    far_side.answer(FOLLOW, refusal(errcode))
    with pytest.raises(WeComUnavailable) as caught:
        scripted.list_follow_userids()
    assert caught.value.errcode == errcode
    assert far_side.count(FOLLOW) == 2


def test_a_wrong_secret_in_an_answer_is_never_tried_again(scripted: Gateway, far_side: FarSide) -> None:
    far_side.answer(FOLLOW, refusal(40001))
    with pytest.raises(WeComMisconfigured):
        scripted.list_follow_userids()
    assert (far_side.count(FOLLOW), far_side.tokens) == (1, 1)


@pytest.mark.both
def test_a_wrong_secret_stops_after_three_gettoken_calls(
    make_gateway: MakeGateway, simulator: Simulator, world: World, clock: ManualClock
) -> None:
    wrong = replace(SETTINGS, secret="CANARY-WRONG-SECRET")
    gateway = make_gateway(simulator.wsgi, settings=wrong)
    for _ in range(50):
        with pytest.raises(WeComMisconfigured, match="Secret") as caught:
            gateway.list_follow_userids()
        assert caught.value.errcode == 40001
        clock.advance(60)
    assert calls_of(simulator, "gettoken") == 3
    assert gateway.token_state().refusals == 3
    with pytest.raises(WeComMisconfigured):  # a restart does not begin anew
        make_gateway(simulator.wsgi, settings=wrong).list_follow_userids()
    assert calls_of(simulator, "gettoken") == 3


def test_a_corrected_secret_is_tried_at_once(make_gateway: MakeGateway, simulator: Simulator, world: World) -> None:
    gateway = make_gateway(simulator.wsgi, settings=replace(SETTINGS, secret="CANARY-WRONG-SECRET"))
    for _ in range(4):
        with pytest.raises(WeComMisconfigured):
            gateway.list_follow_userids()
    assert make_gateway(simulator.wsgi).list_follow_userids() == ("zhang", "wang")


def test_fifty_threads_with_a_wrong_secret_share_refusals(
    make_gateway: MakeGateway, simulator: Simulator, world: World
) -> None:
    gateway = make_gateway(simulator.wsgi, settings=replace(SETTINGS, secret="CANARY-WRONG-SECRET"))
    results = together(50, gateway.list_follow_userids)
    assert all(isinstance(result, WeComMisconfigured) for result in results)
    assert calls_of(simulator, "gettoken") <= 3


def test_an_untrusted_address_is_tried_again_ever_more_rarely(
    gateway: Gateway, simulator: Simulator, clock: ManualClock
) -> None:
    simulator.faults.set(trusted_ips=["203.0.113.7"])
    for _ in range(3):
        with pytest.raises(WeComMisconfigured, match=r"IP：127\.0\.0\.1"):
            gateway.list_follow_userids()
    for pause_min, calls in ((9, 3), (2, 4), (18, 4), (3, 5), (39, 5), (2, 6)):
        clock.advance(pause_min * 60)
        with pytest.raises(WeComMisconfigured, match=r"IP：127\.0\.0\.1"):
            gateway.list_follow_userids()
        assert calls_of(simulator, "gettoken") == calls
    simulator.faults.clear()
    clock.advance(41 * 60)
    assert gateway.list_follow_userids() == ("zhang", "wang")
    state = gateway.token_state()
    assert (state.refusals, state.blocked_until, state.last_error) == (0, None, None)


def test_an_unreachable_gettoken_is_no_refusal(gateway: Gateway, simulator: Simulator) -> None:
    simulator.faults.add("gettoken", "http_502", times=10)
    for _ in range(10):
        with pytest.raises(WeComUnavailable):
            gateway.list_follow_userids()
    assert gateway.token_state().refusals == 0
    assert gateway.list_follow_userids() == ("zhang", "wang")


class CountingClock(ManualClock):
    """Knows which threads have asked for the time twice: at the start of a call, and to queue for a token."""

    def __init__(self, clock: ManualClock) -> None:
        super().__init__(clock.now())
        self._asked: Counter[int] = Counter()
        self._changed = threading.Condition()
        self._builder = threading.get_ident()
        """Asks as well, once for each credential's keeper, and queues for nothing."""

    def monotonic(self) -> float:
        with self._changed:
            if threading.get_ident() != self._builder:
                self._asked[threading.get_ident()] += 1
            self._changed.notify_all()
        return super().monotonic()

    def wait_for_queue(self, threads: int) -> None:
        with self._changed:
            queued = self._changed.wait_for(lambda: sum(n > 1 for n in self._asked.values()) >= threads, 10)
        assert queued


def test_threads_that_waited_for_an_unreachable_gettoken_share_its_failure(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    counting = CountingClock(clock)
    gateway = make_gateway(far_side, own_clock=counting)

    def fail(_: Call) -> Raw:
        counting.wait_for_queue(40)
        return Raw(b"<html>", "502 Bad Gateway")

    far_side.answer("gettoken", fail)
    results = together(40, gateway.list_follow_userids)
    assert all(isinstance(result, WeComUnavailable) for result in results)
    assert far_side.count("gettoken") == 1


@pytest.mark.parametrize(
    "answer",
    [
        ok(),
        ok(access_token=""),
        ok(access_token=None, expires_in=7200),
        ok(access_token=["a"], expires_in=7200),
        ok(access_token="a", expires_in=0),
        ok(access_token="a", expires_in="soon"),
        [],
        Raw(b"<html>"),
    ],
)
def test_an_odd_token_answer_is_unavailable(scripted: Gateway, far_side: FarSide, answer: object) -> None:
    far_side.answer("gettoken", answer)
    with pytest.raises(WeComUnavailable):
        scripted.list_follow_userids()


def test_a_rate_limit_on_gettoken_keeps_everybody_away_for_its_time(
    scripted: Gateway, far_side: FarSide, clock: ManualClock
) -> None:
    far_side.answer("gettoken", refusal(45009), ok(access_token="CANARY-TOKEN", expires_in=7200))
    far_side.answer(FOLLOW, ok(follow_user=["zhang"]))
    for _ in range(5):
        with pytest.raises(WeComThrottled) as caught:
            scripted.list_follow_userids()
    assert 0 < caught.value.retry_after_s <= 60
    assert far_side.count("gettoken") == 1
    clock.advance(61)
    assert scripted.list_follow_userids() == ("zhang",)


def test_a_new_secret_key_costs_one_gettoken_call(
    gateway: Gateway, make_gateway: MakeGateway, simulator: Simulator
) -> None:
    gateway.list_follow_userids()
    other = make_gateway(simulator.wsgi, secret_key="another-secret-key-0123456789")
    assert other.list_follow_userids() == ("zhang", "wang")
    assert calls_of(simulator, "gettoken") == 2


def test_the_state_tells_when_the_token_ends(gateway: Gateway, clock: ManualClock) -> None:
    assert gateway.token_state().expires_at is None
    gateway.list_follow_userids()
    assert gateway.token_state().expires_at == clock.now() + timedelta(hours=2)
