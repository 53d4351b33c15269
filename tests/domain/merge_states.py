"""All states of a merge worth asking about, numbered; drawn by `test_merge_states.py` and by the mutants' tests."""

import math
from datetime import timedelta
from itertools import combinations
from typing import Any

from tests.domain.merging import EPOCH_AT, A, B, C
from wecom_app.domain.merge import BOTH, CLOCK_MARGIN, Cell, Look, RelationState, UnitTruth
from wecom_app.domain.vocabulary import Mirror, SourceKind

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
