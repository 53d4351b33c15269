"""Handing customers over, in service and after resignation."""

import pytest

from wecom_app.simulator.server import Simulator

ASK = "externalcontact/transfer_customer"
RESULT = "externalcontact/transfer_result"
PAIR = {"handover_userid": "zhang", "takeover_userid": "wang"}


def pushed(sim: Simulator) -> list[str]:
    return [item.event.change_type for item in sim.callbacks.records]


def test_an_accepted_hand_over_moves_the_relation(api, sim: Simulator):
    assert api.post(ASK, PAIR | {"external_userid": ["wmli"]})["customer"] == [
        {"external_userid": "wmli", "errcode": 0}
    ]
    assert api.post(RESULT, PAIR)["customer"] == [{"external_userid": "wmli", "status": 2}]
    sim.act("wmli", "transfer", external_userid="wmli", result="accept")
    assert pushed(sim) == ["del_external_contact", "add_external_contact"]
    assert "DELETE_BY_TRANSFER" in sim.callbacks.records[0].event.plaintext
    assert "WelcomeCode" not in sim.callbacks.records[1].event.plaintext
    assert api.get("externalcontact/list", userid="wang")["external_userid"] == ["wmli"]
    assert api.get("externalcontact/list", userid="zhang")["errcode"] == 84061
    assert api.post(RESULT, PAIR)["customer"][0]["status"] == 1


@pytest.mark.parametrize(
    ("result", "reason", "status"),
    [("refuse", "customer_refused", 3), ("limit", "customer_limit_exceed", 4)],
)
def test_a_failed_hand_over_leaves_the_relation(api, sim: Simulator, result, reason, status):
    api.post(ASK, PAIR | {"external_userid": ["wmli"]})
    sim.act("wmli", "transfer", external_userid="wmli", result=result)
    assert pushed(sim) == ["transfer_fail"]
    assert reason in sim.callbacks.records[0].event.plaintext
    assert api.get("externalcontact/list", userid="zhang")["external_userid"] == ["wmli"]
    assert api.post(RESULT, PAIR)["customer"][0]["status"] == status


@pytest.mark.parametrize("carried", [True, False])
def test_whether_tags_go_along_can_be_switched(sim: Simulator, carried):
    tag = sim.world.add_tag("等级", "金")
    sim.act("zhang", "mark", external_userid="wmli", add=[tag.id])
    sim.act("admin", "transfer", **PAIR, external_userid="wmli", carry_tags=carried)
    assert bool(sim.world.tag_names("wang", "wmli")) is carried


def test_a_taker_who_is_a_friend_gets_no_event(sim: Simulator):
    sim.world.add_relation("wang", "wmli")
    sim.act("admin", "transfer", **PAIR, external_userid="wmli")
    assert pushed(sim) == ["del_external_contact"]


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        (PAIR | {"external_userid": []}, 41035),
        (PAIR | {"external_userid": ["wmli"] * 101}, 40058),
        (PAIR | {"external_userid": ["wmli"], "takeover_userid": "ZHANG"}, 40130),
        (PAIR | {"external_userid": ["wmli"], "takeover_userid": "nobody"}, 40003),
        ({"external_userid": ["wmli"]}, 60111),
    ],
)
def test_a_bad_request_for_a_hand_over_is_refused(api, body, errcode):
    assert api.post(ASK, body)["errcode"] == errcode


def test_each_customer_answers_for_himself(api, sim: Simulator):
    sim.world.add_customer("陈晨", "wmchen")
    answer = api.post(ASK, PAIR | {"external_userid": ["wmli", "wmchen", "wmnobody", "wmli"]})
    assert [item["errcode"] for item in answer["customer"]] == [0, 40131, 40096, 40100]


def test_a_full_taker_answers_40099(api, sim: Simulator):
    sim.world.members.find("wang").customer_limit = 0
    assert api.post(ASK, PAIR | {"external_userid": ["wmli"]})["customer"][0]["errcode"] == 40099


def test_customers_of_who_resigned_can_be_given_away(api, sim: Simulator):
    path = "externalcontact/resigned/transfer_customer"
    assert api.post(path, PAIR | {"external_userid": ["wmli"]})["errcode"] == 40097
    sim.act("admin", "resign", userid="zhang")
    assert api.post(path, PAIR | {"external_userid": ["wmli"]})["customer"][0]["errcode"] == 0
    sim.act("system", "transfer", external_userid="wmli")
    assert api.get("externalcontact/list", userid="wang")["external_userid"] == ["wmli"]
    assert api.post("externalcontact/resigned/transfer_result", PAIR)["customer"][0]["status"] == 1
    assert api.post("externalcontact/get_unassigned_list") == {
        "errcode": 0,
        "errmsg": "ok",
        "info": [],
        "is_last": True,
        "next_cursor": "",
    }
