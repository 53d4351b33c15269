"""What goes wrong on purpose, and what it leaves behind."""

import pytest
import requests

from wecom_app.clock import ManualClock
from wecom_app.errors import InvalidInput
from wecom_app.simulator.server import Simulator

MARK = "externalcontact/mark_tag"
LIST = "externalcontact/list"
PAGES = "externalcontact/batch/get_by_user"


@pytest.fixture
def body(api) -> dict:
    return {"userid": "zhang", "external_userid": "wmli", "add_tag": api.tag_ids("等级", "金", "银")}


def marked(sim: Simulator) -> int:
    return len(sim.world.tag_names("zhang", "wmli"))


def test_an_error_number_is_answered_as_often_as_asked(api, sim: Simulator, body):
    sim.faults.add(MARK, "errcode", errcode=6000, times=2)
    assert [api.post(MARK, body)["errcode"] for _ in range(3)] == [6000, 6000, 0]


def test_an_error_number_leaves_nothing_unless_applied(api, sim: Simulator, body):
    sim.faults.add(MARK, "errcode", errcode=-1, times=1)
    assert api.post(MARK, body)["errcode"] == -1
    assert marked(sim) == 0
    sim.faults.add(MARK, "errcode", errcode=-1, times=1, applied=True)
    assert api.post(MARK, body)["errcode"] == -1
    assert marked(sim) == 2


def test_a_lost_reply_has_taken_effect(api, sim: Simulator, body):
    sim.faults.add(MARK, "lost_reply", times=1)
    with pytest.raises(requests.ConnectionError):
        api.post(MARK, body)
    assert marked(sim) == 2
    assert (sim.calls[-1].errcode, sim.calls[-1].fault) == (None, "lost_reply")


@pytest.mark.parametrize("kind", ["lost_request", "down"])
def test_a_lost_request_has_no_effect(api, sim: Simulator, body, kind):
    sim.faults.add(MARK, kind, times=1)
    with pytest.raises(requests.ConnectionError):
        api.post(MARK, body)
    assert marked(sim) == 0
    assert api.post(MARK, body)["errcode"] == 0


def test_silence_answers_ok_and_does_nothing(api, sim: Simulator, body):
    sim.faults.add(MARK, "silent_ok", times=1)
    assert api.post(MARK, body)["errcode"] == 0
    assert marked(sim) == 0


def test_a_partial_mark_does_half(api, sim: Simulator, body):
    sim.faults.add(MARK, "partial", times=1)
    assert api.post(MARK, body)["errcode"] == 0
    assert marked(sim) == 1


def test_a_partial_list_is_short(api, sim: Simulator):
    for number in range(3):
        sim.world.add_customer(external_userid=f"wm{number}")
        sim.world.add_relation("zhang", f"wm{number}")
    sim.faults.add(LIST, "partial", times=1)
    assert len(api.get(LIST, userid="zhang")["external_userid"]) == 2
    assert len(api.get(LIST, userid="zhang")["external_userid"]) == 4


def test_a_list_may_come_twice_over_and_a_page_lead_back_to_itself(api, sim: Simulator):
    for number in range(3):
        sim.world.add_customer(external_userid=f"wm{number}")
        sim.world.add_relation("zhang", f"wm{number}")
    first = api.post(PAGES, {"userid_list": ["zhang"], "limit": 1})
    sim.faults.add(PAGES, "circle", times=1)
    sim.faults.add(LIST, "doubled", times=1)

    second = api.post(PAGES, {"userid_list": ["zhang"], "limit": 1, "cursor": first["next_cursor"]})

    assert second["next_cursor"] == first["next_cursor"]
    assert len(api.get(LIST, userid="zhang")["external_userid"]) == 8


@pytest.mark.parametrize(("kind", "status"), [("http_502", 502), ("html", 200)])
def test_a_proxys_page_is_not_json_and_does_nothing(api, sim: Simulator, body, kind, status):
    sim.faults.add(MARK, kind, times=1)
    answer = api.raw("POST", MARK, query={"access_token": api.token}, json=body)
    assert answer.status_code == status
    assert answer.headers["Content-Type"].startswith("text/html")
    assert marked(sim) == 0


def test_latency_passes_on_the_clock(api, sim: Simulator, clock: ManualClock, body):
    sim.faults.add(MARK, "latency", latency_s=3, times=1)
    before = clock.monotonic()
    assert api.post(MARK, body, timeout=5)["errcode"] == 0
    assert clock.monotonic() - before == 3
    assert sim.calls[-1].duration_s == 3


def test_latency_beyond_the_callers_patience_times_out_after_the_effect(api, sim: Simulator, clock: ManualClock, body):
    sim.faults.add(MARK, "latency", latency_s=30, times=1)
    before = clock.monotonic()
    with pytest.raises(requests.ReadTimeout):
        api.post(MARK, body, timeout=5)
    assert clock.monotonic() - before == 5
    assert marked(sim) == 2


@pytest.mark.parametrize(("applied", "count"), [(False, 0), (True, 2)])
def test_a_timeout_may_or_may_not_have_taken_effect(api, sim: Simulator, body, applied, count):
    sim.faults.add(MARK, "timeout", times=1, applied=applied)
    with pytest.raises(requests.ReadTimeout):
        api.post(MARK, body, timeout=5)
    assert marked(sim) == count


def test_a_rule_for_a_while_ends_by_the_clock(api, sim: Simulator, clock: ManualClock):
    sim.faults.add("*", "down", for_s=60)
    with pytest.raises(requests.ConnectionError):
        api.get(LIST, userid="zhang")
    clock.advance(60)
    assert api.get(LIST, userid="zhang")["errcode"] == 0


def test_a_rule_strikes_only_its_api(api, sim: Simulator):
    sim.faults.add("externalcontact/get*", "errcode", errcode=-1)
    assert api.get("externalcontact/get", external_userid="wmli")["errcode"] == -1
    assert api.get(LIST, userid="zhang")["errcode"] == 0


def test_chance_repeats_with_the_same_seed(api, sim: Simulator):
    def course(seed: int) -> list[int]:
        rule = {"api": LIST, "kind": "errcode", "errcode": -1, "probability": 0.5, "seed": seed}
        sim.faults.put({"rules": [rule]})
        return [api.get(LIST, userid="zhang")["errcode"] for _ in range(30)]

    assert course(1) == course(1)
    assert course(1) != course(2)
    assert set(course(1)) == {0, -1}


def test_setting_one_thing_leaves_the_others(sim: Simulator):
    sim.faults.add(LIST, "down")
    sim.faults.set(callbacks={"duplicates": 2})
    sim.faults.set(callbacks={"loss": 0.5})
    assert sim.faults.settings.callbacks.duplicates == 2
    assert len(sim.faults.as_dict()["rules"]) == 1


def test_putting_a_document_replaces_everything(sim: Simulator):
    sim.faults.add(LIST, "down")
    sim.faults.put({"echo_api_writes": True})
    document = sim.faults.as_dict()
    assert (document["rules"], document["echo_api_writes"]) == ([], True)
    sim.faults.clear()
    assert sim.faults.as_dict()["echo_api_writes"] is False


def test_what_is_read_can_be_put_back(sim: Simulator):
    sim.faults.add(LIST, "errcode", errcode=-1, times=3)
    sim.faults.set(visible_members=["zhang"], rates={"per_minute": 5})
    document = sim.faults.as_dict()
    sim.faults.put(document)
    assert sim.faults.as_dict() == document


@pytest.mark.parametrize(
    "document",
    [
        {"weather": "rain"},
        {"rules": [{"kind": "flood"}]},
        {"rules": [{"kind": "errcode"}]},
        {"rules": [{"kind": "down", "colour": "red"}]},
        {"callbacks": {"colour": "red"}},
        {"rules": {}},
        {"callbacks": {"duplicates": "3"}},
        {"callbacks": {"hold": 1}},
        {"rules": [{"kind": "down", "times": True}]},
        {"visible_members": "zhang"},
        {"echo_api_writes": "yes"},
    ],
)
def test_an_unknown_disturbance_is_refused_and_changes_nothing(sim: Simulator, document):
    before = sim.faults.as_dict()
    with pytest.raises(InvalidInput):
        sim.faults.put(document)
    assert sim.faults.as_dict() == before
