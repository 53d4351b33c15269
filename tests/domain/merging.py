"""States of `domain.merge` for its tests, in few words."""

from datetime import UTC, datetime
from typing import Any

from wecom_app.domain.merge import Cell, Look, Merge, RelationState, UnitTruth
from wecom_app.domain.vocabulary import SourceKind

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
