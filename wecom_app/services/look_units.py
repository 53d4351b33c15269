"""The units of one relation as a look meets them: truth rows, cells, and what WeCom showed of each."""

from collections.abc import Collection, Iterable, Mapping, Sequence
from dataclasses import dataclass, field, replace
from datetime import datetime

from sqlalchemy import bindparam, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.merge import Cell, RelationState, UnitTruth
from wecom_app.domain.vocabulary import Mirror, SourceKind
from wecom_app.models import CustomerTag, Relation, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.prepared import Prepared
from wecom_app.services import successors
from wecom_app.services.tag_units import ROWS, Row, TagFact, TagFacts, UnitKey, load_facts

TABLE = CustomerTag.__table__
MIRRORED_ROWS = Prepared(
    select(TABLE)
    .join(Tag, Tag.id == TABLE.c.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(
        TABLE.c.customer_id.in_(bindparam("customer_ids", expanding=True)),
        or_(
            TABLE.c.relation_id.in_(bindparam("relation_ids", expanding=True)),
            (TABLE.c.relation_id == CUSTOMER_LEVEL) & (TagGroup.scope == "customer"),
        ),
        TagGroup.mirror != Mirror.NONE,
        Tag.gone_at.is_(None),
    )
)

OBSERVED = Prepared(
    select(Tag.id, Tag.wecom_tag_id).where(Tag.wecom_tag_id.in_(bindparam("wecom_tag_ids", expanding=True)))
)


@dataclass
class LookUnit:
    """One unit on one relation; rows by tag id."""

    key: UnitKey
    single: bool
    mirror: Mirror
    truth: dict[int, Row] = field(default_factory=dict)
    cells: dict[int, Row] = field(default_factory=dict)
    observed: set[int] = field(default_factory=set)
    read: list[tuple[int, TagFact]] = field(default_factory=list)
    """Tags that count as put on since one that was merged into them was, each with that one."""
    unread: set[int] = field(default_factory=set)
    """Tags that were seen and count as another that they were merged into."""
    missed: dict[int, int] = field(default_factory=dict)
    """Tags that earlier looks showed and our library had not got then, each with the last look without it."""

    def tag_ids(self) -> list[int]:
        """Return every tag that has a row or was seen, in order of id."""
        return sorted({*self.truth, *self.cells, *self.observed, *self.heirs})

    @property
    def meant(self) -> frozenset[int]:
        """What the look says of the unit, as opposed to what stands there."""
        return frozenset(self.observed - self.unread | self.heirs)

    @property
    def heirs(self) -> set[int]:
        return {heir for heir, _ in self.read}

    @property
    def wanted(self) -> frozenset[int]:
        return frozenset(tag_id for tag_id, row in self.truth.items() if row["wanted"])

    @property
    def ver(self) -> int:
        return max((row["ver"] for row in self.truth.values()), default=0)

    def truth_state(self) -> UnitTruth:
        """Return the truth as `domain.merge` wants it; the newest row speaks for the unit."""
        newest = max(self.truth.values(), key=lambda row: (row["ver"], row["wanted"]), default=None)
        return UnitTruth(
            single=self.single,
            wanted=self.wanted,
            exists=bool(self.truth),
            ver=self.ver,
            person_seq=max((row["person_seq"] for row in self.truth.values()), default=0),
            person_at=newest["person_at"] if newest else None,
            source=SourceKind(newest["source_kind"]) if newest else None,
            link_epoch=_link_epoch(newest),
            mirror=self.mirror,
        )

    def cell_states(self, relation: RelationState) -> dict[int, Cell]:
        """Return what is known of each tag; one without a row was absent at the last look."""
        unseen = Cell() if relation.first_look else Cell(base=False, seen_seq=relation.seen_seq)
        states = {tag_id: _cell(self.cells[tag_id]) if tag_id in self.cells else unseen for tag_id in self.tag_ids()}
        for tag_id, seq in self.missed.items():
            if tag_id not in self.cells:
                states[tag_id] = replace(unseen, seen_seq=seq)
        for heir in self.heirs:
            # Whether or not it stood there: putting the merged one on was an act of its own.
            base = None if states[heir].base is None else False
            states[heir] = replace(states[heir], base=base, sent=None)
        return states


def relation_state(relation: Relation) -> RelationState:
    """Return the relation as `domain.merge` wants it."""
    return RelationState(
        linked=relation.linked,
        life_seq=relation.life_seq,
        seen_seq=relation.seen_seq,
        parted=frozenset(relation.parted),
        epoch_at=relation.epoch_at,
    )


def find_observed(session: Session, wecom_tag_ids: Iterable[str]) -> dict[str, int]:
    """Return our tags by WeCom's ids, as far as our library has them."""
    return {row.wecom_tag_id: row.id for row in OBSERVED.rows(session, {"wecom_tag_ids": sorted(set(wecom_tag_ids))})}


def note_missed(relation: Relation, unknown: Collection[str]) -> None:
    """Remember what a look shows that our library has not got; called before the look counts as taken.

    Once the library has it, it must not pass for put on after the look. What is not shown any more is forgotten.
    """
    known = relation.missed_tags or {}
    missed = {wecom_id: known.get(wecom_id, relation.seen_seq) for wecom_id in sorted(unknown)}
    if missed != known:
        relation.missed_tags = missed or None


def load(
    session: Session, relation: Relation, observed: set[int], left_out: frozenset[int] = frozenset()
) -> dict[UnitKey, LookUnit]:
    """Return every unit of a mirrored group that has a row on this relation or was seen on it."""
    return load_many(session, [(relation, observed)], left_out)[relation.id]


def load_many(
    session: Session, shown: Sequence[tuple[Relation, set[int]]], left_out: frozenset[int] = frozenset()
) -> dict[int, dict[UnitKey, LookUnit]]:
    """Return the units of several relations, by relation id; of each what was seen on it."""
    rows = _rows(session, [relation for relation, _ in shown], left_out)
    tag_ids = {row["tag_id"] for found in rows.values() for row in found}
    tag_ids.update(*(observed for _, observed in shown))
    facts = load_facts(session, tag_ids)
    merged = {tag_id: tag.merged_into for tag_id, tag in facts.tags.items() if tag.merged_into and not tag.gone}
    seen = {tag_id: key for tag_id, key in merged.items() if any(tag_id in observed for _, observed in shown)}
    heirs = {tag_id: heir.id for tag_id, heir in successors.of(session, seen).items()} if seen else {}
    if heirs:
        facts = load_facts(session, tag_ids.union(heirs.values()))
        _add_local_rows(session, rows, shown, facts, heirs)
    units = {
        relation.id: _units_of(relation, observed, rows.get(relation.customer_id, ()), facts)
        for relation, observed in shown
    }
    for relation, observed in shown if heirs else ():
        _read_merged(units[relation.id], facts, relation, {tag_id: heirs[tag_id] for tag_id in observed & heirs.keys()})
    return units


def _add_local_rows(
    session: Session,
    rows: dict[int, list[Row]],
    shown: Sequence[tuple[Relation, set[int]]],
    facts: TagFacts,
    heirs: Mapping[int, int],
) -> None:
    """Read the truth of heirs that WeCom has not got, which looks have no use for otherwise."""
    groups = {facts.tags[tag_id].group_id for tag_id in heirs.values() if facts.tags[tag_id].mirror == Mirror.NONE}
    tag_ids = [tag_id for tag_id, fact in facts.tags.items() if fact.group_id in groups]
    values = {"customer_ids": sorted({relation.customer_id for relation, _ in shown}), "tag_ids": tag_ids}
    for row in ROWS.mappings(session, values) if tag_ids else ():
        rows.setdefault(row["customer_id"], []).append(dict(row))


def _read_merged(units: dict[UnitKey, LookUnit], facts: TagFacts, relation: Relation, heirs: Mapping[int, int]) -> None:
    """Let a tag that a member put on count as the one that it was merged into."""
    for tag_id, heir in heirs.items():
        own = _unit(units, facts, relation, tag_id)
        if own.mirror is Mirror.TWO_WAY and _is_new(own, tag_id, relation):
            own.unread.add(tag_id)
            _unit(units, facts, relation, heir).read.append((heir, facts.tags[tag_id]))


def _is_new(unit: LookUnit, tag_id: int, relation: Relation) -> bool:
    """Return whether somebody put the tag on since the last look; what a parting left is nobody's act."""
    cell = unit.cells.get(tag_id)
    if cell is not None and (cell["base"] or cell["sent"] in (1, 2)):
        return False
    is_first = relation.seen_seq <= relation.life_seq or (cell is not None and cell["base"] is None)
    return not (is_first and unit.truth and tag_id in relation.parted)


def _rows(session: Session, relations: Sequence[Relation], left_out: frozenset[int]) -> dict[int, list[Row]]:
    """Return the truth and the cells of these relations, by customer."""
    values = {
        "customer_ids": sorted({relation.customer_id for relation in relations}),
        "relation_ids": [relation.id for relation in relations],
    }
    found: dict[int, list[Row]] = {}
    for row in MIRRORED_ROWS.mappings(session, values):
        if row["tag_id"] not in left_out:
            found.setdefault(row["customer_id"], []).append(dict(row))
    return found


def _units_of(
    relation: Relation, observed: Iterable[int], rows: Iterable[Row], facts: TagFacts
) -> dict[UnitKey, LookUnit]:
    units: dict[UnitKey, LookUnit] = {}
    for tag_id in observed:
        tag = facts.tags[tag_id]
        if tag.mirror != Mirror.NONE and not tag.gone:
            unit = _unit(units, facts, relation, tag_id)
            unit.observed.add(tag_id)
            if relation.missed_tags and tag.wecom_tag_id in relation.missed_tags:
                unit.missed[tag_id] = relation.missed_tags[tag.wecom_tag_id]
    for row in rows:
        if row["relation_id"] not in (relation.id, CUSTOMER_LEVEL):
            continue
        unit = _unit(units, facts, relation, row["tag_id"])
        if row["relation_id"] == relation.id:
            unit.cells[row["tag_id"]] = row
        if facts.holds_truth(row["tag_id"], row["relation_id"]):
            unit.truth[row["tag_id"]] = row
    return units


def _unit(units: dict[UnitKey, LookUnit], facts: TagFacts, relation: Relation, tag_id: int) -> LookUnit:
    tag = facts.tags[tag_id]
    level = relation.id if tag.scope == "relation" else CUSTOMER_LEVEL
    key = facts.unit_key(relation.customer_id, tag_id, level)
    return units.setdefault(key, LookUnit(key, tag.single, Mirror(tag.mirror)))


def _cell(row: Row) -> Cell:
    return Cell(row["base"], row["sent"], row["seen_seq"], row["touched_seq"])


def _link_epoch(row: Row | None) -> datetime | None:
    if row is None or row["source_kind"] != SourceKind.WECOM_LINK:
        return None
    text = row["evidence"].get("createtime")
    return datetime.fromisoformat(text) if isinstance(text, str) else None
