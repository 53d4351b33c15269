"""Undo by change set: what an act did to tags is taken back, with the provenance that stood before it.

Called by the sidebar (one's own acts), the console (any) and the API. An undo is a change set of its own, so that
it can be undone in turn.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain import editing
from wecom_app.domain.access import Purpose, Role
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.errors import NotFound, NotInSight
from wecom_app.models import ChangeSet, Customer, Tag, TagEvent, TagGroup
from wecom_app.services import history, tag_units, tagging
from wecom_app.services.access import Viewer, visible_customers
from wecom_app.services.history import Act
from wecom_app.services.runtime import Store
from wecom_app.services.tag_units import TagFacts, UnitKey
from wecom_app.services.tagging import Restoration

MOST_EVENTS = 200
"""Tag changes that are undone in one transaction."""
PRIORITY = 10
"""Of the pushing job: somebody waits for it."""
KEPT_WORDS: Mapping[str, str] = {
    "changed": "之后又有改动，保持现状",
    "gone": "原来的标签已停用或已在企业微信中删除，无法恢复",
    "expired": "原来的标签已过有效期，无法恢复",
    "not_yours": "已不是您的客户，保持现状",
    "not_editable": "这组标签现在不允许您修改，保持现状",
}
NO_CHANGE_SET = "没有这次修改，或它不是您做的"


@dataclass(frozen=True)
class Kept:
    """A tag that was left as it stands, and why; `reason` is a key of KEPT_WORDS."""

    external_userid: str
    key: str
    name: str
    reason: str

    @property
    def words(self) -> str:
        return KEPT_WORDS[self.reason]


@dataclass(frozen=True)
class Undone:
    """What an undo did: how many tag changes were taken back, and which stay; None where nothing was."""

    change_set_id: int | None
    restored: int
    kept: tuple[Kept, ...]


def by_viewer(store: Store, viewer: Viewer, change_set_id: int) -> Undone:
    """Undo an act of the viewer's own, or any as an administrator.

    Raises NotFound for an act that is not there or not his, NotInSight where he sees none of its customers any more.
    """
    actor = viewer.userid or viewer.name
    act = Act("staff" if viewer.userid else "admin", actor_ref=actor, reason="撤销", parent_id=change_set_id)
    return _undo(store, change_set_id, act, Source(SourceKind.MANUAL, "", actor), viewer)


def by_program(store: Store, name: str, ref: str, change_set_id: int, reason: str | None = None) -> Undone:
    """Undo any act as an API client; raise NotFound for one that is not there."""
    act = Act("api", actor_ref=name, reason=reason or "撤销", parent_id=change_set_id)
    return _undo(store, change_set_id, act, Source(SourceKind.API, ref), None)


@dataclass(frozen=True)
class Change:
    """What an act did to one tag of one customer, and to the values beside it in a single-choice group."""

    change_set_id: int
    customer_id: int
    tag_id: int
    relation_id: int
    """The tag's own level is found from it: a relation's id, also for a tag of the customer himself."""


def restorations(session: Session, changes: Iterable[Change], by: Source) -> dict[Change, Restoration]:
    """Return the wishes that would undo single changes; none for one that changed nothing."""
    asked = list(changes)
    facts = tag_units.load_facts(session, {change.tag_id for change in asked})
    found: dict[Change, Restoration] = {}
    for change_set_id in sorted({change.change_set_id for change in asked}):
        of_set = [change for change in asked if change.change_set_id == change_set_id]
        events = _events(session, change_set_id, [change.customer_id for change in of_set])
        wishes = _restorations([event for event in events if event.tag_id in facts.tags], facts, by)
        by_unit = {facts.unit_key(wish.customer_id, wish.tag_ids[0], wish.relation_id): wish for wish in wishes}
        for change in of_set:
            level = facts.level(change.tag_id, change.relation_id)
            wish = by_unit.get(facts.unit_key(change.customer_id, change.tag_id, level))
            if wish is not None:
                found[change] = wish
    return found


def _undo(store: Store, change_set_id: int, act: Act, by: Source, viewer: Viewer | None) -> Undone:
    with store.read() as session:
        _find(session, change_set_id, viewer)
        customers = _customers(session, change_set_id, viewer)
    if viewer is not None and customers and not any(customer.is_visible for customer in customers):
        raise NotInSight
    total = Undone(None, 0, ())
    for chunk in _chunks(customers):
        part = _undo_some(store, change_set_id, chunk, act, by, viewer)
        act = Act(**{**vars(act), "change_set_id": part.change_set_id or act.change_set_id})
        total = Undone(act.change_set_id, total.restored + part.restored, (*total.kept, *part.kept))
    return total


@dataclass(frozen=True)
class _Customer:
    id: int
    external_userid: str
    events: int
    is_visible: bool


def _find(session: Session, change_set_id: int, viewer: Viewer | None) -> None:
    found = session.get(ChangeSet, change_set_id)
    if found is None or not (viewer is None or viewer.may(Role.ADMIN) or _is_his(found, viewer)):
        raise NotFound(NO_CHANGE_SET)


def _is_his(change_set: ChangeSet, viewer: Viewer) -> bool:
    return change_set.actor_kind == "staff" and change_set.actor_ref == viewer.userid


def _customers(session: Session, change_set_id: int, viewer: Viewer | None) -> list[_Customer]:
    """Return the customers whom an act changed, in order of id, with whether the viewer may edit them."""
    query = (
        select(Customer.id, Customer.external_userid, func.count(TagEvent.id))
        .join(TagEvent, TagEvent.customer_id == Customer.id)
        .where(TagEvent.change_set_id == change_set_id)
        .group_by(Customer.id, Customer.external_userid)
        .order_by(Customer.id)
    )
    rows = session.execute(query).all()
    visible = {row[0] for row in rows}
    if viewer is not None:
        concerned = select(TagEvent.customer_id).where(TagEvent.change_set_id == change_set_id)
        seen = select(Customer.id).where(Customer.id.in_(concerned), visible_customers(session, viewer, Purpose.EDIT))
        visible = set(session.scalars(seen))
    return [_Customer(row[0], row[1], row[2], row[0] in visible) for row in rows]


def _chunks(customers: Iterable[_Customer]) -> Iterable[list[_Customer]]:
    chunk: list[_Customer] = []
    for customer in customers:
        if chunk and sum(each.events for each in chunk) + customer.events > MOST_EVENTS:
            yield chunk
            chunk = []
        chunk.append(customer)
    if chunk:
        yield chunk


def _undo_some(
    store: Store, change_set_id: int, chunk: Sequence[_Customer], act: Act, by: Source, viewer: Viewer | None
) -> Undone:
    with store.write() as session:
        events = _events(session, change_set_id, [customer.id for customer in chunk])
        visible = {customer.id for customer in chunk if customer.is_visible}
        left = {event.id: reason for event in events if (reason := _refusal(event, visible, viewer)) is not None}
        facts = tag_units.load_facts(session, {event.tag_id for event in events})
        wishes = _restorations([event for event in events if event.id not in left], facts, by)
        applied = tagging.apply(session, wishes, act, queue=store.queue, now=store.clock.now(), priority=PRIORITY)
    names = {customer.id: customer.external_userid for customer in chunk}
    skipped = {(skip.customer_id, skip.tag_id): skip.reason for skip in applied.skipped}
    reasons = [(event, left.get(event.id) or skipped.get((event.customer_id, event.tag_id))) for event in events]
    kept = tuple(
        Kept(names[event.customer_id], event.key, event.name, reason) for event, reason in reasons if reason is not None
    )
    return Undone(applied.change_set_id, len(events) - len(kept), kept)


def _events(session: Session, change_set_id: int, customer_ids: Sequence[int]) -> Sequence[Any]:
    query = (
        select(
            TagEvent.id,
            TagEvent.customer_id,
            TagEvent.tag_id,
            TagEvent.relation_id,
            TagEvent.before,
            TagEvent.after,
            TagEvent.claims,
            Tag.key,
            Tag.name,
            TagGroup.editable_by,
            TagGroup.mirror,
        )
        .join(Tag, Tag.id == TagEvent.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(TagEvent.change_set_id == change_set_id, TagEvent.customer_id.in_(customer_ids))
        .order_by(TagEvent.id)
    )
    return session.connection().execute(query).all()


def _refusal(event: Any, visible: set[int], viewer: Viewer | None) -> str | None:
    if event.customer_id not in visible:
        return "not_yours"
    if viewer is None or viewer.may(Role.ADMIN):
        return None
    is_leader = viewer.may(Role.LEADER)
    return "not_editable" if editing.refusal(event.editable_by, event.mirror, is_leader=is_leader) else None


def _restorations(events: Iterable[Any], facts: TagFacts, by: Source) -> list[Restoration]:
    """Return one wish per unit that the act changed."""
    units: dict[UnitKey, list[Any]] = {}
    for event in events:
        units.setdefault(facts.unit_key(event.customer_id, event.tag_id, event.relation_id), []).append(event)
    return [
        Restoration(
            customer_id=key.customer_id,
            relation_id=key.relation_id,
            before={row.tag_id: _kept(row.before) for row in rows},
            after={row.tag_id: _kept(row.after) for row in rows},
            claims_before=history.read_claims(rows[0].claims, "before"),
            claims_after=history.read_claims(rows[0].claims, "after"),
            by=by,
        )
        for key, rows in units.items()
    ]


def _kept(row: Mapping[str, Any] | None) -> history.Kept | None:
    return None if row is None else history.read(row)
