"""Tags that are deleted at WeCom, buried here: their marks freeze, what was to be pushed of them is void.

Called by `services.library` and `library_deletions`, a part at a time.
"""

from collections.abc import Iterator, Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute
from wecom_app.models import Tag, TagGroup
from wecom_app.services import definition_conflicts, operation_voiding
from wecom_app.services.context import Context
from wecom_app.services.runtime import Store

PART = 50
"""Tags buried in one transaction, unless a group has more: of a group that goes whole people are told in one row."""


def parts(store: Store, tag_ids: Sequence[int]) -> Iterator[list[int]]:
    """Return the tags part by part, each group in one part."""
    with store.read() as session:
        query = select(Tag.group_id, Tag.id).where(Tag.id.in_(tag_ids)).order_by(Tag.group_id, Tag.id)
        by_group: dict[int, list[int]] = {}
        for group_id, tag_id in session.execute(query):
            by_group.setdefault(group_id, []).append(tag_id)
    part = list[int]()
    for of_group in by_group.values():
        if part and len(part) + len(of_group) > PART:
            yield part
            part = []
        part = [*part, *of_group]
    if part:
        yield part


def bury(session: Session, given: Context, tag_ids: Sequence[int]) -> None:
    """Note that tags are deleted at WeCom: their marks freeze, their operations are void, nothing remakes them.

    A group goes with its last tag. Where somebody here relies on one, or has edited it meanwhile, a row says so.
    """
    tags = session.scalars(select(Tag).where(Tag.id.in_(tag_ids), Tag.gone_at.is_(None)).order_by(Tag.id)).all()
    for group_id in sorted({tag.group_id for tag in tags}):
        group = session.get_one(TagGroup, group_id)
        going = [tag for tag in tags if tag.group_id == group_id]
        _note_deletion(session, given, group, going)
        for tag in going:
            tag.gone_at = given.now
            tag.sent_name = tag.sent_order = tag.blocked = tag.blocked_by = None
        definition_conflicts.close_of_tags(session, [tag.id for tag in going], given.now)
        session.flush()
        if not _has_tags_there(session, group_id):
            group.wecom_group_id = group.base_name = group.base_order = group.sent_name = group.sent_order = None
            definition_conflicts.close(session, group, Dispute.ORDER, given.now)
    session.flush()
    operation_voiding.begin(session, given.queue, tag_ids=tag_ids, reason="标签已在企业微信中删除", now=given.now)


def _note_deletion(session: Session, given: Context, group: TagGroup, going: Sequence[Tag]) -> None:
    """Tell people of deletions that matter here: one row for a group that goes whole, else one for each tag."""
    there = select(Tag.id).where(
        Tag.group_id == group.id, Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None), Tag.archived_at.is_(None)
    )
    missed = [tag for tag in going if tag.archived_at is None and tag.deleting_at is None]
    is_whole = len(missed) > 1 and {tag.id for tag in missed}.issuperset(session.scalars(there))
    subjects: list[tuple[Tag | TagGroup, Sequence[Tag]]] = (
        [(group, missed)] if is_whole else [(tag, [tag]) for tag in missed]
    )
    for one, tags in subjects:
        uses = definition_conflicts.uses_of(session, tags)
        edited = any(tag.base_name is not None and tag.name != tag.base_name for tag in tags)
        if uses or edited:
            definition_conflicts.note(
                session, one, Dispute.DELETION, ours=one.name, theirs=None, resolution=None, now=given.now, uses=uses
            )


def _has_tags_there(session: Session, group_id: int) -> bool:
    query = select(Tag.id).where(Tag.group_id == group_id, Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None))
    return session.scalars(query.limit(1)).first() is not None
