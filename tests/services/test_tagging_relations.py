"""What `tagging.apply` does to relations: cells, operations and scope; and what cannot be tagged."""

from typing import Any

import pytest

from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, RULE, Shop
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Mirror, Scope, Selection, SourceKind
from wecom_app.errors import InvalidInput
from wecom_app.models import ChangeSet, Tag, TagOperation
from wecom_app.services import cells
from wecom_app.services.tagging import TagChange

SINGLE: dict[str, Any] = {"selection": Selection.SINGLE}
HOUR = 3600


# Relations: fan-out and scope.


@pytest.mark.both
def test_every_live_relation_gets_a_cell_and_an_operation(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")
    half, lost = shop.befriend(customer, "half", half=True), shop.befriend(customer, "lost")
    shop.part(lost)

    shop.add(customer, tag, CHANNEL)

    truth = shop.row(customer, tag)
    assert [(row.relation_id, row.wanted, row.ver) for row in shop.rows()] == [
        (0, True, truth.ver),
        (zhang, True, truth.ver),
        (wang, True, truth.ver),
    ]
    assert shop.operations() == [(zhang, tag, "pending"), (wang, tag, "pending")]
    assert half not in [row.relation_id for row in shop.rows()]


@pytest.mark.both
def test_one_sync_job_is_asked_for_per_customer_however_many_acts(shop: Shop) -> None:
    first, second = shop.tags("vip", "new")
    li, xu = shop.customer("zhang", "wang", name="wm_li"), shop.customer("zhang", name="wm_xu")

    shop.apply(*[TagChange(who, tag, True, API) for who in (li, xu) for tag in (first, second)])
    shop.remove(li, first)

    assert sorted(job["customer_id"] for job in shop.waiting(cells.SYNC_KIND)) == [li, xu]


@pytest.mark.both
def test_an_older_operation_is_superseded_and_never_cancelled_by_its_opposite(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    relation = shop.befriend(customer, "zhang")

    shop.add(customer, tag)
    shop.remove(customer, tag)

    assert shop.operations() == [(relation, tag, "superseded"), (relation, tag, "pending")]
    (_, operation) = shop.all(TagOperation, TagOperation.id)
    assert operation.ver == shop.row(customer, tag).ver


@pytest.mark.both
def test_a_new_relation_gets_the_tags_that_the_customer_has(shop: Shop) -> None:
    first, second = shop.tags("vip", "new")
    customer = shop.customer()
    shop.add(customer, first)
    shop.add(customer, second)
    shop.remove(customer, second)

    relation = shop.befriend(customer, "zhang")

    assert shop.held(customer, relation) == {first: "api"}
    assert shop.operations() == [(relation, first, "pending")]


@pytest.mark.parametrize("mirror", [Mirror.NONE, Mirror.PULL])
def test_groups_that_are_not_pushed_have_neither_cells_nor_operations(shop: Shop, mirror: Mirror) -> None:
    (tag,) = shop.tags("vip", mirror=mirror)
    customer = shop.customer("zhang")

    shop.add(customer, tag)

    assert [row.relation_id for row in shop.rows()] == [0]
    assert (shop.operations(), shop.waiting(cells.SYNC_KIND)) == ([], [])


@pytest.mark.both
def test_a_tag_of_a_relation_stands_on_that_relation_alone(shop: Shop) -> None:
    (tag,) = shop.tags("keen", scope=Scope.RELATION)
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")

    shop.add(customer, tag, PERSON, relation_id=wang)

    assert [(row.relation_id, row.wanted) for row in shop.rows()] == [(wang, True)]
    assert shop.operations() == [(wang, tag, "pending")]
    assert [event.relation_id for event in shop.events()] == [wang]
    assert shop.held(customer, zhang) == {}


def test_a_tag_of_a_relation_without_the_relation_is_refused(shop: Shop) -> None:
    (tag,) = shop.tags("keen", scope=Scope.RELATION)
    customer = shop.customer("zhang")

    with pytest.raises(InvalidInput, match="需要指明成员"):
        shop.add(customer, tag)
    assert shop.rows() == []


def test_single_choice_is_per_relation_in_groups_of_that_scope(shop: Shop) -> None:
    low, high = shop.tags("low", "high", scope=Scope.RELATION, **SINGLE)
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")

    shop.add(customer, low, relation_id=zhang)
    shop.add(customer, high, relation_id=wang)

    assert (shop.held(customer, zhang), shop.held(customer, wang)) == ({low: "api"}, {high: "api"})


def test_what_sync_saw_on_a_relation_is_not_pushed_back_to_it_and_its_cell_is_left_to_sync(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")

    shop.apply(TagChange(customer, tag, True, Source(SourceKind.WECOM, str(zhang))), observed_on=[zhang])

    assert shop.operations() == [(wang, tag, "pending")]
    assert (shop.held(customer, wang), shop.held(customer, zhang)) == ({tag: "wecom"}, {})


# What cannot be tagged.


def test_an_unknown_tag_is_refused(shop: Shop) -> None:
    with pytest.raises(InvalidInput, match="没有这个标签"):
        shop.add(shop.customer(), 999)


@pytest.mark.parametrize("column", ["archived_at", "gone_at"])
def test_a_tag_out_of_use_can_be_taken_off_but_not_put_on(shop: Shop, column: str) -> None:
    kept, other = shop.tags("vip", "new")
    customer = shop.customer()
    shop.add(customer, kept)
    with shop.store.write() as session:
        for tag_id in (kept, other):
            setattr(session.get_one(Tag, tag_id), column, shop.clock.now())

    with pytest.raises(InvalidInput, match="已停用"):
        shop.add(customer, other)
    assert shop.remove(customer, kept).change_set_id is not None


@pytest.mark.both
def test_one_wrong_wish_among_right_ones_changes_nothing(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer("zhang")

    with pytest.raises(InvalidInput):
        shop.apply(TagChange(customer, tag, True, API), TagChange(customer, 999, True, API))

    assert (shop.rows(), shop.events(), shop.operations(), shop.version(customer)) == ([], [], [], 0)


@pytest.mark.both
def test_a_crowd_is_tagged_in_one_transaction(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    crowd = [shop.customer(name=f"wm_{number}") for number in range(60)]

    applied = shop.apply(*[TagChange(customer, tag, True, RULE) for customer in reversed(crowd)])

    assert [(row.customer_id, row.wanted) for row in shop.rows()] == [(customer, True) for customer in crowd]
    assert {event.change_set_id for event in shop.events()} == {applied.change_set_id}
    assert {shop.version(customer) for customer in crowd} == {1}


@pytest.mark.both
def test_a_relation_that_ends_leaves_a_line_for_each_of_its_own_tags(shop: Shop) -> None:
    (keen,) = shop.tags("keen", scope=Scope.RELATION)
    (vip,) = shop.tags("vip", group="other")
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")
    for relation in (zhang, wang):
        shop.add(customer, keen, PERSON, relation_id=relation)
    shop.add(customer, keen, API, relation_id=zhang)
    shop.add(customer, vip)
    version = shop.version(customer)

    shop.part(zhang)

    last = shop.events()[-1]
    assert (last.op, last.tag_id, last.relation_id) == ("remove", keen, zhang)
    assert last.before is not None
    assert last.after is not None
    assert (last.before["wanted"], last.after["wanted"]) == (True, False)
    assert last.after["evidence"]["reason"] == "好友关系已解除"
    act = shop.all(ChangeSet, ChangeSet.id)[-1]
    assert (act.id, act.actor_kind, act.reason) == (last.change_set_id, "system", "好友关系已解除")
    assert len(shop.events()) == 4
    assert shop.version(customer) == version + 1
    assert (shop.held(customer, wang), shop.held(customer)) == ({keen: "manual", vip: "api"}, {vip: "api"})


def test_a_relation_without_tags_of_its_own_ends_without_a_line(shop: Shop) -> None:
    (vip,) = shop.tags("vip")
    customer = shop.customer()
    relation = shop.befriend(customer, "zhang")
    shop.add(customer, vip)

    shop.part(relation)

    assert [event.op for event in shop.events()] == ["add"]


def test_what_wanted_a_tag_of_a_lost_relation_claims_nothing_of_the_next_one(shop: Shop) -> None:
    (keen,) = shop.tags("keen", scope=Scope.RELATION)
    customer = shop.customer()
    relation = shop.befriend(customer, "zhang")
    shop.add(customer, keen, CAMPAIGN, relation_id=relation)
    shop.add(customer, keen, API, relation_id=relation)
    assert shop.claims() == [(keen, "api", "1")]

    shop.part(relation)

    assert shop.claims() == []
