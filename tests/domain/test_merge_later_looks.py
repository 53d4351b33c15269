"""The three-way merge once a relation has been looked at: the guard, and every rule for later looks by name."""

from collections.abc import Iterable

import pytest

from tests.domain.merging import (
    LATER_LOOK,
    MACHINE,
    PERSON,
    A,
    B,
    C,
    adopted,
    cell,
    look,
    notes,
    truth,
)
from wecom_app.domain.merge import (
    BOTH,
    Conflict,
    Merge,
    Note,
    RelationState,
    merge,
)
from wecom_app.domain.vocabulary import Mirror, SourceKind

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
