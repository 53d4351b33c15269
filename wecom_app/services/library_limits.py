"""How many tags WeCom lets us make, and those that wait because there was no room for them.

WeCom's own word (40126) counts before the setting WECOM_TAG_LIMIT: nobody can ask what the limit is.
"""

from collections.abc import Sequence

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from wecom_app.models import Deployment, Tag
from wecom_app.services import taxonomy
from wecom_app.services.ports import JobQueue

BY_LIMIT = "limit"
LIMIT_WORDS = "企业标签数量已达上限：请先在企业微信后台清理标签，再点“重试”"


def room(session: Session, most: int, count: int) -> int:
    """Return how many tags can still be made where WeCom lists `count`; `most` is the setting."""
    seen = session.scalars(select(Deployment.tag_limit_seen)).one_or_none()
    return max(0, (most if seen is None else min(most, seen)) - count)


def reached(session: Session, count: int) -> None:
    """Remember that WeCom refused one more tag while it had so many."""
    session.execute(update(Deployment).values(tag_limit_seen=count))


def block(session: Session, tag_ids: Sequence[int]) -> None:
    """Let these tags wait for room; as `unblock`."""
    session.execute(update(Tag).where(Tag.id.in_(tag_ids)).values(blocked=LIMIT_WORDS, blocked_by=BY_LIMIT))


def free(session: Session, queue: JobQueue, most: int, count: int) -> None:
    """Have as many of the waiting tags made as there is room for now."""
    waiting = select(Tag.id, Tag.group_id).where(Tag.blocked_by == BY_LIMIT, Tag.wecom_tag_id.is_(None))
    rows = session.execute(waiting.order_by(Tag.id).limit(room(session, most, count))).all()
    if rows:
        unblock(session, [row.id for row in rows])
        for group_id in sorted({row.group_id for row in rows}):
            taxonomy.enqueue_push(session, queue, group_id)


def forget(session: Session) -> None:
    """Forget what limit was met: a person says that there is room, and WeCom will say so if there is not."""
    session.execute(update(Deployment).values(tag_limit_seen=None))


def unblock(session: Session, tag_ids: Sequence[int]) -> None:
    """Let tags be made that waited: one statement on the library, which has thousands of rows at most."""
    session.execute(update(Tag).where(Tag.id.in_(tag_ids)).values(blocked=None, blocked_by=None, tries=0))


def waiting_tags(session: Session) -> int:
    """Return how many tags wait for room."""
    query = select(func.count()).select_from(Tag).where(Tag.blocked_by == BY_LIMIT, Tag.wecom_tag_id.is_(None))
    return session.execute(query.where(Tag.archived_at.is_(None), Tag.gone_at.is_(None))).scalar_one()
