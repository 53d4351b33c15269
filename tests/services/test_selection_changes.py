"""A group turned single-choice: who held several keeps the strongest, the others claim, and undo gives all back."""

import pytest
from hypothesis import HealthCheck, given, settings

from tests.services.merging import ADMIN, QUICK, WISHES, run, state, unmerge
from tests.services.shop import API, PERSON, RULE, Shop
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Scope, Selection, SourceKind
from wecom_app.errors import Conflict
from wecom_app.models import Customer, Tag, TagGroup
from wecom_app.services import library_edits, selection_changes
from wecom_app.services.tagging import TagChange


def turn(shop: Shop, key: str) -> int:
    with shop.store.write() as session:
        expected = selection_changes.count_expected(session, key)
        change_id = selection_changes.start(session, shop.context, key, ADMIN, expected=expected).id
    run(shop, change_id)
    return change_id


def only_group(shop: Shop) -> TagGroup:
    (group,) = shop.all(TagGroup)
    assert isinstance(group, TagGroup)
    return group


@pytest.mark.parametrize("scope", [Scope.CUSTOMER, Scope.RELATION])
@given(history=WISHES)
@settings(max_examples=12, deadline=None, phases=QUICK, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_the_strongest_stays_and_undoing_gives_back_exactly_what_stood(
    shop: Shop, scope: Scope, history: list[tuple[int, bool, Source, int | None]]
) -> None:
    tags = [tag.id for tag in shop.all(Tag, Tag.id)] or shop.tags("甲", "乙", "丙", scope=scope)
    above = max((one.id for one in shop.all(Customer)), default=0)
    customer = shop.customer(name=f"wm_{above}")
    relation = shop.befriend(customer, "zhang")
    at = relation if scope == Scope.RELATION else 0
    for place, add, source, _ in history:
        shop.clock.advance(1)
        shop.apply(TagChange(customer, tags[place], add, source, {"n": place}, relation_id=at))
    before = state(shop, above)
    ranks = {key[2]: Source(SourceKind(row[1])).rank for key, row in before[0].items()}
    shop.clock.advance(1)

    change_id = turn(shop, only_group(shop).key)

    assert only_group(shop).selection == Selection.SINGLE
    held = [key[2] for key in state(shop, above)[0]]
    assert len(held) == min(1, len(ranks))
    assert all(ranks[tag_id] == max(ranks.values()) for tag_id in held)
    shop.clock.advance(1)
    assert unmerge(shop, change_id).kept == 0
    assert only_group(shop).selection == Selection.MULTI
    assert state(shop, above) == before


@pytest.mark.both
def test_the_others_take_over_when_the_value_that_stayed_is_let_go(shop: Shop) -> None:
    high, low = shop.tags("高", "低")
    customer = shop.customer("zhang")
    shop.add(customer, high, RULE)
    shop.add(customer, low, API)
    key = only_group(shop).key
    with pytest.raises(Conflict, match="1 位客户同时有"), shop.store.write() as session:
        library_edits.edit_group(session, shop.context, key, {"selection": Selection.SINGLE})
    turn(shop, only_group(shop).key)
    assert shop.held(customer) == {high: "rule"}
    shop.remove(customer, high, RULE)
    assert shop.held(customer) == {low: "api"}


@pytest.mark.both
def test_an_edit_that_was_looked_at_beforehand_hears_of_a_second_value_given_meanwhile(shop: Shop) -> None:
    high, low = shop.tags("高", "低")
    for name in ("wm_1", "wm_2"):
        shop.add(shop.customer("zhang", name=name), high, RULE)
    customer, key = shop.customer("zhang", name="wm_3"), only_group(shop).key
    shop.add(customer, high, RULE)
    with shop.store.read() as session:
        seen = library_edits.look_ahead(session, key, {"selection": Selection.SINGLE})
    shop.add(customer, low, API)

    with pytest.raises(Conflict, match="1 位客户同时有"), shop.store.write() as session:
        library_edits.edit_group(session, shop.context, key, {"selection": Selection.SINGLE}, seen=seen)
    shop.remove(customer, low, API)
    with shop.store.write() as session:
        library_edits.edit_group(session, shop.context, key, {"selection": Selection.SINGLE}, seen=seen)
    assert only_group(shop).selection == Selection.SINGLE


def test_a_persons_second_choice_goes_with_the_first_for_a_person_wants_one(shop: Shop) -> None:
    first, second = shop.tags("高", "低")
    customer = shop.customer("zhang")
    shop.add(customer, first, PERSON)
    shop.add(customer, second, PERSON)
    turn(shop, only_group(shop).key)
    assert shop.held(customer) == {first: "manual"}
    assert shop.claims() == []
