"""A merged tag that somebody puts on in WeCom: it counts as the tag that it went into, and goes there."""

from typing import Any

import pytest

from tests.flows.company import Company
from tests.flows.pulling import deafen, mark, pull, unmark
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.flows.test_sync_races import act

GROUP = {"one multi-choice group": {}, "one single-choice group": {"selection": "single"}}


def merged(company: Company, *names: str, **more: Any) -> list[str]:
    """Make tags and merge the first into the second; return their keys."""
    keys = company.make_tags(*names, **more)
    merge(company, keys[0], keys[1])
    return keys


def merge(company: Company, old: str, new: str, **more: Any) -> Any:
    begun = company.post(f"/tags/{old}/merge", {"into": new, **more}, 202)
    company.settle()
    return begun


def source_of(company: Company, customer: str, key: str) -> Any:
    (found,) = [one for one in company.get(f"/customers/{customer}")["tags"] if one["key"] == key]
    return found


def there(company: Company, customer: str, userid: str = "zhang") -> set[str]:
    return company.tags_there(customer, userid) & {"老客", "常客", "熟客", "生客"}


def here(company: Company, customer: str) -> set[str]:
    return company.tags_here(customer) & {"老客", "常客", "熟客", "生客"}


@pytest.mark.both
@pytest.mark.parametrize("group", GROUP)
def test_a_merged_tag_that_a_member_puts_on_becomes_the_other_and_says_so(company: Company, group: str) -> None:
    _, new = merged(company, "老客", "常客", **GROUP[group])
    customer = known_customer(company)
    company.simulator.calls.clear()

    mark(company, "zhang", customer, "老客")
    company.settle()

    assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})
    found = source_of(company, customer, new)
    assert (found["source"]["kind"], found["source"]["actor"], found["sync"]["state"]) == ("wecom", "zhang", "synced")
    assert "老客" in str(found["evidence"])
    assert len(company.simulator.calls.of(MARK)) == 1


@pytest.mark.both
def test_a_pull_finds_the_merged_tag_that_no_callback_told_of(company: Company) -> None:
    merged(company, "老客", "常客")
    customers = [known_customer(company), known_customer(company)]
    deafen(company)
    for customer in customers:
        mark(company, "zhang", customer, "老客")

    pull(company)

    for customer in customers:
        assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})


@pytest.mark.both
def test_the_merged_tag_in_place_of_the_other_leaves_the_other_on_and_costs_one_call(company: Company) -> None:
    _, new = merged(company, "老客", "常客", selection="single")
    customer = known_customer(company)
    edit(company, customer, add=[new])
    company.settle()
    company.simulator.calls.clear()
    tags = [{"group": "兴趣", "tag": name} for name in ("老客", "常客")]

    company.simulator.act("zhang", "mark", external_userid=customer, add=tags[:1], remove=tags[1:])
    company.settle()

    assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})
    assert len(company.simulator.calls.of(MARK)) == 1


@pytest.mark.both
def test_in_a_single_choice_group_the_merged_tag_replaces_what_stood_there(company: Company) -> None:
    keys = merged(company, "老客", "常客", "生客", selection="single")
    customer = known_customer(company)
    edit(company, customer, add=[keys[2]])
    company.settle()

    mark(company, "zhang", customer, "老客")
    company.settle()

    assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})


@pytest.mark.both
def test_a_chain_of_merges_is_followed_to_its_end(company: Company) -> None:
    old, middle, new = company.make_tags("老客", "熟客", "常客")
    merge(company, old, middle)
    merge(company, middle, new)
    customer = known_customer(company)

    mark(company, "zhang", customer, "老客")
    company.settle()

    assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})
    company.post(f"/tags/{new}/merge", {"into": old}, 404)


def test_taking_the_merged_tag_off_in_wecom_means_nothing(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    customer = known_customer(company)
    edit(company, customer, add=[old])
    company.settle()
    company.simulator.faults.add(MARK, "errcode", errcode=-1, times=1)
    merge(company, old, new)
    unmark(company, "zhang", customer, "老客")
    company.settle()

    company.settle_later(600, step=60)

    assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})


@pytest.mark.both
def test_what_somebody_took_off_here_after_a_look_began_is_not_put_on_again(company: Company) -> None:
    """The member's mark was there first or not, nobody can say: what was decided here stays, and a row tells."""
    _, new = merged(company, "老客", "常客")
    customer = known_customer(company)
    edit(company, customer, add=[new])
    company.settle()
    company.hold_callbacks()
    mark(company, "zhang", customer, "老客")
    act(company, customer, "常客", add=False)
    company.settle()

    company.release_callbacks()

    assert (here(company, customer), there(company, customer)) == (set(), set())
    kinds = [one["kind"] for one in company.get("/sync/conflicts")["items"]]
    assert kinds == ["concurrent"]


@pytest.mark.both
def test_a_merged_tag_whose_heir_is_here_alone_is_taken_off_in_wecom(company: Company) -> None:
    (old, _) = company.make_tags("老客", "生客")
    (new, _) = company.make_tags("常客", "熟客", group="内部", mirror="none")
    merge(company, old, new)
    customer = known_customer(company)

    mark(company, "zhang", customer, "老客")
    company.settle()

    assert (here(company, customer), there(company, customer)) == ({"常客"}, set())
    act(company, customer, "常客", add=False)
    company.settle()
    assert (here(company, customer), there(company, customer)) == (set(), set())


def test_a_merged_tag_given_by_api_is_refused_with_what_to_use_instead(company: Company) -> None:
    old, new = merged(company, "老客", "常客")
    customer = known_customer(company)
    refused = company.post(f"/customers/{customer}/tags", {"add": [old]}, 422)
    assert new in refused["message"]


@pytest.mark.both
def test_marks_of_the_merged_tag_after_a_merge_stay_the_others_when_the_merge_is_undone(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    before, after = known_customer(company), known_customer(company)
    edit(company, before, add=[old])
    company.settle()
    merge(company, old, new)
    mark(company, "zhang", after, "老客")
    company.settle()

    company.post(f"/tags/{old}/unmerge", {}, 202)
    company.settle()

    assert (here(company, before), there(company, before)) == ({"老客"}, {"老客"})
    assert (here(company, after), there(company, after)) == ({"常客"}, {"常客"})
    mark(company, "zhang", after, "老客")
    company.settle()
    assert (here(company, after), there(company, after)) == ({"常客", "老客"}, {"常客", "老客"})
