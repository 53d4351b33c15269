"""Three-way merge of one unit on one relation: what we want, what both sides last agreed on, what WeCom shows.

A unit is what one version number governs: a tag of a multi-choice group, or a whole single-choice group.
`services.looks` loads the states, calls `merge`, and writes the answer; this module touches nothing.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from enum import StrEnum

from wecom_app.domain.vocabulary import Mirror, SourceKind, is_person

CLOCK_MARGIN = timedelta(seconds=60)
"""How far WeCom's clock and ours may differ before an order in time is believed."""
BOTH = 2
"""`sent` when both values were pushed since the last applied look."""


class Conflict(StrEnum):
    CONCURRENT = "concurrent"
    """A person here and a person at WeCom changed it, neither having seen the other."""
    REPUSH = "repush"
    """WeCom shows another value than the one we pushed: our push failed, or somebody undid it meanwhile."""
    SINGLE = "single"
    """Several values of a single-choice group stood at WeCom at once."""
    LINK = "link"
    """Relations disagreed when they were first linked."""
    POLICY = "policy"
    """Changed at WeCom in a group where WeCom only follows us."""


@dataclass(frozen=True)
class Cell:
    """What is known of one tag on one relation; a tag without a row is `Cell(base=False)` once looked at."""

    base: bool | None = None
    sent: int | None = None
    seen_seq: int = 0
    touched_seq: int = 0

    def was_sent(self, value: bool) -> bool:
        """Return whether we pushed `value` since the last applied look."""
        return self.sent in (BOTH, int(value))


@dataclass(frozen=True)
class UnitTruth:
    """The unit's truth: the wanted tags (at most one if `single`), its versions and its last source."""

    single: bool
    wanted: frozenset[int]
    exists: bool
    """Whether any row says so; without one, nothing was ever wanted or refused here."""
    ver: int = 0
    person_seq: int = 0
    person_at: datetime | None = None
    source: SourceKind | None = None
    link_epoch: datetime | None = None
    """For a truth that came from the first link: the createtime of the relation it came from."""
    mirror: Mirror = Mirror.TWO_WAY

    @property
    def by_person(self) -> bool:
        return self.source is not None and is_person(self.source)

    @property
    def by_link(self) -> bool:
        return self.source is SourceKind.WECOM_LINK

    @property
    def latest(self) -> int:
        return max(self.ver, self.person_seq)


@dataclass(frozen=True)
class RelationState:
    linked: bool
    """Found by the first link, so that nobody knows when its tags were put."""
    life_seq: int
    seen_seq: int
    parted: frozenset[int] = frozenset()
    epoch_at: datetime | None = None

    @property
    def first_look(self) -> bool:
        return self.seen_seq <= self.life_seq


@dataclass(frozen=True)
class Look:
    """What WeCom showed of the unit's tags; `seq` was drawn before the question was asked."""

    seq: int
    observed: frozenset[int]
    bulk: bool = False


@dataclass(frozen=True)
class Note:
    """A disagreement to keep for people to see."""

    kind: Conflict
    tag_id: int


@dataclass(frozen=True)
class Merge:
    """What to do: take over `adopted` as the new wanted set (None: the truth stays), or skip the unit.

    `skipped` is `stale` (look again) or `touched` (somebody is at it); `confirmed` means that a person at
    WeCom did what we want already; `by_link` says the adopted value's author is unknown.
    """

    adopted: frozenset[int] | None = None
    by_link: bool = False
    confirmed: bool = False
    skipped: str | None = None
    notes: tuple[Note, ...] = ()


def merge(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
    """Return what one look means for one unit.

    `cells` must hold every tag of the unit that has a row or was observed.
    """
    if look.seq < truth.latest or look.seq < relation.life_seq:
        return Merge(skipped="stale")
    if any(look.seq < cell.touched_seq or (look.bulk and cell.sent is not None) for cell in cells.values()):
        return Merge(skipped="touched")
    if relation.first_look or any(cell.base is None for cell in cells.values()):
        return _under_policy(truth, look, _first_look(truth, cells, relation, look))
    return _under_policy(truth, look, _later_look(truth, cells, look))


def _under_policy(truth: UnitTruth, look: Look, found: Merge) -> Merge:
    if truth.mirror is Mirror.PULL:
        value = _one_of(look.observed, truth) if truth.single else look.observed
        return Merge(adopted=value if value != truth.wanted else None)
    if truth.mirror is Mirror.PUSH and found.adopted is not None:
        changed = found.adopted ^ truth.wanted
        return Merge(notes=tuple(Note(Conflict.POLICY, tag_id) for tag_id in sorted(changed)))
    return found


def _later_look(truth: UnitTruth, cells: Mapping[int, Cell], look: Look) -> Merge:
    foreign = {
        tag_id
        for tag_id, cell in cells.items()
        if (tag_id in look.observed) != bool(cell.base) and not cell.was_sent(tag_id in look.observed)
    }
    opposed = {tag_id for tag_id in foreign if (tag_id in look.observed) != (tag_id in truth.wanted)}
    notes = [
        Note(Conflict.REPUSH, tag_id)
        for tag_id, cell in sorted(cells.items())
        if cell.sent is not None and (tag_id in look.observed) != (tag_id in truth.wanted) and tag_id not in opposed
    ]
    if not opposed:
        return Merge(confirmed=bool(foreign), notes=tuple(notes))
    seen = min(cells[tag_id].seen_seq for tag_id in opposed)
    if seen < truth.latest and truth.by_person:
        notes += [Note(Conflict.CONCURRENT, tag_id) for tag_id in sorted(opposed)]
        return Merge(notes=tuple(notes))
    if seen < truth.person_seq:
        notes += [Note(Conflict.CONCURRENT, tag_id) for tag_id in sorted(opposed)]
    if not truth.single:
        return Merge(adopted=look.observed & opposed, notes=tuple(notes))
    value, more = _single_value(truth, cells, look, foreign, opposed)
    return Merge(adopted=value if value != truth.wanted else None, notes=(*notes, *more))


def _single_value(
    truth: UnitTruth, cells: Mapping[int, Cell], look: Look, foreign: set[int], opposed: set[int]
) -> tuple[frozenset[int], list[Note]]:
    """Return the value that a single-choice group takes after foreign edits, and what to note."""
    added = opposed & look.observed
    if not added:
        return truth.wanted - opposed, []
    put_on = foreign & look.observed
    beside_ours = any(cell.was_sent(True) for tag_id, cell in cells.items() if tag_id in truth.wanted)
    if len(put_on) == 1:
        return frozenset(added), [Note(Conflict.SINGLE, min(added))] if beside_ours else []
    kept = frozenset(put_on & truth.wanted) or frozenset({min(added)})
    return kept, [Note(Conflict.SINGLE, min(added))]


def _first_look(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
    ours = {tag_id for tag_id, cell in cells.items() if cell.was_sent(True)}
    # Without a truth nobody can say that a tag kept through the parting is unwanted: it counts as put.
    left_over = relation.parted if truth.exists else frozenset()
    claims = look.observed - truth.wanted - left_over - ours
    if not claims:
        alike = (look.observed & truth.wanted) - relation.parted - ours
        return Merge(confirmed=bool(alike) and not relation.linked)
    first = min(claims)
    if truth.single and look.observed & truth.wanted:
        return Merge(notes=(Note(Conflict.SINGLE, first),))
    value = frozenset({first}) if truth.single else claims
    notes = (Note(Conflict.SINGLE, first),) if truth.single and len(claims) > 1 else ()
    adopt = Merge(adopted=value, by_link=relation.linked, notes=notes)
    if not truth.exists:
        return adopt
    if truth.by_link and relation.linked:
        return _join_links(truth, relation, adopt, first)
    if not truth.by_person:
        return _noted(adopt, first) if relation.linked or _person_since(truth, relation) else adopt
    if not relation.linked and not _person_since(truth, relation):
        return adopt
    return Merge(notes=(Note(Conflict.CONCURRENT, first),))


def _join_links(truth: UnitTruth, relation: RelationState, adopt: Merge, first: int) -> Merge:
    """Two relations of the first link disagree: multi-choice takes both, single-choice the newest relation's."""
    if not truth.single:
        return adopt
    newer = relation.epoch_at is not None and truth.link_epoch is not None and relation.epoch_at > truth.link_epoch
    note = Note(Conflict.LINK, first)
    return Merge(adopted=adopt.adopted, by_link=True, notes=(note,)) if newer else Merge(notes=(note,))


def _person_since(truth: UnitTruth, relation: RelationState) -> bool:
    if truth.person_at is None:
        return False
    return relation.epoch_at is None or truth.person_at >= relation.epoch_at - CLOCK_MARGIN


def _noted(found: Merge, tag_id: int) -> Merge:
    return Merge(found.adopted, found.by_link, notes=(*found.notes, Note(Conflict.CONCURRENT, tag_id)))


def _one_of(observed: frozenset[int], truth: UnitTruth) -> frozenset[int]:
    kept = observed & truth.wanted or observed
    return frozenset({min(kept)}) if kept else frozenset()
