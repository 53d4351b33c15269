"""Whether WeCom has let go of a merged tag on every friendship, which must be so before the tag is deleted there.

Asked by `merge_deletions` while it waits, and by `library_deletions` once more right before the call.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session

from wecom_app.models import CustomerTag, LibraryChange, Relation, Tag
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services.ports import JobQueue

KIND = "library.merge_deletion"
MERGE = "merge"
PAUSE = timedelta(minutes=1)
"""After which it is looked again whether all marks have moved."""
WAITING, ASKED = "waiting", "asked"


@dataclass(frozen=True)
class Remaining:
    """What stands in the way of deleting a merged tag, in friendships."""

    unsettled: int
    """On which the tag stands in WeCom, is wanted, or is being taken off."""
    failed: int
    """Of these, where taking it off was given up."""
    unseen: int
    """Older than the end of the merge, and not looked at yet."""

    @property
    def is_none(self) -> bool:
        return self.unsettled == self.unseen == 0

    @property
    def words(self) -> str:
        if self.failed:
            return f"{self.failed} 个好友关系没能移除它：处理好推送失败的标签后会继续"
        if self.unsettled:
            return f"还有 {self.unsettled} 个好友关系没有换完、核对完"
        return f"还有 {self.unseen} 个好友关系没有读过，读过后会继续"


def standing_merge(session: Session, tag: Tag) -> LibraryChange | None:
    """Return the merge by which a tag went into another and that stands."""
    if tag.merged_into is None:
        return None
    query = select(LibraryChange).where(LibraryChange.source_tag_id == tag.id, LibraryChange.kind == MERGE)
    return session.scalars(query.order_by(LibraryChange.id.desc()).limit(1)).first()


def remaining(session: Session, change: LibraryChange) -> Remaining:
    """Count what is left of the tag that went; what ended friendships left behind does not count."""
    unsettled = session.execute(
        select(func.count(), func.count().filter(CustomerTag.dead)).where(_is_unsettled(change.source_tag_id))
    ).one()
    unseen = 0 if unsettled[0] else session.execute(_unseen(change.finished_at)).scalar_one()
    return Remaining(*unsettled, unseen)


def wait(session: Session, queue: JobQueue, change: LibraryChange, *, run_at: datetime | None = None) -> None:
    """Have the tag of a merge deleted once all its marks have moved."""
    change.deletion = WAITING
    session.flush()
    if change.state == "done":
        queue.enqueue(session, KIND, {"change_id": change.id}, lane="bulk", unique=str(change.id), run_at=run_at)


def find_unready(session: Session, tags: Sequence[Tag]) -> list[LibraryChange]:
    """Return the merges among whose tags these are, and of which marks are left."""
    merges = (standing_merge(session, tag) for tag in tags)
    return [
        merge
        for merge in merges
        if merge is not None and not (merge.state == "done" and remaining(session, merge).is_none)
    ]


def hold_back(session: Session, queue: JobQueue, merges: Sequence[LibraryChange], now: datetime) -> None:
    """Have these tags wait for their marks again, although they were to be deleted now."""
    for merge in merges:
        session.get_one(Tag, merge.source_tag_id).deleting_at = None
        wait(session, queue, session.get_one(LibraryChange, merge.id), run_at=now + PAUSE)


def _is_unsettled(tag_id: int | None) -> ColumnElement[bool]:
    cell = and_(
        CustomerTag.relation_id != CUSTOMER_LEVEL,
        or_(
            CustomerTag.base.is_(True),
            CustomerTag.sent.is_not(None),
            CustomerTag.dead,
            CustomerTag.acked_ver < CustomerTag.ver,
        ),
    )
    return and_(CustomerTag.tag_id == tag_id, or_(CustomerTag.wanted, cell))


def _unseen(before: datetime | None) -> Select[int]:
    return select(func.count()).where(
        Relation.lost_at.is_(None),
        Relation.half.is_(False),
        Relation.seen_seq <= Relation.life_seq,
        Relation.opened_at <= before,
    )
