"""A multi-choice group turned single-choice: who holds several keeps one, seen beforehand, done in pages, undone.

Called by the console, the API and the command `tags single`. The way back to multi-choice is an edit like any other.
"""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime
from itertools import groupby
from typing import Any

from sqlalchemy import func, select, tuple_
from sqlalchemy.orm import Session

from wecom_app.domain import tag_moves
from wecom_app.domain.tagging import Holding, Source
from wecom_app.domain.vocabulary import PUSHED, Selection, SourceKind
from wecom_app.errors import Conflict
from wecom_app.models import CustomerTag, LibraryChange, Relation, Tag, TagGroup
from wecom_app.services import library_changes, library_edits, selections
from wecom_app.services.context import Context
from wecom_app.services.library_changes import Actor, Place
from wecom_app.services.unit_moves import Narrowing

SINGLE = "single"


@dataclass(frozen=True)
class ValueCount:
    """Of the customers who hold several: how many keep this value, and how many lose it."""

    tag: Tag
    kept: int
    lost: int


@dataclass(frozen=True)
class SelectionPreview:
    """What turning a group single-choice would do, counted at `as_of`; `calls` are mark_tag calls, one a relation."""

    group: TagGroup
    customers: int
    several: int
    values: tuple[ValueCount, ...]
    calls: int
    as_of: datetime


def preview(session: Session, key: str, now: datetime) -> SelectionPreview:
    """Return what turning a group single-choice would do; raise NotFound, or Conflict where it cannot be done."""
    group = library_edits.find_group(session, key)
    _check(group)
    tags = {tag.id: tag for tag in session.scalars(select(Tag).where(Tag.group_id == group.id))}
    kept, lost = Counter[int](), Counter[int]()
    customers = set[int]()
    several = selections.holding_several(group).order_by(None).subquery()
    places = select(several.c.customer_id, several.c.relation_id)
    for place, held in _held(session, group, places):
        winner = tag_moves.strongest(held, _positions(tags))
        kept[winner] += 1
        lost.update(one.tag_id for one in held if one.tag_id != winner)
        customers.add(place.customer_id)
    everybody = select(func.count(CustomerTag.customer_id.distinct())).where(*selections.of_group(group))
    ordered = sorted(tags.values(), key=lambda tag: (-tag.position, tag.id))
    return SelectionPreview(
        group=group,
        customers=session.execute(everybody).scalar_one(),
        several=len(customers),
        values=tuple(ValueCount(tag, kept[tag.id], lost[tag.id]) for tag in ordered if kept[tag.id] or lost[tag.id]),
        calls=_count_calls(session, group),
        as_of=now,
    )


def count_expected(session: Session, key: str) -> int:
    """Return how many customers it will reach, counted before the write that begins it; raise as `preview`."""
    group = library_edits.find_group(session, key)
    _check(group)
    return selections.count_holding_several(session, group)


def start(session: Session, context: Context, key: str, actor: Actor, *, expected: int) -> LibraryChange:
    """Have a group turned single-choice once nobody holds several; raise NotFound, or Conflict where it cannot be.

    `expected` is of `count_expected`: progress is told by it.
    """
    group = library_edits.find_group(session, key, lock=True)
    _check(group)
    tag_ids = list(session.scalars(select(Tag.id).where(Tag.group_id == group.id)))
    reason = f"「{group.name}」改为单选"
    change = LibraryChange(
        kind=SINGLE,
        group_id=group.id,
        expected=expected,
        details={"reason": reason, "group": {"key": group.key, "name": group.name}},
    )
    return library_changes.begin(session, context, change, actor, reason, tag_ids)


def look(session: Session, change: LibraryChange) -> list[Place]:
    """Return some places where several tags are held."""
    group = session.get_one(TagGroup, change.group_id)
    found = session.execute(selections.holding_several(group).limit(library_changes.MOST_CUSTOMERS))
    return [Place(row.customer_id, row.relation_id) for row in found]


def advance(session: Session, context: Context, change: LibraryChange, places: Sequence[Place]) -> bool:
    """Leave these customers one value each, then turn the group; return whether there was anything to do.

    Whoever got a second value while the group was turned is found by one more look: the group waits for him.
    """
    group = library_edits.lock_group(session, change.group_id)
    if not places:
        if group.selection == Selection.SINGLE:
            return False
        _turn(session, group, Selection.SINGLE)
        return True
    if group.selection == Selection.SINGLE:
        _turn(session, group, Selection.MULTI)
    page = library_changes.fitting(session, places)
    tags = list(session.scalars(select(Tag).where(Tag.group_id == group.id)))
    library_changes.prepared(session, context, sorted({place.customer_id for place in page}), ())
    wishes = _narrowings(session, group, tags, page, Actor(change.actor_kind, change.asked_by).source)
    if wishes:
        library_changes.carry_out(session, context, change, wishes, [tag.id for tag in tags])
    return True


def begin_undo(session: Session, _context: Context, change: LibraryChange, _actor: str) -> None:
    """Let customers hold several again; what they held follows as a job."""
    _turn(session, library_edits.lock_group(session, change.group_id), Selection.MULTI)


def _check(group: TagGroup) -> None:
    selections.check_may_be_single(group)
    if group.selection == Selection.SINGLE:
        raise Conflict(f"「{group.name}」已经是单选")


def _turn(session: Session, group: TagGroup, selection: Selection) -> None:
    group.selection = selection.value
    group.version += 1
    session.flush()


def _narrowings(
    session: Session, group: TagGroup, tags: Sequence[Tag], places: Sequence[Place], by: Source
) -> list[Narrowing]:
    wanted = [(place.customer_id, place.relation_id) for place in places]
    positions = _positions({tag.id: tag for tag in tags})
    tag_ids = [tag.id for tag in tags]
    return [
        Narrowing(place.customer_id, place.relation_id, tag_moves.strongest(held, positions), tag_ids, by)
        for place, held in _held(session, group, wanted)
        if len(held) > 1
    ]


def _held(session: Session, group: TagGroup, places: Any) -> list[tuple[Place, list[Holding]]]:
    """Return what is held at some places, place by place."""
    row = CustomerTag
    query = (
        select(row.customer_id, row.relation_id, row.tag_id, row.source_kind, row.source_ref, row.actor, row.set_at)
        .where(*selections.of_group(group), tuple_(row.customer_id, row.relation_id).in_(places))
        .order_by(row.customer_id, row.relation_id, row.tag_id)
    )
    found = session.execute(query)
    return [
        (
            place,
            [
                Holding(
                    one.tag_id, Source(SourceKind(one.source_kind), one.source_ref or "", one.actor), {}, one.set_at
                )
                for one in rows
            ],
        )
        for place, rows in groupby(found, key=lambda one: Place(one.customer_id, one.relation_id))
    ]


def _source(row: Any) -> Source:
    return Source(SourceKind(row.source_kind), row.source_ref or "", row.actor)


def _positions(tags: dict[int, Tag]) -> dict[int, int]:
    return {tag_id: tag.position for tag_id, tag in tags.items()}


def _count_calls(session: Session, group: TagGroup) -> int:
    if group.mirror not in PUSHED:
        return 0
    several = selections.holding_several(group).order_by(None).subquery()
    same = several.c.customer_id == Relation.customer_id
    at_relation = (several.c.relation_id == 0) | (several.c.relation_id == Relation.id)
    query = select(func.count(Relation.id.distinct())).join(several, same & at_relation)
    return session.execute(query.where(Relation.lost_at.is_(None), Relation.half.is_(False))).scalar_one()
