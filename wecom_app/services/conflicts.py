"""What the two sides disagreed on: `sync_conflict` rows in the words of the API, and a person's word on them.

Called by the API and the command `sync`.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import Customer, Relation, Staff, SyncConflict, Tag
from wecom_app.services import customers, tagging
from wecom_app.services.history import Act
from wecom_app.services.ports import JobQueue
from wecom_app.services.tagging import TagChange

STATES = ("open", "settled")
LEFT_WORDS: Mapping[str, str] = {
    "missing": "没有这条不一致",
    "settled": "已经处理过了",
    "gone": "标签已停用或已在企业微信中删除，不能再采纳；可以保留系统里的值",
}


@dataclass(frozen=True)
class ConflictView:
    """A disagreement; `ours` are the tags that we wanted, `theirs` those that WeCom showed, by key."""

    id: int
    kind: str
    state: str
    external_userid: str
    userid: str
    key: str
    name: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    created_at: datetime


def list_conflicts(
    session: Session,
    *,
    state: str | None = None,
    external_userid: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[ConflictView]:
    """Return conflicts, newest first, of one customer if he is named; raise NotFound for one we do not know."""
    query = (
        select(SyncConflict, Customer.external_userid, Staff.userid, Tag.key, Tag.name)
        .join(Customer, Customer.id == SyncConflict.customer_id)
        .join(Relation, Relation.id == SyncConflict.relation_id)
        .join(Staff, Staff.id == Relation.staff_id)
        .join(Tag, Tag.id == SyncConflict.tag_id)
        .order_by(SyncConflict.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(SyncConflict.state == state)
    if external_userid is not None:
        query = query.where(SyncConflict.customer_id == customers.find(session, external_userid).id)
    if before_id is not None:
        query = query.where(SyncConflict.id < before_id)
    rows = session.execute(query).all()
    keys = _keys(session, [row.SyncConflict for row in rows])
    return [_view(*row, keys) for row in rows]


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
    query = select(SyncConflict, Tag).join(Tag, Tag.id == SyncConflict.tag_id).where(SyncConflict.id.in_(ids))
    found = {conflict.id: (conflict, tag) for conflict, tag in session.execute(query.with_for_update(of=SyncConflict))}
    left, settled, changes = list[Left](), list[SyncConflict](), list[TagChange]()
    for conflict_id in ids:
        reason = _obstacle(found.get(conflict_id), take_theirs=take_theirs)
        if reason is not None:
            left.append(Left(conflict_id, reason))
            continue
        conflict, _ = found[conflict_id]
        settled.append(conflict)
        changes += [_their_wish(conflict, by)] if take_theirs else []
    act = Act("admin", actor_ref=by[:128], reason="处理不一致：采用企业微信的值")
    applied = tagging.apply(session, changes, act, queue=queue, now=now)
    for conflict in settled:
        conflict.state = "settled"
    return Settled(len(settled), applied.change_set_id, tuple(left))


def _obstacle(found: tuple[SyncConflict, Tag] | None, *, take_theirs: bool) -> str | None:
    if found is None:
        return "missing"
    conflict, tag = found
    if conflict.state != "open":
        return "settled"
    is_gone = tag.archived_at is not None or tag.gone_at is not None
    return "gone" if take_theirs and is_gone else None


def _their_wish(conflict: SyncConflict, by: str) -> TagChange:
    source = Source(SourceKind.MANUAL, f"conflict:{conflict.id}", by[:64])
    add = conflict.tag_id in _observed(conflict)
    evidence = {"conflict_id": conflict.id, "kind": conflict.kind, "relation_id": conflict.relation_id}
    return TagChange(conflict.customer_id, conflict.tag_id, add, source, evidence, conflict.relation_id)


def _keys(session: Session, found: Iterable[SyncConflict]) -> Mapping[int, str]:
    ids = {tag_id for conflict in found for tag_id in (*_wanted(conflict), *_observed(conflict))}
    return {row.id: row.key for row in session.execute(select(Tag.id, Tag.key).where(Tag.id.in_(ids)))}


def _view(
    conflict: SyncConflict, external_userid: str, userid: str, key: str, name: str, keys: Mapping[int, str]
) -> ConflictView:
    return ConflictView(
        id=conflict.id,
        kind=conflict.kind,
        state=conflict.state,
        external_userid=external_userid,
        userid=userid,
        key=key,
        name=name,
        ours=_named(_wanted(conflict), keys),
        theirs=_named(_observed(conflict), keys),
        created_at=conflict.created_at,
    )


def _wanted(conflict: SyncConflict) -> Sequence[int]:
    return list(conflict.ours.get("wanted", ()))


def _observed(conflict: SyncConflict) -> Sequence[int]:
    return list(conflict.theirs.get("observed", ()))


def _named(tag_ids: Sequence[int], keys: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(keys[tag_id] for tag_id in tag_ids if tag_id in keys)
