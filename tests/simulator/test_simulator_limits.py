"""Frequency, concurrency, and two calls for one pair at once."""

import pytest

from wecom_app.clock import ManualClock
from wecom_app.simulator.errcodes import ApiError
from wecom_app.simulator.limits import Limits
from wecom_app.simulator.server import Simulator

LIST = "externalcontact/list"


def errcodes(api, count: int) -> list[int]:
    return [api.get(LIST, userid="zhang")["errcode"] for _ in range(count)]


def test_beyond_the_minutes_limit_calls_are_refused_for_a_minute(api, sim: Simulator, clock: ManualClock):
    sim.faults.set(rates={"per_minute": 2})
    assert errcodes(api, 3) == [0, 0, 45009]
    clock.advance(59)
    assert errcodes(api, 1) == [45009]
    clock.advance(1)
    assert errcodes(api, 1) == [0]


def test_a_block_lasts_from_the_first_refusal_not_from_the_windows_start(api, sim: Simulator, clock: ManualClock):
    sim.faults.set(rates={"per_minute": 1})
    errcodes(api, 1)
    clock.advance(50)
    assert errcodes(api, 1) == [45009]
    clock.advance(59)
    assert errcodes(api, 1) == [45009]
    clock.advance(1)
    assert errcodes(api, 1) == [0]


def test_the_hours_limit_blocks_for_an_hour(api, sim: Simulator, clock: ManualClock):
    sim.faults.set(rates={"per_hour": 1})
    assert errcodes(api, 2) == [0, 45009]
    clock.advance(3599)
    assert errcodes(api, 1) == [45009]
    clock.advance(1)
    assert errcodes(api, 1) == [0]


def test_each_api_has_its_own_window(api, sim: Simulator):
    sim.faults.set(rates={"per_minute": 1})
    assert errcodes(api, 2) == [0, 45009]
    assert api.get("externalcontact/get", external_userid="wmli")["errcode"] == 0


def test_too_many_calls_at_once_answer_45033(clock: ManualClock):
    limits = Limits(clock)
    with limits.running("x", 1):
        with pytest.raises(ApiError) as refused, limits.running("x", 1):
            pass
        with limits.running("y", 1):
            pass
    assert refused.value.errcode == 45033
    with limits.running("x", 1):
        pass


def test_the_limit_of_calls_at_once_holds_in_the_api(api, sim: Simulator):
    sim.faults.set(rates={"concurrency": 0})
    assert errcodes(api, 1) == [45033]


def test_two_marks_at_once_for_one_pair_answer_45035(api, sim: Simulator):
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": api.tag_ids("等级", "金")}
    with sim.context.limits.pair(("zhang", "wmli")):
        assert api.post("externalcontact/mark_tag", body | {"userid": "ZHANG"})["errcode"] == 45035
        sim.faults.set(rates={"pair_lock": False})
        assert api.post("externalcontact/mark_tag", body)["errcode"] == 0
    sim.faults.set(rates={"pair_lock": True})
    assert api.post("externalcontact/mark_tag", body)["errcode"] == 0


def test_a_robot_may_send_twenty_a_minute(api, clock: ManualClock):
    body = {"msgtype": "text", "text": {"content": "告警"}}

    def send() -> int:
        query = {"key": "simulator-robot"}
        return api.raw("POST", "webhook/send", query=query, json=body).json()["errcode"]

    assert [send() for _ in range(21)] == [0] * 20 + [45009]
    clock.advance(60)
    assert send() == 0
