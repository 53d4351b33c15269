"""Members with the feature, their customers, paging, remarks, and the visible range."""

import pytest

from wecom_app.simulator.server import Simulator

LIST = "externalcontact/list"
GET = "externalcontact/get"
BATCH = "externalcontact/batch/get_by_user"
REMARK = "externalcontact/remark"


def test_only_active_members_with_the_feature_follow_users(api, sim: Simulator):
    sim.world.add_member("sun", "孙丽", customer_contact=False)
    sim.world.add_member("zhou", "周杰", status=2)
    assert api.get("externalcontact/get_follow_user_list")["follow_user"] == ["zhang", "wang"]


def test_a_members_customers_are_listed(api):
    assert api.get(LIST, userid="ZHANG")["external_userid"] == ["wmli"]


def test_a_list_for_a_member_without_customers_answers_84061(api):
    answer = api.get(LIST, userid="wang")
    assert (answer["errcode"], answer["external_userid"]) == (84061, [])


@pytest.mark.parametrize(("userid", "errcode"), [("", 60111), ("nobody", 40003)])
def test_a_list_needs_a_known_member(api, userid, errcode):
    assert api.get(LIST, userid=userid)["errcode"] == errcode


def test_a_customer_shows_who_follows_him_and_the_kinds_of_tags(api, sim: Simulator):
    tag = sim.world.add_tag("等级", "金")
    sim.act("zhang", "mark", external_userid="wmli", add=[tag.id], personal_add=[{"group": "我的", "tag": "熟客"}])
    (follow,) = api.get(GET, external_userid="wmli")["follow_user"]
    assert follow["tags"] == [
        {"group_name": "等级", "tag_name": "金", "tag_id": tag.id, "type": 1},
        {"group_name": "我的", "tag_name": "熟客", "type": 2},
    ]
    (item,) = api.post(BATCH, {"userid_list": ["zhang"]})["external_contact_list"]
    assert item["follow_info"]["tag_id"] == [tag.id]
    assert "tags" not in item["follow_info"]


@pytest.mark.parametrize(("external_userid", "errcode"), [("", 41035), ("wmnobody", 40096)])
def test_a_get_needs_a_known_customer(api, external_userid, errcode):
    assert api.get(GET, external_userid=external_userid)["errcode"] == errcode


def test_a_customer_whom_nobody_follows_answers_84061(api, sim: Simulator):
    sim.world.add_customer("陈晨", "wmchen")
    assert api.get(GET, external_userid="wmchen")["errcode"] == 84061


def test_a_wecom_customer_shows_his_company(api, sim: Simulator):
    sim.world.add_customer("钱多", "woqian", type=2, corp_name="某某贸易")
    sim.world.add_relation("zhang", "woqian")
    contact = api.get(GET, external_userid="woqian")["external_contact"]
    assert (contact["type"], contact["corp_name"]) == (2, "某某贸易")


def test_more_followers_than_a_page_come_with_a_cursor(api, sim: Simulator):
    for number in range(501):
        sim.world.add_member(f"m{number}", f"成员{number}")
        sim.world.add_relation(f"m{number}", "wmli")
    first = api.get(GET, external_userid="wmli")
    assert len(first["follow_user"]) == 500
    second = api.get(GET, external_userid="wmli", cursor=first["next_cursor"])
    assert [item["userid"] for item in second["follow_user"]] == ["m499", "m500"]
    assert "next_cursor" not in second


def test_a_made_up_cursor_answers_50100(api):
    assert api.get(GET, external_userid="wmli", cursor="garbage")["errcode"] == 50100
    assert api.post(BATCH, {"userid_list": ["zhang"], "cursor": "garbage"})["errcode"] == 50100


def test_a_batch_is_read_to_its_end_by_cursor(api, sim: Simulator):
    for number in range(6):
        sim.world.add_customer(f"客户{number}", f"wm{number}")
        sim.world.add_relation("wang", f"wm{number}")
    found, cursor = [], ""
    for _ in range(4):
        body = {"userid_list": ["zhang", "wang"], "limit": 2, "cursor": cursor}
        answer = api.post(BATCH, body)
        found += [item["external_contact"]["external_userid"] for item in answer["external_contact_list"]]
        cursor = answer["next_cursor"]
    assert found == ["wmli", "wm0", "wm1", "wm2", "wm3", "wm4", "wm5"]
    assert cursor == ""


def test_a_cursor_is_good_for_its_own_question_only(api, sim: Simulator):
    sim.world.add_customer("陈晨", "wmchen")
    sim.world.add_relation("zhang", "wmchen")
    cursor = api.post(BATCH, {"userid_list": ["zhang"], "limit": 1})["next_cursor"]
    assert api.post(BATCH, {"userid_list": ["wang"], "limit": 1, "cursor": cursor})["errcode"] == 50100


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"userid_list": []}, 60111),
        ({"userid_list": ["zhang"] * 101}, 40058),
        ({"userid_list": ["zhang"], "limit": 101}, 40058),
        ({"userid_list": ["nobody"]}, 40003),
    ],
)
def test_a_bad_batch_is_refused(api, body, errcode):
    assert api.post(BATCH, body)["errcode"] == errcode


def test_the_older_userid_is_taken_in_a_batch(api):
    assert len(api.post(BATCH, {"userid": "zhang"})["external_contact_list"]) == 1


def test_members_without_licence_are_named_in_a_batch(api, sim: Simulator):
    sim.world.add_member("sun", "孙丽", licensed=False)
    answer = api.post(BATCH, {"userid_list": ["zhang", "sun"]})
    assert answer["fail_info"] == {"unlicensed_userid_list": ["sun"]}
    assert api.post(BATCH, {"userid_list": ["sun"]})["errcode"] == 701008


def test_a_remark_is_kept(api):
    body = {
        "userid": "zhang",
        "external_userid": "wmli",
        "remark": "李总",
        "description": "爱喝茶",
        "remark_company": "某厂",
        "remark_mobiles": ["13800000000"],
    }
    assert api.post(REMARK, body)["errcode"] == 0
    (follow,) = api.get(GET, external_userid="wmli")["follow_user"]
    assert (follow["remark"], follow["description"]) == ("李总", "爱喝茶")
    assert (follow["remark_corp_name"], follow["remark_mobiles"]) == ("某厂", ["13800000000"])


@pytest.mark.parametrize("cleared", [[""], ""])
def test_an_empty_mobile_clears_the_list(api, sim: Simulator, cleared):
    sim.act("zhang", "remark", external_userid="wmli", remark_mobiles=["13800000000"])
    api.post(REMARK, {"userid": "zhang", "external_userid": "wmli", "remark_mobiles": cleared})
    (follow,) = api.get(GET, external_userid="wmli")["follow_user"]
    assert follow["remark_mobiles"] == []


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"userid": "nobody"}, 40003),
        ({"external_userid": "wmnobody"}, 40096),
        ({"userid": "wang"}, 84061),
        ({"remark": "长" * 21}, 40058),
    ],
)
def test_a_bad_remark_is_refused(api, change, errcode):
    body = {"userid": "zhang", "external_userid": "wmli", "remark": "李总"} | change
    assert api.post(REMARK, body)["errcode"] == errcode


def test_a_remark_needs_one_of_its_fields(api):
    assert api.post(REMARK, {"userid": "zhang", "external_userid": "wmli"})["errcode"] == 40063


def test_a_narrow_app_sees_only_its_members(narrow_api, sim: Simulator):
    sim.world.add_relation("wang", "wmli")
    assert narrow_api.get("externalcontact/get_follow_user_list")["follow_user"] == ["zhang"]
    shown = narrow_api.get(GET, external_userid="wmli")["follow_user"]
    assert [item["userid"] for item in shown] == ["zhang"]
    assert narrow_api.get(LIST, userid="wang")["errcode"] == 60011


def test_the_visible_range_can_be_changed_while_running(api, sim: Simulator):
    sim.faults.set(visible_members=["wang"])
    assert api.get("externalcontact/get_follow_user_list")["follow_user"] == ["wang"]
    assert api.get(GET, external_userid="wmli")["errcode"] == 84061
    sim.faults.clear()
    assert api.get(GET, external_userid="wmli")["errcode"] == 0


def test_a_customer_who_deleted_the_member_can_still_be_marked(api, sim: Simulator):
    sim.act("wmli", "delete_staff", userid="zhang")
    (gold,) = api.tag_ids("等级", "金")
    assert api.get(LIST, userid="zhang")["errcode"] == 84061
    assert api.get(GET, external_userid="wmli")["errcode"] == 84061
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold]}
    assert api.post("externalcontact/mark_tag", body)["errcode"] == 0


def test_a_customer_whom_the_member_deleted_cannot_be_marked(api, sim: Simulator):
    sim.act("zhang", "delete_customer", external_userid="wmli")
    (gold,) = api.tag_ids("等级", "金")
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold]}
    assert api.post("externalcontact/mark_tag", body)["errcode"] == 84061
