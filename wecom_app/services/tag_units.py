"""Units of tagging between the tables and `domain.tagging`: loaded, decided on, and written back in bulk."""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import and_, bindparam, delete, func, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Decision, Holding, Source, Unit, Wish
from wecom_app.domain.vocabulary import PUSHED, SourceKind
from wecom_app.models import CustomerTag, Tag, TagClaim, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.prepared import Prepared
from wecom_app.services.upsert import insert_ignore, upsert

Row = dict[str, Any]
FACTS = Prepared(
    select(
        Tag.id,
        Tag.name,
        Tag.group_id,
        TagGroup.selection,
        TagGroup.scope,
        TagGroup.mirror,
        Tag.wecom_tag_id,
        Tag.archived_at,
        Tag.gone_at,
        and_(Tag.lifecycle == "active", TagGroup.lifecycle == "active"),
        func.coalesce(Tag.ttl_days, TagGroup.ttl_days),
        Tag.replaced_by,
        Tag.merged_into,
    )
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(
        or_(
            Tag.id.in_(bindparam("tag_ids", expanding=True)),
            and_(
                TagGroup.selection == "single",
                Tag.group_id.in_(select(Tag.group_id).where(Tag.id.in_(bindparam("tag_ids", expanding=True)))),
            ),
        )
    )
)
ROWS = Prepared(
    select(CustomerTag.__table__).where(
        CustomerTag.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CustomerTag.tag_id.in_(bindparam("tag_ids", expanding=True)),
    )
)
CLAIMS = Prepared(
    select(TagClaim.__table__).where(
        TagClaim.customer_id.in_(bindparam("customer_ids", expanding=True)),
        TagClaim.tag_id.in_(bindparam("tag_ids", expanding=True)),
    )
)


@dataclass(frozen=True)
class TagFact:
    """What tagging must know of a tag."""

    id: int
    name: str
    group_id: int
    single: bool
    scope: str
    mirror: str
    wecom_tag_id: str | None
    live: bool
    gone: bool
    """Deleted at WeCom: whatever becomes of it here, nothing is to be said there."""
    assignable: bool = True
    """Whether customers still get it: neither it nor its group is a draft or deprecated."""
    ttl_days: int | None = None
    replaced_by: str | None = None
    merged_into: str | None = None

    @property
    def is_pushed(self) -> bool:
        return self.mirror in PUSHED and not self.gone


class UnitKey(NamedTuple):
    """One version number's realm: `tag_id` in a multi-choice group, None for a whole single-choice group."""

    customer_id: int
    group_id: int
    tag_id: int | None
    relation_id: int


@dataclass(frozen=True)
class TagFacts:
    """The tags in question, with all their group mates where the group is single-choice."""

    tags: dict[int, TagFact]

    def unit_key(self, customer_id: int, tag_id: int, relation_id: int) -> UnitKey:
        """Return the unit that governs this tag of this customer (or relation)."""
        tag = self.tags[tag_id]
        return UnitKey(customer_id, tag.group_id, None if tag.single else tag_id, relation_id)

    def level(self, tag_id: int, relation_id: int) -> int:
        """Return the `relation_id` of the truth row: 0 unless the tag is of scope `relation`."""
        return relation_id if self.tags[tag_id].scope == "relation" else CUSTOMER_LEVEL

    def holds_truth(self, tag_id: int, relation_id: int) -> bool:
        """Return whether a row is truth rather than a mere cell that mirrors WeCom."""
        return (self.tags[tag_id].scope == "relation") == (relation_id != CUSTOMER_LEVEL)


@dataclass(eq=False)
class UnitRows:
    """A unit's rows as loaded, its state after the decisions so far, and the rows to write."""

    key: UnitKey
    state: Unit = field(default_factory=lambda: Unit(None))
    before: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The truth rows as loaded, by tag id."""
    after: dict[int, dict[str, Any]] = field(default_factory=dict)
    """The truth rows to write, by tag id; filled by `stamp`."""
    last_wish: Wish | None = None
    """The last wish that changed or confirmed the value."""
    confirmed: bool = False
    restored: dict[int, dict[str, Any]] = field(default_factory=dict)
    """Columns of rows that an undo puts back as they were, by tag id."""

    def __post_init__(self) -> None:
        self.original = self.state

    def take(self, decision: Decision, wish: Wish) -> None:
        """Go on from what was decided for this wish."""
        self.state = decision.unit
        if decision.changed or decision.confirmed:
            self.last_wish = wish
        self.confirmed = self.confirmed or decision.confirmed

    @property
    def is_touched(self) -> bool:
        """Whether anything about the unit must be written."""
        return self.confirmed or bool(self.restored) or self.state != self.original

    @property
    def has_new_value(self) -> bool:
        return bool(self.changed_tag_ids())

    def changed_tag_ids(self) -> list[int]:
        """Return the tags that were put on or taken off, in order of id."""
        old, new = self.original.held, self.state.held
        values = {holding.tag_id for holding in (old, new) if holding is not None}
        same = old is not None and new is not None and old.tag_id == new.tag_id
        return [] if same else sorted(values)

    def stamp(self, now: datetime, ver: int | None) -> None:
        """Fill `after`; `ver` is the number drawn for the change, None where only claims moved."""
        changed = self.changed_tag_ids()
        versions = self._versions(now, ver, bool(changed))
        for tag_id in sorted({*self.before, *changed}):
            blank = blank_row(self.key.customer_id, tag_id, self.key.relation_id, now)
            row = {**blank, **self.before.get(tag_id, {}), **versions}
            held = self.state.held
            row["wanted"] = held is not None and held.tag_id == tag_id
            if row["wanted"] and held is not None:
                row |= _columns(held)
            elif tag_id in changed and self.last_wish is not None:
                row |= _columns(self.last_wish.holding())
            if tag_id in changed:
                row["set_at"] = now
            self.after[tag_id] = row | self.restored.get(tag_id, {})

    def _versions(self, now: datetime, ver: int | None, changed: bool) -> dict[str, Any]:
        """Return the columns that all rows of the unit share."""
        rows = self.before.values()
        shared: dict[str, Any] = {
            "ver": max((row["ver"] for row in rows), default=0),
            "person_seq": max((row["person_seq"] for row in rows), default=0),
            "person_at": max((row["person_at"] for row in rows if row["person_at"]), default=None),
        }
        if changed and ver is not None:
            shared["ver"] = ver
        if self.last_wish is not None and self.last_wish.source.is_person and ver is not None:
            shared |= {"person_seq": ver, "person_at": now}
        return shared


def load_facts(session: Session, tag_ids: Iterable[int]) -> TagFacts:
    """Return the facts of the tags and of their mates in single-choice groups."""
    rows = FACTS.rows(session, {"tag_ids": sorted(set(tag_ids))})
    return TagFacts({row[0]: _fact(row) for row in rows})


def load(session: Session, customer_ids: Sequence[int], facts: TagFacts) -> dict[UnitKey, UnitRows]:
    """Return the units of these customers and tags that have rows or claims."""
    units: dict[UnitKey, UnitRows] = {}
    values = {"customer_ids": list(customer_ids), "tag_ids": list(facts.tags)}
    for row in ROWS.mappings(session, values):
        if facts.holds_truth(row["tag_id"], row["relation_id"]):
            _unit(units, facts, dict(row)).before[row["tag_id"]] = dict(row)
    claims = _load_claims(session, values, facts, units)
    for key, unit in units.items():
        held = [_holding(row) for row in unit.before.values() if row["wanted"]]
        unit.state = unit.original = Unit(held[0] if held else None, tuple(claims.get(key, ())))
    return units


def _load_claims(
    session: Session, values: dict[str, Any], facts: TagFacts, units: dict[UnitKey, UnitRows]
) -> dict[UnitKey, list[Holding]]:
    claims: dict[UnitKey, list[Holding]] = {}
    for row in CLAIMS.mappings(session, values):
        unit = _unit(units, facts, dict(row))
        claims.setdefault(unit.key, []).append(_holding({**row, "set_at": row["claimed_at"]}))
    return claims


def save(session: Session, units: Sequence[UnitRows], now: datetime) -> None:
    """Write the units' rows and the difference of their claims."""
    rows = [row for unit in units for row in unit.after.values()]
    upsert(session, CustomerTag, rows, ["customer_id", "tag_id", "relation_id"])
    for unit in units:
        _save_claims(session, unit, now)


def _save_claims(session: Session, unit: UnitRows, now: datetime) -> None:
    old, new = set(unit.original.claims), set(unit.state.claims)
    table = TagClaim.__table__
    for claim in old - new:
        session.execute(
            delete(TagClaim).where(
                table.c.customer_id == unit.key.customer_id,
                table.c.tag_id == claim.tag_id,
                table.c.relation_id == unit.key.relation_id,
                table.c.source_kind == claim.source.kind,
                table.c.source_ref == claim.source.ref,
            )
        )
    rows = [_claim_row(unit.key, claim, now) for claim in unit.state.claims if claim not in old]
    insert_ignore(session, TagClaim, rows, ["customer_id", "tag_id", "relation_id", "source_kind", "source_ref"])


def _unit(units: dict[UnitKey, UnitRows], facts: TagFacts, row: dict[str, Any]) -> UnitRows:
    key = facts.unit_key(row["customer_id"], row["tag_id"], row["relation_id"])
    return units.setdefault(key, UnitRows(key))


def _fact(row: Any) -> TagFact:
    tag_id, name, group_id, selection, scope, mirror, wecom_tag_id, archived_at, gone_at, *rest = row
    live = archived_at is None and gone_at is None
    return TagFact(
        tag_id, name, group_id, selection == "single", scope, mirror, wecom_tag_id, live, gone_at is not None, *rest
    )


def _holding(row: dict[str, Any]) -> Holding:
    source = Source(SourceKind(row["source_kind"]), row["source_ref"] or "", row["actor"])
    return Holding(row["tag_id"], source, row["evidence"], row["set_at"], row["expires_at"])


def _columns(holding: Holding) -> dict[str, Any]:
    columns = {
        "source_kind": holding.source.kind.value,
        "source_ref": holding.source.ref or None,
        "actor": holding.source.actor,
        "evidence": holding.evidence,
        "expires_at": holding.expires_at,
    }
    return columns if holding.since is None else {**columns, "set_at": holding.since}


def blank_row(customer_id: int, tag_id: int, relation_id: int, now: datetime) -> dict[str, Any]:
    """Return a row that says nothing yet, with every column, so that all rows of a bulk write look alike."""
    return {
        "customer_id": customer_id,
        "tag_id": tag_id,
        "relation_id": relation_id,
        "wanted": False,
        "ver": 0,
        "person_seq": 0,
        "person_at": None,
        "source_kind": SourceKind.API.value,
        "source_ref": None,
        "actor": None,
        "evidence": {},
        "set_at": now,
        "expires_at": None,
        "base": None,
        "acked_ver": 0,
        "seen_seq": 0,
        "touched_seq": 0,
        "sent": None,
        "tries": 0,
        "dead": False,
    }


def _claim_row(key: UnitKey, claim: Holding, now: datetime) -> dict[str, Any]:
    return {
        "customer_id": key.customer_id,
        "tag_id": claim.tag_id,
        "relation_id": key.relation_id,
        "source_kind": claim.source.kind.value,
        "source_ref": claim.source.ref,
        "actor": claim.source.actor,
        "evidence": claim.evidence,
        "claimed_at": claim.since or now,
        "expires_at": claim.expires_at,
    }
