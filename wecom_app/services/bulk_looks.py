"""Taking in a page of a full pull: customers, relations and tags of many at once, in one transaction a slice.

A page is a look of the weaker kind. It adds; whatever would end something (a tag that is missing, a friendship that
began anew) is left as it stands and answered by a single look at that one customer. Called by `pulls`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import bindparam, insert, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.merge import Look, Merge
from wecom_app.models import Channel, CustomerTag, Deployment, Relation, SyncConflict, Tag
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import (
    cells,
    customers,
    look_units,
    looks,
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
from wecom_app.services.ports import ContactDetails, FollowUser
from wecom_app.services.run_items import Item
from wecom_app.services.tag_units import UnitKey
from wecom_app.services.upsert import insert_ignore

REASON = "全量同步：企业微信中已有"
OF_CUSTOMERS = select(Relation).where(Relation.customer_id.in_(bindparam("customer_ids", expanding=True)))
THESE = update(Relation).where(Relation.id.in_(bindparam("relation_ids", expanding=True)))
SEE = THESE.values(seen_seq=bindparam("seen_seq"))
LIST = THESE.values(listed_seq=bindparam("listed_seq"))
SEE_CELLS = (
    update(CustomerTag)
    .where(
        CustomerTag.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CustomerTag.relation_id.in_(bindparam("relation_ids", expanding=True)),
        CustomerTag.base.is_not(None),
    )
    .values(seen_seq=bindparam("seen_seq"), touched_seq=bindparam("touched_seq"))
)
Counts = Counter[str]
Place = tuple[int, int]
"""Customer and staff ids."""


@dataclass(frozen=True)
class PullFacts:
    """What a page must know of its run."""

    run_id: int
    change_set_id: int | None
    """The parent of the change sets that it makes."""
    seq: int
    """Drawn, alone, before WeCom was asked."""


@dataclass(frozen=True)
class Entry:
    """One line of the page."""

    contact: ContactDetails
    follower: FollowUser
    customer_id: int
    staff_id: int

    @property
    def place(self) -> Place:
        return self.customer_id, self.staff_id


@dataclass(frozen=True)
class Looked:
    """A relation whose tags need writing."""

    relation: Relation
    units: Mapping[UnitKey, LookUnit]
    merges: Mapping[UnitKey, Merge]


def take_in(session: Session, context: Context, facts: PullFacts, contacts: Sequence[ContactDetails]) -> Counts:
    """Write a slice of a page down; return what came of it, as numbers."""
    entries = _entries(session, contacts, context.now)
    counts = Counter(contacts=len(entries))
    known = _relations(session, entries)
    began = session.execute(select(Deployment.created_at)).scalar_one_or_none() or context.now
    made = _make_linked(session, [e for e in entries.values() if _is_linked(e, known, began)], facts.seq, context.now)
    counts["new"] = len(made)
    known |= made
    ordinary: list[tuple[Relation, Entry]] = []
    for place, entry in entries.items():
        relation = known.get(place)
        if relation is not None and _is_ordinary(relation, entry.follower, facts.seq):
            ordinary.append((relation, entry))
        else:
            counts["asked"] += _ask(session, context, facts, entry, relation)
    _take_remarks(session, context, facts, ordinary)
    for turn in _turns(ordinary):
        counts += _take_tags(session, context, facts, turn)
    _mark_listed(session, [relation.id for relation in known.values()], facts.seq)
    return counts


def _entries(session: Session, contacts: Sequence[ContactDetails], now: datetime) -> dict[Place, Entry]:
    """Return the page's lines by customer and member, each once; customers and members are made where new."""
    ids = customers.ensure_many(session, list({one.external_userid: one for one in contacts}.values()), now)
    userids = sorted({follower.userid for one in contacts for follower in one.follow_users})
    staff_ids = staff.ensure(session, userids, now)
    found = [
        Entry(one, follower, ids[one.external_userid], staff_ids[follower.userid])
        for one in contacts
        for follower in one.follow_users
    ]
    return {entry.place: entry for entry in found}


def _relations(session: Session, places: Iterable[Place]) -> dict[Place, Relation]:
    wanted = set(places)
    values = {"customer_ids": sorted({customer_id for customer_id, _ in wanted})}
    # Columns of relations are written past the session here: what it has loaded before may be old.
    rows = session.execute(OF_CUSTOMERS, values, execution_options={"populate_existing": True}).scalars()
    found = {(relation.customer_id, relation.staff_id): relation for relation in rows}
    return {place: relation for place, relation in found.items() if place in wanted}


def _is_linked(entry: Entry, known: Mapping[Place, Relation], began: datetime) -> bool:
    """Return whether an unknown relation is older than this deployment, and so of the first link."""
    return entry.place not in known and entry.follower.createtime < began


def _make_linked(session: Session, entries: Sequence[Entry], seq: int, now: datetime) -> dict[Place, Relation]:
    """Make the relations that the first link finds; each begins with the look that found it."""
    if not entries:
        return {}
    states = {entry.follower.state for entry in entries if entry.follower.state}
    channels = dict(session.execute(select(Channel.state, Channel.id).where(Channel.state.in_(states))).all())
    rows = [
        {
            "customer_id": entry.customer_id,
            "staff_id": entry.staff_id,
            "half": False,
            "add_way": entry.follower.add_way,
            "state": entry.follower.state[: relations.MAX_STATE] if entry.follower.state else None,
            "channel_id": channels.get(entry.follower.state or ""),
            "opened_at": entry.follower.createtime,
            "epoch_at": entry.follower.createtime,
            "linked": True,
            "life_seq": seq,
            "seen_seq": 0,
            "listed_seq": seq,
            "absent_seq": 0,
            "dirty_gen": 0,
            "pulled_gen": 0,
            "parted": [],
            "source_known": False,
            **remarks.columns(entry.follower, entry.contact.name),
        }
        for entry in entries
    ]
    insert_ignore(session, Relation, rows, ("customer_id", "staff_id"))
    made = _relations(session, [entry.place for entry in entries])
    _open_cells(session, list(made.values()), now)
    return made


def _open_cells(session: Session, made: Sequence[Relation], now: datetime) -> None:
    """Give the new relations of customers whom we have tagged already their cells; most of them are strangers."""
    of = [relation.customer_id for relation in made]
    query = select(CustomerTag.customer_id).where(
        CustomerTag.customer_id.in_(of), CustomerTag.relation_id == CUSTOMER_LEVEL, CustomerTag.wanted
    )
    tagged = set(session.scalars(query))
    for relation in made:
        if relation.customer_id in tagged:
            cells.open_relation(session, relation, now)


def _is_ordinary(relation: Relation, follower: FollowUser, seq: int) -> bool:
    """Return whether the page shows the very friendship that we know, looked at no later than now."""
    is_same = relation.lost_at is None and not relation.half and relation.epoch_at == follower.createtime
    return is_same and relation.life_seq <= seq


def _ask(session: Session, context: Context, facts: PullFacts, entry: Entry, relation: Relation | None) -> int:
    """Have a customer looked at alone, whose friendship began, ended or began anew unheard; return 1, else 0."""
    if relation is not None and relation.lost_at is not None and entry.follower.createtime <= relation.lost_at:
        return 0
    if relation is None or relation.lost_at is not None:
        alone = replace(entry.contact, follow_users=(entry.follower,))
        sightings.take_in(session, context, entry.customer_id, alone, facts.seq, {})
    cells.request_sync(session, context.queue, entry.customer_id)
    return 1


def _take_remarks(
    session: Session, context: Context, facts: PullFacts, ordinary: Sequence[tuple[Relation, Entry]]
) -> None:
    governed = remarks.governed(session, [relation.id for relation, _ in ordinary])
    for relation, entry in ordinary:
        name = entry.contact.name
        if relation.id in governed or remarks.differs(relation, entry.follower, name):
            remarks.take_in(session, context, relation, entry.follower, name, facts.seq)
    session.flush()


def _turns(ordinary: Sequence[tuple[Relation, Entry]]) -> Iterable[list[tuple[Relation, Entry]]]:
    """Return the lines in turns, in none of which a customer comes twice: one relation's tags move the other's."""
    turns: list[list[tuple[Relation, Entry]]] = []
    met: Counter[int] = Counter()
    for relation, entry in ordinary:
        turn = met[relation.customer_id]
        met[relation.customer_id] += 1
        if turn == len(turns):
            turns.append([])
        turns[turn].append((relation, entry))
    return turns


def _take_tags(session: Session, context: Context, facts: PullFacts, turn: Sequence[tuple[Relation, Entry]]) -> Counts:
    """Merge what the page shows of these relations, and write down what is more than a confirmation."""
    observed = _observed(session, turn)
    units = look_units.load_many(session, [(relation, observed[relation.id]) for relation, _ in turn])
    counts, removals, at_rest, work = Counter[str](), list[Item](), list[Relation](), list[Looked]()
    for relation, _ in turn:
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
        elif _is_at_rest(units[relation.id].values(), merges):
            at_rest.append(relation)
        else:
            work.append(Looked(relation, units[relation.id], merges))
    run_items.add(session, facts.run_id, removals)
    counts["adopted"] += _carry_out(session, context, facts, work)
    with_cells = any(unit.cells for relation in at_rest for unit in units[relation.id].values())
    _note_seen(session, at_rest, with_cells=with_cells)
    return counts


def _observed(session: Session, turn: Sequence[tuple[Relation, Entry]]) -> dict[int, set[int]]:
    """Return our tags that the page shows, by relation; what is not in our library is left out."""
    wecom_ids = {wecom_id for _, entry in turn for wecom_id in entry.follower.tag_ids}
    query = select(Tag.wecom_tag_id, Tag.id).where(Tag.wecom_tag_id.in_(wecom_ids))
    ours = dict(session.execute(query).all()) if wecom_ids else {}
    return {
        relation.id: {ours[wecom_id] for wecom_id in entry.follower.tag_ids if wecom_id in ours}
        for relation, entry in turn
    }


def _is_at_rest(units: Iterable[LookUnit], merges: Mapping[UnitKey, Merge]) -> bool:
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
    tagging.apply(session, everything, act, queue=context.queue, now=context.now, observed_on=ids, ask=False)
    fresh = look_units.load_many(session, [(one.relation, _all_observed(one)) for one in work])
    seen = sequence.draw(session)
    looks.settle(session, [(one.relation, list(fresh[one.relation.id].values())) for one in work], seen, context.now)
    confirmed = [unit for one in work for unit in fresh[one.relation.id].values() if _was_confirmed(one.merges, unit)]
    looks.confirm(session, confirmed, seen, context.now)
    session.connection().execute(SEE, {"relation_ids": ids, "seen_seq": seen})
    taken = [Item("adopted", str(id_), id_, {"tag_ids": [c.tag_id for c in found]}) for id_, found in changes.items()]
    run_items.add(session, facts.run_id, [item for item in taken if item.detail["tag_ids"]])
    return len(everything)


def _userids(session: Session, work: Sequence[Looked]) -> dict[int, str]:
    return staff.userids(session, {one.relation.staff_id for one in work})


def _all_observed(one: Looked) -> set[int]:
    return {tag_id for unit in one.units.values() for tag_id in unit.observed}


def _was_confirmed(merges: Mapping[UnitKey, Merge], unit: LookUnit) -> bool:
    return unit.key in merges and merges[unit.key].confirmed


def _note_seen(session: Session, at_rest: Sequence[Relation], *, with_cells: bool) -> None:
    """Note that nothing has changed, so that no older look is believed any more."""
    if not at_rest:
        return
    seen = sequence.draw(session)
    ids = [relation.id for relation in at_rest]
    session.connection().execute(SEE, {"relation_ids": ids, "seen_seq": seen})
    if with_cells:
        cells_of = {"customer_ids": [relation.customer_id for relation in at_rest], "relation_ids": ids}
        session.connection().execute(SEE_CELLS, {**cells_of, "seen_seq": seen, "touched_seq": seen})


def _mark_listed(session: Session, relation_ids: Sequence[int], seq: int) -> None:
    if relation_ids:
        session.connection().execute(LIST, {"relation_ids": list(relation_ids), "listed_seq": seq})
