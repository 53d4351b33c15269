"""Source tags that a back-fill made and nobody has any more once it was undone: named, and archived on request.

Called by the console. A source tag that is needed again comes back by itself.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import CustomerTag, SyncRun, SyncRunItem, Tag, TagGroup
from wecom_app.services import library_edits, run_items, tag_users
from wecom_app.services.context import Context
from wecom_app.services.run_items import Item

MADE = "made"


def note(session: Session, run_id: int, tag_id: int) -> None:
    """Write down that a run has made a source tag."""
    run_items.add(session, run_id, [Item(MADE, str(tag_id), detail={"tag_ids": [tag_id]})])


def unused(session: Session, run_id: int) -> list[tuple[Tag, TagGroup]]:
    """Return the tags that a back-fill made, where it has been undone, that no customer has and nothing uses.

    The run may be the back-fill or its undo.
    """
    run = session.get_one(SyncRun, run_id)
    filled = run.parent_id if run.kind == "undo" else run_id
    undone = select(SyncRun.id).where(SyncRun.parent_id == filled, SyncRun.kind == "undo", SyncRun.state == "done")
    if filled is None or session.scalars(undone.limit(1)).first() is None:
        return []
    made = select(SyncRunItem.subject).where(SyncRunItem.run_id == filled, SyncRunItem.kind == MADE)
    tag_ids = [int(subject) for subject in session.scalars(made)]
    held = select(CustomerTag.tag_id).where(CustomerTag.tag_id.in_(tag_ids), CustomerTag.wanted)
    query = select(Tag, TagGroup).join(TagGroup, TagGroup.id == Tag.group_id).order_by(Tag.id)
    query = query.where(Tag.id.in_(tag_ids), Tag.id.not_in(held), Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    found = session.execute(query).all()
    used = tag_users.used_tag_ids(session) if found else set()
    return [(tag, group) for tag, group in found if tag.id not in used]


def archive(session: Session, context: Context, run_id: int, actor: str) -> Sequence[Tag]:
    """Archive what `unused` names; return it."""
    return [library_edits.archive_tag(session, context, tag.key, actor=actor) for tag, _ in unused(session, run_id)]
