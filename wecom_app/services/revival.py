"""Tags that could not be pushed, and another attempt at them when a person asks. Called by the API and the command.

A cell is dead once three pushes were not confirmed, or WeCom refused the one tag for good; its job has ended well,
so that running the job again would not touch it.
"""

from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from wecom_app.models import CustomerTag, Tag, TagOperation
from wecom_app.models.tagging import DEAD
from wecom_app.services import cells, customers, pushes
from wecom_app.services.runtime import Store

MOST_AT_ONCE = 1_000
BATCH = 50
"""Customers in one write transaction."""


@dataclass(frozen=True)
class Failure:
    """Why tags could not be pushed, and how many cells of how many customers that holds for."""

    reason: str
    cells: int
    customers: int


@dataclass(frozen=True)
class Revived:
    """How many cells of how many customers are tried again. From `next_cursor` on there are more."""

    cells: int
    customers: int
    next_cursor: int | None = None


def failures(session: Session) -> list[Failure]:
    """Return the reasons of all dead cells, the commonest first."""
    dead = _dead(None).add_columns(TagOperation.reason, CustomerTag.relation_id, CustomerTag.tag_id).subquery()
    count = func.count().label("cells")
    query = (
        select(dead.c.reason, count, func.count(func.distinct(dead.c.customer_id)))
        .group_by(dead.c.reason)
        .order_by(count.desc(), dead.c.reason)
    )
    return [Failure(reason or "", found, people) for reason, found, people in session.execute(query)]


def revive_customer(store: Store, external_userid: str) -> Revived:
    """Try one customer's dead cells again; raise NotFound for one we do not know."""
    with store.write() as session:
        found = _revive(session, store, customers.find(session, external_userid).id, None)
    return Revived(found, int(found > 0))


def revive_all(
    store: Store, *, reason: str | None = None, after_id: int | None = None, limit: int = MOST_AT_ONCE
) -> Revived:
    """Try dead cells again, at most those of `limit` customers; with `reason` those whose reason contains it."""
    revived, people, cursor = 0, 0, after_id or 0
    while people < limit:
        size = min(BATCH, limit - people)
        query = _dead(reason).where(CustomerTag.customer_id > cursor).distinct()
        with store.read() as session:
            found = session.scalars(query.order_by(CustomerTag.customer_id).limit(size)).all()
        if not found:
            return Revived(revived, people)
        with store.write() as session:
            # The ids rise: two who do this at once never wait for each other's customers.
            revived += sum(_revive(session, store, customer_id, reason) for customer_id in found)
        people, cursor = people + len(found), found[-1]
    return Revived(revived, people, cursor)


def push_waiting(store: Store, *, after_id: int | None = None, limit: int = MOST_AT_ONCE) -> Revived:
    """Have customers pushed whose tags are still to be written to WeCom, at most `limit` of them."""
    asked, people, cursor = 0, 0, after_id or 0
    while people < limit:
        query = (
            select(TagOperation.customer_id, func.count())
            .where(cells.IS_OPEN, TagOperation.customer_id > cursor)
            .group_by(TagOperation.customer_id)
            .order_by(TagOperation.customer_id)
            .limit(min(BATCH, limit - people))
        )
        with store.read() as session:
            found = session.execute(query).all()
        if not found:
            return Revived(asked, people)
        with store.write() as session:
            for customer_id, _ in found:
                cells.request_sync(session, store.queue, customer_id)
        asked, people, cursor = asked + sum(number for _, number in found), people + len(found), found[-1][0]
    return Revived(asked, people, cursor)


def _revive(session: Session, store: Store, customer_id: int, reason: str | None) -> int:
    found = pushes.revive(session, customer_id, reason=reason)
    if found:
        cells.request_sync(session, store.queue, customer_id)
    return found


def _dead(reason: str | None) -> Select[Any]:
    """Select the customers of dead cells with a living tag, a row for each cell with its last failure.

    DEAD is plain text, so that SQLite finds the partial index.
    """
    query = (
        select(CustomerTag.customer_id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .outerjoin(TagOperation, TagOperation.id == pushes.LAST_DEAD)
        .where(DEAD, Tag.gone_at.is_(None))
    )
    return query if reason is None else query.where(TagOperation.reason.contains(reason, autoescape=True))
