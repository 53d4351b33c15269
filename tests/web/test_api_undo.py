"""`POST /change-sets/{id}/undo` and what a tag group says about editing by hand."""

import pytest

from tests.flows.company import Company
from tests.web.asking import add_customer, ask, assert_error, make_key

pytestmark = pytest.mark.both


def test_an_act_is_undone_and_its_undo_too_up_to_wecom(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    made = company.post(f"/customers/{customer}/tags", {"add": [key]}, 200)["change_set_id"]
    company.settle()

    undone = company.post(f"/change-sets/{made}/undo", {"reason": "批错了"}, 200)
    company.settle()

    assert (undone["restored"], undone["kept"]) == (1, [])
    assert company.tags_there(customer) == company.tags_here(customer) == {"门店"}
    again = company.post(f"/change-sets/{undone['change_set_id']}/undo", {}, 200)
    company.settle()
    assert again["restored"] == 1
    assert company.tags_there(customer) == {"门店", "护肤"}


def test_what_was_changed_since_is_told(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    customer = add_customer(company)
    made = company.post(f"/customers/{customer}/tags", {"add": [key]}, 200)["change_set_id"]
    company.post(f"/customers/{customer}/tags", {"remove": [key]}, 200)

    undone = company.post(f"/change-sets/{made}/undo", {}, 200)

    assert (undone["change_set_id"], undone["restored"]) == (None, 0)
    (kept,) = undone["kept"]
    assert (kept["external_userid"], kept["key"], kept["reason"]) == (customer, key, "changed")
    assert kept["message"]


def test_an_act_that_never_was_is_not_found_and_reading_is_not_enough(company: Company) -> None:
    assert_error(ask(company, "POST", "/change-sets/4711/undo", {}), 404, "not_found")
    headers = {"Authorization": f"Bearer {make_key(company, 'read')}"}
    assert_error(ask(company, "POST", "/change-sets/1/undo", {}, **headers), 403, "not_allowed")


def test_a_group_says_who_edits_it_and_whether_it_is_covered(company: Company) -> None:
    made = company.post("/tag-groups", {"name": "身体", "dimension": "basic_info", "sensitive": True})
    assert (made["sensitive"], made["editable_by"]) == (True, "everybody")

    answer = ask(company, "PATCH", f"/tag-groups/{made['key']}", {"editable_by": "leaders"})

    assert (answer.status_code, answer.get_json()["sensitive"], answer.get_json()["editable_by"]) == (
        200,
        True,
        "leaders",
    )
    (listed,) = [group for group in company.get("/tag-groups")["items"] if group["key"] == made["key"]]
    assert listed["editable_by"] == "leaders"
    assert_error(ask(company, "PATCH", f"/tag-groups/{made['key']}", {"editable_by": "me"}), 422, "invalid_input")
    assert_error(ask(company, "PATCH", "/tag-groups/nothing", {"sensitive": True}), 404, "not_found")
