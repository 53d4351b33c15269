"""The tag library by the API: dimensions, edits with versions, orders, archive and restore, lifecycle, uses."""

from typing import Any

import pytest

from tests.flows.company import Company
from wecom_app.services.ports import ContactWayDraft

EDIT = "externalcontact/edit_corp_tag"


def call(company: Company, method: str, path: str, body: Any = None, expect: int = 200) -> Any:
    answer = company.client.open(f"/api/v1{path}", method=method, json=body or {}, headers=company.headers)
    assert answer.status_code == expect, answer.get_data(as_text=True)
    return answer.get_json()


def group_key(company: Company, name: str = "兴趣") -> str:
    return next(group["key"] for group in company.get("/tag-groups")["items"] if group["name"] == name)


def names_there(company: Company) -> set[str]:
    return {tag["name"] for group in company.wecom_state()["tag_groups"] for tag in group["tag"]}


def known_customer(company: Company, name: str = "林晓芸") -> str:
    """Return a customer who came to zhang, known here."""
    code = company.runtime.wecom.add_contact_way(ContactWayDraft(("zhang",), f"old-{name}", "旧工具"))
    scanned = company.simulator.scan(code.config_id, name=name)
    company.settle()
    return str(scanned["external_userid"])


def tag_keys_here(company: Company, customer: str) -> set[str]:
    return {tag["key"] for tag in company.get(f"/customers/{customer}")["tags"]}


def names_in_order(company: Company, name: str = "兴趣") -> list[str]:
    (group,) = [group for group in company.get("/tag-groups")["items"] if group["name"] == name]
    return [tag["name"] for tag in group["tags"]]


@pytest.mark.both
def test_a_dimension_is_made_renamed_ordered_and_archived_only_while_empty(company: Company) -> None:
    made = company.post("/dimensions", {"name": "门店"})
    assert company.post("/dimensions", {"name": "门店"}, 409)["error"] == "name_taken"
    renamed = call(company, "PATCH", f"/dimensions/{made['key']}", {"name": "门店属性", "version": 1})
    assert (renamed["key"], renamed["name"], renamed["version"]) == (made["key"], "门店属性", 2)
    stale = call(company, "PATCH", f"/dimensions/{made['key']}", {"name": "别的", "version": 1}, 409)
    assert stale["error"] == "stale_edit"
    keys = [one["key"] for one in company.get("/dimensions")["items"]]
    assert keys[-1] == made["key"]
    moved = call(company, "PUT", "/dimensions/order", {"keys": [keys[-1], *keys[:-1]]})
    assert [one["key"] for one in moved["items"]] == [keys[-1], *keys[:-1]]
    company.post("/tag-groups", {"name": "门店大小", "dimension": made["key"], "tags": [{"name": "大"}]})
    refused = call(company, "POST", f"/dimensions/{made['key']}/archive", expect=409)
    assert refused["details"]["groups"] == ["门店大小"]
    call(company, "POST", f"/tag-groups/{group_key(company, '门店大小')}/archive")
    call(company, "POST", f"/dimensions/{made['key']}/archive")
    assert made["key"] not in [one["key"] for one in company.get("/dimensions")["items"]]
    company.post("/tag-groups", {"name": "x", "dimension": made["key"]}, 422)


@pytest.mark.both
def test_a_renamed_tag_is_renamed_in_wecom_too_and_no_pull_turns_it_back(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    edited = call(company, "PATCH", f"/tags/{key}", {"name": "护肤品", "aliases": ["护肤", "面霜"], "version": 1})
    assert (edited["name"], edited["aliases"], edited["version"], edited["key"]) == ("护肤品", ["护肤", "面霜"], 2, key)
    company.settle_later(30)
    assert names_there(company) == {"护肤品"}
    assert names_in_order(company) == ["护肤品"]
    assert call(company, "PATCH", f"/tags/{key}", {"name": "再改", "version": 1}, 409)["error"] == "stale_edit"
    assert names_there(company) == {"护肤品"}
    call(company, "PATCH", f"/tag-groups/{group_key(company)}", {"name": "喜好", "description": "客户喜欢什么"})
    company.settle()
    assert names_in_order(company, "喜好") == ["护肤品"]
    assert [group["group_name"] for group in company.wecom_state()["tag_groups"]] == ["喜好"]


def test_what_others_made_keeps_its_name_and_takes_an_alias(company: Company) -> None:
    company.simulator.act("admin", "tag_create", group="后台组", name="后台标签")
    company.settle()
    (tag,) = company.get("/tags")["items"]
    refused = call(company, "PATCH", f"/tags/{tag['key']}", {"name": "我的"}, 409)
    assert "只能在那里修改" in refused["message"]
    assert call(company, "PATCH", f"/tags/{tag['key']}", {"aliases": ["我的"]})["aliases"] == ["我的"]
    assert company.simulator.calls.of(EDIT) == []


def test_a_rename_made_while_wecom_is_down_is_kept_shown_as_pending_and_told_later(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    company.simulator.faults.add("externalcontact/*", "down")

    renamed = call(company, "PATCH", f"/tags/{key}", {"name": "护肤品"})
    company.settle_later(30)

    assert (renamed["name"], renamed["sync"]["state"]) == ("护肤品", "pending")
    assert names_there(company) == {"护肤"}
    company.simulator.faults.put({})
    company.settle_later(90)
    assert names_there(company) == {"护肤品"}
    assert company.get("/tags")["items"][0]["sync"]["state"] == "synced"


def test_tags_are_put_in_order_here_and_in_wecom(company: Company) -> None:
    keys = company.make_tags("一", "二", "三")
    order = [keys[2], keys[0], keys[1]]
    call(company, "PUT", f"/tag-groups/{group_key(company)}/order", {"keys": order})
    company.settle_later(30)
    assert names_in_order(company) == ["三", "一", "二"]
    refused = call(company, "PUT", f"/tag-groups/{group_key(company)}/order", {"keys": keys[:2]}, 422)
    assert refused["details"]["keys"] == sorted(keys)


@pytest.mark.both
def test_an_archived_tag_stays_on_its_customers_and_comes_back_as_it_was(company: Company) -> None:
    key, other = company.make_tags("护肤", "母婴")
    customer = known_customer(company)
    company.post(f"/customers/{customer}/tags", {"add": [key]}, 200)
    company.settle()
    uses = company.get(f"/tags/{key}/uses")
    assert uses == {"customers": 1, "uses": []}
    archived = call(company, "POST", f"/tags/{key}/archive")
    assert archived["archived"]
    assert [tag["key"] for tag in company.get("/tags?archived=true")["items"]] == [key]
    company.post(f"/customers/{customer}/tags", {"add": [key]}, 422)
    company.settle()
    assert names_there(company) >= {"护肤"}
    # Somebody marks it in WeCom nevertheless: a fact, not a failure.
    other_customer = known_customer(company, "王子涵")
    company.simulator.act("zhang", "mark", external_userid=other_customer, add=[{"group": "兴趣", "tag": "护肤"}])
    company.settle_later(30)
    assert company.get("/jobs?state=dead")["items"] == []
    call(company, "POST", f"/tags/{key}/restore")
    assert names_in_order(company) == ["护肤", "母婴"]
    assert key in tag_keys_here(company, customer)
    assert other in [tag["key"] for tag in company.get("/tags")["items"]]


def test_a_group_goes_and_comes_back_with_the_tags_that_went_with_it(company: Company) -> None:
    first, _ = company.make_tags("护肤", "母婴")
    key = group_key(company)
    call(company, "POST", f"/tags/{first}/archive")
    company.clock.advance(1)
    call(company, "POST", f"/tag-groups/{key}/archive")
    assert company.get("/tag-groups")["items"] == []
    # WeCom still has it, and knows a name once.
    held = company.post("/tag-groups", {"name": "兴趣", "dimension": "behaviour", "tags": [{"name": "新"}]}, 409)
    assert "请恢复它" in held["message"]
    (back,) = call(company, "POST", f"/tag-groups/{key}/restore")["tags"]
    assert (back["name"], back["archived"], back["version"]) == ("母婴", False, 3), "whoever had it open is told"
    assert names_in_order(company) == ["母婴"]
    held = company.post("/tags", {"name": "护肤", "group": key}, 409)
    assert held["details"] == {"key": first}


def test_a_name_given_again_meanwhile_stands_in_the_way_of_coming_back(company: Company) -> None:
    company.make_tags("护肤", mirror="none")
    key = group_key(company)
    call(company, "POST", f"/tag-groups/{key}/archive")
    company.make_tags("别的", mirror="none")
    assert call(company, "POST", f"/tag-groups/{key}/restore", expect=409)["error"] == "name_taken"


@pytest.mark.both
def test_what_is_used_is_archived_only_after_saying_what_becomes_of_its_users(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    channel = company.make_channel(tags=[key])
    condition = {"on": "tag", "op": "has_any", "tags": [key]}
    item = company.post(
        "/content", {"kind": "script", "title": "问候", "text": "您好", "status": "active", "condition": condition}
    )
    refused = call(company, "POST", f"/tags/{key}/archive", expect=409)
    assert [(use["kind"], use["name"]) for use in refused["details"]["uses"]] == [
        ("channel", "门店海报"),
        ("content", "问候"),
    ]
    assert company.get(f"/tags/{key}/uses")["uses"] == refused["details"]["uses"]
    call(company, "POST", f"/tags/{key}/archive", {"cascade": True})
    assert company.get(f"/channels/{channel['id']}")["tags"] == []
    assert company.get(f"/content/{item['id']}")["state"] == "draft"


@pytest.mark.both
def test_nobody_gets_a_deprecated_tag_any_more_and_who_has_it_keeps_it(company: Company) -> None:
    key, better = company.make_tags("护肤", "护肤升级")
    customer = known_customer(company)
    company.post(f"/customers/{customer}/tags", {"add": [key]}, 200)
    channel = company.make_channel(name="二号", tags=[key, better])
    call(company, "PATCH", f"/tags/{key}", {"lifecycle": "deprecated", "replaced_by": better})
    refused = company.post(f"/customers/{known_customer(company, '王子涵')}/tags", {"add": [key]}, 422)
    assert better in refused["message"]
    scanned = company.simulator.scan(channel["config_id"], name="赵一")
    company.settle()
    assert company.tags_here(scanned["external_userid"]) == {"护肤升级"}
    assert company.get("/jobs?state=dead")["items"] == []
    assert key in tag_keys_here(company, customer)
    assert call(company, "PATCH", f"/tags/{key}", {"lifecycle": "active"})["replaced_by"] is None
    assert call(company, "PATCH", f"/tags/{key}", {"lifecycle": "deprecated", "replaced_by": key}, 422)


def test_a_draft_reaches_wecom_only_once_it_is_in_use(company: Company) -> None:
    (key,) = company.make_tags("护肤", lifecycle="draft")
    assert names_there(company) == set()
    company.post(f"/customers/{known_customer(company)}/tags", {"add": [key]}, 422)
    call(company, "PATCH", f"/tag-groups/{group_key(company)}", {"lifecycle": "active"})
    company.settle()
    assert "护肤" in names_there(company)
    call(company, "PATCH", f"/tag-groups/{group_key(company)}", {"lifecycle": "draft"}, 409)


@pytest.mark.both
def test_a_tag_with_a_default_life_runs_out(company: Company) -> None:
    key, longer = company.make_tags("到店", "会员", ttl_days=7)
    call(company, "PATCH", f"/tags/{longer}", {"ttl_days": 30})
    customer = known_customer(company)
    company.post(f"/customers/{customer}/tags", {"add": [key, longer]}, 200)
    until = {tag["name"]: (tag["expires_at"] or "")[:10] for tag in company.get(f"/customers/{customer}")["tags"]}
    assert (until["到店"], until["会员"]) == ("2026-11-30", "2026-12-23")


def test_what_every_mark_rests_on_is_fixed_once_a_customer_has_one(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    group = group_key(company)
    assert call(company, "PATCH", f"/tag-groups/{group}", {"selection": "single"})["selection"] == "single"
    company.post(f"/customers/{known_customer(company)}/tags", {"add": [key]}, 200)
    for change in ({"scope": "relation"}, {"mirror": "none"}):
        assert call(company, "PATCH", f"/tag-groups/{group}", change, 409)["details"] == {"customers": 1}


def test_the_group_that_the_system_itself_uses_stays(company: Company) -> None:
    company.make_channel(source="门店")
    group = group_key(company, "获客来源")
    call(company, "POST", f"/tag-groups/{group}/archive", expect=409)
    call(company, "PATCH", f"/tag-groups/{group}", {"name": "来源"}, 409)
    call(company, "PATCH", f"/tag-groups/{group}", {"lifecycle": "deprecated"}, 409)
    call(company, "PATCH", f"/tag-groups/{group}", {"selection": "single"}, 409)
    (tag,) = [tag for tag in company.get("/tags")["items"] if tag["group"] == group]
    call(company, "PATCH", f"/tags/{tag['key']}", {"lifecycle": "deprecated"}, 409)
    call(company, "POST", f"/tags/{tag['key']}/archive", expect=409)
