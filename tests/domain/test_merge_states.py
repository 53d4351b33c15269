"""The three-way merge over whole ranges of states: exhaustively where they can be counted, else by property."""

from datetime import timedelta
from itertools import product

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.merge_oracle import expected_merge
from tests.domain.merge_states import MOMENTS_NEAR, ONE, SETS, STATES, state
from tests.domain.merging import (
    BY_LINK,
    EPOCH_AT,
    LATER_LOOK,
    MACHINE,
    PERSON,
    A,
    B,
    C,
    adopted,
    cell,
    first_look,
    look,
    truth,
)
from wecom_app.domain.merge import (
    BOTH,
    Cell,
    Conflict,
    Look,
    Merge,
    RelationState,
    UnitTruth,
    merge,
)
from wecom_app.domain.vocabulary import Mirror, SourceKind

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


# Against a second reading of the design.


@pytest.mark.slow
@given(st.integers(0, STATES - 1))
@settings(max_examples=20_000, deadline=None, derandomize=True, database=None)
def test_twenty_thousand_states_end_as_a_second_reading_of_the_design_says(number: int) -> None:
    question = state(number)

    assert merge(*question) == expected_merge(*question)


def test_every_state_of_two_tags_of_a_single_choice_group_ends_as_a_second_reading_says() -> None:
    each = list(product((False, True), (None, 0, 1, BOTH), (False, True)))
    for one, other in product(each, each):
        cells = {A: cell(one[0], sent=one[1]), B: cell(other[0], sent=other[1])}
        observed = [tag for tag, part in ((A, one), (B, other)) if part[2]]
        for wanted, source, (ver, person_seq) in product(
            ONE[:3], (PERSON, MACHINE), ((5, 0), (15, 0), (15, 15), (5, 12))
        ):
            unit = truth(*wanted, single=True, ver=ver, person_seq=person_seq, source=source)
            question = (unit, cells, LATER_LOOK, look(*observed))
            assert merge(*question) == expected_merge(*question), question


def test_every_state_of_a_first_look_ends_as_a_second_reading_says() -> None:
    sources, flags = (PERSON, MACHINE, BY_LINK), (False, True)
    for source, exists, linked, single, sent in product(sources, flags, flags, flags, (None, 1, BOTH)):
        for wanted, observed, parted in product(ONE[:3], SETS[:5], SETS[:5]):
            tags = [A] if not single else [A, B, C]
            cells = {tag: Cell(sent=sent if tag == A else None) for tag in tags}
            for person_at, link_epoch in product(MOMENTS_NEAR[:4], MOMENTS_NEAR[3:6]):
                unit = UnitTruth(
                    single,
                    wanted & set(tags),
                    exists or bool(wanted & set(tags)),
                    5,
                    0,
                    person_at,
                    source,
                    link_epoch,
                )
                seen = look(*(observed & set(tags)))
                question = (unit, cells, first_look(linked=linked, parted=parted), seen)
                assert merge(*question) == expected_merge(*question), question
