"""What several wish of one tag in `tagging.apply`: claims, single-choice groups, and what runs out."""

from typing import Any

import pytest

from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, RULE, Shop, in_seconds
from wecom_app.domain.vocabulary import Selection
from wecom_app.models import ChangeSet
from wecom_app.services.tagging import Skipped, TagChange

SINGLE: dict[str, Any] = {"selection": Selection.SINGLE}
HOUR = 3600


# Claims.


@pytest.mark.both
def test_a_claim_is_kept_and_takes_over_when_the_holder_lets_go(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer("zhang")
    shop.add(customer, tag, CHANNEL)
    shop.clock.advance(HOUR)
    shop.add(customer, tag, API, evidence={"order": 1})
    claimed_at = shop.clock.now()
    assert shop.claims() == [(tag, "api", "1")]
    shop.clock.advance(HOUR)

    applied = shop.remove(customer, tag, CHANNEL)

    row = shop.row(customer, tag)
    assert applied.skipped == (Skipped(customer, tag, "present"),)
    assert (row.source_kind, row.evidence, row.set_at) == ("api", {"order": 1}, claimed_at)
    assert shop.claims() == []
    assert (shop.version(customer), len(shop.events())) == (1, 1)


@pytest.mark.both
def test_a_higher_rank_takes_the_row_over_and_the_former_holder_claims_it(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, API)

    shop.add(customer, tag, CAMPAIGN)

    assert shop.held(customer) == {tag: "campaign"}
    assert shop.claims() == [(tag, "api", "1")]


def test_a_claim_withdrawn_is_gone(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, CHANNEL)
    shop.add(customer, tag, API)

    shop.remove(customer, tag, API)

    assert shop.claims() == []
    assert shop.held(customer) == {tag: "channel"}


@pytest.mark.both
def test_a_persons_removal_deletes_the_claims(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    for source in (CHANNEL, RULE, API):
        shop.add(customer, tag, source)

    shop.remove(customer, tag, PERSON)

    assert (shop.held(customer), shop.claims()) == ({}, [])


@pytest.mark.both
def test_a_claim_made_again_keeps_one_row_with_its_new_expiry(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, CHANNEL)
    for hours in (1, 2):
        shop.add(customer, tag, API, expires_at=in_seconds(shop, hours * HOUR))

    shop.clock.advance(1.5 * HOUR)
    shop.remove(customer, tag, CHANNEL)

    assert shop.held(customer) == {tag: "api"}


# Single choice.


@pytest.mark.both
def test_a_single_choice_group_holds_one_value(shop: Shop) -> None:
    low, high = shop.tags("low", "high", **SINGLE)
    customer = shop.customer()
    shop.add(customer, low)

    applied = shop.add(customer, high)

    assert shop.held(customer) == {high: "api"}
    assert {(event.op, event.tag_id) for event in shop.events() if event.change_set_id == applied.change_set_id} == {
        ("remove", low),
        ("add", high),
    }
    assert shop.row(customer, low).ver == shop.row(customer, high).ver


def test_in_one_act_the_last_value_of_a_single_choice_group_stands(shop: Shop) -> None:
    low, high = shop.tags("low", "high", **SINGLE)
    customer = shop.customer()

    shop.apply(TagChange(customer, low, True, API), TagChange(customer, high, True, API))

    assert shop.held(customer) == {high: "api"}
    assert [(event.op, event.tag_id) for event in shop.events()] == [("add", high)]


@pytest.mark.both
def test_a_lower_rank_waits_behind_the_value_of_a_single_choice_group(shop: Shop) -> None:
    low, high = shop.tags("low", "high", **SINGLE)
    customer = shop.customer("zhang")
    shop.add(customer, high, CHANNEL)

    applied = shop.add(customer, low, API)
    assert applied.skipped == (Skipped(customer, low, "outranked"),)
    shop.remove(customer, high, CHANNEL)

    assert shop.held(customer) == {low: "api"}
    assert shop.claims() == []


# Expiry.


@pytest.mark.both
def test_what_has_run_out_goes_before_the_next_wish_in_a_change_set_of_its_own(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer("zhang")
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(HOUR)

    applied = shop.remove(customer, tag, API)

    assert applied.skipped == (Skipped(customer, tag, "absent"),)
    assert shop.held(customer) == {}
    put_on, ran_out = shop.events()
    assert (ran_out.op, ran_out.before) == ("expire", put_on.after)
    (_, change_set) = shop.all(ChangeSet, ChangeSet.id)
    assert (change_set.id, change_set.actor_kind) == (ran_out.change_set_id, "system")
    assert [state for *_, state in shop.operations()] == ["superseded", "pending"]


def test_a_tag_holds_until_the_moment_it_expires(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(HOUR - 1)

    assert shop.remove(customer, tag, API).skipped == (Skipped(customer, tag, "outranked"),)
    assert shop.held(customer) == {tag: "campaign"}


@pytest.mark.both
def test_a_tag_put_on_again_after_it_ran_out_is_a_new_one(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer("zhang")
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(2 * HOUR)

    applied = shop.add(customer, tag, PERSON)

    row = shop.row(customer, tag)
    assert applied.change_set_id is not None
    assert applied.skipped == ()
    assert [event.op for event in shop.events()] == ["add", "expire", "add"]
    assert (row.source_kind, row.set_at, row.expires_at) == ("manual", shop.clock.now(), None)
    assert row.person_seq == row.ver
    assert shop.version(customer) == 3


@pytest.mark.both
def test_the_best_claim_takes_over_what_ran_out(shop: Shop) -> None:
    (tag, other) = shop.tags("vip", "new")
    customer = shop.customer()
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, tag, API)
    shop.clock.advance(HOUR)

    shop.apply(TagChange(customer, other, True, API), TagChange(customer, tag, False, RULE))

    assert shop.held(customer) == {other: "api"}
    shop.add(customer, tag, CHANNEL)
    assert shop.claims() == []


@pytest.mark.both
def test_a_claim_that_ran_out_takes_nothing_over(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, CAMPAIGN)
    shop.add(customer, tag, RULE, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, tag, API)
    shop.clock.advance(HOUR)

    shop.remove(customer, tag, CAMPAIGN)

    assert shop.held(customer) == {tag: "api"}
    assert shop.claims() == []


def test_what_ran_out_of_a_single_choice_group_makes_room(shop: Shop) -> None:
    low, high = shop.tags("low", "high", **SINGLE)
    customer = shop.customer()
    shop.add(customer, high, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(HOUR)

    shop.add(customer, low, API)

    assert shop.held(customer) == {low: "api"}
    assert [(event.op, event.tag_id) for event in shop.events()] == [("add", high), ("expire", high), ("add", low)]
