"""Faults of the tag library: ownership, limits, deletions and their undoing, refusals, lost answers, short lists."""

import pytest
from sqlalchemy.orm import Session

from tests.flows.company import Company, open_company
from tests.flows.definitions import (
    ADD,
    DELETE,
    EDIT,
    LIST,
    call,
    delete_there,
    names_there,
    open_row,
    rename_here,
    rows,
    set_policy,
    settle_row,
    tag_here,
)
from tests.flows.test_mark_failures import edit, known_customer, sync_states
from wecom_app.clock import ManualClock
from wecom_app.models import Tag
from wecom_app.services import alert_conditions, library_release
from wecom_app.services.runtime import SimulatedCrash


def states(company: Company) -> dict[str, str]:
    return {tag["name"]: tag["sync"]["state"] for tag in company.get("/tags?limit=200")["items"]}


@pytest.mark.both
@pytest.mark.parametrize("errcode", [81011, 301002])
def test_an_edit_of_what_another_app_made_is_taken_back_once_and_not_tried_again(
    company: Company, errcode: int
) -> None:
    (key,) = company.make_tags("护肤")
    company.simulator.faults.add(EDIT, "errcode", errcode=errcode)
    rename_here(company, key, "护肤品")
    company.settle_later(90)

    tag = tag_here(company, key)
    assert (tag.name, tag.owner, tag.aliases, names_there(company)) == ("护肤", "foreign", ["护肤品"], ["护肤"])
    assert rows(company) == [("name", "tag", "护肤", ("护肤品",), ("护肤",), "theirs")]
    assert len(company.simulator.calls.of(EDIT)) == 1
    assert "只能在那里修改" in call(company, "PATCH", f"/tags/{key}", {"name": "再改"}, 409)["message"]


def test_a_deletion_of_what_another_app_made_is_given_up_with_a_row(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    company.simulator.faults.add(DELETE, "errcode", errcode=81011)
    call(company, "POST", f"/tags/{key}/deletion", expect=202)
    company.settle_later(90)

    tag = tag_here(company, key)
    assert (tag.owner, tag.gone_at, tag.archived_at is not None) == ("foreign", None, True)
    assert rows(company) == [("deletion", "tag", "护肤", (), ("护肤",), "theirs")]
    assert (len(company.simulator.calls.of(DELETE)), names_there(company)) == (1, ["护肤"])


def test_what_another_app_made_keeps_its_order_and_its_alias_is_ours_to_give(company: Company) -> None:
    company.simulator.act("admin", "group_create", group="后台组", names=["甲", "乙"])
    company.settle()
    (group,) = company.get("/tag-groups")["items"]
    keys = [tag["key"] for tag in group["tags"]]
    refused = call(company, "PUT", f"/tag-groups/{group['key']}/order", {"keys": keys[::-1]}, 409)
    assert "只能在企业微信里调整" in refused["message"]
    call(company, "PATCH", f"/tag-groups/{group['key']}", {"aliases": ["老客户组"]})
    company.simulator.act("admin", "shuffle", group="后台组")
    company.settle_later(30)

    (group,) = company.get("/tag-groups")["items"]
    assert ([tag["key"] for tag in group["tags"]], group["aliases"]) == (keys[::-1], ["老客户组"])
    assert (company.simulator.calls.of(EDIT), rows(company)) == ([], [])


@pytest.mark.both
def test_over_the_limit_exactly_as_many_are_made_and_the_rest_of_the_sync_goes_on(
    database_url: str, clock: ManualClock
) -> None:
    company = open_company(database_url, clock, tag_limit=50)
    try:
        (kept,) = company.make_tags("护肤")
        company.make_tags(*[f"甲{number}" for number in range(60)], group="甲组")
        company.make_tags(*[f"乙{number}" for number in range(20)], group="乙组")
        rename_here(company, kept, "护肤品")
        company.settle_later(120)

        shown = list(states(company).values())
        assert sum(len(group["tag"]) for group in company.wecom_state()["tag_groups"]) == 50
        assert (shown.count("synced"), shown.count("blocked")) == (50, 31)
        assert names_there(company) == ["护肤品"]
        refused = [record for record in company.simulator.calls.of(ADD) if record.errcode == 40126]
        assert len(refused) <= 8
        with company.runtime.read() as session:
            assert "31 个标签" in measured(company, session)
        before = len(company.simulator.calls.of(ADD))
        company.settle_later(120)
        assert len(company.simulator.calls.of(ADD)) == before

        for number in range(5):
            delete_there(company, f"甲{number}", "甲组")
        company.settle_later(60)
        assert list(states(company).values()).count("synced") == 50
        company.simulator.faults.put({"tag_limit": 10_000})
        done = company.post("/sync/library/retry", {}, 200)
        company.settle_later(60)
        assert (done["retried"], set(states(company).values())) == (26, {"synced"})
    finally:
        company.close()


def measured(company: Company, session: Session) -> str:
    scene = alert_conditions.Scene(
        session,
        company.runtime.queue,
        company.clock.now(),
        company.runtime.wecom.token_state(),
        None,
    )
    return alert_conditions.measure(scene)["tag_limit"].saw


def test_a_limit_that_is_set_keeps_us_from_asking(database_url: str, clock: ManualClock) -> None:
    company = open_company(database_url, clock, environment={"WECOM_TAG_LIMIT": "3"})
    try:
        company.make_tags("一", "二", "三", "四", "五")
        assert sorted(states(company).values()) == ["blocked", "blocked", "synced", "synced", "synced"]
        assert len(company.simulator.calls.of(ADD)) == 1
    finally:
        company.close()


def test_customers_who_waited_for_a_tag_are_pushed_page_by_page_once_it_is_made(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(library_release, "PAGE", 2)
    waiting = [known_customer(company) for _ in range(5)]
    company.simulator.faults.put({"tag_limit": 1})
    (key,) = company.make_tags("护肤")
    for external_userid in waiting:
        edit(company, external_userid, add=[key])
    company.settle_later(60)
    assert not any("护肤" in company.tags_there(one) for one in waiting)

    company.simulator.faults.put({"tag_limit": 10_000})
    company.post("/sync/library/retry", {}, 200)
    company.settle_later(60)
    assert all("护肤" in company.tags_there(one) for one in waiting)


def test_a_name_over_thirty_signs_is_refused_before_anything_is_asked_of_wecom(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    refused = call(company, "PATCH", f"/tags/{key}", {"name": "长" * 31}, 422)
    assert "30" in str(refused)
    assert company.simulator.calls.of(EDIT) == []


@pytest.mark.both
def test_a_tag_deleted_from_here_goes_from_wecom_and_comes_back_on_everybody(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    customers = [known_customer(company) for _ in range(3)]
    for customer in customers:
        edit(company, customer, add=[key])
    company.settle_later(30)
    old = tag_here(company, key).wecom_tag_id
    preview = company.get(f"/tags/{key}/deletion")
    assert preview == {"tags": 1, "customers": 3, "relations": 3, "uses": [], "refusal": None}

    call(company, "POST", f"/tags/{key}/deletion", expect=202)
    company.settle_later(30)
    assert (names_there(company), tag_here(company, key).gone_at is not None) == (["母婴"], True)
    assert [tag["key"] for tag in company.get("/tags/deleted")["items"]] == [key]
    assert rows(company) == []

    call(company, "POST", f"/tags/{key}/recreate", expect=202)
    company.settle_later(60)
    assert tag_here(company, key).wecom_tag_id not in (None, old)
    assert all("护肤" in company.tags_there(customer) for customer in customers)
    assert all(sync_states(company, customer)["护肤"] == "synced" for customer in customers)
    assert company.get("/tags/deleted")["items"] == []


@pytest.mark.both
def test_a_tag_deleted_in_wecom_is_recreated_and_relinked_only_by_a_person(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    channel = company.make_channel(tags=[key])
    customer = known_customer(company)
    edit(company, customer, add=[key])
    company.settle_later(30)
    delete_there(company, "护肤")
    company.settle_later(60)
    (row,) = company.get("/sync/conflicts?state=open&subject=library")["items"]
    assert row["uses"] == ["1 位客户", "渠道活码「门店海报」"]
    company.simulator.calls.clear()
    company.simulator.scan(channel["config_id"])
    company.settle_later(60)
    assert (names_there(company), company.simulator.calls.of(ADD)) == (["母婴"], [])

    settle_row(company, row["id"], "ours")
    company.settle_later(60)

    assert set(names_there(company)) == {"护肤", "母婴"}
    assert "护肤" in company.tags_there(customer) & company.tags_here(customer)
    assert sync_states(company, customer)["护肤"] == "synced"
    assert rows(company)[0][-1] == "ours"


def test_a_deletion_that_a_person_accepts_stays_one(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    edit(company, known_customer(company), add=[key])
    company.settle_later(30)
    delete_there(company, "护肤")
    company.settle_later(30)

    settle_row(company, open_row(company), "theirs")
    company.settle_later(60)

    assert (names_there(company), tag_here(company, key).gone_at is not None) == (["母婴"], True)


def test_a_group_deleted_in_wecom_takes_its_tags_though_only_its_own_event_comes(company: Company) -> None:
    keys = company.make_tags("护肤", "母婴")
    customer = known_customer(company)
    edit(company, customer, add=keys)
    company.settle_later(30)
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle_later(30)
    assert rows(company) == [("deletion", "group", "兴趣", ("兴趣",), (), None)]
    assert all(tag_here(company, key).gone_at for key in keys)

    settle_row(company, open_row(company), "ours")
    company.settle_later(60)

    assert sorted(names_there(company)) == sorted(["护肤", "母婴"])
    assert {"护肤", "母婴"} <= company.tags_there(customer)


@pytest.mark.both
def test_a_group_deleted_from_here_goes_with_its_last_tag_and_an_empty_one_can_be_archived(company: Company) -> None:
    company.make_tags("护肤", "母婴")
    key = set_policy(company, "ours")
    assert company.get(f"/tag-groups/{key}/deletion")["tags"] == 2
    call(company, "POST", f"/tag-groups/{key}/deletion", expect=202)
    company.settle_later(30)
    assert company.wecom_state()["tag_groups"] == []
    assert company.get("/tag-groups")["items"] == []

    call(company, "POST", f"/tag-groups/{key}/recreate", expect=202)
    company.settle_later(30)
    assert sorted(names_there(company)) == sorted(["护肤", "母婴"])
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle_later(30)
    call(company, "POST", f"/tag-groups/{key}/archive")
    assert company.get("/tag-groups")["items"] == []
    assert "归档就够了" in call(company, "POST", f"/tag-groups/{key}/deletion", expect=409)["message"]


def test_a_group_with_another_apps_tag_is_not_deleted_from_here(company: Company) -> None:
    company.make_tags("护肤")
    key = set_policy(company, "ours")
    company.simulator.act("admin", "tag_create", group="兴趣", name="母婴")
    company.settle()

    refused = call(company, "POST", f"/tag-groups/{key}/deletion", expect=409)

    assert "母婴" in refused["message"]
    assert company.simulator.calls.of(DELETE) == []


def test_a_tag_that_is_gone_already_counts_as_deleted(company: Company) -> None:
    key, _ = company.make_tags("护肤", "母婴")
    company.simulator.faults.add(DELETE, "lost_reply", times=1)
    call(company, "POST", f"/tags/{key}/deletion", expect=202)
    company.settle_later(60)

    assert (names_there(company), tag_here(company, key).gone_at is not None) == (["母婴"], True)
    assert company.get("/jobs?state=dead")["items"] == []


@pytest.mark.parametrize("kind", ["lost_reply", "silent_ok", "lost_request", "timeout"])
def test_a_rename_of_unknown_outcome_is_told_until_it_is_seen(company: Company, kind: str) -> None:
    (key,) = company.make_tags("护肤")
    company.simulator.faults.add(EDIT, kind, times=1)
    rename_here(company, key, "护肤品")
    company.settle_later(90)

    assert (names_there(company), states(company), rows(company)) == (["护肤品"], {"护肤品": "synced"}, [])


def test_a_rename_whose_answer_was_lost_is_no_edit_of_anybody_elses(company: Company) -> None:
    """Ours was applied, we never heard so, and meanwhile it was renamed here once more."""
    (key,) = company.make_tags("护肤")
    set_policy(company, "ask")
    company.simulator.faults.add(EDIT, "lost_reply", times=1)
    rename_here(company, key, "护肤品")
    company.settle()
    rename_here(company, key, "护肤用品")
    company.settle_later(90)

    assert (names_there(company), rows(company)) == (["护肤用品"], [])


def test_a_rename_that_never_takes_effect_is_given_up_shown_and_tried_again_by_a_person(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    company.simulator.faults.add(EDIT, "silent_ok")
    rename_here(company, key, "护肤品")
    company.settle_later(120)
    assert states(company) == {"护肤品": "failed"}
    tried = len(company.simulator.calls.of(EDIT))
    company.simulator.act("admin", "shuffle")
    company.settle_later(60)
    assert (tried, len(company.simulator.calls.of(EDIT))) == (3, 3)

    company.simulator.faults.put({})
    call(company, "POST", f"/tags/{key}/retry")
    company.settle_later(30)
    assert (names_there(company), states(company)) == (["护肤品"], {"护肤品": "synced"})


def test_one_name_that_wecom_refuses_holds_back_no_other(company: Company) -> None:
    keys = company.make_tags("一", "二")
    company.simulator.faults.add(EDIT, "errcode", errcode=40058, times=1)
    for key, name in zip(keys, ("甲", "乙"), strict=True):
        rename_here(company, key, name)
    company.settle_later(60)

    assert sorted(states(company).values()) == ["failed", "synced"]


@pytest.mark.parametrize("place", ["library.before_edit", "library.after_edit", "library.before_delete"])
def test_a_process_that_dies_at_an_edit_goes_on_after_the_restart(company: Company, place: str) -> None:
    key, other = company.make_tags("护肤", "母婴")
    rename_here(company, key, "护肤品")
    call(company, "POST", f"/tags/{other}/deletion", expect=202)

    def die(name: str) -> None:
        if name == place:
            company.crash_hook = None
            raise SimulatedCrash(name)

    company.crash_hook = die
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(300, step=30)

    assert (names_there(company), states(company), rows(company)) == (["护肤品"], {"护肤品": "synced"}, [])


@pytest.mark.parametrize("kind", ["silent_ok", "partial"])
def test_an_empty_or_short_list_changes_no_row_of_the_library(company: Company, kind: str) -> None:
    """Whole pulls and the pushes that begin with a list: an answer that leaves things out proves nothing."""
    company.make_tags("护肤", "母婴")
    company.make_tags("高", "低", group="意向")
    before = [(one.name, one.base_name, one.wecom_tag_id, one.gone_at) for one in all_tags(company)]
    company.simulator.faults.add(LIST, kind, times=12)

    company.simulator.act("admin", "shuffle")
    key = set_policy(company, "ours")
    call(company, "POST", f"/tag-groups/{key}/retry")
    company.settle_later(60)

    assert [(one.name, one.base_name, one.wecom_tag_id, one.gone_at) for one in all_tags(company)] == before
    assert (rows(company), company.simulator.calls.of(ADD)[2:]) == ([], [])


def all_tags(company: Company) -> list[Tag]:
    return [tag_here(company, tag["key"]) for tag in company.get("/tags?limit=200")["items"]]


@pytest.mark.both
def test_names_are_one_in_one_spelling_and_otherwise_told_apart_as_wecom_does(company: Company) -> None:
    """NFC and outer space make one name of two; case, width, emoji and joined emoji do not."""
    names = ["VIP", "vip", "ＶＩＰ", "👩‍👧", "👩👧", "Café"]
    keys = company.make_tags(*names)
    company.settle_later(30)
    assert sorted(names_there(company)) == sorted(names)
    group = set_policy(company, "ask")
    taken = company.post("/tags", {"group": group, "name": " Cafe\u0301 "}, 409)
    assert taken["error"] == "name_taken"

    company.simulator.act("admin", "tag_rename", group="兴趣", tag="Café", name="Cafe\u0301")
    company.settle_later(30)
    rename_here(company, keys[0], "VIP 客户")
    company.settle_later(30)

    assert (rows(company), tag_here(company, keys[5]).name) == ([], "Café")
    assert "VIP 客户" in names_there(company)
    assert set(states(company).values()) == {"synced"}
