"""Profile fields by API: defined, ordered, filled in with their source, and every former value kept."""

from typing import Any

import pytest
from werkzeug.test import TestResponse

from tests.flows.company import Company
from tests.web.asking import add_customer, ask, assert_error

NOW = "2026-11-23T02:00:00.000Z"


def define(company: Company, name: str, kind: str = "text", **more: Any) -> str:
    made: str = company.post("/profile-fields", {"name": name, "kind": kind, **more})["key"]
    return made


def keys(company: Company, query: str = "") -> list[str]:
    return [field["key"] for field in company.get(f"/profile-fields{query}")["items"]]


def fill(company: Company, customer: str, **values: Any) -> TestResponse:
    return ask(company, "PUT", f"/customers/{customer}/fields", {"values": values})


def filled(company: Company, customer: str) -> dict[str, list[Any]]:
    items = company.get(f"/customers/{customer}/fields")["items"]
    return {item["key"]: [value["value"] for value in item["values"]] for item in items}


@pytest.mark.both
def test_fields_are_defined_ordered_archived_and_restored(company: Company) -> None:
    skin = define(company, "肤质", "choice", options=["油皮", "干皮"], help="问一下", sensitive=True)
    birthday = define(company, "孩子生日", "date", repeated=True)
    assert (skin, birthday) == ("fu_zhi", "hai_zi_sheng_ri")

    ordered = ask(company, "PUT", "/profile-fields/order", {"keys": [birthday, skin]}).get_json()["items"]

    assert [field["key"] for field in ordered] == keys(company) == [birthday, skin]
    assert (ordered[1]["options"], ordered[1]["help"], ordered[1]["sensitive"]) == (["油皮", "干皮"], "问一下", True)
    company.post(f"/profile-fields/{skin}/archive", None, 200)
    assert (keys(company), keys(company, "?archived=true")) == ([birthday], [skin])
    assert define(company, "肤质") == "fu_zhi_2"
    assert_error(ask(company, "POST", f"/profile-fields/{skin}/restore"), 409, "name_taken")
    company.post("/profile-fields/fu_zhi_2/archive", None, 200)
    company.post(f"/profile-fields/{skin}/restore", None, 200)
    assert keys(company) == [birthday, skin]


def test_key_and_kind_never_change_and_a_name_stands_once(company: Company) -> None:
    key = define(company, "爱好", key="hobby")
    assert_error(ask(company, "PATCH", f"/profile-fields/{key}", {"kind": "date"}), 422, "invalid_input")
    assert_error(ask(company, "POST", "/profile-fields", {"name": "爱好", "kind": "text"}), 409, "name_taken")
    assert_error(ask(company, "POST", "/profile-fields", {"name": "x", "kind": "text", "key": key}), 409, "name_taken")
    changed = ask(company, "PATCH", f"/profile-fields/{key}", {"name": "兴趣", "required": True}).get_json()
    assert (changed["key"], changed["name"], changed["required"]) == ("hobby", "兴趣", True)


@pytest.mark.parametrize(
    "body",
    [
        {"name": "", "kind": "text"},
        {"name": "x", "kind": "colour"},
        {"name": "x", "kind": "choice"},
        {"name": "x", "kind": "text", "options": ["a"]},
        {"name": "x", "kind": "text", "key": "1x"},
        {"name": "x" * 21, "kind": "text"},
    ],
    ids=["no name", "no kind", "no options", "options", "key", "long"],
)
def test_a_field_that_makes_no_sense_is_refused(company: Company, body: Any) -> None:
    assert_error(ask(company, "POST", "/profile-fields", body), 422, "invalid_input")


def test_an_order_names_every_field_once(company: Company) -> None:
    first = define(company, "一")
    define(company, "二")
    for wrong in ([first], [first, first], [first, "nothing"]):
        assert_error(ask(company, "PUT", "/profile-fields/order", {"keys": wrong}), 422, "invalid_input")


@pytest.mark.both
def test_values_are_filled_in_with_source_and_time_and_others_stay(company: Company) -> None:
    define(company, "肤质", "choice", options=["油皮", "干皮"], key="skin")
    define(company, "孩子生日", "date", repeated=True, key="birthdays")
    define(company, "地区", "region", key="region")
    customer = add_customer(company)

    answer = fill(company, customer, skin="油皮", birthdays=["2019-03-05", "--11-30"])
    assert answer.status_code == 200, answer.get_data(as_text=True)
    fill(company, customer, region={"province": "广东省", "city": "深圳市"}, birthdays=["2019-03-05", "2021-11-30"])

    assert filled(company, customer) == {
        "skin": ["油皮"],
        "birthdays": ["2019-03-05", "2021-11-30"],
        "region": [{"province": "广东省", "city": "深圳市", "district": None}],
    }
    (skin, *_) = answer.get_json()["items"]
    assert skin["values"] == [
        {"value": "油皮", "source": {"kind": "api", "ref": "tests", "actor": None}, "set_at": NOW}
    ]


@pytest.mark.both
def test_every_former_value_stays_as_history(company: Company) -> None:
    define(company, "身高", "number", key="height")
    customer = add_customer(company)
    for value in (160, 160, 165, None):
        company.clock.advance(60)
        fill(company, customer, height=value)

    history = company.get(f"/customers/{customer}/fields/history")["items"]

    assert filled(company, customer) == {}
    assert [(line["value"], line["ended_by"]) for line in history] == [(165, "tests"), (160, "tests")]
    assert history[1]["ended_at"] == history[0]["set_at"]
    company.post("/profile-fields/height/archive", None, 200)
    assert len(company.get(f"/customers/{customer}/fields/history")["items"]) == 2


def test_one_wrong_value_keeps_all_from_being_written(company: Company) -> None:
    define(company, "身高", "number", key="height")
    define(company, "电话", "phone", key="phone")
    define(company, "爱好", "text", key="hobby", required=True)
    customer = add_customer(company)

    body = assert_error(fill(company, customer, height=160, phone="123", hobby=["a", "b"]), 422, "invalid_input")

    assert set(body["details"]) == {"phone", "hobby"}
    assert filled(company, customer) == {}
    assert set(assert_error(fill(company, customer, colour="red"), 422, "invalid_input")["details"]) == {"colour"}
    fill(company, customer, hobby="茶")
    assert "hobby" in assert_error(fill(company, customer, hobby=None), 422, "invalid_input")["details"]
    assert_error(fill(company, "wm_nobody", hobby="茶"), 404, "not_found")


def test_a_field_with_several_values_cannot_become_one_of_a_single_value(company: Company) -> None:
    define(company, "电话", "phone", key="phone", repeated=True)
    customer = add_customer(company)
    fill(company, customer, phone=["13800138000", "13900139000", "138 0013 8000"])
    assert filled(company, customer) == {"phone": ["13800138000", "13900139000"]}

    assert_error(ask(company, "PATCH", "/profile-fields/phone", {"repeated": False}), 409, "conflict")
    fill(company, customer, phone="13900139000")
    assert ask(company, "PATCH", "/profile-fields/phone", {"repeated": False}).status_code == 200
