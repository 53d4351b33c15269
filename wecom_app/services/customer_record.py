"""Everything that was written down here about one customer, for the playground: from the callback to the read-back.

People of the company see a profile instead (`rep_profile`); this is how the system works inside.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import ContentEvent, ContentItem, Customer, InboxEvent, Relation, Staff, Tag, TagOperation
from wecom_app.services import profiles
from wecom_app.services.customers import find_id
from wecom_app.services.ports import JobQueue, JobView
from wecom_app.services.profiles import HistoryView, ProfileView

MOST_EVENTS = 40
MOST_JOBS = 200
"""Jobs of all customers that are looked through for his."""
MOST_CHANGES = 60


@dataclass(frozen=True)
class Received:
    """A callback about him, as it was stored."""

    id: int
    change_type: str
    body: str | None
    received_at: datetime
    deliveries: int
    state: str
    error: str | None


@dataclass(frozen=True)
class Intent:
    """A tag that was to become so at WeCom on one member's relation, and what came of it."""

    id: int
    key: str
    tag: str
    userid: str
    state: str
    reason: str | None
    created_at: datetime
    closed_at: datetime | None


@dataclass(frozen=True)
class Sent:
    """Something of the library that a member sent him."""

    id: int
    title: str
    userid: str
    at: datetime


@dataclass(frozen=True)
class CustomerRecord:
    """All of it, each part from old to new; `profile` is None for who is not known here (yet)."""

    profile: ProfileView | None
    events: tuple[Received, ...]
    jobs: tuple[JobView, ...]
    changes: tuple[HistoryView, ...]
    intents: tuple[Intent, ...]
    sent: tuple[Sent, ...]


def load(session: Session, queue: JobQueue, external_userid: str, now: datetime) -> CustomerRecord:
    """Return a customer's record; an empty one for who is not known."""
    events = _events(session, external_userid)
    customer_id = find_id(session, external_userid)
    jobs = _jobs(session, queue, customer_id, [event.id for event in events])
    if customer_id is None:
        return CustomerRecord(None, events, jobs, (), (), ())
    return CustomerRecord(
        profile=profiles.views(session, [session.get_one(Customer, customer_id)], now)[0],
        events=events,
        jobs=jobs,
        changes=tuple(reversed(profiles.history(session, external_userid, limit=MOST_CHANGES))),
        intents=_intents(session, customer_id),
        sent=_sent(session, customer_id),
    )


def _events(session: Session, external_userid: str) -> tuple[Received, ...]:
    latest = select(InboxEvent).where(InboxEvent.subject == external_userid)
    rows = session.scalars(latest.order_by(InboxEvent.id.desc()).limit(MOST_EVENTS)).all()
    return tuple(
        Received(row.id, row.change_type, row.body, row.received_at, row.deliveries, row.state, row.error)
        for row in reversed(rows)
    )


def _jobs(session: Session, queue: JobQueue, customer_id: int | None, event_ids: Sequence[int]) -> tuple[JobView, ...]:
    """Return the jobs that name one of his events, or him."""
    of_events = frozenset(event_ids)

    def is_his(job: JobView) -> bool:
        of_him = customer_id is not None and job.args.get("customer_id") == customer_id
        return of_him or job.args.get("event_id") in of_events

    page = queue.list_jobs(session, limit=MOST_JOBS)
    return tuple(job for job in reversed(page.items) if is_his(job))


def _intents(session: Session, customer_id: int) -> tuple[Intent, ...]:
    query = (
        select(TagOperation, Tag.key, Tag.name, Staff.userid)
        .join(Tag, Tag.id == TagOperation.tag_id)
        .join(Relation, Relation.id == TagOperation.relation_id)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(TagOperation.customer_id == customer_id)
        .order_by(TagOperation.id.desc())
        .limit(MOST_CHANGES)
    )
    found = [
        Intent(row.id, key, name, userid, row.state, row.reason, row.created_at, row.closed_at)
        for row, key, name, userid in session.execute(query)
    ]
    return tuple(reversed(found))


def _sent(session: Session, customer_id: int) -> tuple[Sent, ...]:
    query = (
        select(ContentEvent.id, ContentItem.title, Staff.userid, ContentEvent.at)
        .join(ContentItem, ContentItem.id == ContentEvent.item_id)
        .join(Staff, Staff.id == ContentEvent.staff_id)
        .where(ContentEvent.customer_id == customer_id, ContentEvent.result == "sent")
        .order_by(ContentEvent.id.desc())
        .limit(MOST_EVENTS)
    )
    return tuple(Sent(*row) for row in reversed(session.execute(query).all()))
