"""The tag library and marking."""

import pytest

from wecom_app.simulator.server import Simulator

TAGS = "externalcontact/get_corp_tag_list"
ADD = "externalcontact/add_corp_tag"
EDIT = "externalcontact/edit_corp_tag"
DELETE = "externalcontact/del_corp_tag"
MARK = "externalcontact/mark_tag"


def test_equal_names_in_one_call_make_one_tag(api):
    answer = api.post(ADD, {"group_name": "等级", "tag": [{"name": "金"}, {"name": "金"}, {"name": "银"}]})
    assert [tag["name"] for tag in answer["tag_group"]["tag"]] == ["金", "银"]


def test_an_existing_name_refuses_the_whole_call(api):
    api.tag_ids("等级", "金")
    answer = api.post(ADD, {"group_name": "等级", "tag": [{"name": "银"}, {"name": "金"}]})
    assert answer["errcode"] == 40071
    assert [tag["name"] for tag in api.post(TAGS)["tag_group"][0]["tag"]] == ["金"]


def test_the_name_of_an_existing_group_adds_to_it(api):
    api.tag_ids("等级", "金")
    api.tag_ids("等级", "银")
    assert len(api.post(TAGS)["tag_group"]) == 1


def test_the_same_name_is_free_in_another_group(api):
    api.tag_ids("等级", "金")
    assert len(api.tag_ids("颜色", "金")) == 1


@pytest.mark.parametrize(
    ("body", "errcode"),
    [
        ({"group_name": "等级", "tag": []}, 41018),
        ({"group_name": "等级", "tag": [{"name": ""}]}, 41018),
        ({"group_name": "等级", "tag": [{"name": "长" * 31}]}, 40072),
        ({"group_name": "长" * 31, "tag": [{"name": "金"}]}, 40072),
        ({"tag": [{"name": "金"}]}, 40063),
        ({"group_id": "etunknown", "tag": [{"name": "金"}]}, 40068),
        ({"group_name": "等级", "tag": [{"name": "金", "order": 2**32}]}, 40058),
    ],
)
def test_a_bad_new_tag_is_refused(api, body, errcode):
    assert api.post(ADD, body)["errcode"] == errcode
    assert api.post(TAGS)["tag_group"] == []


def test_a_name_of_30_characters_is_taken(api):
    assert api.post(ADD, {"group_name": "等级", "tag": [{"name": "长" * 30}]})["errcode"] == 0


def test_the_library_is_capped(api, sim: Simulator):
    sim.faults.set(tag_limit=2)
    api.tag_ids("等级", "金", "银")
    assert api.post(ADD, {"group_name": "等级", "tag": [{"name": "铜"}]})["errcode"] == 40126


def test_larger_orders_come_first(api):
    tags = [{"name": "低", "order": 1}, {"name": "高", "order": 9}, {"name": "中", "order": 5}]
    api.post(ADD, {"group_name": "甲", "order": 1, "tag": tags})
    api.post(ADD, {"group_name": "乙", "order": 2, "tag": [{"name": "x"}]})
    groups = api.post(TAGS)["tag_group"]
    assert [group["group_name"] for group in groups] == ["乙", "甲"]
    assert [tag["name"] for tag in groups[1]["tag"]] == ["高", "中", "低"]


def test_tag_id_is_ignored_beside_group_id(api):
    gold, _ = api.tag_ids("等级", "金", "银")
    api.tag_ids("颜色", "红")
    colour = api.post(TAGS)["tag_group"][1]["group_id"]
    answer = api.post(TAGS, {"tag_id": [gold], "group_id": [colour]})
    assert [group["group_name"] for group in answer["tag_group"]] == ["颜色"]


def test_asking_by_tag_id_answers_only_that_tag(api):
    gold, _ = api.tag_ids("等级", "金", "银")
    (group,) = api.post(TAGS, {"tag_id": [gold]})["tag_group"]
    assert [(tag["name"], tag["deleted"]) for tag in group["tag"]] == [("金", False)]


def test_deletion_shows_only_when_asked_by_id(api):
    gold, silver = api.tag_ids("等级", "金", "银")
    api.post(DELETE, {"tag_id": [gold]})
    (listed,) = api.post(TAGS)["tag_group"]
    assert [tag["id"] for tag in listed["tag"]] == [silver]
    assert "deleted" not in listed
    assert "deleted" not in listed["tag"][0]
    (asked,) = api.post(TAGS, {"tag_id": [gold]})["tag_group"]
    assert (asked["deleted"], asked["tag"][0]["deleted"]) == (False, True)


def test_a_group_goes_with_its_last_tag(api):
    (gold,) = api.tag_ids("等级", "金")
    group_id = api.post(TAGS)["tag_group"][0]["group_id"]
    api.post(DELETE, {"tag_id": [gold]})
    assert api.post(TAGS)["tag_group"] == []
    assert api.post(TAGS, {"group_id": [group_id]})["tag_group"][0]["deleted"] is True


@pytest.mark.parametrize(
    ("path", "body", "errcode"),
    [
        (TAGS, {"tag_id": ["etunknown"]}, 40068),
        (TAGS, {"group_id": ["etunknown"]}, 40068),
        (EDIT, {"id": ""}, 41017),
        (EDIT, {"id": "etunknown", "name": "x"}, 40068),
        (DELETE, {}, 41017),
        (DELETE, {"tag_id": ["etunknown"]}, 40068),
    ],
)
def test_unknown_and_missing_tags_are_told_apart(api, path, body, errcode):
    assert api.post(path, body)["errcode"] == errcode


def test_a_deleted_tag_cannot_be_deleted_again(api):
    gold, _ = api.tag_ids("等级", "金", "银")
    api.post(DELETE, {"tag_id": [gold]})
    assert api.post(DELETE, {"tag_id": [gold]})["errcode"] == 40068


def test_one_bad_id_deletes_nothing(api):
    gold, _ = api.tag_ids("等级", "金", "银")
    api.post(DELETE, {"tag_id": [gold, "etunknown"]})
    assert len(api.post(TAGS)["tag_group"][0]["tag"]) == 2


def test_a_tag_can_be_renamed_but_not_to_its_neighbours_name(api):
    gold, _ = api.tag_ids("等级", "金", "银")
    assert api.post(EDIT, {"id": gold, "name": "银"})["errcode"] == 40071
    assert api.post(EDIT, {"id": gold, "name": "白金", "order": 7})["errcode"] == 0
    tag = api.post(TAGS)["tag_group"][0]["tag"][0]
    assert (tag["name"], tag["order"]) == ("白金", 7)


def test_a_group_can_be_renamed_but_not_to_another_groups_name(api):
    api.tag_ids("等级", "金")
    api.tag_ids("颜色", "红")
    level, _ = (group["group_id"] for group in api.post(TAGS)["tag_group"])
    assert api.post(EDIT, {"id": level, "name": "颜色"})["errcode"] == 40071
    assert api.post(EDIT, {"id": level, "name": "会员等级"})["errcode"] == 0
    assert api.post(TAGS)["tag_group"][0]["group_name"] == "会员等级"


@pytest.mark.parametrize("maker", ["console", "another app"])
def test_tags_of_others_can_be_marked_but_not_changed(api, other_api, sim: Simulator, maker):
    tag_id = sim.world.add_tag("等级", "金").id if maker == "console" else other_api.tag_ids("等级", "金")[0]
    assert api.post(EDIT, {"id": tag_id, "name": "银"})["errcode"] == 81011
    assert api.post(DELETE, {"tag_id": [tag_id]})["errcode"] == 81011
    marked = api.post(MARK, {"userid": "zhang", "external_userid": "wmli", "add_tag": [tag_id]})
    assert marked["errcode"] == 0


def test_a_group_of_others_cannot_be_deleted(api, sim: Simulator):
    group_id = sim.world.add_tag("等级", "金").group_id
    assert api.post(DELETE, {"group_id": [group_id]})["errcode"] == 81011


def test_marking_belongs_to_one_member(api, sim: Simulator):
    sim.world.add_relation("wang", "wmli")
    gold, silver = api.tag_ids("等级", "金", "银")
    api.post(MARK, {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold, silver]})
    api.post(MARK, {"userid": "ZHANG", "external_userid": "wmli", "remove_tag": [silver]})
    assert sim.world.tag_names("zhang", "wmli") == {("等级", "金")}
    assert sim.world.tag_names("wang", "wmli") == set()


def test_marking_twice_and_removing_what_is_absent_are_fine(api, sim: Simulator):
    gold, silver = api.tag_ids("等级", "金", "银")
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold], "remove_tag": [silver]}
    assert [api.post(MARK, body)["errcode"] for _ in range(2)] == [0, 0]
    assert sim.world.tag_names("zhang", "wmli") == {("等级", "金")}


@pytest.mark.parametrize(
    ("change", "errcode"),
    [
        ({"userid": ""}, 60111),
        ({"userid": "nobody"}, 40003),
        ({"external_userid": ""}, 41035),
        ({"external_userid": "wmnobody"}, 40096),
        ({"userid": "wang"}, 84061),
        ({"add_tag": ["etunknown"]}, 40068),
        ({"add_tag": []}, 41017),
    ],
)
def test_a_bad_mark_is_refused(api, sim: Simulator, change, errcode):
    (gold,) = api.tag_ids("等级", "金")
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold]} | change
    assert api.post(MARK, body)["errcode"] == errcode
    assert sim.world.tag_names("zhang", "wmli") == set()


def test_one_bad_tag_marks_nothing(api, sim: Simulator):
    (gold,) = api.tag_ids("等级", "金")
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold], "remove_tag": ["etunknown"]}
    assert api.post(MARK, body)["errcode"] == 40068
    assert sim.world.tag_names("zhang", "wmli") == set()


def test_a_text_in_place_of_a_list_is_taken_with_a_warning(api, sim: Simulator):
    (gold,) = api.tag_ids("等级", "金")
    answer = api.post(MARK, {"userid": "zhang", "external_userid": "wmli", "add_tag": gold})
    assert (answer["errcode"], answer["errmsg"]) == (0, "Warning: wrong json format. ok")
    assert sim.world.tag_names("zhang", "wmli") == {("等级", "金")}


def test_a_deleted_tag_disappears_from_customers(api, sim: Simulator):
    gold, silver = api.tag_ids("等级", "金", "银")
    api.post(MARK, {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold, silver]})
    api.post(DELETE, {"tag_id": [gold]})
    (follow,) = api.get("externalcontact/get", external_userid="wmli")["follow_user"]
    assert [tag["tag_id"] for tag in follow["tags"]] == [silver]


def test_api_writes_push_no_event_unless_told_to(api, sim: Simulator):
    (gold,) = api.tag_ids("等级", "金")
    body = {"userid": "zhang", "external_userid": "wmli", "add_tag": [gold]}
    api.post(MARK, body)
    assert list(sim.callbacks.records) == []
    sim.faults.set(echo_api_writes=True)
    api.post(MARK, body | {"add_tag": [], "remove_tag": [gold]})
    api.post(DELETE, {"tag_id": [gold]})
    pushed = [(item.event.event, item.event.change_type) for item in sim.callbacks.records]
    assert pushed == [
        ("change_external_contact", "edit_external_contact"),
        ("change_external_tag", "delete"),
        ("change_external_tag", "delete"),
    ]
