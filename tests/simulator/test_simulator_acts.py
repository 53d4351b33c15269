"""What people do in the client and the console, and the events of it."""

import pytest

from wecom_app.errors import Conflict, InvalidInput, NameTaken, NotFound
from wecom_app.simulator.server import Simulator


def pushed(sim: Simulator) -> list[tuple[str, str]]:
    return [(item.event.event, item.event.change_type) for item in sim.callbacks.records]


def last_event(sim: Simulator) -> str:
    return sim.callbacks.records[-1].event.plaintext


def test_marking_by_names_fires_an_edit(sim: Simulator):
    sim.world.add_tag("等级", "金")
    sim.act("zhang", "mark", external_userid="wmli", add=[{"group": "等级", "tag": "金"}])
    assert sim.world.tag_names("zhang", "wmli") == {("等级", "金")}
    assert pushed(sim) == [("change_external_contact", "edit_external_contact")]
    sim.act("zhang", "mark", external_userid="wmli", remove=[{"group": "等级", "tag": "金"}])
    assert sim.world.tag_names("zhang", "wmli") == set()


def test_marking_what_is_marked_fires_nothing(sim: Simulator):
    tag = sim.world.add_tag("等级", "金")
    for _ in range(2):
        sim.act("zhang", "mark", external_userid="wmli", add=[tag.id])
    assert len(pushed(sim)) == 1


def test_personal_tags_and_mobiles_fire_nothing(sim: Simulator):
    sim.act("zhang", "mark", external_userid="wmli", personal_add=[{"group": "我的", "tag": "熟客"}])
    sim.act("zhang", "remark", external_userid="wmli", remark_mobiles=["13800000000"])
    assert pushed(sim) == []


def test_a_remark_fires_an_edit(sim: Simulator):
    sim.act("zhang", "remark", external_userid="wmli", remark="李总")
    assert pushed(sim) == [("change_external_contact", "edit_external_contact")]


def test_any_act_can_be_kept_silent(sim: Simulator):
    sim.act("zhang", "remark", external_userid="wmli", remark="李总", silent=True)
    assert pushed(sim) == []


def test_the_two_deletions_have_events_of_their_own(sim: Simulator):
    sim.act("wmli", "delete_staff", userid="zhang")
    assert pushed(sim)[-1] == ("change_external_contact", "del_follow_user")
    sim.act("zhang", "delete_customer", external_userid="wmli")
    assert pushed(sim)[-1] == ("change_external_contact", "del_external_contact")


def test_adding_outside_live_codes_has_no_state(sim: Simulator):
    answer = sim.act("wang", "add", name="陈晨", add_way=3)
    relation = sim.world.customers.relation("wang", answer["external_userid"])
    assert (relation.add_way, relation.state) == (3, None)
    assert "<State>" not in last_event(sim)
    assert answer["welcome_code"] in last_event(sim)
    with pytest.raises(Conflict):
        sim.act("wang", "add", external_userid=answer["external_userid"])


def test_a_customer_can_add_the_member_again(sim: Simulator):
    sim.act("wmli", "delete_staff", userid="zhang")
    answer = sim.act("wmli", "re_add", userid="zhang")
    assert answer["external_userid"] == "wmli"
    assert sim.world.customers.relation("zhang", "wmli").deleted_by is None


def test_making_a_group_in_the_console_fires_an_event_for_each_part(sim: Simulator):
    made = sim.act("admin", "group_create", group="等级", names=["金", "银"])
    assert pushed(sim) == [("change_external_tag", "create")] * 3
    plain = [item.event.plaintext for item in sim.callbacks.records]
    assert made["group_id"] in plain[0]
    assert "<TagType><![CDATA[tag_group]]></TagType>" in plain[0]
    assert "<TagType><![CDATA[tag]]></TagType>" in plain[1]
    with pytest.raises(NameTaken):
        sim.act("admin", "group_create", group="等级", names=["铜"])


def test_renaming_in_the_console_fires_an_update(sim: Simulator):
    tag = sim.world.add_tag("等级", "金")
    sim.world.add_tag("等级", "银")
    sim.act("admin", "tag_rename", tag_id=tag.id, name="白金")
    assert (tag.name, pushed(sim)) == ("白金", [("change_external_tag", "update")])
    sim.act("admin", "group_rename", group="等级", name="会员等级")
    assert sim.world.tags.group_named("会员等级") is not None
    with pytest.raises(NameTaken):
        sim.act("admin", "tag_rename", tag_id=tag.id, name="银")


def test_deleting_a_group_fires_one_event(sim: Simulator):
    tag = sim.world.add_tag("等级", "金")
    sim.world.add_tag("等级", "银")
    sim.act("admin", "group_delete", group="等级")
    assert pushed(sim) == [("change_external_tag", "delete")]
    assert tag.group_id in last_event(sim)
    assert tag.deleted is True


def test_deleting_a_tag_fires_an_event_and_the_last_takes_its_group(sim: Simulator):
    sim.world.add_tag("等级", "金")
    sim.world.add_tag("等级", "银")
    sim.act("admin", "tag_delete", group="等级", tag="金")
    assert len(pushed(sim)) == 1
    sim.act("admin", "tag_delete", group="等级", tag="银")
    assert len(pushed(sim)) == 3
    assert sim.world.tags.group_named("等级") is None


def test_shuffling_fires_one_event_without_tag_type(sim: Simulator):
    gold, silver = sim.world.add_tag("等级", "金"), sim.world.add_tag("等级", "银")
    sim.act("admin", "shuffle", group="等级", ids=[silver.id, gold.id])
    group = sim.world.tags.group(gold.group_id)
    assert group.live_tags() == [silver, gold]
    assert pushed(sim) == [("change_external_tag", "shuffle")]
    assert "TagType" not in last_event(sim)
    sim.act("admin", "shuffle")
    assert "<Id><![CDATA[]]></Id>" in last_event(sim)


def test_members_and_departments_change_with_events(sim: Simulator):
    sim.act("admin", "create_department", name="门店")
    sim.act("admin", "create_member", userid="sun", name="孙丽", department=[2])
    sim.act("admin", "update_member", userid="sun", name="孙莉", new_userid="sunli")
    assert "<NewUserID><![CDATA[sunli]]></NewUserID>" in last_event(sim)
    sim.act("admin", "update_department", id=2, name="旗舰店")
    sim.act("admin", "delete_member", userid="sunli")
    sim.act("admin", "delete_department", id=2)
    assert [change for _, change in pushed(sim)] == [
        *("create_party", "create_user", "update_user", "update_party", "delete_user", "delete_party")
    ]
    assert sim.world.members.find("sunli") is None


def test_a_renamed_member_keeps_his_customers(api, sim: Simulator):
    sim.act("admin", "update_member", userid="zhang", new_userid="zhangwei")
    assert api.get("externalcontact/list", userid="zhangwei")["external_userid"] == ["wmli"]
    assert api.get("externalcontact/list", userid="zhang")["errcode"] == 40003


def test_a_resignation_leaves_customers_to_be_assigned(api, sim: Simulator):
    sim.act("admin", "resign", userid="zhang")
    assert pushed(sim) == [("change_contact", "delete_user")]
    assert api.get("externalcontact/get", external_userid="wmli")["errcode"] == 84061
    (item,) = api.post("externalcontact/get_unassigned_list")["info"]
    assert (item["handover_userid"], item["external_userid"]) == ("zhang", "wmli")


def test_a_message_comes_from_its_writer(sim: Simulator):
    sim.act("zhang", "message", text="金卡有几位？")
    plain = last_event(sim)
    assert "<FromUserName><![CDATA[zhang]]></FromUserName>" in plain
    assert "<Content><![CDATA[金卡有几位？]]></Content>" in plain
    assert "<AgentID>1000002</AgentID>" in plain
    first = sim.act("zhang", "message", text="x")["msgid"]
    assert sim.act("zhang", "message", text="x")["msgid"] != first


def test_opening_the_app_and_its_menu_are_events_of_the_member(sim: Simulator):
    sim.act("zhang", "enter_agent")
    sim.act("zhang", "click", key="daily")
    assert [event for event, _ in pushed(sim)] == ["enter_agent", "click"]
    assert "<EventKey><![CDATA[daily]]></EventKey>" in last_event(sim)


def test_any_event_can_be_pushed(sim: Simulator):
    sim.act("system", "unknown_event", event="brand_new", change_type="odd", fields={"A": {"B": ["1", "2"]}})
    assert pushed(sim) == [("brand_new", "odd")]
    assert "<A><B><![CDATA[1]]></B><B><![CDATA[2]]></B></A>" in last_event(sim)


def test_a_customers_new_name_is_seen_by_reading_only(api, sim: Simulator):
    sim.act("wmli", "rename_customer", name="李想")
    assert api.get("externalcontact/get", external_userid="wmli")["external_contact"]["name"] == "李想"
    assert pushed(sim) == []


@pytest.mark.parametrize(
    ("kind", "parts", "error"),
    [
        ("dance", {}, InvalidInput),
        ("mark", {"external_userid": "wmnobody"}, NotFound),
        ("mark", {"external_userid": "wmli", "add": ["etunknown"]}, NotFound),
        ("mark", {"external_userid": "wmli", "add": "金"}, InvalidInput),
        ("message", {}, InvalidInput),
        ("tag_delete", {"group": "无", "tag": "无"}, NotFound),
        ("group_delete", {"group": "无"}, NotFound),
        ("confirm_add", {"external_userid": "wmli"}, Conflict),
        ("confirm_mass_message", {}, NotFound),
        ("create_member", {"userid": "zhang", "name": "x"}, Conflict),
        ("transfer", {"external_userid": "wmli", "result": "maybe"}, InvalidInput),
        ("click_card", {}, NotFound),
    ],
)
def test_an_impossible_act_is_refused(sim: Simulator, kind, parts, error):
    with pytest.raises(error):
        sim.act("zhang", kind, **parts)
    assert pushed(sim) == []
