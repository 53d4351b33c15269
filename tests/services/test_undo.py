"""Undo by change set: what an act did is taken back with the provenance that stood before, or left and said why."""

from collections.abc import Callable
from typing import Any

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st

from tests.services.people import ADMIN, viewer
from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, RULE, Shop, in_seconds
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Scope, Selection, SourceKind
from wecom_app.errors import NotFound
from wecom_app.models import ChangeSet, CustomerTag, Tag, TagClaim
from wecom_app.services import undo
from wecom_app.services.history import KEPT, Act
from wecom_app.services.tagging import TagChange
from wecom_app.services.undo import Undone

ZHANG = Act("staff", "zhang")
SINGLE: dict[str, Any] = {"selection": Selection.SINGLE}


def act(shop: Shop, *changes: TagChange) -> int:
    """Let zhang make a change, and return the change set."""
    made = shop.apply(*changes, act=ZHANG).change_set_id
    assert made is not None
    return made


def take_back(shop: Shop, change_set_id: int, userid: str = "zhang") -> Undone:
    return undo.by_viewer(shop.store, viewer(shop, userid), change_set_id)


def truth(shop: Shop, customer_id: int) -> dict[tuple[int, int], tuple[Any, ...]]:
    """Return what stands of a customer, by (tag, relation): only what is put on, with all its provenance."""
    return {
        (row.tag_id, row.relation_id): tuple(getattr(row, name) for name in KEPT)
        for row in shop.rows()
        if row.customer_id == customer_id and row.wanted and row.relation_id == 0
    }


def claims(shop: Shop, customer_id: int) -> set[tuple[Any, ...]]:
    found = shop.all(TagClaim)
    return {
        (claim.tag_id, claim.source_kind, claim.source_ref, claim.claimed_at, claim.expires_at)
        for claim in found
        if claim.customer_id == customer_id
    }


@pytest.mark.both
def test_a_tag_taken_off_comes_back_with_its_rule_time_and_evidence(shop: Shop) -> None:
    (tag,) = shop.tags("常客")
    customer = shop.customer("zhang")
    until = in_seconds(shop, 9999)
    shop.add(customer, tag, RULE, evidence={"text": "近 90 天下单 5 次"}, expires_at=until)
    before = truth(shop, customer)
    shop.clock.advance(60)
    change_set = act(shop, TagChange(customer, tag, False, PERSON))
    shop.clock.advance(60)

    undone = take_back(shop, change_set)

    assert truth(shop, customer) == before
    assert (undone.restored, undone.kept) == (1, ())
    made = next(row for row in shop.all(ChangeSet) if row.id == undone.change_set_id)
    assert (made.actor_kind, made.actor_ref, made.parent_id) == ("staff", "zhang", change_set)


@pytest.mark.both
def test_a_tag_put_on_goes_and_wecom_is_to_lose_it_too(shop: Shop) -> None:
    (tag,) = shop.tags("高意向")
    customer = shop.customer("zhang", "wang")
    change_set = act(shop, TagChange(customer, tag, True, PERSON))

    undone = take_back(shop, change_set)

    assert (undone.restored, truth(shop, customer)) == (1, {})
    open_cells = [row for row in shop.rows() if row.relation_id and row.acked_ver < row.ver]
    assert [row.wanted for row in open_cells] == [False, False]
    assert [state for _, _, state in shop.operations()].count("pending") == 2
    assert shop.version(customer) == 2


@pytest.mark.both
def test_the_former_choice_of_a_single_choice_group_comes_back(shop: Shop) -> None:
    old, new = shop.tags("观望", "高意向", **SINGLE)
    customer = shop.customer("zhang")
    shop.add(customer, old, CHANNEL, evidence={"channel_name": "海报"})
    before = truth(shop, customer)
    change_set = act(shop, TagChange(customer, new, True, PERSON))

    assert take_back(shop, change_set).restored == 2
    assert truth(shop, customer) == before


@pytest.mark.both
def test_an_undo_can_be_undone(shop: Shop) -> None:
    first, second = shop.tags("常客", "高意向")
    customer = shop.customer("zhang")
    shop.add(customer, first, RULE)
    change_set = act(shop, TagChange(customer, first, False, PERSON), TagChange(customer, second, True, PERSON))
    done = truth(shop, customer)
    undone = take_back(shop, change_set).change_set_id
    assert undone is not None

    again = take_back(shop, undone)

    assert (again.restored, truth(shop, customer)) == (2, done)


@pytest.mark.both
def test_what_was_changed_since_stays_and_is_told(shop: Shop) -> None:
    first, second = shop.tags("常客", "高意向")
    customer = shop.customer("zhang")
    change_set = act(shop, TagChange(customer, first, True, PERSON), TagChange(customer, second, True, PERSON))
    shop.remove(customer, first, Source(SourceKind.MANUAL, actor="wang"))

    undone = take_back(shop, change_set)

    assert [(kept.name, kept.reason) for kept in undone.kept] == [("常客", "changed")]
    assert (undone.restored, truth(shop, customer)) == (1, {})
    assert undone.kept[0].words


def test_a_colleague_who_confirmed_the_tag_keeps_it(shop: Shop) -> None:
    (tag,) = shop.tags("高意向")
    customer = shop.customer("zhang", "wang")
    change_set = act(shop, TagChange(customer, tag, True, PERSON))
    shop.add(customer, tag, Source(SourceKind.MANUAL, actor="wang"))

    assert take_back(shop, change_set).restored == 0
    assert shop.row(customer, tag).actor == "wang"


@pytest.mark.both
def test_sources_that_wanted_the_tag_before_want_it_again(shop: Shop) -> None:
    (tag,) = shop.tags("常客")
    customer = shop.customer("zhang")
    shop.add(customer, tag, RULE)
    shop.clock.advance(5)
    shop.add(customer, tag, API, expires_at=in_seconds(shop, 9999))
    before = claims(shop, customer)
    change_set = act(shop, TagChange(customer, tag, False, PERSON))
    assert claims(shop, customer) == set()

    take_back(shop, change_set)

    assert claims(shop, customer) == before
    shop.remove(customer, tag, RULE)
    assert shop.held(customer) == {tag: "api"}


def test_a_stronger_source_that_came_since_wins_as_it_would_have(shop: Shop) -> None:
    first, second, third = shop.tags("观望", "高意向", "已成交", **SINGLE)
    customer = shop.customer("zhang")
    shop.add(customer, first, RULE)
    change_set = act(shop, TagChange(customer, second, True, PERSON))
    shop.add(customer, third, CAMPAIGN)

    take_back(shop, change_set)

    assert shop.held(customer) == {third: "campaign"}
    assert shop.claims() == [(first, "rule", "vip")]


def test_what_has_run_out_or_is_not_in_use_any_more_does_not_come_back(shop: Shop) -> None:
    short, gone = shop.tags("限时", "旧标签")
    customer = shop.customer("zhang")
    shop.add(customer, short, CAMPAIGN, expires_at=in_seconds(shop, 60))
    shop.add(customer, gone, RULE)
    change_set = act(shop, TagChange(customer, short, False, PERSON), TagChange(customer, gone, False, PERSON))
    shop.clock.advance(120)
    with shop.store.write() as session:
        session.get_one(Tag, gone).archived_at = shop.clock.now()

    undone = take_back(shop, change_set)

    assert {kept.name: kept.reason for kept in undone.kept} == {"限时": "expired", "旧标签": "gone"}
    assert (undone.change_set_id, truth(shop, customer)) == (None, {})


def test_a_friendship_that_ended_takes_its_own_tags_along(shop: Shop) -> None:
    (tag,) = shop.tags("已约到店", scope=Scope.RELATION)
    customer = shop.customer("wang")
    relation = shop.befriend(customer, "zhang")
    change_set = act(shop, TagChange(customer, tag, True, PERSON, relation_id=relation))
    shop.part(relation)
    shop.befriend(customer, "zhang")

    assert [kept.reason for kept in take_back(shop, change_set).kept] == ["changed"]


@pytest.mark.both
def test_nobody_undoes_another_members_act_but_an_administrator(shop: Shop) -> None:
    (tag,) = shop.tags("高意向")
    customer = shop.customer("zhang", "wang")
    change_set = act(shop, TagChange(customer, tag, True, PERSON))

    for asked in (change_set, 4711):
        with pytest.raises(NotFound):
            take_back(shop, asked, "wang")
    assert undo.by_viewer(shop.store, ADMIN, change_set).restored == 1


def test_who_sees_the_customer_no_more_undoes_nothing(shop: Shop) -> None:
    (tag,) = shop.tags("高意向")
    mine, lost = shop.customer("zhang", name="wm_li"), shop.customer(name="wm_xu")
    relation = shop.befriend(lost, "zhang")
    alone = act(shop, TagChange(lost, tag, True, PERSON))
    undo.by_viewer(shop.store, ADMIN, alone)
    both = act(shop, TagChange(lost, tag, True, PERSON), TagChange(mine, tag, True, PERSON))
    shop.part(relation)

    undone = take_back(shop, both)

    assert [(kept.external_userid, kept.reason) for kept in undone.kept] == [("wm_xu", "not_yours")]
    with pytest.raises(NotFound):
        take_back(shop, alone)


def test_a_large_act_is_undone_in_pieces_as_one_change_set(shop: Shop, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(undo, "MOST_EVENTS", 2)
    (tag,) = shop.tags("批量")
    customers = [shop.customer("zhang", name=f"wm_{number}") for number in range(5)]
    change_set = act(shop, *[TagChange(customer, tag, True, PERSON) for customer in customers])

    undone = take_back(shop, change_set)

    assert (undone.restored, len(shop.all(ChangeSet))) == (5, 2)
    assert not any(row.wanted for row in shop.all(CustomerTag))
    assert take_back(shop, undone.change_set_id or 0).restored == 5


def test_a_program_undoes_any_act(shop: Shop) -> None:
    (tag,) = shop.tags("高意向")
    customer = shop.customer("zhang")
    change_set = act(shop, TagChange(customer, tag, True, PERSON))

    undone = undo.by_program(shop.store, "商城", "1", change_set)

    assert undone.restored == 1
    made = next(row for row in shop.all(ChangeSet) if row.id == undone.change_set_id)
    assert (made.actor_kind, made.actor_ref, made.parent_id) == ("api", "商城", change_set)


WISHES = st.lists(
    st.tuples(
        st.integers(0, 3),
        st.booleans(),
        st.sampled_from([PERSON, CAMPAIGN, CHANNEL, RULE, API, Source(SourceKind.IMPORT, "file")]),
    ),
    max_size=6,
)


@given(history=WISHES, edit=WISHES.filter(bool))
@settings(max_examples=30, deadline=None, suppress_health_check=[HealthCheck.function_scoped_fixture])
def test_whatever_an_act_did_undoing_it_gives_back_what_stood(
    fresh: Callable[[], tuple[Shop, int, list[int]]],
    history: list[tuple[int, bool, Source]],
    edit: list[tuple[int, bool, Source]],
) -> None:
    shop, customer, tags = fresh()
    for tag, add, source in history:
        shop.clock.advance(1)
        shop.apply(TagChange(customer, tags[tag], add, source))
    before, wanted = truth(shop, customer), claims(shop, customer)
    shop.clock.advance(1)
    made = shop.apply(*[TagChange(customer, tags[tag], add, source) for tag, add, source in edit], act=ZHANG)
    if made.change_set_id is None:
        return
    changed = {event.tag_id for event in shop.events() if event.change_set_id == made.change_set_id}
    done = truth(shop, customer)
    shop.clock.advance(1)

    undone = take_back(shop, made.change_set_id)

    group = set(tags[:2]) if changed & set(tags[:2]) else set()
    touched = changed | group
    assert (undone.restored, undone.kept) == (len(changed), ())
    after = truth(shop, customer)
    assert {key: row for key, row in after.items() if key[0] in touched} == {
        key: row for key, row in before.items() if key[0] in touched
    }
    assert {claim for claim in claims(shop, customer) if claim[0] in touched} == {
        claim for claim in wanted if claim[0] in touched
    }
    cells = {row.tag_id: row for row in shop.rows() if row.customer_id == customer and row.relation_id}
    assert {tag for tag, row in cells.items() if row.wanted} == {tag for tag, _ in after}
    for tag in changed:
        assert cells[tag].acked_ver < cells[tag].ver

    again = take_back(shop, undone.change_set_id or 0)
    assert again.restored == len(changed)
    assert {key: row for key, row in truth(shop, customer).items() if key[0] in touched} == {
        key: row for key, row in done.items() if key[0] in touched
    }


@pytest.fixture
def fresh(shop: Shop) -> Callable[[], tuple[Shop, int, list[int]]]:
    """Return a new customer each time, before the same tags: two of a single-choice group, two others."""
    tags = [*shop.tags("观望", "高意向", group="意向", **SINGLE), *shop.tags("常客", "新客", group="类型")]
    made: list[int] = []

    def another() -> tuple[Shop, int, list[int]]:
        made.append(shop.customer("zhang", name=f"wm_{len(made)}"))
        return shop, made[-1], tags

    return another
