"""The three-way merge over whole ranges of states: exhaustively where they can be counted, else by property."""

import math
from datetime import timedelta
from itertools import combinations, product
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tests.domain.merge_oracle import expected_merge
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
    CLOCK_MARGIN,
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

SINCE = (timedelta(days=-1), -CLOCK_MARGIN - timedelta(seconds=1), -CLOCK_MARGIN, timedelta(0), timedelta(days=1))
MOMENTS_NEAR = (None, *(EPOCH_AT + since for since in SINCE))
SETS = tuple(frozenset(chosen) for size in range(4) for chosen in combinations((A, B, C), size))
ONE = (frozenset[int](), frozenset({A}), frozenset({B}), frozenset({C}))
EACH_CELL: tuple[tuple[Any, ...], ...] = ((None, False, True), (None, 0, 1, BOTH), (10, 5, 18), (10, 5, 25))
PARTS: tuple[tuple[Any, ...], ...] = (
    (False, True),  # single
    (Mirror.TWO_WAY,) * 6 + (Mirror.PUSH, Mirror.PULL),
    tuple(SourceKind),
    (True, False),  # exists
    ONE,  # wanted
    (5, 15, 25),  # ver
    (0, 12, 15, 25),  # person_seq
    MOMENTS_NEAR,  # person_at
    MOMENTS_NEAR,  # link_epoch
    (False, True),  # linked
    (0, 0, 12, 25),  # life_seq
    (10, 0, 13),  # seen_seq of the relation
    SETS,  # parted
    (EPOCH_AT, EPOCH_AT, EPOCH_AT, None),
    SETS,  # observed
    (False, False, False, True),  # bulk
    *EACH_CELL * 3,
)
STATES = math.prod(len(part) for part in PARTS)
"""A state is one number in mixed radix: cheap to draw, and the plainest one is 0."""
Question = tuple[UnitTruth, dict[int, Cell], RelationState, Look]


def state(number: int) -> Question:
    """Return the state that a number stands for."""
    values = []
    for part in PARTS:
        number, index = divmod(number, len(part))
        values.append(part[index])
    single, mirror, source, exists, wanted, ver, person_seq, person_at, link_epoch = values[:9]
    linked, life_seq, seen_seq, parted, epoch_at, observed, bulk = values[9:16]
    cells = {tag: Cell(*values[16 + 4 * place : 20 + 4 * place]) for place, tag in enumerate((A, B, C))}
    if not single:
        tag = min(wanted, default=A)
        cells, observed, wanted = {tag: cells[tag]}, observed & {tag}, wanted & {tag}
    elif B not in observed | wanted and cells[B] == Cell(None, None, 10, 10):
        del cells[B]
    unit = UnitTruth(single, wanted, exists or bool(wanted), ver, person_seq, person_at, source, link_epoch, mirror)
    return unit, cells, RelationState(linked, life_seq, seen_seq, parted, epoch_at), Look(20, observed, bulk)


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
