"""Disagreements about the tag library itself: names, orders and deletions, noted and settled.

Noted by `library_merge` and `library_deletions`; a person's word on them comes through `conflicts.settle`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import Select, select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute
from wecom_app.models import SyncConflict, Tag, TagGroup
from wecom_app.services import library_recreation, sequence, tag_users, taxonomy
from wecom_app.services.ports import JobQueue

Definition = Tag | TagGroup
USE_WORDS = {"channel": "渠道活码", "content": "内容", "bot": "机器人"}
NUMBERS = "numbers"
"""Key in a row's `theirs`: where WeCom puts each tag of a group."""
COMING = "coming"
"""Key in a row's `ours`: tags of a deleted group that it tells of, and that are buried after it was written."""
SIDES = {
    Dispute.NAME: ("name", "base_name", "sent_name"),
    Dispute.ORDER: ("position", "base_order", "sent_order"),
}
"""The columns that hold ours, the last agreed value, and what WeCom is being told."""
MAX_ALIASES = 20
"""As many as `library_edits` lets people write; the oldest goes."""


def open_row(session: Session, one: Definition, kind: Dispute) -> SyncConflict | None:
    """Return the disagreement about this group or tag that waits for a person."""
    query = _rows_of(one).where(SyncConflict.kind == kind, SyncConflict.state == "open")
    return session.scalars(query.limit(1)).one_or_none()


def note(
    session: Session,
    one: Definition,
    kind: Dispute,
    *,
    ours: str | Sequence[str] | None,
    theirs: str | Sequence[str] | None,
    resolution: str | None,
    now: datetime,
    uses: Sequence[str] = (),
    numbers: Mapping[int, int] | None = None,
    coming: Sequence[int] = (),
) -> None:
    """Write a disagreement down; without `resolution` it waits for a person, once however often it is seen.

    Of an order it holds names, and the `numbers` that WeCom shows, by tag; of a group's deletion the tags `coming`.
    """
    row = open_row(session, one, kind)
    if row is None:
        row = SyncConflict(kind=kind.value, created_at=now)
        row.group_id, row.tag_id = (one.id, None) if isinstance(one, TagGroup) else (None, one.id)
        session.add(row)
    lists = {"uses": list(uses), COMING: list(coming)}
    row.ours = {"value": ours, **{name: values for name, values in lists.items() if values}}
    shown = {} if numbers is None else {NUMBERS: {str(tag_id): number for tag_id, number in numbers.items()}}
    row.theirs = {"value": theirs, **shown}
    row.state = "open" if resolution is None else "settled"
    row.resolution, row.settled_at = resolution, None if resolution is None else now


def close(session: Session, one: Definition, kind: Dispute, now: datetime) -> None:
    """Note that the two sides have come to agree by themselves."""
    row = open_row(session, one, kind)
    if row is not None:
        row.state, row.resolution, row.settled_at = "settled", "same", now


def close_of_tags(session: Session, tag_ids: Sequence[int], now: datetime) -> None:
    """Note that names and orders of these tags are no question any more."""
    query = select(SyncConflict).where(
        SyncConflict.state == "open",
        SyncConflict.customer_id.is_(None),
        SyncConflict.tag_id.in_(tag_ids),
        SyncConflict.kind.in_((Dispute.NAME, Dispute.ORDER)),
    )
    for row in session.scalars(query):
        row.state, row.resolution, row.settled_at = "settled", "same", now


def forget_group(session: Session, group: TagGroup, now: datetime) -> None:
    """Note that WeCom has not got a group any more, so that there is nothing to ask about it."""
    group.wecom_group_id = group.base_name = group.base_order = group.sent_name = group.sent_order = None
    group.blocked = group.blocked_by = None
    for kind in (Dispute.NAME, Dispute.ORDER):
        close(session, group, kind, now)


def rows_that_announce(session: Session, group_ids: Sequence[int]) -> list[SyncConflict]:
    """Return the rows on these groups' deletion that tell of tags not buried yet, whatever a person has said."""
    query = select(SyncConflict).where(SyncConflict.kind == Dispute.DELETION, SyncConflict.group_id.in_(group_ids))
    return [row for row in session.scalars(query) if announced_in(row)]


def announced_in(row: SyncConflict) -> Sequence[int]:
    """Return the tags that it tells of and that are not buried yet."""
    found: Sequence[int] = row.ours.get(COMING, ())
    return found


def strike_off(row: SyncConflict, tag_ids: Collection[int]) -> set[int]:
    """Note that tags are buried; return those that it told of."""
    announced = announced_in(row)
    left = [tag_id for tag_id in announced if tag_id not in tag_ids]
    rest = {name: value for name, value in row.ours.items() if name != COMING}
    row.ours = {**rest, COMING: left} if left else rest
    return set(announced) - set(left)


def values_of(conflict: SyncConflict) -> tuple[tuple[str, ...], tuple[str, ...]]:
    """Return both sides' values in words; none where a side has none."""
    return _words(conflict.ours), _words(conflict.theirs)


def uses_in(conflict: SyncConflict) -> tuple[str, ...]:
    """Return what relies on what was deleted."""
    return tuple(conflict.ours.get("uses", ()))


def uses_of(session: Session, tags: Sequence[Tag]) -> tuple[str, ...]:
    """Return in words what relies on these tags: how many customers, and by name whatever else."""
    customers = tag_users.customers_with(session, [tag.id for tag in tags])
    named = [f"{USE_WORDS.get(use.kind, use.kind)}「{use.name}」" for use in tag_users.uses_of(session, tags)]
    return (*([f"{customers} 位客户"] if customers else []), *named)


def settle(session: Session, queue: JobQueue, conflict: SyncConflict, *, take_theirs: bool) -> str | None:
    """Carry out a person's word; return the key of `conflicts.LEFT_WORDS` that says why it cannot be."""
    one = subject_of(session, conflict)
    if conflict.kind == Dispute.DELETION:
        conflict.change = {}
        return None if take_theirs else library_recreation.request_again(session, queue, one)
    if one.gone_at is not None:
        return "gone"
    before, aliases = sides_of(session, conflict), list(one.aliases)
    if conflict.kind == Dispute.ORDER:
        _settle_order(session, conflict, take_theirs=take_theirs)
    elif take_theirs and is_name_held(session, one, conflict.theirs["value"]):
        return "taken"
    else:
        _settle_name(one, conflict.theirs["value"], take_theirs=take_theirs)
        touch(session, one)
    session.flush()
    added = [alias for alias in one.aliases if alias not in aliases]
    conflict.change = {"before": before, "after": sides_of(session, conflict), "aliases": added}
    taxonomy.enqueue_push(session, queue, one.id if isinstance(one, TagGroup) else one.group_id)
    return None


def subject_of(session: Session, conflict: SyncConflict) -> Definition:
    """Return the group or tag that it is about."""
    if conflict.group_id is not None:
        return session.get_one(TagGroup, conflict.group_id)
    return session.get_one(Tag, conflict.tag_id)


def decided_by(session: Session, conflict: SyncConflict) -> Sequence[Definition]:
    """Return what a word on it changes: the tags whose order it is, or the one whose name."""
    if conflict.kind != Dispute.ORDER:
        return [subject_of(session, conflict)]
    return session.scalars(
        select(Tag).where(Tag.id.in_(_numbers(conflict)), Tag.gone_at.is_(None)).order_by(Tag.id)
    ).all()


def sides_of(session: Session, conflict: SyncConflict) -> dict[str, list[Any]]:
    """Return ours, the last agreed value and what WeCom is being told, of each that a word on it changes."""
    names = SIDES[Dispute(conflict.kind)]
    return {str(one.id): [getattr(one, name) for name in names] for one in decided_by(session, conflict)}


def _numbers(conflict: SyncConflict) -> dict[int, int]:
    return {int(tag_id): number for tag_id, number in conflict.theirs.get(NUMBERS, {}).items()}


def _settle_order(session: Session, conflict: SyncConflict, *, take_theirs: bool) -> None:
    """What WeCom shows is the last agreed order now: ours, or the only change."""
    numbers = _numbers(conflict)
    for tag in decided_by(session, conflict):
        tag.base_order, tag.sent_order = numbers[tag.id], None
        if take_theirs:
            tag.position = numbers[tag.id]
        touch(session, tag)


def _settle_name(one: Definition, theirs: str, *, take_theirs: bool) -> None:
    """What WeCom shows is the last agreed name now: ours, or the only change."""
    keep_alias(one, one.name if take_theirs else theirs)
    if take_theirs:
        one.name = theirs
    one.base_name, one.sent_name = theirs, None


def touch(session: Session, one: Definition) -> None:
    """Give what was decided another number, so that no older list of WeCom's is heard, and another try."""
    one.tries, one.blocked, one.blocked_by = 0, None, None
    one.touched_seq = sequence.draw(session)
    one.version += 1


def is_name_held(session: Session, one: Definition, name: str) -> bool:
    """Return whether another live group, or tag of the same group, has this name."""
    query: Select[int]
    if isinstance(one, TagGroup):
        query = select(TagGroup.id).where(TagGroup.name == name, TagGroup.id != one.id)
        live = (TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
    else:
        query = select(Tag.id).where(Tag.group_id == one.group_id, Tag.name == name, Tag.id != one.id)
        live = (Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    return session.scalars(query.where(*live).limit(1)).first() is not None


def keep_alias(one: Definition, name: str) -> None:
    """Let people go on finding it by a name that it does not bear any more."""
    if name not in one.aliases:
        one.aliases = [*one.aliases, name][-MAX_ALIASES:]


def _words(side: dict[str, Any]) -> tuple[str, ...]:
    value = side.get("value")
    if isinstance(value, list):
        return tuple(value)
    return () if value is None else (str(value),)


def _rows_of(one: Definition) -> Select[SyncConflict]:
    of_library = SyncConflict.customer_id.is_(None)
    where = SyncConflict.group_id == one.id if isinstance(one, TagGroup) else SyncConflict.tag_id == one.id
    return select(SyncConflict).where(of_library, where)
