"""Operations that came to nothing for many customers at once, closed page by page: their tag is gone, or their member.

`begin` closes the first page in the transaction that makes them void; what does not fit is left to the job. Until then
they wait unsent: nothing is pushed for a tag that is gone, and no call is made for a member who has left.
"""

from collections.abc import Sequence
from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.models import Relation, TagOperation
from wecom_app.services import cells
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.runtime import Runtime

KIND = "operation.void"
PAGE = 400
"""Operations closed in one transaction."""


def begin(
    session: Session,
    queue: JobQueue,
    *,
    tag_ids: Sequence[int] = (),
    staff_ids: Sequence[int] = (),
    reason: str,
    now: datetime,
) -> None:
    """Void the open operations that there are now for these tags, or else for these members: the first page here."""
    last = session.execute(select(func.max(TagOperation.id))).scalar_one() or 0
    args = {"tag_ids": sorted(tag_ids), "staff_ids": sorted(staff_ids), "reason": reason, "last": last}
    _void_page(session, queue, args, now)


def run(runtime: Runtime, args: JobArgs) -> None:
    """Void the next page; what is closed is not met again, so that the job may run twice."""
    with runtime.write() as session:
        _void_page(session, runtime.queue, args, runtime.clock.now())


def _void_page(session: Session, queue: JobQueue, args: JobArgs, now: datetime) -> None:
    """Void a page of operations; those after `last` are of another life of the tag, or of the member."""
    members = select(Relation.id).where(Relation.staff_id.in_(args["staff_ids"]))
    concerned = TagOperation.tag_id.in_(args["tag_ids"]) if args["tag_ids"] else TagOperation.relation_id.in_(members)
    page = select(TagOperation.id).where(cells.IS_OPEN, concerned, TagOperation.id <= int(args["last"])).limit(PAGE)
    ids = session.scalars(page).all()
    if ids:
        cells.close_where(session, TagOperation.id.in_(ids), state="void", reason=args["reason"], now=now)
    if len(ids) == PAGE:
        queue.enqueue(session, KIND, args, lane="bulk")
