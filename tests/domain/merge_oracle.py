"""The sync design's steps 5 to 7 read a second time, tag by tag and in words: what `domain.merge` must say.

It shares no code with the product beyond the shapes of question and answer.
"""

from collections.abc import Mapping
from datetime import timedelta

from wecom_app.domain.merge import Cell, Conflict, Look, Merge, Note, RelationState, UnitTruth

PEOPLE = ("manual", "wecom")
MARGIN = timedelta(minutes=1)


def expected_merge(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
    """Return the answer that the design asks for."""
    numbers = [truth.ver, truth.person_seq, relation.life_seq]
    if max(numbers) > look.seq:
        return Merge(skipped="stale")
    busy = [cell for cell in cells.values() if cell.touched_seq > look.seq or (look.bulk and cell.sent in (0, 1, 2))]
    if busy:
        return Merge(skipped="touched")
    if truth.mirror == "pull":
        return _follow(truth, look)
    never_seen = relation.seen_seq <= relation.life_seq or None in [cell.base for cell in cells.values()]
    said = _first(truth, cells, relation, look) if never_seen else _later(truth, cells, look)
    if truth.mirror == "push" and said.adopted is not None:
        differing = sorted(tag for tag in said.adopted | truth.wanted if (tag in said.adopted) != (tag in truth.wanted))
        return Merge(notes=tuple(Note(Conflict.POLICY, tag) for tag in differing))
    return said


def _follow(truth: UnitTruth, look: Look) -> Merge:
    shown = set(look.observed)
    if truth.single and len(shown) > 1:
        shown = set(truth.wanted) if truth.wanted <= shown and truth.wanted else {min(shown)}
    return Merge(adopted=None if shown == truth.wanted else frozenset(shown))


def _words(truth: UnitTruth, cells: Mapping[int, Cell], look: Look) -> dict[int, str]:
    """Say of each tag: `as before`, `ours` (we pushed what is seen), `agrees` or `against` (somebody else's act)."""
    words = {}
    for tag, cell in cells.items():
        seen, wanted = tag in look.observed, tag in truth.wanted
        pushed = {None: (), 0: (False,), 1: (True,), 2: (False, True)}[cell.sent]
        if seen == (cell.base is True):
            words[tag] = "as before"
        elif seen in pushed:
            words[tag] = "ours"
        else:
            words[tag] = "agrees" if seen == wanted else "against"
    return words


def _later(truth: UnitTruth, cells: Mapping[int, Cell], look: Look) -> Merge:
    words = _words(truth, cells, look)
    against = sorted(tag for tag, word in words.items() if word == "against")
    notes = [
        Note(Conflict.REPUSH, tag)
        for tag in sorted(cells)
        if cells[tag].sent is not None
        and words[tag] in ("as before", "ours")
        and (tag in look.observed) != (tag in truth.wanted)
    ]
    if not against:
        return Merge(confirmed="agrees" in words.values(), notes=tuple(notes))
    oldest = min(cells[tag].seen_seq for tag in against)
    crossed = [Note(Conflict.CONCURRENT, tag) for tag in against]
    if truth.source in PEOPLE and oldest < max(truth.ver, truth.person_seq):
        return Merge(notes=(*notes, *crossed))
    if oldest < truth.person_seq:
        notes += crossed
    if not truth.single:
        return Merge(adopted=frozenset(tag for tag in against if tag in look.observed), notes=tuple(notes))
    value, row = _one_value(truth, cells, look, words)
    return Merge(adopted=None if value == truth.wanted else value, notes=(*notes, *row))


def _one_value(
    truth: UnitTruth, cells: Mapping[int, Cell], look: Look, words: Mapping[int, str]
) -> tuple[frozenset[int], list[Note]]:
    """Choose the value of a single-choice group that somebody in WeCom changed."""
    put_on = sorted(tag for tag, word in words.items() if word in ("agrees", "against") and tag in look.observed)
    against_us = [tag for tag in put_on if words[tag] == "against"]
    if not against_us:
        return frozenset(tag for tag in truth.wanted if words.get(tag) != "against"), []
    row = [Note(Conflict.SINGLE, against_us[0])]
    if len(put_on) > 1:
        stays = [tag for tag in put_on if tag in truth.wanted]
        return frozenset(stays or against_us[:1]), row
    own_is_open = any(cells[tag].sent in (1, 2) for tag in truth.wanted if tag in cells)
    return frozenset(against_us), row if own_is_open else []


def _first(truth: UnitTruth, cells: Mapping[int, Cell], relation: RelationState, look: Look) -> Merge:
    pushed = {tag for tag, cell in cells.items() if cell.sent in (1, 2)}
    kept = relation.parted if truth.exists else frozenset()
    claims = sorted(tag for tag in look.observed if tag not in truth.wanted | kept | pushed)
    if not claims:
        put_by_somebody = any(
            tag in truth.wanted and tag not in relation.parted and tag not in pushed for tag in look.observed
        )
        return Merge(confirmed=put_by_somebody and not relation.linked)
    if truth.single and any(tag in truth.wanted for tag in look.observed):
        return Merge(notes=(Note(Conflict.SINGLE, claims[0]),))
    value = frozenset(claims[:1] if truth.single else claims)
    several = (Note(Conflict.SINGLE, claims[0]),) if truth.single and len(claims) > 1 else ()
    row = Note(Conflict.CONCURRENT, claims[0])
    taken, taken_with_row = (
        Merge(adopted=value, by_link=relation.linked, notes=several),
        Merge(adopted=value, by_link=relation.linked, notes=(*several, row)),
    )
    if not truth.exists:
        return taken
    if relation.linked and truth.source == "wecom_link":
        if not truth.single:
            return taken
        link = (Note(Conflict.LINK, claims[0]),)
        if relation.epoch_at and truth.link_epoch and truth.link_epoch < relation.epoch_at:
            return Merge(adopted=value, by_link=True, notes=link)
        return Merge(notes=link)
    acted_since = truth.person_at is not None and (
        relation.epoch_at is None or relation.epoch_at - MARGIN <= truth.person_at
    )
    if truth.source not in PEOPLE:
        return taken_with_row if relation.linked or acted_since else taken
    return Merge(notes=(row,)) if relation.linked or acted_since else taken
