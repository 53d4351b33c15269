"""Callbacks from receipt to handling: stored once, counted when they come again, listed and replayed."""

import hashlib
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from wecom_app.domain import xml
from wecom_app.domain.messages import is_hint, read_head, text
from wecom_app.errors import NotFound
from wecom_app.models import InboxEvent
from wecom_app.prepared import Prepared
from wecom_app.services.ports import IncomingEvent, JobQueue
from wecom_app.services.upsert import ignoring

HANDLE_KIND = "event.handle"
WELCOME_KIND = "welcome.send"
CUSTOMER_EVENT = "change_external_contact"
WELCOMING = ("add_external_contact", "add_half_external_contact", "msg_audit_approved")
MAX_BODY_DEPTH = 8
KNOWN = Prepared(
    select(InboxEvent.digest, InboxEvent.id).where(InboxEvent.digest.in_(bindparam("digests", expanding=True)))
)
MESSAGE = Prepared(
    select(
        InboxEvent.id,
        InboxEvent.event,
        InboxEvent.change_type,
        InboxEvent.state,
        InboxEvent.fields,
        InboxEvent.received_at,
        InboxEvent.occurred_at,
    ).where(InboxEvent.id == bindparam("event_id"))
)
END = Prepared(update(InboxEvent).where(InboxEvent.id == bindparam("event_id")))
NUL, REPLACEMENT = "\0", "\ufffd"
"""PostgreSQL keeps no NUL, and XML knows none: a body that has one is kept with the replacement character."""


def read(message: str, received_at: datetime) -> IncomingEvent:
    """Return a decrypted message as an event; one that is not readable XML is kept under the name `unreadable`."""
    try:
        fields: Mapping[str, Any] = xml.parse(message, max_depth=MAX_BODY_DEPTH)
    except ValueError:
        fields = {"MsgType": "event", "Event": "unreadable"}
    head = read_head(fields)
    return IncomingEvent(
        digest=hashlib.sha256(message.encode()).hexdigest(),
        event=head.event,
        change_type=head.change_type,
        subject=head.subject,
        fields=fields,
        body=message.replace(NUL, REPLACEMENT),
        occurred_at=head.occurred_at,
        received_at=received_at,
    )


def store(session: Session, queue: JobQueue, arrivals: Sequence[IncomingEvent]) -> None:
    """Write down callbacks with their jobs; a second delivery counts itself, and a hint is looked into again."""
    known = _ids(session, {incoming.digest for incoming in arrivals})
    new = {incoming.digest: incoming for incoming in reversed(arrivals) if incoming.digest not in known}
    made = _insert(session, list(new.values()))
    for digest, event_id in made.items():
        _enqueue(session, queue, event_id, new[digest])
    if len(made) < len(new):
        # Another process stored the same delivery in the same moment.
        known |= _ids(session, new.keys() - made.keys())
    for incoming in arrivals:
        if incoming is not new.get(incoming.digest) or incoming.digest not in made:
            _count_again(session, queue, (known | made)[incoming.digest], incoming)


def _ids(session: Session, digests: Collection[str]) -> dict[str, int]:
    rows = KNOWN.rows(session, {"digests": list(digests)})
    return {row.digest: row.id for row in rows}


def _insert(session: Session, arrivals: Sequence[IncomingEvent]) -> dict[str, int]:
    """Return the ids of the rows that were made, by digest."""
    if not arrivals:
        return {}
    statement = ignoring(session, InboxEvent, ("digest",), returning=("digest", "id"))
    rows = statement.rows_of_many(session, [_row(incoming) for incoming in arrivals])
    return {row.digest: row.id for row in rows}


def _row(incoming: IncomingEvent) -> dict[str, Any]:
    return {
        "digest": incoming.digest,
        "event": incoming.event,
        "change_type": incoming.change_type,
        "subject": incoming.subject,
        "fields": dict(incoming.fields),
        "body": incoming.body,
        "occurred_at": incoming.occurred_at,
        "received_at": incoming.received_at,
        "last_received_at": incoming.received_at,
        "deliveries": 1,
        "state": "waiting",
    }


def _count_again(session: Session, queue: JobQueue, event_id: int, incoming: IncomingEvent) -> None:
    session.execute(
        update(InboxEvent)
        .where(InboxEvent.id == event_id)
        .values(deliveries=InboxEvent.deliveries + 1, last_received_at=incoming.received_at)
    )
    if is_hint(incoming.event, incoming.change_type):
        request_handling(session, queue, event_id, incoming.subject)


def _enqueue(session: Session, queue: JobQueue, event_id: int, incoming: IncomingEvent) -> None:
    if _wants_welcome(incoming):
        queue.enqueue(session, WELCOME_KIND, {"event_id": event_id}, lane="welcome", unique=str(event_id))
    request_handling(session, queue, event_id, incoming.subject)


def request_handling(session: Session, queue: JobQueue, event_id: int, subject: str) -> int | None:
    """Have an event handled after those of its subject that came before; None if that is waiting already."""
    return queue.enqueue(
        session,
        HANDLE_KIND,
        {"event_id": event_id},
        lane="event",
        key=subject or None,
        unique=str(event_id),
    )


def _wants_welcome(incoming: IncomingEvent) -> bool:
    return (
        incoming.event == CUSTOMER_EVENT
        and incoming.change_type in WELCOMING
        and bool(text(incoming.fields, "WelcomeCode"))
    )


@dataclass(frozen=True)
class EventView:
    """A callback as lists show it, without its body."""

    id: int
    event: str
    change_type: str
    subject: str
    state: str
    deliveries: int
    occurred_at: datetime | None
    received_at: datetime
    handled_at: datetime | None
    error: str | None


def list_events(
    session: Session, *, state: str | None = None, before_id: int | None = None, limit: int = 50
) -> list[EventView]:
    """Return stored callbacks, newest first."""
    query = select(InboxEvent).order_by(InboxEvent.id.desc()).limit(limit)
    if state is not None:
        query = query.where(InboxEvent.state == state)
    if before_id is not None:
        query = query.where(InboxEvent.id < before_id)
    return [view(event) for event in session.execute(query).scalars()]


def get(session: Session, event_id: int) -> InboxEvent:
    """Return a stored callback; raise NotFound."""
    event = session.get(InboxEvent, event_id)
    if event is None:
        raise NotFound("没有这条回调")
    return event


@dataclass(frozen=True)
class Message:
    """What a stored callback says, and how far it has come."""

    id: int
    event: str
    change_type: str
    state: str
    fields: Mapping[str, Any]
    received_at: datetime
    occurred_at: datetime | None


def get_message(session: Session, event_id: int) -> Message:
    """Return what a stored callback says; raise NotFound."""
    found = MESSAGE.row(session, {"event_id": event_id})
    if found is None:
        raise NotFound("没有这条回调")
    return Message(*found)


def mark_handled(session: Session, event_id: int, state: str, now: datetime) -> None:
    """Write down that an event has come to its end: `done`, or `ignored` where nothing was to be done."""
    values = {"event_id": event_id, "state": state, "handled_at": now, "error": None}
    END.run(session, values)


def mark_failed(session: Session, event_id: int, error: str) -> None:
    """Show that handling an event failed, and why."""
    END.run(session, {"event_id": event_id, "state": "failed", "error": error[:500]})


def view(event: InboxEvent) -> EventView:
    """Return a stored callback as lists show it."""
    return EventView(
        event.id,
        event.event,
        event.change_type,
        event.subject,
        event.state,
        event.deliveries,
        event.occurred_at,
        event.received_at,
        event.handled_at,
        event.error,
    )
