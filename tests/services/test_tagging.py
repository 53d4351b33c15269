"""`tagging.apply`, the one way a tag changes: rows, history, versions, and what an act without effect says."""

from datetime import UTC
from typing import Any

import pytest

from tests.services.shop import API, CHANNEL, PERSON, RULE, Shop, in_seconds
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Selection, SourceKind
from wecom_app.models import ChangeSet
from wecom_app.services.history import KEPT, Act
from wecom_app.services.tagging import Applied, Skipped, TagChange

SINGLE: dict[str, Any] = {"selection": Selection.SINGLE}
HOUR = 3600


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
