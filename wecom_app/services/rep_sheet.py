"""What the edit sheet offers a rep: his last tags, tags that colleagues gave to customers alike, and the library.

Called by the sidebar's routes when a rep begins to edit.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain import editing
from wecom_app.domain.access import Purpose, Role
from wecom_app.domain.keys import Slugify
from wecom_app.domain.spelling import spell
from wecom_app.domain.vocabulary import SOURCE_GROUP_KEY, Lifecycle, Scope, Selection
from wecom_app.models import ChangeSet, CustomerTag, Tag, TagEvent, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import rep_rows
from wecom_app.services.access import Seen, Viewer, find_customer
from wecom_app.services.rep_rows import run
from wecom_app.services.rep_views import Sheet, SheetDimension, SheetGroup, SheetTag, Suggestion

MOST_RECENT = 8
LOOKED_BACK = 100
"""One's own tag changes that are looked through for the last tags."""
MOST_SUGGESTED = 6
COLLEAGUES_ACTS = 1000
"""Colleagues' last edits that suggestions are drawn from."""
ACTS_LOOKED_THROUGH = 50_000
"""Change sets of any kind among which those edits are sought: rules and imports make most of them."""
LEAST_CUSTOMERS = 2
"""A single customer makes no habit."""

LIBRARY = (
    select(
        Tag.id,
        Tag.key,
        Tag.name,
        TagGroup.id.label("group_id"),
        TagGroup.key.label("group_key"),
        TagGroup.name.label("group_name"),
        TagGroup.dimension,
        TagGroup.tone,
        TagGroup.selection,
        TagGroup.scope,
        TagGroup.mirror,
        TagGroup.sensitive,
        TagGroup.editable_by,
    )
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(Tag.archived_at.is_(None), Tag.gone_at.is_(None), TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
    .where(Tag.lifecycle == Lifecycle.ACTIVE, TagGroup.lifecycle == Lifecycle.ACTIVE)
    .order_by(TagGroup.position.desc(), TagGroup.id, Tag.position.desc(), Tag.id)
)


def load(session: Session, viewer: Viewer, external_userid: str, now: datetime, *, slugify: Slugify) -> Sheet:
    """Return what the viewer may put on the customer or take off; raise NotInSight where he may not edit him."""
    seen = find_customer(session, viewer, external_userid, Purpose.EDIT)
    held = _held(session, seen, now)
    rows = _editable(run(session, LIBRARY), viewer, has_relation=seen.relation is not None)
    offer = _Offer(rows, held, slugify)
    return Sheet(
        version=seen.customer.version,
        recent=offer.tags(_recent(session, viewer))[:MOST_RECENT],
        suggested=_suggested(session, seen, held, offer),
        dimensions=offer.dimensions(run(session, rep_rows.DIMENSIONS)),
    )


def for_selection(session: Session, viewer: Viewer, *, slugify: Slugify) -> Sheet:
    """Return what the viewer may put on several of his customers at once, or take off."""
    offer = _Offer(_editable(run(session, LIBRARY), viewer, has_relation=True), frozenset(), slugify)
    return Sheet(
        version=0,
        recent=offer.tags(_recent(session, viewer))[:MOST_RECENT],
        suggested=(),
        dimensions=offer.dimensions(run(session, rep_rows.DIMENSIONS)),
    )


def whole_library(session: Session, *, slugify: Slugify) -> tuple[SheetDimension, ...]:
    """Return all tags in use, whoever may edit them; for filters."""
    return _Offer(run(session, LIBRARY), frozenset(), slugify).dimensions(run(session, rep_rows.DIMENSIONS))


def _editable(rows: Iterable[Any], viewer: Viewer, *, has_relation: bool) -> Iterable[Any]:
    is_leader = viewer.may(Role.LEADER, Role.ADMIN)
    return (
        row
        for row in rows
        if editing.refusal(row.editable_by, row.mirror, is_leader=is_leader) is None
        and (row.scope != Scope.RELATION or has_relation)
    )


class _Offer:
    """The part of the library that is offered."""

    def __init__(self, rows: Iterable[Any], held: frozenset[int], slugify: Slugify) -> None:
        self._held, self._slugify = held, slugify
        self._rows = {row.id: row for row in rows}

    def tags(self, tag_ids: Iterable[int]) -> tuple[SheetTag, ...]:
        return tuple(self.tag(tag_id) for tag_id in tag_ids if tag_id in self._rows)

    def tag(self, tag_id: int) -> SheetTag:
        row = self._rows[tag_id]
        spelling = spell(row.name, self._slugify)
        return SheetTag(row.key, row.name, row.id in self._held, spelling.pinyin, spelling.initials)

    def has(self, tag_id: int) -> bool:
        return tag_id in self._rows

    def suggestion(self, tag_id: int, reason: str) -> Suggestion:
        return Suggestion(self.tag(tag_id), reason)

    def dimensions(self, rows: Sequence[Any]) -> tuple[SheetDimension, ...]:
        groups: dict[str, dict[int, list[Any]]] = {}
        for row in self._rows.values():
            groups.setdefault(row.dimension, {}).setdefault(row.group_id, []).append(row)
        return tuple(
            SheetDimension(row.key, row.name, tuple(self._group(tags) for tags in groups[row.key].values()))
            for row in rows
            if row.key in groups
        )

    def _group(self, rows: Sequence[Any]) -> SheetGroup:
        first = rows[0]
        return SheetGroup(
            key=first.group_key,
            name=first.group_name,
            tone=first.tone,
            is_single=first.selection == Selection.SINGLE,
            is_sensitive=first.sensitive,
            scope=first.scope,
            tags=self.tags(row.id for row in rows),
        )


def _held(session: Session, seen: Seen, now: datetime) -> frozenset[int]:
    own_id = seen.relation.id if seen.relation is not None else CUSTOMER_LEVEL
    query = (
        select(CustomerTag.tag_id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            CustomerTag.customer_id == seen.customer.id,
            CustomerTag.wanted,
            or_(
                CustomerTag.relation_id == CUSTOMER_LEVEL,
                (CustomerTag.relation_id == own_id) & (TagGroup.scope == Scope.RELATION),
            ),
            or_(CustomerTag.expires_at.is_(None), CustomerTag.expires_at > now),
        )
    )
    return frozenset(session.scalars(query))


def _recent(session: Session, viewer: Viewer) -> list[int]:
    """Return the tags that the viewer put on last, each once, the newest first."""
    if viewer.userid is None:
        return []
    acts = (
        select(ChangeSet.id)
        .where(ChangeSet.actor_kind == "staff", ChangeSet.actor_ref == viewer.userid)
        .order_by(ChangeSet.id.desc())
        .limit(LOOKED_BACK)
    )
    query = (
        select(TagEvent.tag_id)
        .where(TagEvent.change_set_id.in_(acts), TagEvent.op == "add")
        .order_by(TagEvent.id.desc())
        .limit(LOOKED_BACK)
    )
    return list(dict.fromkeys(session.scalars(query)))


@dataclass(frozen=True)
class _Habit:
    """So many customers who have the one tag were given the other by hand."""

    tag_id: int
    with_tag_id: int
    customers: int


def _suggested(session: Session, seen: Seen, held: frozenset[int], offer: _Offer) -> tuple[Suggestion, ...]:
    best: dict[int, _Habit] = {}
    for habit in _habits(session, seen, held):
        best.setdefault(habit.tag_id, habit)
    habits = [habit for habit in best.values() if offer.has(habit.tag_id)][:MOST_SUGGESTED]
    causes = _names(session, {habit.with_tag_id for habit in habits})
    return tuple(offer.suggestion(habit.tag_id, _reason(habit, causes)) for habit in habits)


def _habits(session: Session, seen: Seen, held: frozenset[int]) -> list[_Habit]:
    """Return what colleagues did lately with customers who share a tag with this one, the most frequent first."""
    if not held:
        return []
    newest = select(func.max(ChangeSet.id)).scalar_subquery()
    acts = (
        select(ChangeSet.id)
        .where(ChangeSet.actor_kind == "staff", ChangeSet.id > newest - ACTS_LOOKED_THROUGH)
        .order_by(ChangeSet.id.desc())
        .limit(COLLEAGUES_ACTS)
    )
    customers = func.count(TagEvent.customer_id.distinct())
    query = (
        select(TagEvent.tag_id, CustomerTag.tag_id, customers)
        .join(CustomerTag, CustomerTag.customer_id == TagEvent.customer_id)
        .where(
            TagEvent.change_set_id.in_(acts),
            TagEvent.op == "add",
            TagEvent.tag_id.not_in(held),
            TagEvent.customer_id != seen.customer.id,
            CustomerTag.tag_id.in_(held),
            CustomerTag.relation_id == CUSTOMER_LEVEL,
            CustomerTag.wanted,
        )
        .group_by(TagEvent.tag_id, CustomerTag.tag_id)
        .having(customers >= LEAST_CUSTOMERS)
        .order_by(customers.desc(), TagEvent.tag_id, CustomerTag.tag_id)
        .limit(MOST_SUGGESTED * 10)
    )
    return [_Habit(*row) for row in session.connection().execute(query)]


def _names(session: Session, tag_ids: Iterable[int]) -> Mapping[int, tuple[str, bool]]:
    """Return each tag's name, and whether it tells where the customer came from."""
    query = (
        select(Tag.id, Tag.name, TagGroup.key)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.id.in_(list(tag_ids)))
    )
    return {row.id: (row.name, row.key == SOURCE_GROUP_KEY) for row in session.connection().execute(query)}


def _reason(habit: _Habit, causes: Mapping[int, tuple[str, bool]]) -> str:
    name, is_source = causes[habit.with_tag_id]
    alike = f"同样来自「{name}」的客户" if is_source else f"同样有「{name}」的客户"
    return f"{alike}里，近来有 {habit.customers} 位被打了这个标签"
