"""`apply`, the only way a tag changes: precedence, single choice, claims, history and the intent towards WeCom.

Called by event handlers, the API, and by sync when it takes over what a person did in WeCom.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import asdict, dataclass, field, replace
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Decision, Holding, Source, Unit, Wish, decide, restore
from wecom_app.domain.vocabulary import Scope, SourceKind
from wecom_app.errors import InvalidInput
from wecom_app.models import CustomerTag, Tag, TagClaim, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import cells, customers, history, sequence, successors, tag_units, unit_moves
from wecom_app.services.history import Act, Kept
from wecom_app.services.ports import JobQueue
from wecom_app.services.tag_units import Row, TagFacts, UnitKey, UnitRows
from wecom_app.services.unit_moves import Move, Narrowing

OBSERVED = (SourceKind.WECOM, SourceKind.WECOM_LINK)
"""What was found at WeCom is a fact, whether or not we would assign it."""
EXPIRY = Act("system", reason="到期")
"""What has run out goes in a change set of its own: it is nobody's wish, and undoing a wish must not undo it."""


@dataclass(frozen=True)
class TagChange:
    """A wish for one customer; `relation_id` names the relation it is for, which only tags of scope `relation` heed."""

    customer_id: int
    tag_id: int
    add: bool
    source: Source
    evidence: dict[str, Any] = field(default_factory=dict)
    relation_id: int = CUSTOMER_LEVEL
    expires_at: datetime | None = None

    @property
    def tag_ids(self) -> list[int]:
        return [self.tag_id]

    def wish(self) -> Wish:
        return Wish(self.tag_id, self.add, self.source, self.evidence, self.expires_at)


@dataclass(frozen=True)
class Restoration:
    """The wish to undo what an act did to one unit: its tags with their rows before and after, as history keeps them.

    It is heard only where what stands is still what stood after the act. `by` is who undoes it.
    """

    customer_id: int
    relation_id: int
    before: Mapping[int, Kept | None]
    after: Mapping[int, Kept | None]
    claims_before: tuple[Holding, ...]
    claims_after: tuple[Holding, ...]
    by: Source

    @property
    def tag_ids(self) -> list[int]:
        return sorted(self.after)

    def unit_before(self) -> Unit:
        """Return what stood before the act."""
        return Unit(_held(self.before), self.claims_before)

    def unit_after(self) -> Unit:
        """Return what stood after the act."""
        return Unit(_held(self.after), self.claims_after)


Request = TagChange | Restoration | Move | Narrowing
"""What `apply` hears."""


@dataclass(frozen=True)
class Skipped:
    """A wish that changed nothing, and why.

    `outranked`, `absent` or `present`; of an undo `changed` (something else stands now), `gone` (the tag is not in
    use any more) or `expired` (what stood before has run out).
    """

    customer_id: int
    tag_id: int
    reason: str


@dataclass(frozen=True)
class Applied:
    """What became of the wishes; `change_set_id` is None where no tag changed."""

    change_set_id: int | None = None
    skipped: tuple[Skipped, ...] = ()
    written: Mapping[UnitKey, Mapping[int, Row]] = field(default_factory=dict, compare=False)
    """The truth of every unit that was written, by tag id."""


def apply(
    session: Session,
    changes: Sequence[Request],
    act: Act,
    *,
    queue: JobQueue,
    now: datetime,
    observed_on: Collection[int] = (),
    priority: int = 0,
    ask: bool = True,
) -> Applied:
    """Carry out the wishes, in order, in the caller's transaction.

    `observed_on` names the relations on which sync saw the values: their cells are sync's to write. `priority` is the
    pushing job's: what somebody waits for goes before what a batch did. Without `ask` the caller sees to the pushing.
    Raises InvalidInput for a tag that is unknown, archived, gone or of the wrong scope.
    """
    if not changes:
        return Applied()
    customer_ids = sorted({change.customer_id for change in changes})
    customers.lock(session, customer_ids)
    facts = tag_units.load_facts(session, {tag_id for change in changes for tag_id in change.tag_ids})
    for change in changes:
        if isinstance(change, TagChange):
            _check(session, change, facts)
    units = tag_units.load(session, customer_ids, facts)
    if _let_expire(units, now):
        _write(session, units, EXPIRY, facts, queue=queue, now=now, expired=True)
        units = tag_units.load(session, customer_ids, facts)
    skipped = _decide_all(changes, facts, units, now)
    change_set_id = _write(
        session, units, act, facts, queue=queue, now=now, observed_on=observed_on, priority=priority, ask=ask
    )
    written = {unit.key: unit.after for unit in units.values() if unit.is_touched}
    return Applied(change_set_id, tuple(skipped), written)


def expire(session: Session, customer_ids: Sequence[int], *, queue: JobQueue, now: datetime) -> int:
    """Take off whatever of these customers has run out, claims too; return how many tags changed."""
    customers.lock(session, customer_ids)
    tag_ids = set[int]()
    for table in (CustomerTag, TagClaim):
        over = select(table.tag_id).where(table.customer_id.in_(customer_ids), table.expires_at <= now)
        tag_ids.update(session.scalars(over))
    facts = tag_units.load_facts(session, tag_ids)
    units = tag_units.load(session, customer_ids, facts)
    if _let_expire(units, now):
        _write(session, units, EXPIRY, facts, queue=queue, now=now, expired=True)
    return sum(len(unit.changed_tag_ids()) for unit in units.values())


def end_relation(
    session: Session, customer_id: int, relation_id: int, act: Act, evidence: dict[str, Any], now: datetime
) -> int | None:
    """Take off what the customer has of one relation alone, as that relation ends; return the change set's id.

    It is nobody's wish: no precedence is asked, no claim takes over, and nothing is pushed. Only history is written;
    the caller drops the relation's rows.
    """
    query = (
        select(CustomerTag.tag_id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            CustomerTag.customer_id == customer_id,
            CustomerTag.relation_id == relation_id,
            CustomerTag.wanted,
            TagGroup.scope == Scope.RELATION,
        )
    )
    tag_ids = session.scalars(query).all()
    if not tag_ids:
        return None
    facts = tag_units.load_facts(session, tag_ids)
    ended = []
    for unit in tag_units.load(session, [customer_id], facts).values():
        held = unit.state.held
        if unit.key.relation_id == relation_id and held is not None:
            unit.take(Decision(Unit(None), changed=True), Wish(held.tag_id, False, held.source, evidence))
            unit.stamp(now, None)
            ended.append(unit)
    customers.raise_version(session, [customer_id])
    return history.record(session, ended, act, now)


def _write(
    session: Session,
    units: Mapping[UnitKey, UnitRows],
    act: Act,
    facts: TagFacts,
    *,
    queue: JobQueue,
    now: datetime,
    observed_on: Collection[int] = (),
    expired: bool = False,
    priority: int = 0,
    ask: bool = True,
) -> int | None:
    """Write what was decided; return the change set's id, None where no tag changed."""
    touched = [unit for unit in units.values() if unit.is_touched]
    if not touched:
        return None
    new = [unit for unit in touched if unit.has_new_value]
    ver = sequence.draw(session) if new or any(unit.confirmed for unit in touched) else None
    for unit in touched:
        unit.stamp(now, ver)
    tag_units.save(session, touched, now)
    if not new:
        return None
    change_set_id = history.record(session, new, act, now, expired=expired)
    customers.raise_version(session, sorted({unit.key.customer_id for unit in new}))
    cells.fan_out(session, new, facts, queue=queue, now=now, observed_on=observed_on, priority=priority, ask=ask)
    return change_set_id


def _check(session: Session, change: TagChange, facts: TagFacts) -> None:
    tag = facts.tags.get(change.tag_id)
    if tag is None:
        raise InvalidInput("没有这个标签")
    is_observed = change.source.kind in OBSERVED
    if change.add and not tag.live and tag.merged_into is not None and not is_observed:
        heir = successors.of(session, {tag.id: tag.merged_into}).get(tag.id)
        raise InvalidInput(f"标签「{tag.name}」已合并" + (f"，请改用 {heir.key}" if heir else "，不能再打"))
    if change.add and not tag.live and (tag.gone or not is_observed):
        raise InvalidInput(f"标签「{tag.name}」已停用，不能再打")
    if change.add and not tag.assignable and not is_observed:
        instead = f"，请改用 {tag.replaced_by}" if tag.replaced_by else ""
        raise InvalidInput(f"标签「{tag.name}」是草稿或不再新打{instead}")
    if tag.scope == "relation" and change.relation_id == CUSTOMER_LEVEL:
        raise InvalidInput(f"标签「{tag.name}」按好友关系打，需要指明成员")


def _let_expire(units: Mapping[UnitKey, UnitRows], now: datetime) -> bool:
    """Drop holdings and claims that have run out, before any wish is heard; return whether there were any."""
    found = False
    for unit in units.values():
        unit.state = replace(unit.state, claims=tuple(claim for claim in unit.state.claims if not claim.is_over(now)))
        held = unit.state.held
        if held is not None and held.is_over(now):
            wish = Wish(held.tag_id, add=False, source=held.source, evidence=held.evidence)
            unit.take(decide(unit.state, wish), wish)
        found = found or unit.is_touched
    return found


def _decide_all(
    changes: Sequence[Request], facts: TagFacts, units: dict[UnitKey, UnitRows], now: datetime
) -> list[Skipped]:
    skipped = []
    for change in changes:
        if isinstance(change, Restoration):
            skipped += _restore(change, facts, units, now)
            continue
        if isinstance(change, Move):
            unit_moves.move(change, facts, units)
            continue
        if isinstance(change, Narrowing):
            unit_moves.narrow(change, facts, units)
            continue
        key = facts.unit_key(change.customer_id, change.tag_id, facts.level(change.tag_id, change.relation_id))
        unit = units.setdefault(key, UnitRows(key))
        wish = _with_life(change.wish(), facts, now)
        decision = decide(unit.state, wish)
        unit.take(decision, wish)
        if not decision.changed:
            skipped.append(Skipped(change.customer_id, change.tag_id, decision.refused or "present"))
    return skipped


def _with_life(wish: Wish, facts: TagFacts, now: datetime) -> Wish:
    """Give a wish that names no end the default life of its tag."""
    days = facts.tags[wish.tag_id].ttl_days
    if not wish.add or wish.expires_at is not None or days is None:
        return wish
    return replace(wish, expires_at=now + timedelta(days=days))


def _restore(change: Restoration, facts: TagFacts, units: dict[UnitKey, UnitRows], now: datetime) -> list[Skipped]:
    """Put a unit back as it was before an act, unless something else has come of it since."""
    key = facts.unit_key(change.customer_id, change.tag_ids[0], change.relation_id)
    unit = units.setdefault(key, UnitRows(key))
    before, after = change.unit_before(), change.unit_after()
    reason = obstacle(change, unit, facts, now)
    if reason is not None:
        return [Skipped(change.customer_id, tag_id, reason) for tag_id in change.tag_ids]
    state = restore(unit.state, before, after, now)
    wish = Wish(change.tag_ids[0], False, change.by)
    unit.take(Decision(state, changed=True), wish)
    for tag_id, kept in change.before.items():
        stands = state.held is not None and state.held.tag_id == tag_id
        is_as_before = stands == (kept is not None and kept.wanted) and (not stands or state.held == before.held)
        if kept is not None and is_as_before:
            unit.restored[tag_id] = asdict(kept)
    return []


def obstacle(change: Restoration, unit: UnitRows, facts: TagFacts, now: datetime) -> str | None:
    """Return why the unit is not put back as it was, as `Skipped.reason`; None where it is."""
    rows = {tag_id: unit.before.get(tag_id) for tag_id in change.tag_ids}
    standing = {tag_id: history.keep(row) if row else None for tag_id, row in rows.items()}
    before, after = change.unit_before().held, change.unit_after().held
    if standing != dict(change.after) or _tag_of(unit.state.held) != _tag_of(after):
        return "changed"
    if before is None:
        return None
    if not facts.tags[before.tag_id].live:
        return "gone"
    return "expired" if before.is_over(now) else None


def _tag_of(holding: Holding | None) -> int | None:
    return None if holding is None else holding.tag_id


def _held(rows: Mapping[int, Kept | None]) -> Holding | None:
    wanted = ((tag_id, kept) for tag_id, kept in rows.items() if kept is not None and kept.wanted)
    return next((_holding(tag_id, kept) for tag_id, kept in wanted), None)


def _holding(tag_id: int, kept: Kept) -> Holding:
    source = Source(SourceKind(kept.source_kind), kept.source_ref or "", kept.actor)
    return Holding(tag_id, source, kept.evidence, kept.set_at, kept.expires_at)
