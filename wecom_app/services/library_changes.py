"""Changes of the library that reach every customer with a tag: begun, carried out a page a job, undone likewise.

What a kind of change does stands in `tag_merges`, `selection_changes` and `mirror_costs`; `library_change_jobs`
has the table of kinds and the job. A page is one transaction: stopped anywhere, it goes on where it was.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.errors import Conflict, NotFound
from wecom_app.models import ChangeSet, Customer, LibraryChange, LibraryChangeItem, Relation
from wecom_app.services import customers, history, tag_units, tagging
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.ports import JobQueue
from wecom_app.services.tag_units import TagFacts, UnitRows
from wecom_app.services.tagging import Request, Restoration

KIND = "library.change"
UNDO_FOR = timedelta(days=7)
AT_WORK = ("running", "undoing")
MOST_ROWS = 450
"""What the transaction of a page may write, bookkeeping left aside: others wait for the writer meanwhile."""
ROWS_PER_CUSTOMER, ROWS_PER_RELATION = 10, 6
"""Two truths, their history and records; two cells and their operations, old and new."""
MOST_CUSTOMERS = MOST_ROWS // ROWS_PER_CUSTOMER


@dataclass(frozen=True)
class Actor:
    """Who decided it: `kind` as in change sets."""

    kind: str
    name: str

    @property
    def source(self) -> Source:
        """Return who takes tags off by it: a person decided it, except where a program did."""
        return Source(SourceKind.API if self.kind == "api" else SourceKind.MANUAL, "", self.name)


@dataclass(frozen=True)
class Place:
    """A customer, or one of his relations, that a change concerns."""

    customer_id: int
    relation_id: int


def begin(
    session: Session, context: Context, change: LibraryChange, actor: Actor, reason: str, tag_ids: Sequence[int]
) -> LibraryChange:
    """Write down what was decided and have it carried out; raise Conflict while another change is at the same tags."""
    _refuse_while_at_work(session, change, tag_ids)
    change_set = ChangeSet(at=context.now, actor_kind=actor.kind, actor_ref=actor.name, reason=reason[:300])
    session.add(change_set)
    session.flush()
    change.actor_kind, change.asked_by, change.created_at = actor.kind, actor.name, context.now
    change.state, change.change_set_id = "running", change_set.id
    session.add(change)
    session.flush()
    request(session, context.queue, change.id)
    return change


def request(session: Session, queue: JobQueue, change_id: int, *, run_at: datetime | None = None) -> None:
    """Have the next page done."""
    queue.enqueue(session, KIND, {"change_id": change_id}, lane="bulk", unique=str(change_id), run_at=run_at)


def find(session: Session, change_id: int, *, lock: bool = False) -> LibraryChange:
    """Return a change; raise NotFound."""
    query = select(LibraryChange).where(LibraryChange.id == change_id)
    found = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if found is None:
        raise NotFound("没有这次改动")
    return found


def list_changes(session: Session, *, before_id: int | None = None, limit: int = 50) -> list[LibraryChange]:
    """Return the changes, newest first."""
    query = select(LibraryChange).order_by(LibraryChange.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(LibraryChange.id < before_id)
    return list(session.scalars(query))


def last_of_group(session: Session, group_id: int, kind: str) -> LibraryChange | None:
    """Return the last change of a kind that a group went through."""
    query = select(LibraryChange).where(LibraryChange.group_id == group_id, LibraryChange.kind == kind)
    return session.scalars(query.order_by(LibraryChange.id.desc()).limit(1)).first()


def kept_items(
    session: Session, change_id: int, *, after_id: int | None = None, limit: int = 50
) -> list[tuple[LibraryChangeItem, str]]:
    """Return what an undo left as it stands, with the customer's external_userid."""
    query = (
        select(LibraryChangeItem, Customer.external_userid)
        .join(Customer, Customer.id == LibraryChangeItem.customer_id)
        .where(LibraryChangeItem.change_id == change_id, LibraryChangeItem.state == "kept")
        .order_by(LibraryChangeItem.id)
        .limit(limit)
    )
    if after_id is not None:
        query = query.where(LibraryChangeItem.id > after_id)
    return [(row[0], row[1]) for row in session.execute(query)]


def undo_until(change: LibraryChange) -> datetime | None:
    """Return until when a change can be undone; None where it cannot be at all, or was."""
    if change.state not in ("running", "done") or change.kind == "mirror":
        return None
    return change.created_at + UNDO_FOR


def purge(session: Session, now: datetime, limit: int) -> int:
    """Delete up to `limit` records of changes that can no longer be undone; return how many."""
    over = select(LibraryChange.id).where(
        LibraryChange.created_at < now - UNDO_FOR - timedelta(days=1), LibraryChange.state.not_in(AT_WORK)
    )
    items = select(LibraryChangeItem.id).where(LibraryChangeItem.change_id.in_(over)).limit(limit)
    old = session.scalars(items).all()
    session.execute(delete(LibraryChangeItem).where(LibraryChangeItem.id.in_(old)))
    return len(old)


def fitting(session: Session, places: Sequence[Place]) -> list[Place]:
    """Return the first places whose rows fit into one transaction, at least those of one customer."""
    ids = sorted({place.customer_id for place in places})
    live = (
        select(Relation.customer_id, func.count())
        .where(Relation.customer_id.in_(ids), Relation.lost_at.is_(None), Relation.half.is_(False))
        .group_by(Relation.customer_id)
    )
    relations = {row[0]: row[1] for row in session.execute(live)}
    rows, chosen = 0, set[int]()
    for customer_id in ids:
        rows += ROWS_PER_CUSTOMER + ROWS_PER_RELATION * relations.get(customer_id, 0)
        if chosen and rows > MOST_ROWS:
            break
        chosen.add(customer_id)
    return [place for place in places if place.customer_id in chosen]


def carry_out(
    session: Session,
    context: Context,
    change: LibraryChange,
    wishes: Sequence[Request],
    tag_ids: Iterable[int],
    *,
    together: bool = False,
) -> None:
    """Have `tagging` carry out a page of wishes, and record what it did to each unit.

    With `together` the units of a place are recorded all or none, changed or not: who edits one of them later has had
    his say on all.
    """
    ids = sorted({wish.customer_id for wish in wishes})
    facts = prepared(session, context, ids, tag_ids)
    before = tag_units.load(session, ids, facts)
    tagging.apply(session, wishes, _act(change), queue=context.queue, now=context.now)
    after = tag_units.load(session, ids, facts)
    keys = sorted({*before, *after}, key=lambda key: (key.customer_id, key.relation_id, key.tag_id or 0))
    changed = [key for key in keys if _is_changed(before.get(key), after.get(key))]
    places = {(key.customer_id, key.relation_id) for key in changed}
    recorded = [key for key in keys if (key.customer_id, key.relation_id) in places] if together else changed
    session.add_all(
        LibraryChangeItem(
            change_id=change.id,
            customer_id=key.customer_id,
            relation_id=key.relation_id,
            detail=_states(before.get(key), after.get(key)),
            state="done",
        )
        for key in recorded
    )
    change.changed += len({key.customer_id for key in changed})
    session.flush()


def prepared(session: Session, context: Context, customer_ids: Sequence[int], tag_ids: Iterable[int]) -> TagFacts:
    """Lock customers and let expire what has run out, so that what is read next is what a page changes."""
    customers.lock(session, customer_ids)
    tagging.expire(session, customer_ids, queue=context.queue, now=context.now)
    return tag_units.load_facts(session, tag_ids)


def put_back(session: Session, context: Context, change: LibraryChange, _: Sequence[Place] = ()) -> bool:
    """Put a page of customers back as they were, wholly or not at all; return whether there were any."""
    query = (
        select(LibraryChangeItem)
        .where(LibraryChangeItem.change_id == change.id, LibraryChangeItem.state == "done")
        .order_by(LibraryChangeItem.customer_id, LibraryChangeItem.relation_id, LibraryChangeItem.id)
        .limit(4 * MOST_CUSTOMERS)
    )
    found = session.scalars(query).all()
    if not found:
        return False
    concerned = set(fitting(session, [Place(item.customer_id, item.relation_id) for item in found]))
    last = max(place.customer_id for place in concerned)
    whole = select(LibraryChangeItem).where(
        LibraryChangeItem.change_id == change.id,
        LibraryChangeItem.state == "done",
        LibraryChangeItem.customer_id <= last,
    )
    _restore(session, context, change, session.scalars(whole.order_by(LibraryChangeItem.id)).all())
    return True


def _restore(session: Session, context: Context, change: LibraryChange, items: Sequence[LibraryChangeItem]) -> None:
    by = Actor(change.actor_kind, change.undone_by or change.asked_by).source
    wishes = {item.id: _restoration(item, by) for item in items}
    ids = sorted({item.customer_id for item in items})
    facts = prepared(session, context, ids, {tag_id for wish in wishes.values() for tag_id in wish.tag_ids})
    reasons = _obstacles(session, context, ids, facts, items, wishes)
    going = [wishes[item.id] for item in items if Place(item.customer_id, item.relation_id) not in reasons]
    act = Act(change.actor_kind, change.undone_by, "撤销标签库改动", parent_id=change.undo_change_set_id)
    tagging.apply(session, going, act, queue=context.queue, now=context.now)
    for item in items:
        item.reason = reasons.get(Place(item.customer_id, item.relation_id))
        item.state = "restored" if item.reason is None else "kept"
    change.kept += len({place.customer_id for place in reasons})
    change.restored += len(set(ids) - {place.customer_id for place in reasons})
    session.flush()


def _obstacles(
    session: Session,
    context: Context,
    customer_ids: Sequence[int],
    facts: TagFacts,
    items: Sequence[LibraryChangeItem],
    wishes: Mapping[int, Restoration],
) -> dict[Place, str]:
    """Return the places where somebody has acted since on any of the units: none of them is touched there."""
    units = tag_units.load(session, customer_ids, facts)
    found = {}
    for item in items:
        wish = wishes[item.id]
        key = facts.unit_key(item.customer_id, wish.tag_ids[0], item.relation_id)
        reason = tagging.obstacle(wish, units.get(key, UnitRows(key)), facts, context.now)
        if reason is not None:
            found[Place(item.customer_id, item.relation_id)] = reason
    return found


def _restoration(item: LibraryChangeItem, by: Source) -> Restoration:
    rows = {
        when: {int(tag_id): None if row is None else history.read(row) for tag_id, row in item.detail[when].items()}
        for when in ("before", "after")
    }
    return Restoration(
        customer_id=item.customer_id,
        relation_id=item.relation_id,
        before=rows["before"],
        after=rows["after"],
        claims_before=history.read_claims(item.detail["claims"], "before"),
        claims_after=history.read_claims(item.detail["claims"], "after"),
        by=by,
    )


def _is_changed(before: UnitRows | None, after: UnitRows | None) -> bool:
    states = _states(before, after)
    return bool(states["before"] != states["after"] or states["claims"]["before"] != states["claims"]["after"])


def _states(before: UnitRows | None, after: UnitRows | None) -> dict[str, Any]:
    """Return what a unit was and is, as JSON."""
    old, new = (unit.before if unit is not None else {} for unit in (before, after))
    tag_ids = sorted({*old, *new})
    return {
        "before": {str(tag_id): history.plain_row(old.get(tag_id)) for tag_id in tag_ids},
        "after": {str(tag_id): history.plain_row(new.get(tag_id)) for tag_id in tag_ids},
        "claims": {when: _claims(unit) for when, unit in (("before", before), ("after", after))},
    }


def _claims(unit: UnitRows | None) -> list[dict[str, Any]]:
    claims = unit.state.claims if unit is not None else ()
    return sorted((history.plain_claim(claim) for claim in claims), key=str)


def nowhere(_session: Session, _change: LibraryChange) -> list[Place]:
    """Nothing has to be brought up to date before a change of this kind is undone."""
    return []


def nothing_more(_session: Session, _context: Context, _change: LibraryChange) -> None:
    """Nothing follows a change of this kind."""


def _act(change: LibraryChange) -> Act:
    reason = str(change.details.get("reason", ""))[:300] or None
    return Act(change.actor_kind, change.asked_by, reason, parent_id=change.change_set_id)


def _refuse_while_at_work(session: Session, change: LibraryChange, tag_ids: Sequence[int]) -> None:
    query = select(LibraryChange.id).where(
        LibraryChange.state.in_(AT_WORK),
        (LibraryChange.group_id == change.group_id)
        | LibraryChange.source_tag_id.in_(tag_ids)
        | LibraryChange.target_tag_id.in_(tag_ids),
    )
    standing = session.scalars(query).first()
    if standing is not None:
        raise Conflict(f"这组标签还有一次改动没做完（编号 {standing}），请等它结束", details={"change_id": standing})
