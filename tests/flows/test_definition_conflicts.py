"""Names and orders that both sides changed: whose holds, what is kept of the other, and a person's word on it."""

import pytest

from tests.flows.company import Company
from tests.flows.definitions import (
    EDIT,
    call,
    names_there,
    open_row,
    rename_here,
    rename_there,
    rows,
    set_policy,
    settle_row,
    tag_here,
)
from wecom_app.services import library


def dispute(company: Company, policy: str) -> str:
    """A tag renamed on both sides before either has heard of the other; return its key."""
    (key,) = company.make_tags("护肤")
    set_policy(company, policy)
    rename_here(company, key, "护肤品")
    rename_there(company, "护肤", "面部护理")
    company.settle_later(30)
    return key


@pytest.mark.both
def test_a_second_group_of_one_name_in_wecom_keeps_nothing_else_out(company: Company) -> None:
    """WeCom should not let it come to that; where it does, the first one stands here and everything else goes on."""
    for group in ("兴趣", "爱好", "到店"):
        company.simulator.act("admin", "group_create", group=group, names=[f"{group}甲"])
    twin = company.simulator.world.tags.group_named("爱好")
    assert twin is not None
    twin.name = "兴趣"
    company.settle()
    library.pull(company.runtime, {})

    groups = {group["name"]: group for group in company.get("/tag-groups")["items"]}
    assert {"兴趣", "到店"} <= groups.keys()
    assert [tag["name"] for tag in groups["兴趣"]["tags"]] == ["兴趣甲"]


@pytest.mark.both
def test_renamed_on_both_sides_wecom_wins_unless_told_otherwise_and_ours_stays_as_alias(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    rename_here(company, key, "护肤品")
    rename_there(company, "护肤", "面部护理")
    company.settle_later(30)

    tag = tag_here(company, key)
    assert (tag.name, tag.aliases, names_there(company)) == ("面部护理", ["护肤品"], ["面部护理"])
    assert rows(company) == [("name", "tag", "面部护理", ("护肤品",), ("面部护理",), "theirs")]
    assert company.simulator.calls.of(EDIT) == []


def test_renamed_on_both_sides_ours_wins_by_policy_and_theirs_stays_as_alias(company: Company) -> None:
    key = dispute(company, "ours")

    tag = tag_here(company, key)
    assert (tag.name, tag.aliases, names_there(company)) == ("护肤品", ["面部护理"], ["护肤品"])
    assert rows(company) == [("name", "tag", "护肤品", ("护肤品",), ("面部护理",), "ours")]


@pytest.mark.both
@pytest.mark.parametrize(("keep", "name", "alias"), [("theirs", "面部护理", "护肤品"), ("ours", "护肤品", "面部护理")])
def test_renamed_on_both_sides_a_person_decides_by_policy(company: Company, keep: str, name: str, alias: str) -> None:
    key = dispute(company, "ask")
    company.settle_later(60)
    state = company.get("/tags")["items"][0]["sync"]["state"]
    waiting = (tag_here(company, key).name, names_there(company), state, company.simulator.calls.of(EDIT))
    assert waiting == ("护肤品", ["面部护理"], "asking", [])

    settle_row(company, open_row(company), keep)
    company.settle_later(30)

    tag = tag_here(company, key)
    assert (tag.name, tag.aliases, names_there(company)) == (name, [alias], [name])
    assert [row[-1] for row in rows(company)] == [keep]
    assert company.get("/tags")["items"][0]["sync"]["state"] == "synced"


def test_a_disagreement_that_ends_by_itself_waits_for_nobody(company: Company) -> None:
    key = dispute(company, "ask")
    rename_there(company, "面部护理", "护肤品")
    company.settle_later(30)

    assert [row[-1] for row in rows(company)] == ["same"]
    assert tag_here(company, key).blocked is None


def test_the_same_new_name_on_both_sides_is_a_coincidence(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    rename_here(company, key, "护肤品")
    rename_there(company, "护肤", "护肤品")
    company.settle_later(30)

    assert (tag_here(company, key).name, names_there(company), rows(company)) == ("护肤品", ["护肤品"], [])
    assert company.simulator.calls.of(EDIT) == []


def test_a_group_renamed_on_both_sides_follows_its_own_policy(company: Company) -> None:
    company.make_tags("护肤")
    key = set_policy(company, "ours")
    call(company, "PATCH", f"/tag-groups/{key}", {"name": "喜好"})
    company.simulator.act("admin", "group_rename", group="兴趣", name="偏好")
    company.settle_later(30)

    (group,) = company.get("/tag-groups")["items"]
    assert (group["name"], group["aliases"], group["sync"]["state"]) == ("喜好", ["偏好"], "synced")
    assert names_there(company, "喜好") == ["护肤"]
    assert rows(company) == [("name", "group", "喜好", ("喜好",), ("偏好",), "ours")]


@pytest.mark.both
def test_two_names_that_changed_places_between_two_looks_do_not_collide(company: Company) -> None:
    one, two = company.make_tags("甲", "乙")
    for old, new in (("甲", "丙"), ("乙", "甲"), ("丙", "乙")):
        rename_there(company, old, new)
    company.settle_later(30)

    assert (tag_here(company, one).name, tag_here(company, two).name, rows(company)) == ("乙", "甲", [])


def test_two_names_that_changed_places_here_reach_wecom(company: Company) -> None:
    one, two = company.make_tags("甲", "乙")
    for key, name in ((one, "丙"), (two, "甲"), (one, "乙")):
        rename_here(company, key, name)
    company.settle_later(30)

    there = {tag["id"]: tag["name"] for group in company.wecom_state()["tag_groups"] for tag in group["tag"]}
    assert [there[str(tag_here(company, key).wecom_tag_id)] for key in (one, two)] == ["乙", "甲"]
    assert len(company.simulator.calls.of(EDIT)) == 3


def test_two_groups_that_changed_names_in_wecom_do_not_collide(company: Company) -> None:
    company.make_tags("护肤", group="甲组")
    company.make_tags("母婴", group="乙组")
    for old, new in (("甲组", "丙组"), ("乙组", "甲组"), ("丙组", "乙组")):
        company.simulator.act("admin", "group_rename", group=old, name=new)
    company.settle_later(30)

    shown = {group["name"]: [tag["name"] for tag in group["tags"]] for group in company.get("/tag-groups")["items"]}
    assert shown == {"甲组": ["母婴"], "乙组": ["护肤"]}


@pytest.mark.both
@pytest.mark.parametrize(("keep", "names"), [("ours", {"护肤", "面膜"}), ("theirs", {"面膜"})])
def test_renamed_there_to_a_name_that_a_new_tag_here_bears_a_person_is_asked(
    company: Company, keep: str, names: set[str]
) -> None:
    """Our new tag has not reached WeCom when a colleague gives its name to another one."""
    (key,) = company.make_tags("护肤")
    group = set_policy(company, "wecom")
    made = company.post("/tags", {"group": group, "name": "面膜"})
    rename_there(company, "护肤", "面膜")
    company.settle_later(30)
    assert rows(company) == [("name", "tag", "护肤", ("护肤",), ("面膜",), None)]
    assert company.get("/jobs?state=dead")["items"] == []

    if keep == "theirs":
        rename_here(company, made["key"], "面膜贴")
        names = {"面膜", "面膜贴"}
    done = settle_row(company, open_row(company), keep)
    company.settle_later(30)

    assert (done["settled"], set(names_there(company))) == (1, names)
    assert {tag["sync"]["state"] for tag in company.get("/tags")["items"]} == {"synced"}
    assert tag_here(company, key).name == ("面膜" if keep == "theirs" else "护肤")


def test_taking_a_name_that_another_tag_bears_says_so_and_leaves_the_row(company: Company) -> None:
    company.make_tags("护肤")
    group = set_policy(company, "wecom")
    company.post("/tags", {"group": group, "name": "面膜"})
    rename_there(company, "护肤", "面膜")
    company.settle_later(30)

    done = settle_row(company, open_row(company), "theirs")

    assert [one["reason"] for one in done["left"]] == ["taken"]
    assert rows(company)[0][-1] is None


def test_a_name_made_there_while_ours_was_on_its_way_makes_ours_go_back(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    company.simulator.faults.add(EDIT, "errcode", errcode=-1, times=1)
    rename_here(company, key, "面膜")
    company.settle()
    company.simulator.act("admin", "tag_create", group="兴趣", name="面膜")
    company.settle_later(60)

    tag = tag_here(company, key)
    assert (tag.name, tag.aliases) == ("护肤", ["面膜"])
    assert sorted(names_there(company)) == sorted(["护肤", "母婴", "面膜"])
    assert [row[:1] + row[3:] for row in rows(company)] == [("name", ("面膜",), ("护肤",), "theirs")]
    assert {tag["name"] for tag in company.get("/tags")["items"]} == {"护肤", "母婴", "面膜"}


def test_a_list_read_before_an_edit_does_not_turn_it_back(company: Company) -> None:
    """A job that reads the library for another reason is slower than a rename that goes through meanwhile."""
    (key,) = company.make_tags("护肤")
    old = library.read(company.runtime)
    rename_here(company, key, "护肤品")
    company.settle_later(30)

    library.take(company.runtime, old)
    company.settle_later(30)

    assert (tag_here(company, key).name, names_there(company), rows(company)) == ("护肤品", ["护肤品"], [])
