"""What the two sides disagreed on: `sync_conflict` rows in the words of the API, and a person's word on them.

About marks here, about the library by `definition_conflicts`. Called by the API, the console and the command `sync`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import Row, Select, func, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.errors import NotFound
from wecom_app.models import Customer, Relation, Staff, SyncConflict, Tag, TagGroup
from wecom_app.services import conflict_undo, customers, definition_conflicts, tagging
from wecom_app.services.history import Act
from wecom_app.services.ports import JobQueue
from wecom_app.services.tagging import TagChange

STATES = ("open", "settled")
LEFT_WORDS: Mapping[str, str] = {
    "missing": "没有这条不一致",
    "settled": "已经处理过了",
    "gone": "标签已停用或已在企业微信中删除，不能再采纳；可以保留系统里的值",
    "taken": "这个名称已被另一个标签或标签组使用：请先改掉那一个，再处理",
}
Reason = str
"""A key of LEFT_WORDS."""
_Row = Row[SyncConflict, str, str, str, str, str, str]


@dataclass(frozen=True)
class ConflictView:
    """A disagreement.

    `subject` is what it is about. mark: a tag on a customer, where `ours` are the tags that we wanted and `theirs`
    those that WeCom showed, by key. tag or group: the library, where `ours` and `theirs` are the names, of an order
    those of all tags in it; after a deletion at WeCom `theirs` is empty and `uses` says what here relies on it.
    """

    id: int
    kind: str
    state: str
    subject: str
    external_userid: str | None
    userid: str | None
    key: str
    """Of the tag or the group."""
    name: str
    group: str
    """Name of the group that it is in, or is."""
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    uses: tuple[str, ...]
    resolution: str | None
    settled_by: str | None
    created_at: datetime
    settled_at: datetime | None
    undo_reason: str | None
    """Why the word that settled it cannot be taken back, a key of `conflict_undo.KEPT_WORDS`; None where it can."""

    @property
    def can_undo(self) -> bool:
        return self.undo_reason is None

    @property
    def undo_words(self) -> str | None:
        return None if self.undo_reason is None else conflict_undo.KEPT_WORDS[self.undo_reason]


def list_conflicts(
    session: Session,
    now: datetime,
    *,
    state: str | None = None,
    external_userid: str | None = None,
    subject: str | None = None,
    kind: str | None = None,
    q: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[ConflictView]:
    """Return conflicts, newest first, of one customer if he is named; raise NotFound for one we do not know.

    `subject`: mark, or library for what is about groups and tags themselves. `q` is part of the
    name of a customer, tag or group, or an external_userid.
    """
    query = _whole().order_by(SyncConflict.id.desc()).limit(limit)
    if state is not None:
        query = query.where(SyncConflict.state == state)
    if external_userid is not None:
        query = query.where(SyncConflict.customer_id == customers.find(session, external_userid).id)
    if subject is not None:
        query = query.where(SyncConflict.customer_id.is_(None) == (subject == "library"))
    if kind is not None:
        query = query.where(SyncConflict.kind == kind)
    if q:
        named = (column.icontains(q, autoescape=True) for column in (Customer.name, Tag.name, TagGroup.name))
        query = query.where(or_(*named, Customer.external_userid == q))
    if before_id is not None:
        query = query.where(SyncConflict.id < before_id)
    rows = session.execute(query).all()
    return _views(session, rows, now)


def get(session: Session, conflict_id: int, now: datetime) -> ConflictView:
    """Return one; raise NotFound."""
    rows = session.execute(_whole().where(SyncConflict.id == conflict_id)).all()
    if not rows:
        raise NotFound(LEFT_WORDS["missing"])
    return _views(session, rows, now)[0]


def _views(session: Session, rows: Sequence[_Row], now: datetime) -> list[ConflictView]:
    found = [row.SyncConflict for row in rows]
    keys, obstacles = _keys(session, found), conflict_undo.obstacles(session, found, now)
    return [_view(row, keys, obstacles.get(row.SyncConflict.id)) for row in rows]


def _whole() -> Select[SyncConflict, str, str, str, str, str, str]:
    return (
        select(
            SyncConflict,
            Customer.external_userid,
            Staff.userid,
            Tag.key.label("tag_key"),
            Tag.name.label("tag_name"),
            TagGroup.key.label("group_key"),
            TagGroup.name.label("group_name"),
        )
        .outerjoin(Customer, Customer.id == SyncConflict.customer_id)
        .outerjoin(Relation, Relation.id == SyncConflict.relation_id)
        .outerjoin(Staff, Staff.id == Relation.staff_id)
        .outerjoin(Tag, Tag.id == SyncConflict.tag_id)
        .join(TagGroup, TagGroup.id == func.coalesce(SyncConflict.group_id, Tag.group_id))
    )


@dataclass(frozen=True)
class Left:
    """A disagreement that was not settled, and why; `reason` is a key of LEFT_WORDS."""

    id: int
    reason: str

    @property
    def words(self) -> str:
        return LEFT_WORDS[self.reason]


@dataclass(frozen=True)
class Settled:
    """How many were settled; `change_set_id` is None where no tag changed."""

    settled: int
    change_set_id: int | None
    left: tuple[Left, ...]


def settle(
    session: Session, queue: JobQueue, conflict_ids: Sequence[int], *, take_theirs: bool, by: str, now: datetime
) -> Settled:
    """Settle disagreements by a person's word: what stands here stays, or what WeCom had shown is taken over.

    Taking over is an act of `by`, in one change set; it goes to the customer's other members as any edit does.
    """
    ids = sorted(set(conflict_ids))
    query = select(SyncConflict).where(SyncConflict.id.in_(ids)).with_for_update()
    found = {conflict.id: conflict for conflict in session.scalars(query)}
    left, settled, changes = list[Left](), list[SyncConflict](), list[TagChange]()
    for conflict_id in ids:
        conflict = found.get(conflict_id)
        reason: Reason | None = "missing" if conflict is None else None
        if conflict is not None:
            reason = _obstacle(session, conflict, take_theirs=take_theirs)
            if reason is None and conflict.customer_id is None:
                reason = definition_conflicts.settle(session, queue, conflict, take_theirs=take_theirs)
        if conflict is None or reason is not None:
            left.append(Left(conflict_id, reason or "missing"))
            continue
        settled.append(conflict)
        changes += [_their_wish(conflict, by)] if take_theirs and conflict.customer_id is not None else []
    act = Act("admin", actor_ref=by[:128], reason="处理不一致：采用企业微信的值")
    applied = tagging.apply(session, changes, act, queue=queue, now=now)
    for conflict in settled:
        conflict.state, conflict.settled_by, conflict.settled_at = "settled", by[:64], now
        conflict.resolution = "theirs" if take_theirs else "ours"
        if conflict.customer_id is not None:
            conflict.change = {"change_set_id": applied.change_set_id if take_theirs else None}
    return Settled(len(settled), applied.change_set_id, tuple(left))


def _obstacle(session: Session, conflict: SyncConflict, *, take_theirs: bool) -> Reason | None:
    if conflict.state != "open":
        return "settled"
    if conflict.customer_id is None or not take_theirs:
        return None
    tag = session.get_one(Tag, conflict.tag_id)
    return "gone" if tag.archived_at is not None or tag.gone_at is not None else None


def _their_wish(conflict: SyncConflict, by: str) -> TagChange:
    assert conflict.customer_id is not None
    assert conflict.tag_id is not None
    assert conflict.relation_id is not None
    source = Source(SourceKind.MANUAL, f"conflict:{conflict.id}", by[:64])
    add = conflict.tag_id in _observed(conflict)
    evidence = {"conflict_id": conflict.id, "kind": conflict.kind, "relation_id": conflict.relation_id}
    return TagChange(conflict.customer_id, conflict.tag_id, add, source, evidence, conflict.relation_id)


def _keys(session: Session, found: Iterable[SyncConflict]) -> Mapping[int, str]:
    ids = {tag_id for conflict in found for tag_id in (*_wanted(conflict), *_observed(conflict))}
    return {row.id: row.key for row in session.execute(select(Tag.id, Tag.key).where(Tag.id.in_(ids)))}


def _view(row: _Row, keys: Mapping[int, str], undo_reason: str | None) -> ConflictView:
    conflict = row.SyncConflict
    is_mark, is_group = conflict.customer_id is not None, conflict.group_id is not None
    ours, theirs = definition_conflicts.values_of(conflict)
    return ConflictView(
        id=conflict.id,
        kind=conflict.kind,
        state=conflict.state,
        subject="mark" if is_mark else "group" if is_group else "tag",
        external_userid=row.external_userid,
        userid=row.userid,
        key=row.group_key if is_group else row.tag_key,
        name=row.group_name if is_group else row.tag_name,
        group=row.group_name,
        ours=_named(_wanted(conflict), keys) if is_mark else ours,
        theirs=_named(_observed(conflict), keys) if is_mark else theirs,
        uses=definition_conflicts.uses_in(conflict),
        resolution=conflict.resolution,
        settled_by=conflict.settled_by,
        created_at=conflict.created_at,
        settled_at=conflict.settled_at,
        undo_reason=undo_reason,
    )


def _wanted(conflict: SyncConflict) -> Sequence[int]:
    return list(conflict.ours.get("wanted", ()))


def _observed(conflict: SyncConflict) -> Sequence[int]:
    return list(conflict.theirs.get("observed", ()))


def _named(tag_ids: Sequence[int], keys: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(keys[tag_id] for tag_id in tag_ids if tag_id in keys)
