"""Customers whose pushes waited until their tags were at WeCom are asked for again, page by page.

`begin` is called where the library links what was made; what does not fit into that transaction is left to the job.
"""

from collections.abc import Sequence

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import TagOperation
from wecom_app.services import cells
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.runtime import Runtime

KIND = "library.release"
PAGE = 200
"""Customers in one transaction: a tag may have been waited for by everybody."""


def begin(session: Session, queue: JobQueue, tag_ids: Sequence[int]) -> None:
    """Have the customers with open operations for these tags pushed: the first page now, the others soon."""
    if tag_ids:
        _release(session, queue, sorted(tag_ids), after=0)


def run(runtime: Runtime, args: JobArgs) -> None:
    """Take the next page; running it again asks for the same customers, who are then asked for once."""
    with runtime.write() as session:
        _release(session, runtime.queue, [int(tag_id) for tag_id in args["tag_ids"]], after=int(args["after"]))


def _release(session: Session, queue: JobQueue, tag_ids: Sequence[int], *, after: int) -> None:
    waiting = (
        select(TagOperation.customer_id)
        .where(TagOperation.tag_id.in_(tag_ids), cells.IS_OPEN, TagOperation.customer_id > after)
        .distinct()
        .order_by(TagOperation.customer_id)
        .limit(PAGE)
    )
    customer_ids = session.scalars(waiting).all()
    for customer_id in customer_ids:
        cells.request_sync(session, queue, customer_id)
    if len(customer_ids) == PAGE:
        queue.enqueue(session, KIND, {"tag_ids": list(tag_ids), "after": customer_ids[-1]}, lane="bulk")
