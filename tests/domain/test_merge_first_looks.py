"""The three-way merge at the first look at a relation, new, made anew or found by the first link."""

from datetime import datetime, timedelta

import pytest

from tests.domain.merging import BY_LINK, EPOCH_AT, MACHINE, PERSON, A, B, adopted, first_look, look, notes, truth
from wecom_app.domain.merge import CLOCK_MARGIN, Cell, Merge, RelationState, UnitTruth, merge

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
