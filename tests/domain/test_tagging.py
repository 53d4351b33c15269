"""Precedence of sources: who may put a tag on or take it off, who takes over, and what nobody can upset."""

from dataclasses import replace
from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wecom_app.domain.tagging import Decision, Holding, Source, Unit, Wish, decide
from wecom_app.domain.vocabulary import RANK, SourceKind

TAG, OTHER, THIRD = 1, 2, 3
PERSON = Source(SourceKind.MANUAL, actor="zhang")
IN_WECOM = Source(SourceKind.WECOM, "7")
CAMPAIGN = Source(SourceKind.CAMPAIGN, "spring")
CHANNEL = Source(SourceKind.CHANNEL, "1")
RULE = Source(SourceKind.RULE, "vip")
API = Source(SourceKind.API, "1")
OTHER_API = Source(SourceKind.API, "2")
IMPORT = Source(SourceKind.IMPORT, "file")
LINK = Source(SourceKind.WECOM_LINK, "7")
MACHINES = (CAMPAIGN, CHANNEL, RULE, API, IMPORT, LINK)
NOON = datetime(2026, 11, 23, 12, tzinfo=UTC)


def held_by(source: Source, *claims: Source, tag_id: int = TAG) -> Unit:
    return Unit(Holding(tag_id, source), tuple(Holding(tag_id, claim) for claim in claims))


def add(source: Source, tag_id: int = TAG) -> Wish:
    return Wish(tag_id, True, source)


def remove(source: Source, tag_id: int = TAG) -> Wish:
    return Wish(tag_id, False, source)


def holder(decision: Decision) -> tuple[int, Source] | None:
    held = decision.unit.held
    return None if held is None else (held.tag_id, held.source)


def claimants(decision: Decision) -> set[tuple[int, Source]]:
    return {(claim.tag_id, claim.source) for claim in decision.unit.claims}


@pytest.mark.parametrize("source", [PERSON, IN_WECOM, *MACHINES], ids=lambda source: source.kind.value)
def test_anybody_may_put_a_tag_on_where_none_stands(source: Source) -> None:
    decision = decide(Unit(None), add(source))

    assert decision.changed
    assert holder(decision) == (TAG, source)


@pytest.mark.parametrize("stronger", range(1, len(MACHINES)), ids=lambda place: MACHINES[place - 1].kind.value)
def test_a_lower_rank_does_not_take_off_what_a_higher_one_holds(stronger: int) -> None:
    high, low = MACHINES[stronger - 1], MACHINES[stronger]
    unit = held_by(high)

    decision = decide(unit, remove(low))

    assert decision == Decision(unit, refused="outranked")


@pytest.mark.parametrize("stronger", range(1, len(MACHINES)), ids=lambda place: MACHINES[place - 1].kind.value)
def test_a_lower_rank_does_not_replace_a_value_of_a_single_choice_group(stronger: int) -> None:
    high, low = MACHINES[stronger - 1], MACHINES[stronger]

    decision = decide(held_by(high), add(low, OTHER))

    assert (holder(decision), decision.refused) == ((TAG, high), "outranked")
    assert claimants(decision) == {(OTHER, low)}


@pytest.mark.parametrize("stronger", range(1, len(MACHINES)), ids=lambda place: MACHINES[place - 1].kind.value)
def test_a_higher_rank_replaces_the_value_and_the_old_one_stays_a_claim(stronger: int) -> None:
    high, low = MACHINES[stronger - 1], MACHINES[stronger]

    decision = decide(held_by(low), add(high, OTHER))

    assert decision.changed
    assert holder(decision) == (OTHER, high)
    assert claimants(decision) == {(TAG, low)}


@pytest.mark.parametrize("machine", MACHINES, ids=lambda source: source.kind.value)
def test_no_machine_takes_off_what_a_person_put_on(machine: Source) -> None:
    assert decide(held_by(PERSON), remove(machine)).refused == "outranked"


@pytest.mark.parametrize("machine", MACHINES, ids=lambda source: source.kind.value)
def test_a_person_takes_off_what_any_machine_put_on(machine: Source) -> None:
    decision = decide(held_by(machine), remove(PERSON))

    assert decision == Decision(Unit(None), changed=True)


def test_equal_ranks_replace_one_another() -> None:
    decision = decide(held_by(API), add(OTHER_API, OTHER))

    assert (decision.changed, holder(decision)) == (True, (OTHER, OTHER_API))


@pytest.mark.parametrize("source", MACHINES, ids=lambda source: source.kind.value)
def test_a_source_that_changes_its_mind_wants_the_new_value_only(source: Source) -> None:
    decision = decide(held_by(source), add(source, OTHER))

    assert decision == Decision(Unit(Holding(OTHER, source)), changed=True)


def test_a_claimant_who_changes_his_mind_claims_the_new_value_only() -> None:
    decision = decide(held_by(CHANNEL, API, RULE), add(API, OTHER))

    assert claimants(decision) == {(TAG, RULE), (OTHER, API)}


def test_the_next_of_the_same_rank_can_take_off_a_tag() -> None:
    assert decide(held_by(API), remove(OTHER_API)) == Decision(Unit(None), changed=True)


def test_a_second_source_of_lower_rank_only_claims_the_tag() -> None:
    decision = decide(held_by(CHANNEL), add(API))

    assert not decision.changed
    assert (holder(decision), claimants(decision)) == ((TAG, CHANNEL), {(TAG, API)})


def test_a_second_source_of_higher_rank_takes_the_tag_over_without_changing_the_value() -> None:
    decision = decide(held_by(API), add(CHANNEL))

    assert not decision.changed
    assert (holder(decision), claimants(decision)) == ((TAG, CHANNEL), {(TAG, API)})


def test_the_same_source_again_only_moves_its_own_expiry() -> None:
    decision = decide(held_by(API), Wish(TAG, True, API, expires_at=NOON))

    assert not decision.changed
    assert decision.unit == Unit(Holding(TAG, API, expires_at=NOON))


def test_a_person_who_repeats_a_machines_value_confirms_it() -> None:
    decision = decide(held_by(RULE, API), add(PERSON))

    assert (decision.changed, decision.confirmed) == (False, True)
    assert decision.unit == Unit(Holding(TAG, PERSON))


def test_a_persons_new_value_deletes_every_claim() -> None:
    decision = decide(held_by(RULE, API, IMPORT), add(PERSON, OTHER))

    assert decision == Decision(Unit(Holding(OTHER, PERSON)), changed=True)


def test_a_persons_removal_deletes_every_claim() -> None:
    assert decide(held_by(RULE, API, IMPORT), remove(PERSON)) == Decision(Unit(None), changed=True)


def test_a_person_replaces_another_persons_value() -> None:
    assert holder(decide(held_by(PERSON), add(IN_WECOM, OTHER))) == (OTHER, IN_WECOM)


def test_the_best_claim_takes_over_when_the_holder_lets_go() -> None:
    decision = decide(held_by(CAMPAIGN, IMPORT, RULE, API), remove(CAMPAIGN))

    assert not decision.changed
    assert (holder(decision), claimants(decision)) == ((TAG, RULE), {(TAG, IMPORT), (TAG, API)})


def test_a_claim_on_another_tag_of_the_group_takes_over_as_a_new_value() -> None:
    unit = Unit(Holding(TAG, CHANNEL), (Holding(OTHER, RULE), Holding(THIRD, API)))

    decision = decide(unit, remove(CHANNEL))

    assert decision.changed
    assert (holder(decision), claimants(decision)) == ((OTHER, RULE), {(THIRD, API)})


def test_between_equal_claims_the_older_tag_takes_over() -> None:
    unit = Unit(Holding(TAG, CHANNEL), (Holding(THIRD, API), Holding(OTHER, OTHER_API)))

    assert holder(decide(unit, remove(CHANNEL))) == (OTHER, OTHER_API)


def test_the_holder_who_lets_go_without_claims_leaves_nothing() -> None:
    assert decide(held_by(CHANNEL), remove(CHANNEL)) == Decision(Unit(None), changed=True)


def test_a_higher_rank_that_takes_off_a_tag_deletes_the_claims_on_it() -> None:
    assert decide(held_by(RULE, API), remove(CHANNEL)) == Decision(Unit(None), changed=True)


def test_a_claim_on_another_tag_does_not_wait_for_nothing_once_the_value_is_taken_off() -> None:
    unit = Unit(Holding(TAG, RULE), (Holding(TAG, IMPORT), Holding(OTHER, API)))

    decision = decide(unit, remove(CHANNEL))

    assert decision == Decision(Unit(Holding(OTHER, API)), changed=True)


def test_a_claimant_who_lets_go_loses_his_claim_only() -> None:
    decision = decide(held_by(CHANNEL, API, RULE), remove(API))

    assert (decision.changed, holder(decision), claimants(decision)) == (False, (TAG, CHANNEL), {(TAG, RULE)})


def test_a_claim_on_another_tag_can_be_let_go() -> None:
    unit = Unit(Holding(TAG, CHANNEL), (Holding(OTHER, API), Holding(OTHER, IMPORT)))

    decision = decide(unit, remove(API, OTHER))

    assert decision == Decision(replace(unit, claims=(Holding(OTHER, IMPORT),)), refused="absent")


def test_what_nobody_put_on_cannot_be_taken_off() -> None:
    assert decide(Unit(None), remove(PERSON)) == Decision(Unit(None), refused="absent")


def test_a_claim_made_again_is_kept_once_with_its_new_expiry() -> None:
    unit = held_by(CHANNEL, API)

    decision = decide(unit, Wish(TAG, True, API, expires_at=NOON))

    assert decision.unit.claims == (Holding(TAG, API, expires_at=NOON),)


def test_two_keys_of_the_api_are_two_sources() -> None:
    decision = decide(held_by(CHANNEL, API), add(OTHER_API))

    assert claimants(decision) == {(TAG, API), (TAG, OTHER_API)}


SOURCES = st.sampled_from([PERSON, IN_WECOM, *MACHINES, OTHER_API])
WISHES = st.builds(Wish, st.sampled_from([TAG, OTHER, THIRD]), st.booleans(), SOURCES)


def history(wishes: list[Wish]) -> list[tuple[Unit, Wish, Decision]]:
    """Return each step of a unit that begins empty: what stood, what was wished, what was decided."""
    unit, steps = Unit(None), []
    for wish in wishes:
        decision = decide(unit, wish)
        steps.append((unit, wish, decision))
        unit = decision.unit
    return steps


@given(st.lists(WISHES, max_size=12).map(history))
@settings(max_examples=200, deadline=None)
def test_the_holder_never_ranks_below_a_claim(steps: list[tuple[Unit, Wish, Decision]]) -> None:
    for _, _, decision in steps:
        held, claims = decision.unit.held, decision.unit.claims
        assert all(held is not None and held.source.rank >= claim.source.rank for claim in claims)


@given(st.lists(WISHES, max_size=12).map(history))
@settings(max_examples=200, deadline=None)
def test_no_source_wants_two_values_and_no_person_waits(steps: list[tuple[Unit, Wish, Decision]]) -> None:
    for _, _, decision in steps:
        unit = decision.unit
        wanting = [(item.source.kind, item.source.ref) for item in (unit.held, *unit.claims) if item]
        assert len(set(wanting)) == len(wanting)
        assert not any(claim.source.is_person for claim in unit.claims)


@given(st.lists(WISHES, max_size=12).map(history))
@settings(max_examples=200, deadline=None)
def test_a_lower_rank_never_moves_the_value(steps: list[tuple[Unit, Wish, Decision]]) -> None:
    for before, wish, decision in steps:
        if before.held is not None and wish.source.rank < before.held.source.rank:
            assert decision.unit.held == before.held
            assert not decision.changed


@given(st.lists(WISHES, max_size=12).map(history))
@settings(max_examples=200, deadline=None)
def test_an_act_of_a_person_leaves_no_claims(steps: list[tuple[Unit, Wish, Decision]]) -> None:
    for _, wish, decision in steps:
        if wish.source.is_person and decision.refused is None:
            assert decision.unit.claims == ()
            assert (decision.unit.held is not None) == wish.add


@given(st.lists(WISHES, max_size=12).map(history))
@settings(max_examples=200, deadline=None)
def test_changed_says_whether_the_value_differs(steps: list[tuple[Unit, Wish, Decision]]) -> None:
    for before, _, decision in steps:
        old = before.held.tag_id if before.held else None
        new = decision.unit.held.tag_id if decision.unit.held else None
        assert decision.changed == (old != new)


@given(st.lists(WISHES, max_size=12).map(history))
@settings(max_examples=200, deadline=None)
def test_letting_go_gives_the_best_claim(steps: list[tuple[Unit, Wish, Decision]]) -> None:
    for before, wish, decision in steps:
        held = before.held
        if (
            held is None
            or wish.source.is_person
            or wish.add
            or (held.tag_id, held.source) != (wish.tag_id, wish.source)
        ):
            continue
        ranks = [claim.source.rank for claim in before.claims]
        assert (decision.unit.held.source.rank if decision.unit.held else None) == max(ranks, default=None)


@given(st.lists(WISHES, max_size=12).map(history), WISHES)
@settings(max_examples=200, deadline=None)
def test_a_wish_said_twice_in_a_row_changes_nothing_more(steps: list[tuple[Unit, Wish, Decision]], wish: Wish) -> None:
    unit = steps[-1][2].unit if steps else Unit(None)
    once = decide(unit, wish).unit

    if wish.add or once.held is None or once.held.tag_id != wish.tag_id:
        assert decide(once, wish).unit == once


def test_every_kind_of_source_has_a_rank() -> None:
    assert set(RANK) == set(SourceKind)
