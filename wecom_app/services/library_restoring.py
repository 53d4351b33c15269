"""Archived tags and groups brought back, also from a deletion at WeCom that has not been carried out yet.

Called by the console, the API, imports of the library and the undoing of a merge.
"""

from collections.abc import Sequence

from sqlalchemy import ColumnElement, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import Conflict
from wecom_app.models import Tag, TagGroup
from wecom_app.services import dimensions, library_edits, taxonomy
from wecom_app.services.context import Context

CALLED_OFF = {"deleting_at": None, "blocked": None, "blocked_by": None, "tries": 0}
"""Values of one whose deletion nobody wants any more."""


def restore_tag(session: Session, context: Context, key: str) -> Tag:
    """Bring an archived tag back; raise NameTaken where its name is in use again, Conflict where its group is not."""
    tag, group = library_edits.find_tag(session, key, lock=True, archived=True)
    if tag.archived_at is None:
        return tag
    if tag.merged_into is not None:
        raise Conflict(f"「{tag.name}」已合并到 {tag.merged_into}，要恢复请撤销合并")
    if tag.wecom_tag_id is None:
        taxonomy.free_tag_name(session, group, tag.name)
    if group.archived_at is not None:
        raise Conflict(f"标签组「{group.name}」已归档，请先恢复标签组")
    _call_off_deletions(session, context, Tag.id == tag.id)
    tag.archived_at = None
    tag.version += 1
    session.flush()
    _push_missing(session, context, group, [tag])
    return tag


def restore_group(session: Session, context: Context, key: str) -> TagGroup:
    """Bring a group back, with the tags that went with it; raise NameTaken where its name is in use again."""
    group = library_edits.find_group(session, key, lock=True, archived=True)
    if group.archived_at is None:
        return group
    if group.wecom_group_id is None:
        taxonomy.free_group_name(session, group.name)
    dimensions.restore(session, group.dimension)
    went = (Tag.group_id == group.id, Tag.archived_at == group.archived_at, Tag.gone_at.is_(None))
    missing = session.scalars(select(Tag).where(*went, Tag.wecom_tag_id.is_(None)).limit(1)).all()
    _call_off_deletions(session, context, *went)
    session.execute(update(Tag).where(*went).values(archived_at=None, version=Tag.version + 1))
    group.archived_at = group.deleting_at = None
    group.version += 1
    session.flush()
    _push_missing(session, context, group, missing)
    return group


def _call_off_deletions(session: Session, context: Context, *restored: ColumnElement[bool]) -> None:
    """Keep tags that were to be deleted at WeCom; the library is read, since the call may be under way just now."""
    which = (*restored, Tag.deleting_at.is_not(None))
    if session.scalars(select(Tag.id).where(*which).limit(1)).first() is not None:
        session.execute(update(Tag).where(*which).values(CALLED_OFF))
        taxonomy.enqueue_pull(session, context.queue)


def _push_missing(session: Session, context: Context, group: TagGroup, tags: Sequence[Tag]) -> None:
    if library_edits.is_pushed(group) and any(tag.wecom_tag_id is None for tag in tags):
        taxonomy.request_push(session, context, group.id)
