"""`POST /customers/{id}/tags`: added and removed by key, within the API's rank, and pushed to WeCom."""

from typing import Any

import pytest

from tests.flows.company import Company
from tests.web.asking import add_customer, ask, assert_error, make_key

NOW = "2026-11-23T02:00:00.000Z"


def edit(company: Company, customer: str, **body: Any) -> Any:
    return company.post(f"/customers/{customer}/tags", body, 200)


def keys_of(answer: Any) -> list[str]:
    return sorted(tag["key"] for tag in answer["tags"])


@pytest.mark.both
def test_tags_are_added_and_removed_by_key_and_reach_wecom(company: Company) -> None:
    first, second = company.make_tags("护肤", "母婴")
    customer = add_customer(company)
    source = keys_of(company.get(f"/customers/{customer}"))

    edit(company, customer, add=[first])
    answer = edit(company, customer, add=[second], remove=[first], reason="问卷")
    company.settle()

    assert keys_of(answer) == sorted([*source, second])
    assert answer["skipped"] == []
    assert company.tags_there(customer) == {"门店", "母婴"}


@pytest.mark.both
def test_the_answer_says_what_changed_and_why_it_stands(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)

    answer = edit(company, customer, add=[key], reason="问卷")

    (tag,) = [tag for tag in answer["tags"] if tag["key"] == key]
    (line, *_) = company.get(f"/customers/{customer}/history")["items"]
    assert set(answer) == {"change_set_id", "tags", "skipped"}
    assert tag["source"]["kind"] == "api"
    assert tag["evidence"] == {"api_key": "tests", "reason": "问卷"}
    assert (tag["set_at"], tag["sync"]["state"]) == (NOW, "pending")
    assert (line["change_set_id"], line["op"], line["source"]) == (answer["change_set_id"], "add", tag["source"])
    assert answer["tags"] == company.get(f"/customers/{customer}")["tags"]


@pytest.mark.both
def test_the_api_cannot_take_off_a_channels_tag_and_says_so(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company, tags=[key])

    answer = edit(company, customer, remove=[key])
    company.settle()

    assert answer["skipped"] == [{"key": key, "reason": "outranked"}]
    assert answer["change_set_id"] is None
    assert company.tags_there(customer) == {"护肤"}


def test_the_api_cannot_take_off_what_a_member_marked_in_wecom(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    tag = {"group": "兴趣", "tag": "护肤"}
    company.simulator.act("zhang", "mark", external_userid=customer, add=[tag])
    company.settle()

    assert edit(company, customer, remove=[key])["skipped"] == [{"key": key, "reason": "outranked"}]


def test_a_tag_that_is_there_already_is_reported_as_present(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    edit(company, customer, add=[key])

    answer = edit(company, customer, add=[key])

    assert answer["skipped"] == [{"key": key, "reason": "present"}]
    assert answer["change_set_id"] is None


def test_a_tag_that_is_not_there_is_reported_as_absent(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)

    assert edit(company, customer, remove=[key])["skipped"] == [{"key": key, "reason": "absent"}]


def test_the_channels_tag_that_the_api_wanted_too_outlives_the_channels_wish(company: Company) -> None:
    """The API's wish stands behind the channel's as a claim, so the API may withdraw it without effect."""
    (key,) = company.make_tags("护肤")
    customer = add_customer(company, tags=[key])
    edit(company, customer, add=[key])

    edit(company, customer, remove=[key])

    (tag,) = [tag for tag in company.get(f"/customers/{customer}")["tags"] if tag["key"] == key]
    assert tag["source"]["kind"] == "channel"


@pytest.mark.both
def test_a_single_choice_group_replaces_its_value(company: Company) -> None:
    low, high = company.make_tags("低", "高", selection="single")
    customer = add_customer(company)
    edit(company, customer, add=[low])
    company.settle()

    answer = edit(company, customer, add=[high])
    company.settle()

    assert low not in keys_of(answer)
    assert company.tags_there(customer) == {"门店", "高"}
    lines = company.get(f"/customers/{customer}/history")["items"]
    assert {(line["op"], line["key"]) for line in lines[:2]} == {("add", high), ("remove", low)}
    assert {line["change_set_id"] for line in lines[:2]} == {answer["change_set_id"]}


def test_a_value_of_a_single_choice_group_that_was_replaced_does_not_come_back(company: Company) -> None:
    low, high = company.make_tags("低", "高", selection="single")
    customer = add_customer(company)
    edit(company, customer, add=[low])
    edit(company, customer, add=[high])

    answer = edit(company, customer, remove=[high])

    assert not {low, high} & set(keys_of(answer))


@pytest.mark.both
def test_a_tag_of_a_relation_needs_the_member_named(company: Company) -> None:
    (key,) = company.make_tags("意向", scope="relation")
    customer = add_customer(company)

    assert_error(ask(company, "POST", f"/customers/{customer}/tags", {"add": [key]}), 422, "invalid_input")
    answer = edit(company, customer, add=[key], userid="zhang")

    (tag,) = [tag for tag in answer["tags"] if tag["key"] == key]
    assert (tag["scope"], tag["relations"]) == ("relation", ["zhang"])


@pytest.mark.both
def test_a_tag_of_a_relation_stands_on_that_relation_only(company: Company) -> None:
    (key,) = company.make_tags("意向", scope="relation")
    customer = add_customer(company)
    other = company.make_channel(staff=["wang"])
    company.simulator.scan(other["config_id"], external_userid=customer)
    company.settle()

    edit(company, customer, add=[key], userid="WANG")
    company.settle()

    assert "意向" in company.tags_there(customer, "wang")
    assert "意向" not in company.tags_there(customer, "zhang")
    (line, *_) = company.get(f"/customers/{customer}/history")["items"]
    assert (line["key"], line["userid"]) == (key, "wang")


@pytest.mark.parametrize("userid", ["wang", "nobody"])
def test_a_member_who_is_no_friend_of_the_customers_is_refused(company: Company, userid: str) -> None:
    (key,) = company.make_tags("意向", scope="relation")
    customer = add_customer(company)

    answer = ask(company, "POST", f"/customers/{customer}/tags", {"add": [key], "userid": userid})

    assert assert_error(answer, 422, "invalid_input")["details"] == {"userid": userid}


def test_a_member_whose_friendship_is_over_is_refused(company: Company) -> None:
    (key,) = company.make_tags("意向", scope="relation")
    customer = add_customer(company)
    company.simulator.act("zhang", "delete_customer", external_userid=customer)
    company.settle()

    answer = ask(company, "POST", f"/customers/{customer}/tags", {"add": [key], "userid": "zhang"})

    assert_error(answer, 422, "invalid_input")


def test_an_unknown_customer_is_a_404_whatever_the_tags(company: Company) -> None:
    (key,) = company.make_tags("护肤")

    for tags in ([key], ["no.such"], []):
        assert_error(ask(company, "POST", "/customers/wm_unknown/tags", {"add": tags}), 404, "not_found")


@pytest.mark.both
def test_one_wrong_tag_among_right_ones_changes_nothing(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    before = company.get(f"/customers/{customer}")

    answer = ask(company, "POST", f"/customers/{customer}/tags", {"add": [key, "no.such"]})

    assert assert_error(answer, 422, "invalid_input")["details"] == {"tags": ["no.such"]}
    assert company.get(f"/customers/{customer}") == before


def test_the_version_rises_with_each_change_and_with_nothing_else(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)

    def version() -> int:
        number: int = company.get(f"/customers/{customer}")["version"]
        return number

    before = version()
    edit(company, customer, add=[key])
    assert version() == before + 1
    edit(company, customer, add=[key])
    edit(company, customer)
    assert version() == before + 1
    edit(company, customer, remove=[key])
    assert version() == before + 2


@pytest.mark.both
def test_a_repeated_request_changes_tags_once(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    path = f"/customers/{customer}/tags"

    first = ask(company, "POST", path, {"add": [key]}, Idempotency_Key="edit")
    second = ask(company, "POST", path, {"add": [key]}, Idempotency_Key="edit")

    assert (first.status_code, first.data) == (200, second.data)
    assert len(company.get(f"/customers/{customer}/history")["items"]) == 2


def test_a_second_key_of_the_same_rank_may_take_off_the_firsts_tag(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    edit(company, customer, add=[key])
    other = {"Authorization": f"Bearer {make_key(company, 'write')}"}

    answer = ask(company, "POST", f"/customers/{customer}/tags", {"remove": [key]}, **other)

    assert answer.get_json()["skipped"] == []
    assert key not in keys_of(answer.get_json())
