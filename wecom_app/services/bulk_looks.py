"""Taking in a page of a full pull: customers, relations and tags of many at once, in one transaction a slice.

A page is a look of the weaker kind. It adds; whatever would end something (a tag that is missing, a friendship that
began anew) is left as it stands and answered by a single look at that one customer. Called by `pulls`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.merge import Look, Merge
from wecom_app.models import CustomerTag, Relation, SyncConflict
from wecom_app.prepared import Prepared
from wecom_app.services import (
    cells,
    library,
    look_units,
    looks,
    page_lines,
    page_links,
    relations,
    remarks,
    run_items,
    sequence,
    sightings,
    staff,
    tagging,
)
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.look_units import LookUnit
from wecom_app.services.page_lines import Line, PageTags
from wecom_app.services.ports import ContactDetails
from wecom_app.services.run_items import Item
from wecom_app.services.tag_units import UnitKey
from wecom_app.services.tagging import Applied

REASON = "全量同步：企业微信中已有"
OF_CUSTOMERS = select(Relation).where(Relation.customer_id.in_(bindparam("customer_ids", expanding=True)))
THESE = update(Relation).where(Relation.id.in_(bindparam("relation_ids", expanding=True)))
SEE = Prepared(THESE.values(seen_seq=bindparam("seen")))
LIST = Prepared(THESE.values(listed_seq=bindparam("seq")))
SEE_AND_LIST = Prepared(THESE.values(seen_seq=bindparam("seen"), listed_seq=bindparam("seq")))
SEE_CELLS = Prepared(
    update(CustomerTag)
    .where(
        CustomerTag.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CustomerTag.relation_id.in_(bindparam("relation_ids", expanding=True)),
        CustomerTag.base.is_not(None),
    )
    .values(seen_seq=bindparam("seen"), touched_seq=bindparam("seen"))
)
Counts = Counter[str]


@dataclass(frozen=True)
class PullFacts:
    """What a page must know of its run."""

    run_id: int
    change_set_id: int | None
    """The parent of the change sets that it makes."""
    seq: int
    """Drawn, alone, before WeCom was asked."""


@dataclass(frozen=True)
class Looked:
    """A relation whose tags need writing."""

    relation: Relation
    units: Mapping[UnitKey, LookUnit]
    merges: Mapping[UnitKey, Merge]

    @property
    def is_first(self) -> bool:
        """Whether neither the customer nor the relation had any of these tags, or ever had."""
        return not any(unit.truth or unit.cells for unit in self.units.values())


def take_in(session: Session, context: Context, facts: PullFacts, contacts: Sequence[ContactDetails]) -> Counts:
    """Write a slice of a page down; return what came of it, as numbers."""
    lines = page_lines.read(session, contacts, facts.seq, context.now)
    tags = page_lines.find_tags(session, contacts)
    ordinary = [line for line in lines if line.is_ordinary(facts.seq)]
    quiet = [line for line in ordinary if line.is_quiet(tags)]
    linked = page_links.find(session, lines, context.now)
    counts = Counter(contacts=len(lines), new=len(linked))
    _note_quiet(session, quiet, facts.seq)
    settled = {line.place for line in (*ordinary, *linked)}
    for line in lines:
        if line.place not in settled:
            counts["asked"] += _ask(session, context, facts, line)
    made = page_links.make(session, linked, tags, facts.seq)
    calm = {line.place for line in quiet}
    loud = _with_relations(session, [*(line for line in ordinary if line.place not in calm), *made])
    page_links.open_cells(session, [relation for relation, line in loud if line.known is None], context.now)
    _take_remarks(session, context, facts, loud)
    for turn in _turns(loud):
        counts += _take_tags(session, context, facts, turn, tags)
    _mark_listed(session, [line for line in lines if line.known is not None and line.place not in calm], facts.seq)
    return counts


def _with_relations(session: Session, lines: Sequence[Line]) -> list[tuple[Relation, Line]]:
    """Return the lines with their relations as objects."""
    if not lines:
        return []
    values = {"customer_ids": sorted({line.customer_id for line in lines})}
    # Columns of relations are written past the session here: what it has loaded before may be old.
    rows = session.execute(OF_CUSTOMERS, values, execution_options={"populate_existing": True}).scalars()
    found = {(relation.customer_id, relation.staff_id): relation for relation in rows}
    return [(found[line.place], line) for line in lines]


def _ask(session: Session, context: Context, facts: PullFacts, line: Line) -> int:
    """Have a customer looked at alone, whose friendship began, ended or began anew unheard; return 1, else 0."""
    known = line.known
    if known is not None and relations.is_over(known, line.follower.createtime, facts.seq):
        return 0
    if known is None or known.lost_at is not None:
        alone = replace(line.contact, follow_users=(line.follower,))
        sightings.take_in(session, context, line.customer_id, alone, facts.seq, {}, fate=library.LIBRARY_READ)
    cells.request_sync(session, context.queue, line.customer_id)
    return 1


def _take_remarks(session: Session, context: Context, facts: PullFacts, loud: Sequence[tuple[Relation, Line]]) -> None:
    if not loud:
        return
    governed = remarks.governed(session, [relation.id for relation, _ in loud])
    for relation, line in loud:
        name = line.contact.name
        if relation.id in governed or remarks.differs(relation, line.follower, name):
            remarks.take_in(session, context, relation, line.follower, name, facts.seq)
    session.flush()


def _turns(loud: Sequence[tuple[Relation, Line]]) -> Iterable[list[tuple[Relation, Line]]]:
    """Return the lines in turns, in none of which a customer comes twice: one relation's tags move the other's."""
    turns: list[list[tuple[Relation, Line]]] = []
    met: Counter[int] = Counter()
    for relation, line in loud:
        turn = met[relation.customer_id]
        met[relation.customer_id] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append((relation, line))
    return turns


def _take_tags(
    session: Session,
    context: Context,
    facts: PullFacts,
    turn: Sequence[tuple[Relation, Line]],
    tags: PageTags,
) -> Counts:
    """Merge what the page shows of these relations, and write down what is more than a confirmation."""
    units = look_units.load_many(session, [(relation, line.observed(tags)) for relation, line in turn])
    counts, removals, at_rest, work = Counter[str](), list[Item](), list[Relation](), list[Looked]()
    for relation, line in turn:
        missing = looks.suspects_of(units[relation.id])
        if missing:
            detail = {"tag_ids": sorted(missing)}
            removals.append(Item("removal", str(relation.id), relation.id, detail, waits=True))
            counts["removals"] += len(missing)
            continue
        merges = looks.merge_units(units[relation.id], relation, Look(facts.seq, frozenset(), bulk=True))
        if any(found.skipped for found in merges.values()):
            counts["asked"] += 1
            cells.request_sync(session, context.queue, relation.customer_id)
            continue
        look_units.note_missed(relation, line.unknown(tags))
        if is_at_rest(units[relation.id].values(), merges):
            at_rest.append(relation)
        else:
            work.append(Looked(relation, units[relation.id], merges))
    run_items.add(session, facts.run_id, removals)
    counts["adopted"] += _carry_out(session, context, facts, work)
    with_cells = any(unit.cells for relation in at_rest for unit in units[relation.id].values())
    _note_seen(session, at_rest, with_cells=with_cells)
    return counts


def is_at_rest(units: Iterable[LookUnit], merges: Mapping[UnitKey, Merge]) -> bool:
    """Return whether the page only confirms: writing the units down would change nothing but their numbers."""
    if any(found.adopted is not None or found.notes or found.confirmed for found in merges.values()):
        return False
    return all(_agrees(unit, tag_id) for unit in units for tag_id in unit.tag_ids())


def _agrees(unit: LookUnit, tag_id: int) -> bool:
    cell = unit.cells.get(tag_id)
    wanted, seen = tag_id in unit.wanted, tag_id in unit.observed
    if cell is None:
        return not wanted and not seen
    is_settled = cell["sent"] is None and not cell["dead"] and cell["acked_ver"] >= unit.ver
    return is_settled and cell["base"] is not None and bool(cell["base"]) == seen == wanted == cell["wanted"]


def _carry_out(session: Session, context: Context, facts: PullFacts, work: Sequence[Looked]) -> int:
    """Take over what people did in WeCom and write down what was seen; return how many tags were taken over."""
    if not work:
        return 0
    notes = [row for one in work for row in looks.conflict_rows(one.relation, one.units, one.merges, context.now)]
    if notes:
        session.connection().execute(insert(SyncConflict), notes)
    userids = _userids(session, work)
    changes = {
        one.relation.id: [
            change
            for key, found in one.merges.items()
            if found.adopted is not None
            for change in looks.changes_for(one.relation, one.units[key], found, userids[one.relation.staff_id])
        ]
        for one in work
    }
    everything = [change for found in changes.values() for change in found]
    act = Act("wecom", reason=REASON, parent_id=facts.change_set_id)
    ids = [one.relation.id for one in work]
    done = tagging.apply(session, everything, act, queue=context.queue, now=context.now, observed_on=ids, ask=False)
    fresh = _load_again(session, work, done)
    seen = sequence.draw(session)
    looks.settle(session, [(one.relation, list(fresh[one.relation.id].values())) for one in work], seen, context.now)
    confirmed = [unit for one in work for unit in fresh[one.relation.id].values() if _was_confirmed(one.merges, unit)]
    looks.confirm(session, confirmed, seen, context.now)
    SEE.run(session, {"relation_ids": ids, "seen": seen})
    taken = [Item("adopted", str(id_), id_, {"tag_ids": [c.tag_id for c in found]}) for id_, found in changes.items()]
    run_items.add(session, facts.run_id, [item for item in taken if item.detail["tag_ids"]])
    return len(everything)


def _load_again(session: Session, work: Sequence[Looked], done: Applied) -> dict[int, Mapping[UnitKey, LookUnit]]:
    """Return the units as they are now; of whom nothing was known there is what was just written, and no more."""
    known = [(one.relation, _all_observed(one)) for one in work if not one.is_first]
    fresh: dict[int, Mapping[UnitKey, LookUnit]] = dict(look_units.load_many(session, known)) if known else {}
    for one in work:
        if one.is_first:
            units = {key: replace(unit, truth=dict(done.written.get(key, {}))) for key, unit in one.units.items()}
            fresh[one.relation.id] = units
    return fresh


def _userids(session: Session, work: Sequence[Looked]) -> dict[int, str]:
    return staff.userids(session, {one.relation.staff_id for one in work})


def _all_observed(one: Looked) -> set[int]:
    return {tag_id for unit in one.units.values() for tag_id in unit.observed}


def _was_confirmed(merges: Mapping[UnitKey, Merge], unit: LookUnit) -> bool:
    return unit.key in merges and merges[unit.key].confirmed


def _note_quiet(session: Session, quiet: Sequence[Line], seq: int) -> None:
    """Note that these lines have changed nothing, so that no older look is believed any more."""
    if not quiet:
        return
    ids = [line.known.relation_id for line in quiet]
    seen = sequence.draw(session)
    SEE_AND_LIST.run(session, {"relation_ids": ids, "seen": seen, "seq": seq})
    with_cells = [line for line in quiet if line.known.cells]
    if with_cells:
        _see_cells(session, [(line.customer_id, line.known.relation_id) for line in with_cells], seen)


def _note_seen(session: Session, at_rest: Sequence[Relation], *, with_cells: bool) -> None:
    """Note that nothing has changed, so that no older look is believed any more."""
    if not at_rest:
        return
    seen = sequence.draw(session)
    SEE.run(session, {"relation_ids": [relation.id for relation in at_rest], "seen": seen})
    if with_cells:
        _see_cells(session, [(relation.customer_id, relation.id) for relation in at_rest], seen)


def _see_cells(session: Session, of: Sequence[tuple[int, int]], seen: int) -> None:
    """Number the cells of these customers' relations as just looked at."""
    customer_ids, relation_ids = zip(*of, strict=True)
    values = {"customer_ids": customer_ids, "relation_ids": relation_ids, "seen": seen}
    SEE_CELLS.run(session, values)


def _mark_listed(session: Session, lines: Sequence[Line], seq: int) -> None:
    if lines:
        ids = [line.known.relation_id for line in lines if line.known is not None]
        LIST.run(session, {"relation_ids": ids, "seq": seq})
