"""`tagging.apply`, the one way a tag changes: rows, history, versions, claims, expiry, and the intent towards WeCom."""

from datetime import UTC
from typing import Any

import pytest

from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, RULE, Shop, in_seconds
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Mirror, Scope, Selection, SourceKind
from wecom_app.errors import InvalidInput
from wecom_app.models import ChangeSet, Tag, TagOperation
from wecom_app.services import cells
from wecom_app.services.history import KEPT, Act
from wecom_app.services.tagging import Applied, Skipped, TagChange

SINGLE: dict[str, Any] = {"selection": Selection.SINGLE}
HOUR = 3600


# Truth and history.


@pytest.mark.both
def test_a_new_tag_is_written_with_its_source_and_its_reason(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    until = in_seconds(shop, HOUR)

    applied = shop.add(customer, tag, CHANNEL, evidence={"名称": "海报"}, expires_at=until)

    row = shop.row(customer, tag)
    assert applied == Applied(change_set_id=1)
    assert (row.wanted, row.source_kind, row.source_ref, row.actor) == (True, "channel", "1", None)
    assert (row.evidence, row.set_at, row.expires_at) == ({"名称": "海报"}, shop.clock.now(), until)
    assert row.ver > 0
    assert (row.person_seq, row.person_at) == (0, None)


@pytest.mark.both
def test_history_keeps_the_row_before_and_after(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, evidence={"order": 1})
    first = shop.clock.now().astimezone(UTC).isoformat()
    shop.clock.advance(HOUR)

    shop.remove(customer, tag, PERSON, evidence={"note": "wrong"})

    put_on, taken_off = shop.events()
    assert (put_on.op, put_on.before) == ("add", None)
    assert put_on.after is not None
    assert set(put_on.after) == set(KEPT)
    assert put_on.after == {
        "wanted": True,
        "source_kind": "api",
        "source_ref": "1",
        "actor": None,
        "evidence": {"order": 1},
        "set_at": first,
        "expires_at": None,
    }
    assert (taken_off.op, taken_off.before) == ("remove", put_on.after)
    assert taken_off.after is not None
    assert (taken_off.after["wanted"], taken_off.after["source_kind"]) == (False, "manual")
    assert (taken_off.after["actor"], taken_off.after["evidence"]) == ("zhang", {"note": "wrong"})
    assert taken_off.at == shop.clock.now()


@pytest.mark.both
def test_one_act_is_one_change_set_over_tags_and_customers(shop: Shop) -> None:
    first, second = shop.tags("vip", "new")
    li, xu = shop.customer(name="wm_li"), shop.customer(name="wm_xu")
    act = Act("rule", actor_ref="vip", reason="三单", event_id=7)

    applied = shop.apply(*[TagChange(who, tag, True, RULE) for who in (xu, li) for tag in (second, first)], act=act)

    (change_set,) = shop.all(ChangeSet)
    assert applied.change_set_id == change_set.id
    assert (change_set.actor_kind, change_set.actor_ref, change_set.reason) == ("rule", "vip", "三单")
    assert {(event.customer_id, event.tag_id) for event in shop.events()} == {
        (li, first),
        (li, second),
        (xu, first),
        (xu, second),
    }
    assert {(event.change_set_id, event.event_id) for event in shop.events()} == {(change_set.id, 7)}


@pytest.mark.both
def test_the_customers_version_rises_once_per_act_that_changed_something(shop: Shop) -> None:
    first, second = shop.tags("vip", "new")
    customer, other = shop.customer(name="wm_li"), shop.customer(name="wm_xu")

    shop.apply(TagChange(customer, first, True, API), TagChange(customer, second, True, API))
    assert (shop.version(customer), shop.version(other)) == (1, 0)
    shop.add(customer, first)
    shop.remove(customer, first, Source(SourceKind.IMPORT, "file"))
    assert shop.version(customer) == 1
    shop.remove(customer, first)
    assert shop.version(customer) == 2


def test_nothing_wished_is_nothing_done(shop: Shop) -> None:
    assert shop.apply() == Applied()
    assert shop.all(ChangeSet) == []


@pytest.mark.parametrize(
    ("source", "add", "reason"), [(API, True, "present"), (CHANNEL, False, "absent"), (RULE, False, "absent")]
)
def test_a_wish_without_effect_is_reported_and_leaves_no_history(
    shop: Shop, source: Source, add: bool, reason: str
) -> None:
    held, other = shop.tags("vip", "new")
    customer = shop.customer()
    shop.add(customer, held)

    tag = held if add else other
    applied = shop.apply(TagChange(customer, tag, add, source))

    assert applied == Applied(skipped=(Skipped(customer, tag, reason),))
    assert len(shop.events()) == 1


@pytest.mark.both
def test_a_refused_wish_changes_no_value_and_says_so(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag, CHANNEL)
    before = shop.row(customer, tag).ver

    applied = shop.remove(customer, tag, API)

    assert applied == Applied(skipped=(Skipped(customer, tag, "outranked"),))
    assert shop.held(customer) == {tag: "channel"}
    assert shop.row(customer, tag).ver == before


def test_put_on_and_taken_off_in_one_act_is_nothing(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()

    applied = shop.apply(TagChange(customer, tag, True, API), TagChange(customer, tag, False, API))

    assert applied.change_set_id is None
    assert (shop.rows(), shop.events(), shop.version(customer)) == ([], [], 0)


def test_taken_off_and_put_on_again_by_a_person_in_one_act_is_his_act(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    shop.add(customer, tag)

    shop.apply(TagChange(customer, tag, False, PERSON), TagChange(customer, tag, True, PERSON))

    assert shop.held(customer) == {tag: "manual"}
    assert len(shop.events()) == 1


@pytest.mark.both
def test_a_persons_act_is_numbered_and_dated_as_one(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()

    shop.add(customer, tag, PERSON)

    row = shop.row(customer, tag)
    assert (row.person_seq, row.person_at, row.actor) == (row.ver, shop.clock.now(), "zhang")


@pytest.mark.both
def test_a_person_who_repeats_a_machines_value_makes_it_his_without_a_new_version(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer("zhang")
    shop.add(customer, tag, RULE)
    before = shop.row(customer, tag)

    applied = shop.add(customer, tag, PERSON)

    row = shop.row(customer, tag)
    assert applied.skipped == (Skipped(customer, tag, "present"),)
    assert (row.source_kind, row.ver, row.set_at) == ("manual", before.ver, before.set_at)
    assert row.person_seq > before.ver
    assert (shop.version(customer), len(shop.events()), len(shop.operations())) == (1, 1, 1)


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


def test_what_sync_saw_on_a_relation_is_not_pushed_back_to_it(shop: Shop) -> None:
    (tag,) = shop.tags("vip")
    customer = shop.customer()
    zhang, wang = shop.befriend(customer, "zhang"), shop.befriend(customer, "wang")

    shop.apply(TagChange(customer, tag, True, Source(SourceKind.WECOM, str(zhang))), observed_on=[zhang])

    assert shop.operations() == [(wang, tag, "pending")]
    assert shop.held(customer, zhang) == {tag: "wecom"}


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
