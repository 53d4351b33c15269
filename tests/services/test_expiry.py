"""Tags run out by themselves, in slices, through the one write path, and only where something has run out."""

from typing import cast

import pytest

from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, Shop, in_seconds
from wecom_app.domain.vocabulary import Scope, Selection
from wecom_app.models import ChangeSet
from wecom_app.services import cells, expiry
from wecom_app.services.runtime import Runtime

HOUR = 3600


def sweep(shop: Shop) -> bool:
    return expiry.sweep(cast("Runtime", shop.store), {})


def has_work(shop: Shop) -> bool:
    with shop.store.read() as session:
        return expiry.has_work(session, shop.clock.now())


@pytest.mark.both
def test_what_has_run_out_goes_without_anybody_touching_it(shop: Shop) -> None:
    over, later, lasting = shop.tags("over", "later", "lasting")
    customer = shop.customer()
    relation = shop.befriend(customer, "zhang")
    shop.add(customer, over, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, later, CAMPAIGN, expires_at=in_seconds(shop, 2 * HOUR))
    shop.add(customer, lasting, CAMPAIGN)
    version = shop.version(customer)
    shop.clock.advance(HOUR)

    sweep(shop)

    assert set(shop.held(customer)) == set(shop.held(customer, relation)) == {later, lasting}
    last = shop.events()[-1]
    assert (last.op, last.tag_id) == ("expire", over)
    act = shop.all(ChangeSet, ChangeSet.id)[-1]
    assert (act.id, act.actor_kind, act.reason) == (last.change_set_id, "system", "到期")
    assert shop.operations()[-1] == (relation, over, "pending")
    assert shop.waiting(cells.SYNC_KIND) == [{"customer_id": customer}]
    assert shop.version(customer) == version + 1


@pytest.mark.both
def test_a_second_sweep_changes_nothing(shop: Shop) -> None:
    (tag,) = shop.tags("over")
    customer = shop.customer("zhang")
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(HOUR)

    sweep(shop)
    seen = (shop.version(customer), len(shop.events()))
    sweep(shop)

    assert (shop.version(customer), len(shop.events())) == seen


@pytest.mark.both
def test_the_best_claim_that_lasts_takes_over(shop: Shop) -> None:
    low, high = shop.tags("low", "high", selection=Selection.SINGLE)
    customer = shop.customer()
    shop.add(customer, high, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, high, CHANNEL, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, low, API)
    shop.clock.advance(HOUR)

    sweep(shop)

    assert (shop.held(customer), shop.claims()) == ({low: "api"}, [])


def test_a_claim_that_has_run_out_goes_from_under_a_tag_that_lasts(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, CAMPAIGN)
    shop.add(customer, tag, API, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(HOUR)

    sweep(shop)

    assert (shop.held(customer), shop.claims()) == ({tag: "campaign"}, [])
    assert len(shop.events()) == 1


def test_tags_of_a_relation_run_out_on_it_alone(shop: Shop) -> None:
    (keen,) = shop.tags("keen", scope=Scope.RELATION)
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")
    shop.add(customer, keen, PERSON, relation_id=zhang, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, keen, PERSON, relation_id=wang)
    shop.clock.advance(HOUR)

    sweep(shop)

    assert (shop.held(customer, zhang), shop.held(customer, wang)) == ({}, {keen: "manual"})


@pytest.mark.both
def test_more_than_one_run_takes_are_left_to_the_next(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(expiry, "SLICE", 3)
    monkeypatch.setattr(expiry, "SLICES", 2)
    first, second = shop.tags("first", "second")
    people = [shop.customer(name=f"wm_{number}") for number in range(8)]
    for customer in people:
        for tag in (first, second):
            shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.clock.advance(HOUR)

    runs = 1
    while sweep(shop):
        runs += 1

    assert runs > 1
    assert not any(shop.held(customer) for customer in people)
    assert sum(event.op == "expire" for event in shop.events()) == 16


@pytest.mark.both
def test_there_is_work_only_where_something_has_run_out(shop: Shop) -> None:
    (tag,) = shop.tags("over")
    customer = shop.customer()
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))

    assert not has_work(shop)
    shop.clock.advance(HOUR)
    assert has_work(shop)


def test_cells_that_their_truth_has_left_behind_ask_for_no_sweep(shop: Shop) -> None:
    (tag,) = shop.tags("over")
    customer = shop.customer()
    shop.befriend(customer, "zhang")
    shop.add(customer, tag, CAMPAIGN, expires_at=in_seconds(shop, HOUR))
    shop.add(customer, tag, CAMPAIGN)
    shop.clock.advance(HOUR)

    assert not has_work(shop)
    assert shop.held(customer) == {tag: "campaign"}


def test_the_lookup_is_served_by_the_indexes(shop: Shop) -> None:
    with shop.store.read() as session:
        for query, index in zip(
            expiry._expired(shop.clock.now()), ("ix_customer_tag_expiry", "ix_tag_claim_expiry"), strict=True
        ):
            ordered = query.order_by(*query.selected_columns).limit(1).compile(session.connection())
            plan = session.connection().exec_driver_sql(
                f"EXPLAIN QUERY PLAN {ordered}", tuple(shop.clock.now().timestamp() for _ in ordered.params)
            )
            steps = [row[3] for row in plan]
            assert index in steps[0]
            assert not any("TEMP B-TREE" in step for step in steps)
