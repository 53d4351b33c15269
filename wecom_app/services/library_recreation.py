"""A tag that was deleted at WeCom, made there anew under a new id and put back on whoever had it.

Only a person asks for it. The job `relink` first writes, a slice at a time, that WeCom has it on nobody and that
everybody who has it here is to get it; then the tag lives again, and is made at WeCom.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session, aliased

from wecom_app.domain.vocabulary import Owner, Scope
from wecom_app.errors import Conflict, NameTaken, NotFound
from wecom_app.models import CustomerTag, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import cells, customers, sequence, taxonomy
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import upsert

RELINK_KIND = "library.relink"
SLICE = 100
"""Customers in one write transaction; each has a few relations."""
RESET = (*cells.COPIED, "base", "seen_seq", "acked_ver", "touched_seq", "sent", "tries", "dead")
"""Columns of a cell that a new tag begins with."""

log = structlog.get_logger(__name__)


def deleted(session: Session, *, after_id: int | None = None, limit: int = 50) -> list[tuple[Tag, TagGroup]]:
    """Return the tags that are deleted at WeCom, with their groups, oldest first.

    Those that live again by name are not among them, nor those that were merged away: undoing that brings them back.
    """
    twin = aliased(Tag)
    lives = select(twin.id).where(
        twin.group_id == Tag.group_id, twin.name == Tag.name, twin.gone_at.is_(None), twin.archived_at.is_(None)
    )
    query = select(Tag, TagGroup).join(TagGroup, TagGroup.id == Tag.group_id)
    query = query.where(Tag.gone_at.is_not(None), Tag.merged_into.is_(None), ~lives.exists(), Tag.id > (after_id or 0))
    return [(tag, group) for tag, group in session.execute(query.order_by(Tag.id).limit(limit))]


def request_tag(session: Session, queue: JobQueue, key: str) -> Tag:
    """Have a deleted tag made again and relinked; raise NotFound, Conflict where it lives, or NameTaken."""
    tag = session.scalars(select(Tag).where(Tag.key == key).with_for_update()).one_or_none()
    if tag is None:
        raise NotFound(f"没有标签「{key}」")
    if tag.gone_at is None:
        raise Conflict(f"标签「{tag.name}」没有在企业微信中删除，不需要重新创建")
    if tag.merged_into is not None:
        raise Conflict(f"「{tag.name}」已合并到 {tag.merged_into}，要恢复请撤销合并")
    _bring_back(session, queue, [tag])
    return tag


def request_group(session: Session, queue: JobQueue, key: str) -> TagGroup:
    """Have all deleted tags of a group made again; raise NotFound, Conflict where there are none, or NameTaken."""
    group = session.scalars(select(TagGroup).where(TagGroup.key == key).with_for_update()).one_or_none()
    if group is None:
        raise NotFound(f"没有标签组「{key}」")
    gone = select(Tag).where(Tag.group_id == group.id, Tag.gone_at.is_not(None), Tag.merged_into.is_(None))
    tags = session.scalars(gone.order_by(Tag.id)).all()
    # Made anew by somebody else meanwhile, or twice deleted: the last of a name counts.
    last = {tag.name: tag for tag in tags}
    if not last:
        raise Conflict(f"标签组「{group.name}」里没有已在企业微信中删除的标签")
    _bring_back(session, queue, list(last.values()))
    return group


def request_again(session: Session, queue: JobQueue, one: Tag | TagGroup) -> str | None:
    """Carry out a person's word that what was deleted is to be there; return the reason where it cannot be."""
    try:
        if isinstance(one, TagGroup):
            request_group(session, queue, one.key)
        elif one.gone_at is not None:
            request_tag(session, queue, one.key)
    except NameTaken:
        return "taken"
    except Conflict:
        # It lives again already.
        return None
    return None


def relink(runtime: Runtime, args: JobArgs) -> None:
    """Put the cells of a deleted tag back to their beginning, then let the tag live."""
    tag_id, after = int(args["tag_id"]), 0
    while True:
        with runtime.write() as session:
            last = _relink_some(session, tag_id, after, runtime)
            if last is None:
                _revive(session, runtime.queue, tag_id)
                return
        after = last
        runtime.crash_point("library.relinking")


def _bring_back(session: Session, queue: JobQueue, tags: Sequence[Tag]) -> None:
    for tag in tags:
        group = session.get_one(TagGroup, tag.group_id)
        if group.archived_at is not None:
            taxonomy.free_group_name(session, group.name)
            group.archived_at = None
            group.version += 1
        group.deleting_at = None
        taxonomy.free_tag_name(session, group, tag.name)
        queue.enqueue(
            session, RELINK_KIND, {"tag_id": tag.id}, lane="push", key="library", unique=str(tag.id), priority=10
        )
    session.flush()


def _relink_some(session: Session, tag_id: int, after: int, runtime: Runtime) -> int | None:
    """Write the cells of some customers who have the tag; return the last of them, or None where there are no more."""
    held = select(CustomerTag.customer_id).where(
        CustomerTag.tag_id == tag_id, CustomerTag.wanted, CustomerTag.customer_id > after
    )
    ids = session.scalars(held.distinct().order_by(CustomerTag.customer_id).limit(SLICE)).all()
    tag = session.get_one(Tag, tag_id)
    if not ids or tag.gone_at is None:
        return None
    customers.lock(session, list(ids))
    is_shared = session.get_one(TagGroup, tag.group_id).scope == Scope.CUSTOMER
    truth = CustomerTag.__table__
    level = truth.c.relation_id == CUSTOMER_LEVEL if is_shared else truth.c.relation_id != CUSTOMER_LEVEL
    rows = session.execute(
        select(truth).where(truth.c.tag_id == tag_id, truth.c.customer_id.in_(ids), truth.c.wanted, level)
    ).mappings()
    relations = cells.live(session, set(ids))
    pairs = [
        (dict(row), relation)
        for row in rows
        for relation in relations.get(row["customer_id"], ())
        if is_shared or relation.id == row["relation_id"]
    ]
    fresh = [cells.cell(row, relation) for row, relation in pairs]
    upsert(session, CustomerTag, fresh, cells.CELL_KEYS, overwrite=RESET)
    now = runtime.clock.now()
    cells.open_operations(session, [cells.wish(one, tag_id, row["ver"], now) for row, one in pairs], now)
    return int(ids[-1])


def _revive(session: Session, queue: JobQueue, tag_id: int) -> None:
    tag = session.scalars(select(Tag).where(Tag.id == tag_id).with_for_update()).one()
    if tag.gone_at is None:
        return
    try:
        revive(session, queue, tag)
    except NameTaken:
        log.warning("library.name_taken_before_recreation", tag_id=tag_id)


def revive(session: Session, queue: JobQueue, tag: Tag) -> None:
    """Let a deleted tag live and be made at WeCom anew; raise NameTaken where another bears its name.

    The caller sees to its cells, which speak of the tag that was.
    """
    group = session.get_one(TagGroup, tag.group_id)
    taxonomy.free_tag_name(session, group, tag.name)
    tag.gone_at = tag.archived_at = tag.deleting_at = tag.wecom_tag_id = None
    tag.base_name = tag.base_order = tag.sent_name = tag.sent_order = None
    tag.blocked, tag.blocked_by, tag.tries, tag.owner = None, None, 0, Owner.OURS.value
    tag.touched_seq = sequence.draw(session)
    tag.version += 1
    session.flush()
    taxonomy.enqueue_push(session, queue, group.id)
