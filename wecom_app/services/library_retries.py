"""Another attempt at what WeCom did not take of the library: the button 重试, and a dead job that is replayed."""

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import Tag, TagGroup
from wecom_app.services import library_edits, library_limits, taxonomy
from wecom_app.services.definition_merge import ASKING
from wecom_app.services.ports import JobQueue


def retry_tag(session: Session, queue: JobQueue, key: str) -> Tag:
    """Try again to make, rename, move or delete a tag at WeCom; raise NotFound."""
    tag, _ = library_edits.find_tag(session, key, lock=True, archived=True)
    _unblock(session, [tag])
    taxonomy.enqueue_push(session, queue, tag.group_id)
    return tag


def retry_group(session: Session, queue: JobQueue, key: str) -> TagGroup:
    """Try again with a group and all of its tags; raise NotFound."""
    group = library_edits.find_group(session, key, lock=True, archived=True)
    release(session, group.id)
    taxonomy.enqueue_push(session, queue, group.id)
    return group


def retry_all(session: Session, queue: JobQueue) -> int:
    """Try again with everything that was given up or waits for room; return how many groups and tags that is."""
    blocked = (Tag.blocked_by.is_not(None), Tag.blocked_by != ASKING, Tag.gone_at.is_(None))
    tags = session.scalars(select(Tag).where(*blocked)).all()
    groups = session.scalars(select(TagGroup).where(TagGroup.blocked_by.is_not(None), TagGroup.blocked_by != ASKING))
    found: list[Tag | TagGroup] = [*tags, *groups]
    _unblock(session, found)
    for group_id in sorted({one.id if isinstance(one, TagGroup) else one.group_id for one in found}):
        taxonomy.enqueue_push(session, queue, group_id)
    return len(found)


def release(session: Session, group_id: int) -> None:
    """Forget what stood in the way of a group and its tags."""
    found: list[Tag | TagGroup] = list(session.scalars(select(Tag).where(Tag.group_id == group_id)))
    group = session.get(TagGroup, group_id)
    _unblock(session, [*found, *([group] if group is not None else [])])


def _unblock(session: Session, found: list[Tag | TagGroup] | list[Tag]) -> None:
    for one in found:
        if one.blocked_by == ASKING:
            continue
        if one.blocked_by == library_limits.BY_LIMIT:
            library_limits.forget(session)
        one.blocked, one.blocked_by, one.tries = None, None, 0
    session.flush()
