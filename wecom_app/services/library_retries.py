"""Another attempt at what WeCom did not take of the library: the button 重试, and a dead job that is replayed."""

from sqlalchemy import select, update
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
    if library_limits.waiting_tags(session):
        library_limits.forget(session)
    count, group_ids = 0, set[int]()
    for table, group_id in ((Tag, Tag.group_id), (TagGroup, TagGroup.id)):
        blocked = (table.blocked_by.is_not(None), table.blocked_by != ASKING, table.gone_at.is_(None))
        group_ids.update(session.scalars(select(group_id).where(*blocked).distinct()))
        # One statement on the library, which has thousands of rows at most: a loop over them would take longer.
        values = {"blocked": None, "blocked_by": None, "tries": 0}
        count += session.connection().execute(update(table).where(*blocked).values(values)).rowcount
    for one in sorted(group_ids):
        taxonomy.enqueue_push(session, queue, one)
    return count


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
