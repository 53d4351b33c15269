"""Wishes about tags that themselves change, decided on units; carried out by `tagging.apply` alone.

Asked for by `services.tag_merges` and `services.selection_changes`, customer by customer.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from wecom_app.domain import tag_moves
from wecom_app.domain.tagging import Decision, Source, Unit, Wish
from wecom_app.services.tag_units import TagFacts, UnitKey, UnitRows


@dataclass(frozen=True)
class Move:
    """Whoever wants one tag of this customer (or relation) wants another in its place; `by` is who decided it."""

    customer_id: int
    relation_id: int
    old_tag_id: int
    new_tag_id: int
    by: Source

    @property
    def tag_ids(self) -> list[int]:
        return [self.old_tag_id, self.new_tag_id]


@dataclass(frozen=True)
class Narrowing:
    """Of several tags of a multi-choice group one stays; the sources of the others keep claims."""

    customer_id: int
    relation_id: int
    keep_tag_id: int
    tag_ids: Sequence[int]
    by: Source


def move(change: Move, facts: TagFacts, units: dict[UnitKey, UnitRows]) -> None:
    """Decide a move on the units that it concerns: two, or one where both tags are values of one choice."""
    old, new = (_unit(change, tag_id, facts, units) for tag_id in change.tag_ids)
    gone = Wish(change.old_tag_id, False, change.by)
    if old is new:
        state = tag_moves.renamed(new.state, change.old_tag_id, change.new_tag_id)
        _take(new, state, gone)
        _keep_since(new, change.new_tag_id)
        return
    rest, coming = tag_moves.parted(old.state, change.old_tag_id)
    state = tag_moves.joined(new.state, coming, change.new_tag_id)
    _take(old, rest, gone)
    held = state.held
    _take(new, state, Wish(change.new_tag_id, True, held.source if held is not None else change.by))
    _keep_since(new, change.new_tag_id)


def narrow(change: Narrowing, facts: TagFacts, units: dict[UnitKey, UnitRows]) -> None:
    """Decide a narrowing on the units of the tags, one each."""
    of_tags = {tag_id: _unit(change, tag_id, facts, units) for tag_id in change.tag_ids}
    states = tag_moves.narrowed({tag_id: unit.state for tag_id, unit in of_tags.items()}, change.keep_tag_id)
    for tag_id, unit in of_tags.items():
        if tag_id == change.keep_tag_id:
            unit.state = states[tag_id]
        else:
            _take(unit, states[tag_id], Wish(tag_id, False, change.by))


def _unit(change: Move | Narrowing, tag_id: int, facts: TagFacts, units: dict[UnitKey, UnitRows]) -> UnitRows:
    key = facts.unit_key(change.customer_id, tag_id, change.relation_id)
    return units.setdefault(key, UnitRows(key))


def _take(unit: UnitRows, state: Unit, wish: Wish) -> None:
    if state != unit.state:
        unit.take(Decision(state, changed=True), wish)
    else:
        # Equal wants may still have been wanted since an earlier moment.
        unit.state = state


def _keep_since(unit: UnitRows, tag_id: int) -> None:
    """Have the row say since when the customer has it, not when the tags were moved."""
    held = unit.state.held
    since = held.since if held is not None and held.tag_id == tag_id else None
    row = unit.before.get(tag_id)
    if since is not None and (unit.state != unit.original or row is None or row["set_at"] != since):
        unit.restored[tag_id] = {"set_at": since}
