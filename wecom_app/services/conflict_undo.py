"""A person's word on a disagreement taken back: what it changed is put back where that still stands.

The question is open again then; what a rule settled has no word to take back. Called by the console and the API.
"""

from collections.abc import Iterable, Mapping, Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.errors import Conflict, NotFound
from wecom_app.models import SyncConflict, TagEvent
from wecom_app.services import customers, definition_undo, tag_units, tagging, undo
from wecom_app.services.history import Act
from wecom_app.services.ports import JobQueue
from wecom_app.services.tag_units import TagFacts
from wecom_app.services.undo import Change

KEPT_WORDS: Mapping[str, str] = {
    "open": "还没有处理",
    "rule": "系统自动处理的，没有可撤销的",
    "old": "升级之前处理的，没有记下当时的值",
    "newer": "之后有人重新定过",
    "changed": "之后又有改动",
    "gone": "标签已停用或已在企业微信中删除",
    "expired": "原来的标签已过有效期",
    "told": "已经写到企业微信，要改回请直接修改名称或顺序",
    "recreated": "已在企业微信重新创建，不想要时请从企业微信删除",
    "taken": "原来的名称已被另一个标签或标签组使用",
    "again": "同一处又有一条等您决定的",
}
MISSING = "没有这条不一致"


def obstacles(session: Session, found: Sequence[SyncConflict], now: datetime) -> dict[int, str]:
    """Return why words cannot be taken back, by the disagreement's id, as keys of KEPT_WORDS; the others can."""
    reasons = {conflict.id: reason for conflict in found if (reason := _at_first_sight(conflict)) is not None}
    left = [conflict for conflict in found if conflict.id not in reasons]
    again = _noted_again(session, left)
    marks = [conflict for conflict in left if conflict.customer_id is not None]
    reasons |= _of_marks(session, marks, now)
    for conflict in left:
        reason = None if conflict.customer_id is not None else definition_undo.obstacle(session, conflict)
        if conflict.id in again or reason is not None:
            reasons[conflict.id] = reason or "again"
    return reasons


def take_back(session: Session, queue: JobQueue, conflict_id: int, *, by: str, now: datetime) -> SyncConflict:
    """Undo what a person's word did, and leave the question to be answered anew; raise NotFound, or Conflict."""
    query = select(SyncConflict).where(SyncConflict.id == conflict_id).with_for_update()
    conflict = session.scalars(query).one_or_none()
    if conflict is None:
        raise NotFound(MISSING)
    if conflict.customer_id is not None:
        customers.lock(session, [conflict.customer_id])
    reason = obstacles(session, [conflict], now).get(conflict.id)
    if reason is not None:
        raise Conflict(f"不能撤销：{KEPT_WORDS[reason]}", details={"reason": reason})
    if conflict.customer_id is None:
        definition_undo.take_back(session, queue, conflict)
    else:
        _restore(session, queue, conflict, by, now)
    conflict.state, conflict.resolution, conflict.change = "open", None, None
    conflict.settled_by = conflict.settled_at = None
    # The next look gives it a number again: only a word that comes after it answers the question.
    conflict.seq = None
    session.flush()
    return conflict


def _at_first_sight(conflict: SyncConflict) -> str | None:
    if conflict.state != "settled":
        return "open"
    if conflict.resolution == "newer":
        return "newer"
    if conflict.settled_by is None:
        return "rule"
    return "old" if conflict.change is None else None


def _noted_again(session: Session, found: Iterable[SyncConflict]) -> set[int]:
    """Return those whose place has another disagreement that waits for a person."""
    places = {_place(conflict): conflict.id for conflict in found}
    tags = {conflict.tag_id for conflict in found} - {None}
    groups = {conflict.group_id for conflict in found} - {None}
    waiting = select(SyncConflict).where(
        SyncConflict.state == "open", SyncConflict.tag_id.in_(tags) | SyncConflict.group_id.in_(groups)
    )
    return {places[_place(one)] for one in session.scalars(waiting) if _place(one) in places}


def _place(conflict: SyncConflict) -> tuple[object, ...]:
    kind = conflict.kind if conflict.customer_id is None else None
    return conflict.customer_id, conflict.relation_id, conflict.tag_id, conflict.group_id, kind


def _of_marks(session: Session, found: Sequence[SyncConflict], now: datetime) -> dict[int, str]:
    changes = {conflict.id: change for conflict in found if (change := _change(conflict)) is not None}
    wishes = undo.restorations(session, changes.values(), _source(""))
    facts = tag_units.load_facts(session, {conflict.tag_id for conflict in found if conflict.tag_id is not None})
    people = sorted({conflict.customer_id for conflict in found if conflict.customer_id is not None})
    units = tag_units.load(session, people, facts)
    reasons: dict[int, str] = {}
    for conflict in found:
        change = changes.get(conflict.id)
        if change is None or change not in wishes:
            if _is_changed_since(session, conflict, facts):
                reasons[conflict.id] = "changed"
            continue
        wish = wishes[change]
        unit = units.get(facts.unit_key(wish.customer_id, wish.tag_ids[0], wish.relation_id))
        reason = "changed" if unit is None else tagging.obstacle(wish, unit, facts, now)
        if reason is not None:
            reasons[conflict.id] = reason
    return reasons


def _is_changed_since(session: Session, conflict: SyncConflict, facts: TagFacts) -> bool:
    """Return whether the tag, or one beside it in a single-choice group, has changed since a word that changed none."""
    assert conflict.tag_id is not None
    tag = facts.tags[conflict.tag_id]
    unit = [one.id for one in facts.tags.values() if one.group_id == tag.group_id] if tag.single else [tag.id]
    query = select(func.count()).where(
        TagEvent.customer_id == conflict.customer_id,
        TagEvent.tag_id.in_(unit),
        TagEvent.relation_id == facts.level(tag.id, conflict.relation_id or 0),
        TagEvent.at > conflict.settled_at,
    )
    return session.execute(query).scalar_one() > 0


def _change(conflict: SyncConflict) -> Change | None:
    """Return what a word on a mark changed, if anything."""
    change_set_id = (conflict.change or {}).get("change_set_id")
    if change_set_id is None or conflict.customer_id is None or conflict.tag_id is None:
        return None
    return Change(int(change_set_id), conflict.customer_id, conflict.tag_id, conflict.relation_id or 0)


def _source(by: str, conflict_id: int = 0) -> Source:
    return Source(SourceKind.MANUAL, f"conflict:{conflict_id}", by[:64])


def _restore(session: Session, queue: JobQueue, conflict: SyncConflict, by: str, now: datetime) -> None:
    change = _change(conflict)
    if change is None:
        return
    wishes = undo.restorations(session, [change], _source(by, conflict.id))
    act = Act("admin", actor_ref=by[:128], reason="撤销对不一致的处理", parent_id=change.change_set_id)
    tagging.apply(session, list(wishes.values()), act, queue=queue, now=now, priority=undo.PRIORITY)
