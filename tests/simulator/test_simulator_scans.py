"""Scanning a live code: who is added, which events come, and when there is a welcome code."""

import pytest

from wecom_app.errors import Conflict, InvalidInput, NotFound
from wecom_app.simulator.server import Simulator

ADD = "externalcontact/add_contact_way"


def pushed(sim: Simulator) -> list[str]:
    return [item.event.change_type for item in sim.callbacks.records]


def test_a_scan_makes_a_customer_a_relation_and_an_event(sim: Simulator, code):
    answer = sim.scan(code, name="韩梅梅")
    assert (answer["name"], answer["userid"], answer["state"]) == ("韩梅梅", "zhang", "spring")
    assert answer["external_userid"].startswith("wm")
    relation = sim.world.customers.relation("zhang", answer["external_userid"])
    assert (relation.add_way, relation.state, relation.oper_userid) == (
        1,
        "spring",
        answer["external_userid"],
    )
    (delivery,) = sim.callbacks.records
    assert delivery.event.change_type == "add_external_contact"
    for part in (answer["external_userid"], "spring", answer["welcome_code"], "<UserID><![CDATA[zhang]]>"):
        assert part in delivery.event.plaintext


def test_an_unnamed_customer_gets_a_name(sim: Simulator, code):
    assert sim.scan(code)["name"]


def test_a_friend_only_opens_the_chat(sim: Simulator, code):
    answer = sim.scan(code, external_userid="wmli")
    assert (answer["already_friend"], answer["welcome_code"]) == (True, None)
    assert pushed(sim) == []


def test_a_code_of_several_members_hands_them_out_in_turn(api, sim: Simulator):
    config_id = api.post(ADD, {"type": 2, "scene": 2, "user": ["zhang", "wang"]})["config_id"]
    assert [sim.scan(config_id)["userid"] for _ in range(4)] == ["zhang", "wang", "zhang", "wang"]


def test_the_member_can_be_chosen(api, sim: Simulator):
    config_id = api.post(ADD, {"type": 2, "scene": 2, "user": ["zhang", "wang"]})["config_id"]
    assert sim.scan(config_id, userid="wang")["userid"] == "wang"
    with pytest.raises(Conflict):
        sim.scan(config_id, userid="chen")


def test_a_full_member_is_passed_over(api, sim: Simulator):
    sim.world.members.find("zhang").customer_limit = 1
    config_id = api.post(ADD, {"type": 2, "scene": 2, "user": ["zhang", "wang"]})["config_id"]
    assert sim.scan(config_id)["userid"] == "wang"


def test_an_exclusive_code_keeps_a_company_with_one_member(api, sim: Simulator):
    body = {"type": 2, "scene": 2, "user": ["zhang", "wang"], "is_exclusive": True}
    config_id = api.post(ADD, body)["config_id"]
    sim.world.add_customer("钱多", "wo1", type=2, corp_name="某某贸易")
    sim.world.add_customer("孙权", "wo2", type=2, corp_name="某某贸易")
    sim.scan(config_id, external_userid="wo1", userid="wang")
    assert sim.scan(config_id, external_userid="wo2")["userid"] == "wang"


def test_a_code_with_verification_reports_half_then_full(api, sim: Simulator):
    body = {"type": 1, "scene": 2, "user": ["zhang"], "skip_verify": False}
    answer = sim.scan(api.post(ADD, body)["config_id"])
    half, full = sim.callbacks.records
    assert pushed(sim) == ["add_half_external_contact", "add_external_contact"]
    assert answer["welcome_code"] in half.event.plaintext
    assert "WelcomeCode" not in full.event.plaintext


def test_a_half_contact_cannot_be_read_until_confirmed(api, sim: Simulator, code):
    answer = sim.scan(code, half=True, confirm=False)
    external_userid = answer["external_userid"]
    assert pushed(sim) == ["add_half_external_contact"]
    assert api.get("externalcontact/get", external_userid=external_userid)["errcode"] == 84061
    sim.act("zhang", "confirm_add", external_userid=external_userid)
    assert pushed(sim) == ["add_half_external_contact", "add_external_contact"]
    assert api.get("externalcontact/get", external_userid=external_userid)["errcode"] == 0


@pytest.mark.parametrize("switch", ["console_welcome", "chatting", "partner"])
def test_some_contacts_come_without_welcome_code(sim: Simulator, code, switch):
    answer = sim.scan(code, **{switch: True})
    assert answer["welcome_code"] is None
    (delivery,) = sim.callbacks.records
    assert "WelcomeCode" not in delivery.event.plaintext


def test_a_business_partner_has_a_wo_id_and_type_2(sim: Simulator, code):
    answer = sim.scan(code, partner=True)
    assert answer["external_userid"].startswith("wo")
    assert sim.world.customers.find(answer["external_userid"]).type == 2


def test_a_hint_can_be_kept_back(sim: Simulator, code):
    sim.scan(code, silent=True)
    assert pushed(sim) == []


def test_a_code_can_be_named_by_state_or_picture(api, sim: Simulator, code):
    way = sim.world.contact_ways.find(code)
    assert sim.scan(state="spring")["config_id"] == code
    assert sim.scan(qr_code=way.qr_code)["config_id"] == code


def test_a_deleted_code_adds_nobody(api, sim: Simulator, code):
    api.post("externalcontact/del_contact_way", {"config_id": code})
    with pytest.raises(NotFound):
        sim.scan(code)


def test_an_unknown_switch_is_refused(sim: Simulator, code):
    with pytest.raises(InvalidInput):
        sim.scan(code, hurry=True)


@pytest.mark.parametrize(
    ("ender", "kept"), [("staff", False), ("customer", True)], ids=["member deleted", "customer deleted"]
)
def test_what_a_re_added_customer_keeps(sim: Simulator, code, ender, kept):
    tag = sim.world.add_tag("等级", "金")
    sim.act("zhang", "mark", external_userid="wmli", add=[tag.id])
    if ender == "staff":
        sim.act("zhang", "delete_customer", external_userid="wmli")
    else:
        sim.act("wmli", "delete_staff", userid="zhang")
    assert sim.scan(code, external_userid="wmli")["already_friend"] is False
    assert bool(sim.world.tag_names("zhang", "wmli")) is kept


@pytest.mark.parametrize("kept", [True, False])
def test_keeping_tags_on_a_re_add_can_be_switched(sim: Simulator, code, kept):
    tag = sim.world.add_tag("等级", "金")
    sim.act("zhang", "mark", external_userid="wmli", add=[tag.id])
    sim.act("zhang", "delete_customer", external_userid="wmli")
    sim.scan(code, external_userid="wmli", keep_tags=kept)
    assert bool(sim.world.tag_names("zhang", "wmli")) is kept
