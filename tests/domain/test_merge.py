"""The three-way merge of one unit on one relation: every rule of the sync design, by name and then exhaustively."""

from collections.abc import Iterable
from datetime import UTC, datetime, timedelta
from itertools import product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wecom_app.domain.merge import (
    BOTH,
    CLOCK_MARGIN,
    Cell,
    Conflict,
    Look,
    Merge,
    Note,
    RelationState,
    UnitTruth,
    merge,
)
from wecom_app.domain.vocabulary import Mirror, SourceKind

A, B, C = 1, 2, 3
EPOCH_AT = datetime(2026, 11, 1, tzinfo=UTC)
LATER_LOOK = RelationState(linked=False, life_seq=0, seen_seq=10, epoch_at=EPOCH_AT)
PERSON, MACHINE, BY_LINK = SourceKind.MANUAL, SourceKind.RULE, SourceKind.WECOM_LINK


def truth(*wanted: int, single: bool = False, **more: Any) -> UnitTruth:
    """Return a truth of version 5 that a machine wrote, unless told otherwise."""
    return UnitTruth(
        **{"single": single, "wanted": frozenset(wanted), "exists": True, "ver": 5, "source": MACHINE} | more
    )


def cell(base: bool | None, *, seen: int = 10, **more: Any) -> Cell:
    return Cell(**{"base": base, "seen_seq": seen, "touched_seq": seen} | more)


def look(*observed: int, seq: int = 20, bulk: bool = False) -> Look:
    return Look(seq, frozenset(observed), bulk)


def first_look(**more: Any) -> RelationState:
    """Return a relation that nobody has looked at in its present epoch."""
    return RelationState(**{"linked": False, "life_seq": 3, "seen_seq": 0, "epoch_at": EPOCH_AT} | more)


def adopted(found: Merge) -> set[int] | None:
    return None if found.adopted is None else set(found.adopted)


def notes(found: Merge) -> list[tuple[str, int]]:
    return [(note.kind.value, note.tag_id) for note in found.notes]


# 5. The guard.


@pytest.mark.parametrize("newer", [{"ver": 21}, {"person_seq": 21}])
def test_a_look_older_than_the_last_intent_is_stale(newer: dict[str, int]) -> None:
    assert merge(truth(A, **newer), {A: cell(False)}, LATER_LOOK, look(A)) == Merge(skipped="stale")


def test_a_look_older_than_the_relations_life_is_stale() -> None:
    relation = RelationState(linked=False, life_seq=21, seen_seq=22)

    assert merge(truth(A), {A: cell(False)}, relation, look(A)) == Merge(skipped="stale")


def test_a_look_older_than_the_last_touch_of_a_cell_is_skipped() -> None:
    cells = {A: cell(False, touched_seq=21)}

    assert merge(truth(A), cells, LATER_LOOK, look(A)) == Merge(skipped="touched")


def test_one_touched_cell_of_a_single_choice_group_skips_the_whole_group() -> None:
    cells = {A: cell(True), B: cell(False, touched_seq=21)}

    assert merge(truth(A, single=True), cells, LATER_LOOK, look(A, B)) == Merge(skipped="touched")


def test_a_bulk_look_leaves_cells_alone_that_have_pushes_unresolved() -> None:
    cells = {A: cell(False, sent=1)}

    assert merge(truth(A), cells, LATER_LOOK, look(A, bulk=True)) == Merge(skipped="touched")
    assert merge(truth(A), cells, LATER_LOOK, look(A)) == Merge()


@pytest.mark.parametrize("numbers", [{"ver": 20}, {"person_seq": 20}])
def test_a_look_drawn_at_the_same_number_is_believed(numbers: dict[str, int]) -> None:
    assert merge(truth(A, **numbers), {A: cell(True)}, LATER_LOOK, look(A)).skipped is None


# 6. Later looks.


def test_agreement_asks_for_nothing() -> None:
    assert merge(truth(A), {A: cell(True)}, LATER_LOOK, look(A)) == Merge()


def test_our_own_push_that_arrived_is_no_edit() -> None:
    assert merge(truth(A, ver=15), {A: cell(False, sent=1)}, LATER_LOOK, look(A)) == Merge()


def test_our_own_push_that_had_no_effect_is_noted_and_repeated() -> None:
    found = merge(truth(A, ver=15), {A: cell(False, sent=1)}, LATER_LOOK, look())

    assert found == Merge(notes=(Note(Conflict.REPUSH, A),))


def test_an_unknown_outcome_of_both_values_is_no_edit_whatever_is_seen() -> None:
    assert merge(truth(A, ver=15), {A: cell(False, sent=BOTH)}, LATER_LOOK, look(A)) == Merge()
    assert notes(merge(truth(A, ver=15), {A: cell(True, sent=BOTH)}, LATER_LOOK, look())) == [("repush", A)]


@pytest.mark.parametrize("source", [PERSON, MACHINE])
def test_an_edit_after_the_last_intent_was_seen_is_taken_over(source: SourceKind) -> None:
    put_on = merge(truth(source=source), {A: cell(False)}, LATER_LOOK, look(A))
    taken_off = merge(truth(A, source=source), {A: cell(True)}, LATER_LOOK, look())

    assert (adopted(put_on), notes(put_on)) == ({A}, [])
    assert (adopted(taken_off), notes(taken_off)) == (set(), [])


def test_an_edit_that_crossed_a_machines_intent_is_taken_over_without_a_note() -> None:
    found = merge(truth(A, ver=15), {A: cell(True)}, LATER_LOOK, look())

    assert (adopted(found), notes(found)) == (set(), [])


def test_an_edit_that_crossed_a_persons_act_under_a_machines_value_is_taken_over_and_noted() -> None:
    found = merge(truth(A, ver=15, person_seq=12), {A: cell(True)}, LATER_LOOK, look())

    assert (adopted(found), notes(found)) == (set(), [("concurrent", A)])


def test_an_edit_that_crossed_a_persons_intent_leaves_the_truth_and_is_noted() -> None:
    found = merge(truth(A, ver=15, person_seq=15, source=PERSON), {A: cell(True)}, LATER_LOOK, look())

    assert (adopted(found), notes(found)) == (None, [("concurrent", A)])


def test_an_edit_that_says_what_we_want_confirms_it() -> None:
    assert merge(truth(A, ver=15), {A: cell(False)}, LATER_LOOK, look(A)) == Merge(confirmed=True)


def test_a_single_choice_group_takes_the_value_that_was_put_on() -> None:
    cells = {A: cell(True), B: cell(False)}

    found = merge(truth(A, single=True), cells, LATER_LOOK, look(B))

    assert (adopted(found), notes(found)) == ({B}, [])


def test_a_single_choice_group_takes_the_added_value_although_the_old_one_still_stands() -> None:
    cells = {A: cell(True), B: cell(False)}

    found = merge(truth(A, single=True), cells, LATER_LOOK, look(A, B))

    assert (adopted(found), notes(found)) == ({B}, [])


def test_a_single_choice_group_whose_value_was_taken_off_is_empty() -> None:
    assert adopted(merge(truth(A, single=True), {A: cell(True)}, LATER_LOOK, look())) == set()


def test_taking_off_another_tag_of_a_single_choice_group_leaves_the_value() -> None:
    """B still stood at WeCom although A is wanted, so that taking it off is what we wanted too."""
    cells = {A: cell(True), B: cell(True)}

    assert merge(truth(A, single=True), cells, LATER_LOOK, look(A)) == Merge(confirmed=True)


def test_of_several_values_put_on_the_wanted_one_stays_and_it_is_noted() -> None:
    cells = {A: cell(False), B: cell(False)}

    found = merge(truth(A, single=True, ver=5), cells, LATER_LOOK, look(A, B))

    assert (adopted(found), notes(found)) == (None, [("single", B)])


def test_of_several_values_put_on_that_nobody_wants_the_first_stands_and_it_is_noted() -> None:
    cells = {A: cell(True), B: cell(False), C: cell(False)}

    found = merge(truth(A, single=True), cells, LATER_LOOK, look(B, C))

    assert (adopted(found), notes(found)) == ({B}, [("single", B)])


def test_a_value_put_on_beside_our_own_unresolved_one_is_noted() -> None:
    cells = {A: cell(False, sent=1), B: cell(False)}

    found = merge(truth(A, single=True, ver=5), cells, LATER_LOOK, look(A, B))

    assert (adopted(found), notes(found)) == ({B}, [("single", B)])


def test_a_persons_value_of_a_single_choice_group_stays_against_an_edit_that_crossed_it() -> None:
    cells = {A: cell(False), B: cell(False)}
    wanted = truth(A, single=True, ver=15, person_seq=15, source=PERSON)

    found = merge(wanted, cells, LATER_LOOK, look(B))

    assert (adopted(found), notes(found)) == (None, [("concurrent", B)])


BOOLEANS = (False, True)
CELLS = list(product(BOOLEANS, (None, 0, 1, BOTH), BOOLEANS, BOOLEANS, (5, 15), (0, 12, 15), (PERSON, MACHINE)))


def test_every_state_of_a_cell_ends_as_the_design_says() -> None:
    """All states of one tag, against the sentences of the design written down once more."""
    for base, sent, wanted, observed, ver, person_seq, source in CELLS:
        unit = truth(*([A] if wanted else []), ver=ver, person_seq=person_seq, source=source)
        found = merge(unit, {A: cell(base, sent=sent)}, LATER_LOOK, look(*([A] if observed else [])))
        said = (base, sent, wanted, observed, ver, person_seq, source)

        was_sent = sent == BOTH or sent == int(observed)
        foreign = observed != base and not was_sent
        opposed = foreign and observed != wanted
        later = max(ver, person_seq) <= 10
        stays = not opposed or (not later and source is PERSON)
        assert found.skipped is None, said
        assert adopted(found) == (None if stays else ({A} if observed else set())), said
        assert found.confirmed == (foreign and not opposed), said
        expected = set()
        if sent is not None and observed != wanted and not opposed:
            expected.add(Conflict.REPUSH)
        if opposed and not later and (source is PERSON or person_seq > 10):
            expected.add(Conflict.CONCURRENT)
        assert {note.kind for note in found.notes} == expected, said


# 7. First looks.


def test_without_a_truth_everything_seen_is_taken_over() -> None:
    found = merge(UnitTruth(False, frozenset(), exists=False), {A: Cell()}, first_look(), look(A))

    assert (adopted(found), found.by_link, notes(found)) == ({A}, False, [])


def test_a_tag_kept_through_a_re_add_counts_as_put_where_no_truth_outlived_the_relation() -> None:
    """In groups of scope `relation` the truth ends with the relation; what WeCom kept is all that is known."""
    relation = first_look(seen_seq=2, parted=frozenset({A}))

    assert adopted(merge(UnitTruth(False, frozenset(), exists=False), {A: Cell()}, relation, look(A))) == {A}


def test_nothing_seen_and_nothing_known_asks_for_nothing() -> None:
    assert merge(UnitTruth(False, frozenset(), exists=False), {}, first_look(), look()) == Merge()


def test_what_the_first_link_finds_has_no_author() -> None:
    found = merge(UnitTruth(False, frozenset(), exists=False), {A: Cell()}, first_look(linked=True), look(A))

    assert (adopted(found), found.by_link) == ({A}, True)


def test_a_wanted_tag_that_is_there_already_is_confirmed_on_a_new_relation() -> None:
    assert merge(truth(A), {A: Cell()}, first_look(), look(A)) == Merge(confirmed=True)


def test_a_wanted_tag_found_by_the_first_link_confirms_nothing() -> None:
    assert merge(truth(A), {A: Cell()}, first_look(linked=True), look(A)) == Merge()


def test_a_wanted_tag_that_was_there_at_the_parting_confirms_nothing() -> None:
    assert merge(truth(A), {A: Cell()}, first_look(parted=frozenset({A})), look(A)) == Merge()


def test_a_wanted_tag_that_we_pushed_ourselves_confirms_nothing() -> None:
    assert merge(truth(A), {A: Cell(sent=1)}, first_look(), look(A)) == Merge()


def test_a_leftover_of_before_the_parting_is_no_claim() -> None:
    """The truth was taken off meanwhile; WeCom kept the tag, and it is pushed off."""
    assert merge(truth(), {A: Cell()}, first_look(parted=frozenset({A})), look(A)) == Merge()


def test_a_machines_truth_gives_way_to_what_is_found() -> None:
    found = merge(truth(source=MACHINE), {A: Cell()}, first_look(), look(A))

    assert (adopted(found), notes(found)) == ({A}, [])


@pytest.mark.parametrize("since", [timedelta(0), timedelta(days=3), -CLOCK_MARGIN])
def test_a_machines_truth_gives_way_with_a_note_if_a_person_acted_since_the_friendship(since: timedelta) -> None:
    found = merge(truth(person_at=EPOCH_AT + since), {A: Cell()}, first_look(), look(A))

    assert (adopted(found), notes(found)) == ({A}, [("concurrent", A)])


def test_a_machines_truth_gives_way_with_a_note_to_the_first_link() -> None:
    found = merge(truth(), {A: Cell()}, first_look(linked=True), look(A))

    assert (adopted(found), found.by_link, notes(found)) == ({A}, True, [("concurrent", A)])


def test_a_persons_older_truth_gives_way_to_a_new_friendships_tags() -> None:
    before = EPOCH_AT - CLOCK_MARGIN - timedelta(seconds=1)

    found = merge(truth(source=PERSON, person_at=before), {A: Cell()}, first_look(), look(A))

    assert (adopted(found), notes(found)) == ({A}, [])


@pytest.mark.parametrize("since", [-CLOCK_MARGIN, timedelta(0), timedelta(days=1)])
def test_a_persons_truth_since_the_friendship_stays_and_is_noted(since: timedelta) -> None:
    found = merge(truth(source=PERSON, person_at=EPOCH_AT + since), {A: Cell()}, first_look(), look(A))

    assert (adopted(found), notes(found)) == (None, [("concurrent", A)])


def test_a_persons_truth_stays_where_nobody_knows_since_when_the_friendship_is() -> None:
    relation = first_look(epoch_at=None)

    found = merge(truth(source=PERSON, person_at=EPOCH_AT), {A: Cell()}, relation, look(A))

    assert (adopted(found), notes(found)) == (None, [("concurrent", A)])


def test_a_persons_truth_stays_against_the_first_link_however_old_it_is() -> None:
    wanted = truth(source=PERSON, person_at=EPOCH_AT - timedelta(days=900))

    found = merge(wanted, {A: Cell()}, first_look(linked=True), look(A))

    assert (adopted(found), notes(found)) == (None, [("concurrent", A)])


def test_two_linked_relations_of_a_multi_choice_group_are_joined() -> None:
    found = merge(truth(source=BY_LINK), {A: Cell()}, first_look(linked=True), look(A))

    assert (adopted(found), found.by_link, notes(found)) == ({A}, True, [])


def test_of_two_linked_relations_of_a_single_choice_group_the_newer_one_wins() -> None:
    wanted = truth(B, single=True, source=BY_LINK, link_epoch=EPOCH_AT - timedelta(days=1))

    found = merge(wanted, {A: Cell(), B: Cell()}, first_look(linked=True), look(A))

    assert (adopted(found), found.by_link, notes(found)) == ({A}, True, [("link", A)])


@pytest.mark.parametrize("link_epoch", [EPOCH_AT, EPOCH_AT + timedelta(days=1), None])
def test_of_two_linked_relations_of_a_single_choice_group_the_older_one_only_leaves_a_note(
    link_epoch: datetime | None,
) -> None:
    wanted = truth(B, single=True, source=BY_LINK, link_epoch=link_epoch)

    found = merge(wanted, {A: Cell(), B: Cell()}, first_look(linked=True), look(A))

    assert (adopted(found), notes(found)) == (None, [("link", A)])


def test_a_single_choice_value_that_is_there_stays_beside_others_and_is_noted() -> None:
    found = merge(truth(B, single=True), {A: Cell(), B: Cell()}, first_look(), look(A, B))

    assert (adopted(found), notes(found)) == (None, [("single", A)])


def test_of_several_single_choice_values_found_the_first_is_taken_and_noted() -> None:
    unknown = UnitTruth(True, frozenset(), exists=False)

    found = merge(unknown, {A: Cell(), B: Cell()}, first_look(), look(A, B))

    assert (adopted(found), notes(found)) == ({A}, [("single", A)])


def test_the_look_after_a_re_add_is_a_first_look_again() -> None:
    reopened = RelationState(linked=False, life_seq=12, seen_seq=10, parted=frozenset({A}))

    assert merge(truth(), {A: Cell()}, reopened, look(A)) == Merge()


# Mirror policies.


def test_where_wecom_follows_us_an_edit_is_not_taken_over_but_noted() -> None:
    found = merge(truth(A, mirror=Mirror.PUSH), {A: cell(True)}, LATER_LOOK, look())

    assert (adopted(found), notes(found)) == (None, [("policy", A)])


def test_where_we_follow_wecom_whatever_it_shows_is_taken_over() -> None:
    wanted = truth(A, mirror=Mirror.PULL, ver=15, person_seq=15, source=PERSON)

    assert adopted(merge(wanted, {A: cell(True)}, LATER_LOOK, look())) == set()


def test_where_we_follow_wecom_agreement_asks_for_nothing() -> None:
    assert merge(truth(A, mirror=Mirror.PULL), {A: cell(True)}, LATER_LOOK, look(A)) == Merge()


@pytest.mark.parametrize(("wanted", "expected"), [((A,), None), ((B,), None), ((C,), {A}), ((), {A})])
def test_where_we_follow_wecom_a_single_choice_group_still_has_one_value(
    wanted: Iterable[int], expected: set[int] | None
) -> None:
    unit = truth(*wanted, single=True, mirror=Mirror.PULL)

    assert adopted(merge(unit, {A: cell(True), B: cell(True)}, LATER_LOOK, look(A, B))) == expected


# What no state may break.

NUMBERS = st.integers(0, 30)
CELL = st.builds(Cell, st.sampled_from([None, False, True]), st.sampled_from([None, 0, 1, BOTH]), NUMBERS, NUMBERS)
MOMENTS = st.none() | st.timedeltas(timedelta(days=-5), timedelta(days=5)).map(lambda shift: EPOCH_AT + shift)
TAGS = st.frozensets(st.sampled_from([A, B, C]))
RELATIONS = st.builds(RelationState, st.booleans(), NUMBERS, NUMBERS, TAGS, MOMENTS)
LOOKS = st.builds(Look, NUMBERS, TAGS, st.booleans())


@st.composite
def truths(draw: st.DrawFn) -> UnitTruth:
    wanted = draw(st.frozensets(st.sampled_from([A, B, C]), max_size=1))
    return UnitTruth(
        single=draw(st.booleans()),
        wanted=wanted,
        exists=bool(wanted) or draw(st.booleans()),
        ver=draw(NUMBERS),
        person_seq=draw(NUMBERS),
        person_at=draw(MOMENTS),
        source=draw(st.sampled_from(SourceKind)),
        link_epoch=draw(MOMENTS),
        mirror=draw(st.sampled_from([Mirror.PUSH, Mirror.PULL, Mirror.TWO_WAY])),
    )


@given(truths(), st.fixed_dictionaries({A: CELL, B: CELL, C: CELL}), RELATIONS, LOOKS)
@settings(max_examples=500, deadline=None)
def test_whatever_the_state_the_answer_keeps_its_promises(
    unit: UnitTruth, cells: dict[int, Cell], relation: RelationState, seen: Look
) -> None:
    if not unit.single:
        (tag_id,) = unit.wanted or {A}
        cells, seen = {tag_id: cells[tag_id]}, Look(seen.seq, seen.observed & {tag_id}, seen.bulk)

    found = merge(unit, cells, relation, seen)

    if found.adopted is not None:
        assert found.adopted != unit.wanted
        assert found.adopted <= seen.observed or found.adopted <= unit.wanted
        assert not (unit.single and len(found.adopted) > 1)
        assert not found.confirmed
        assert unit.mirror is not Mirror.PUSH
    if found.skipped is not None:
        assert found == Merge(skipped=found.skipped)
    assert {note.tag_id for note in found.notes} <= set(cells)
