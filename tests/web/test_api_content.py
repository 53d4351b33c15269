"""`/api/v1/content`: what an integrator makes, changes, tries out and counts."""

from typing import Any

import pytest

from tests.flows.company import Company
from tests.web.asking import add_customer, ask, assert_error

pytestmark = pytest.mark.both


def has(*keys: str) -> dict[str, Any]:
    return {"on": "tag", "op": "has_any", "tags": list(keys)}


def make(company: Company, **more: Any) -> Any:
    return company.post("/content", {"kind": "script", "title": "问候", "text": "您好", **more})


def test_an_item_is_made_read_changed_archived_and_found_again(company: Company) -> None:
    (vip,) = company.make_tags("会员")
    made = make(company, condition=has(vip), status="active", valid_until="2027-01-01T00:00:00+08:00")
    assert (made["version"], made["state"], made["created_by"]) == (1, "active", "tests")
    assert made["valid_until"] == "2026-12-31T16:00:00.000Z"
    assert company.get(f"/content/{made['id']}") == made

    path = f"/content/{made['id']}"
    changed = ask(company, "PATCH", path, {"version": 1, "title": "会员问候", "valid_until": None}).get_json()
    assert (changed["version"], changed["title"], changed["valid_until"]) == (2, "会员问候", None)
    assert changed["condition"] == has(vip)
    late = assert_error(ask(company, "PATCH", path, {"version": 1, "title": "迟到"}), 409, "stale_edit")
    assert late["details"] == {"version": 2}

    company.post(f"{path}/archive", None, expect=200)
    assert company.get("/content")["items"] == []
    assert [item["id"] for item in company.get("/content?state=archived")["items"]] == [made["id"]]
    restored = company.post(f"{path}/restore", None, expect=200)
    assert restored["state"] == "active"
    assert [item["title"] for item in company.get("/content?q=hywh&kind=script")["items"]] == ["会员问候"]


def test_the_list_is_read_page_by_page_without_loss(company: Company) -> None:
    for number in range(5):
        make(company, title=f"第 {number} 条")
    titles, cursor = [], ""
    while cursor is not None:
        page = company.get(f"/content?limit=2{cursor and f'&cursor={cursor}'}")
        titles += [item["title"] for item in page["items"]]
        cursor = page["next_cursor"]
    assert titles == [f"第 {number} 条" for number in (4, 3, 2, 1, 0)]


def test_a_condition_is_tried_on_all_customers_and_on_one(company: Company) -> None:
    vip, new = company.make_tags("会员", "新客")
    here, other = add_customer(company, tags=[vip], name="一"), add_customer(company, tags=[new], name="二")
    lost = add_customer(company, tags=[vip], name="三")
    company.simulator.act(lost, "delete_staff", userid="zhang")
    company.settle()
    body = {"condition": {"all": [has(vip), {"not": has(new)}]}, "external_userid": here}
    tried = company.post("/content/preview", body, expect=200)
    assert (tried["fitting"], tried["customers"]) == (1, 2)
    assert tried["words"] == "有「会员」，并且不满足（有「新客」）"
    assert tried["customer"]["fits"] is True
    assert tried["customer"]["tags"] == [{"key": vip, "name": "会员"}]
    refused = company.post("/content/preview", {**body, "external_userid": other}, expect=200)["customer"]
    assert (refused["fits"], refused["tags"]) == (False, [])
    assert refused["reason"] == "没有满足：有「会员」；不满足（有「新客」）"
    assert company.post("/content/preview", {}, expect=200)["fitting"] == 2


@pytest.mark.parametrize(
    ("more", "field"),
    [
        ({"condition": {"all": [{"any": []}]}}, "condition/all/0/any"),
        ({"condition": has("no.such")}, "condition"),
        ({"kind": "article"}, "link"),
        ({"media": 9}, "media"),
        ({"valid_from": "2027-01-02T00:00:00Z", "valid_until": "2027-01-01T00:00:00Z"}, "valid_until"),
        ({"valid_from": "2027-01-02T00:00:00"}, "valid_from"),
        ({"departments": [77]}, "departments"),
    ],
)
def test_what_is_wrong_is_named_and_nothing_is_saved(company: Company, more: dict[str, Any], field: str) -> None:
    body = {"kind": "script", "title": "问候", "text": "您好", **more}
    refused = assert_error(ask(company, "POST", "/content", body), 422, "invalid_input")
    assert field in refused["details"]
    assert company.get("/content")["items"] == []


def test_a_copy_is_a_draft_and_use_is_counted_by_member(company: Company) -> None:
    made = make(company, status="active")
    copied = company.post(f"/content/{made['id']}/copy", None)
    assert (copied["title"], copied["state"]) == ("问候（副本）", "draft")
    used = company.get(f"/content/{made['id']}/use")
    assert (used["shown"], used["sent"], used["staff"]) == (0, 0, [])
    assert_error(ask(company, "GET", "/content/99/use"), 404, "not_found")
