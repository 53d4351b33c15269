"""Tags whose time has run out, taken off without anybody touching them: a schedule runs `sweep` every minute.

Only where something has run out, which `has_work` says.
"""

from collections.abc import Sequence
from datetime import datetime

import structlog
from sqlalchemy import Row, Select, or_, select, tuple_
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Scope
from wecom_app.models import CustomerTag, Tag, TagClaim, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL, RUNS_OUT, WANTED_AND_RUNS_OUT
from wecom_app.services import tagging
from wecom_app.services.ports import JobArgs
from wecom_app.services.progress import SILENT, Progress
from wecom_app.services.runtime import Runtime

SLICE = 50
"""Customers in one write transaction: about 40 ms on SQLite where each has a relation to tell."""
SLICES = 100
"""Slices in one run; another run goes on, so that the lane's other jobs get their turn."""

log = structlog.get_logger(__name__)

Place = Row[datetime | None, int]
"""`expires_at` and `customer_id`."""
Places = Select[datetime | None, int]


def has_work(session: Session, now: datetime) -> bool:
    """Return whether anything has run out."""
    return any(session.execute(query.limit(1)).first() for query in _expired(now))


def sweep(runtime: Runtime, _args: JobArgs, progress: Progress = SILENT) -> bool:
    """Take off what has run out, a slice of customers a transaction; return whether more is left for another job."""
    expired = slices = 0
    for query in _expired(runtime.clock.now()):
        after: Place | None = None
        while found := _next(runtime, query, after):
            if slices == SLICES:
                return True
            slices, after = slices + 1, found[-1]
            customer_ids = sorted({row.customer_id for row in found})
            with runtime.write() as session:
                found_now = tagging.expire(session, customer_ids, queue=runtime.queue, now=runtime.clock.now())
            progress.advance(tags=found_now)
            expired += found_now
    log.info("expiry.swept", tags=expired)
    return False


def _expired(now: datetime) -> tuple[Places, Places]:
    """Return the queries for expired truth and for expired claims; cells follow their truth.

    Their conditions are plain text where the partial indexes have them, so that SQLite finds those.
    """
    rows = (
        select(CustomerTag.expires_at, CustomerTag.customer_id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            WANTED_AND_RUNS_OUT,
            CustomerTag.expires_at <= now,
            or_(CustomerTag.relation_id == CUSTOMER_LEVEL, TagGroup.scope == Scope.RELATION),
        )
    )
    claims = select(TagClaim.expires_at, TagClaim.customer_id).where(RUNS_OUT, TagClaim.expires_at <= now)
    return rows, claims


def _next(runtime: Runtime, query: Places, after: Place | None) -> Sequence[Place]:
    """Return the next rows in order of time and customer.

    A row that was passed is not met again in this sweep even if something kept it. Of a customer with several
    rows some may be passed unread: each slice takes all that its customers have.
    """
    place = tuple_(*query.selected_columns)
    if after is not None:
        query = query.where(place > tuple(after))
    with runtime.read() as session:
        return session.execute(query.order_by(*query.selected_columns).limit(SLICE)).all()
