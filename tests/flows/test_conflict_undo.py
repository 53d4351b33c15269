"""A person's word on a disagreement taken back: about marks and the library, and where it cannot be, why."""

from typing import Any

import pytest

from tests.flows import test_definition_orders as orders
from tests.flows.company import Company
from tests.flows.definitions import call, delete_there, names_there, rename_here, rename_there, set_policy, tag_here
from tests.flows.test_sync_conflicts import by_hand, crossed, disputed

FAR = 10**9


def settle(company: Company, conflict: int, keep: str) -> None:
    done = company.post("/sync/conflicts/settle", {"ids": [conflict], "keep": keep}, expect=200)
    assert done["settled"] == 1


def take_back(company: Company, conflict: int, expect: int = 200) -> Any:
    return call(company, "POST", f"/sync/conflicts/{conflict}/undo", expect=expect)


def one(company: Company, conflict: int) -> Any:
    (found,) = [row for row in company.get("/sync/conflicts")["items"] if row["id"] == conflict]
    return found


@pytest.mark.both
def test_wecoms_value_goes_again_and_the_question_waits_until_it_is_answered_anew(company: Company) -> None:
    customer, conflict = disputed(company)
    settle(company, conflict, "theirs")
    company.settle_later(30)
    assert "护肤" not in company.tags_here(customer) | company.tags_there(customer)
    assert (one(company, conflict)["can_undo"], one(company, conflict)["undo_reason"]) == (True, None)

    back = take_back(company, conflict)
    company.settle_later(30)

    assert (back["state"], back["resolution"], back["settled_by"]) == ("open", None, None)
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)
    assert one(company, conflict)["state"] == "open"
    settle(company, conflict, "theirs")
    company.settle_later(30)
    assert "护肤" not in company.tags_here(customer) | company.tags_there(customer)


def test_a_word_that_kept_our_value_is_taken_back_and_our_own_push_does_not_answer_for_it(company: Company) -> None:
    customer, _ = crossed(company)
    (conflict,) = [row["id"] for row in company.get("/sync/conflicts?state=open")["items"]]
    settle(company, conflict, "ours")
    company.settle_later(30)

    take_back(company, conflict)
    company.settle_later(60)

    assert one(company, conflict)["state"] == "open"
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)


def test_the_taking_back_is_no_newer_word_that_would_answer_the_question_by_itself(company: Company) -> None:
    customer, _ = crossed(company)
    (conflict,) = [row["id"] for row in company.get("/sync/conflicts?state=open")["items"]]
    settle(company, conflict, "theirs")
    company.settle_later(30)
    assert "护肤" not in company.tags_there(customer)

    take_back(company, conflict)
    company.settle_later(60)

    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)
    assert one(company, conflict)["state"] == "open"


@pytest.mark.both
@pytest.mark.parametrize("keep", ["ours", "theirs"])
def test_who_was_edited_since_stays_and_the_reason_is_given(company: Company, keep: str) -> None:
    customer, key = crossed(company)
    (conflict,) = [row["id"] for row in company.get("/sync/conflicts?state=open")["items"]]
    settle(company, conflict, keep)
    company.settle_later(30)
    by_hand(company, customer, key, add=keep == "theirs")
    company.settle_later(30)
    before = company.tags_here(customer)

    refused = take_back(company, conflict, expect=409)

    assert (refused["details"]["reason"], one(company, conflict)["undo_reason"]) == ("changed", "changed")
    assert "之后又有改动" in refused["message"]
    assert company.tags_here(customer) == before
    assert take_back(company, FAR, expect=404)["error"] == "not_found"


def renamed_twice(company: Company) -> tuple[str, int]:
    """Return a tag that was renamed on both sides, and the number of what a person is asked about it."""
    (key,) = company.make_tags("护肤")
    set_policy(company, "ask")
    rename_here(company, key, "护肤品")
    rename_there(company, "护肤", "面部护理")
    company.settle_later(30)
    (conflict,) = company.get("/sync/conflicts?state=open")["items"]
    return key, conflict["id"]


@pytest.mark.both
def test_a_name_taken_from_wecom_is_put_back_and_asked_about_again_without_telling_wecom(company: Company) -> None:
    key, conflict = renamed_twice(company)
    settle(company, conflict, "theirs")
    company.settle_later(30)
    assert tag_here(company, key).name == "面部护理"

    take_back(company, conflict)
    company.settle_later(60)

    tag = tag_here(company, key)
    assert (tag.name, tag.aliases, names_there(company)) == ("护肤品", [], ["面部护理"])
    assert one(company, conflict)["state"] == "open"
    assert len(company.get("/sync/conflicts")["items"]) == 1


@pytest.mark.both
def test_an_order_taken_from_wecom_is_put_back_as_a_whole_and_asked_about_again(company: Company) -> None:
    keys = orders.begin(company, "ask")
    orders.order_here(company, keys, orders.OURS)
    orders.order_there(company, orders.THEIRS)
    company.settle_later(30)
    (row,) = company.get("/sync/conflicts?state=open")["items"]
    settle(company, row["id"], "theirs")
    company.settle_later(30)
    assert orders.both(company) == (orders.THEIRS, orders.THEIRS)

    take_back(company, row["id"])
    company.settle_later(60)

    assert orders.both(company) == (orders.OURS, orders.THEIRS)
    assert [each["state"] for each in company.get("/sync/conflicts")["items"]] == ["open"]


def test_a_deletion_that_was_made_good_at_wecom_stays_so_and_one_left_alone_is_asked_about_again(
    company: Company,
) -> None:
    company.make_channel(tags=company.make_tags("护肤", "彩妆", "香氛"))
    delete_there(company, "护肤")
    delete_there(company, "彩妆")
    company.settle_later(60)
    rows = {row["name"]: row["id"] for row in company.get("/sync/conflicts?state=open")["items"]}
    settle(company, rows["护肤"], "theirs")
    settle(company, rows["彩妆"], "ours")
    company.settle_later(60)

    assert take_back(company, rows["护肤"])["state"] == "open"
    assert take_back(company, rows["彩妆"], expect=409)["details"]["reason"] == "recreated"


def test_a_name_that_wecom_has_been_told_stays_and_the_reason_is_given(company: Company) -> None:
    key, conflict = renamed_twice(company)
    settle(company, conflict, "ours")
    company.settle_later(30)
    assert names_there(company) == ["护肤品"]

    assert take_back(company, conflict, expect=409)["details"]["reason"] == "told"
    assert tag_here(company, key).name == "护肤品"


def test_what_a_rule_settled_has_no_word_to_take_back(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    rename_here(company, key, "护肤品")
    rename_there(company, "护肤", "面部护理")
    company.settle_later(30)
    (conflict,) = company.get("/sync/conflicts?state=settled")["items"]
    assert conflict["undo_reason"] == "rule"
    assert take_back(company, conflict["id"], expect=409)["details"]["reason"] == "rule"
