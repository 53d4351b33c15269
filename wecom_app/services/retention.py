"""What is forgotten, and when: `sweep` is the job `retention.sweep`, which the scheduler asks for through `request`.

Callbacks that were handled lose their text, later their row; the call log, ended jobs, kept answers, ended browser
sessions, the use of content and old audit entries go.
Whatever must still be handled stays, however old it is.
"""

from collections.abc import Callable, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Select, delete, exists, null, select, tuple_, update
from sqlalchemy.orm import Session

from wecom_app.models import IdempotencyRecord, InboxEvent, Welcome
from wecom_app.services import accounts, audit, content_use, notices, rate_limits, robots, sessions, sign_in
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime, Store

KIND = "retention.sweep"
ROWS = 500
"""Rows in one write transaction (architecture §5)."""
SETTLED = ("done", "ignored")

log = structlog.get_logger(__name__)


def request(store: Store) -> None:
    """Have the next sweep run at the coming full hour: one job, however many processes ask for it."""
    full_hour = store.clock.now().replace(minute=0, second=0, microsecond=0)
    with store.write() as session:
        store.queue.enqueue(session, KIND, {}, lane="local", unique="hourly", run_at=full_hour + timedelta(hours=1))


def sweep(runtime: Runtime, _args: JobArgs) -> None:
    """Delete what was kept long enough, at most 500 rows a transaction; running it again changes nothing."""
    now, settings = runtime.clock.now(), runtime.settings
    swept = {
        "bodies": _clear_bodies(runtime, now - timedelta(days=settings.inbox_body_days)),
        "events": _delete_events(runtime, now - timedelta(days=settings.inbox_digest_days)),
        "calls": runtime.wecom_status.purge(timedelta(days=settings.api_call_days)),
        "jobs": _until_none(runtime.queue.purge),
        "sessions": _until_none(lambda: _delete_some(runtime, sessions.purge)),
        "sign_ins": _until_none(lambda: _delete_some(runtime, sign_in.purge)),
        "limits": _until_none(lambda: _delete_some(runtime, rate_limits.purge)),
        "audit": _until_none(
            lambda: _delete_some(runtime, partial(audit.purge, keep=timedelta(days=settings.audit_days)))
        ),
        "notices": _until_none(
            lambda: _delete_some(runtime, partial(notices.purge, keep=timedelta(days=settings.inbox_body_days)))
        ),
        "content_use": _until_none(lambda: _delete_some(runtime, content_use.purge)),
        "robot_messages": _until_none(lambda: _delete_some(runtime, robots.purge)),
        "answers": _until_none(lambda: _delete_answers(runtime, now - accounts.KEPT_FOR)),
    }
    log.info("retention.swept", **swept)


def _clear_bodies(runtime: Runtime, before: datetime) -> int:
    def clear(session: Session, ids: Sequence[int]) -> None:
        # A JSON column would take None for the JSON value null.
        session.execute(_settled(update(InboxEvent), ids).values(body=None, fields=null()))

    old = select(InboxEvent.id).where(
        InboxEvent.state.in_(SETTLED), InboxEvent.received_at < before, InboxEvent.body.is_not(None)
    )
    return _in_batches(runtime, old, clear)


def _delete_events(runtime: Runtime, before: datetime) -> int:
    """Delete events with their welcome messages, but for one that has not ended."""

    def forget(session: Session, ids: Sequence[int]) -> None:
        session.execute(delete(Welcome).where(Welcome.event_id.in_(ids)))
        session.execute(_settled(delete(InboxEvent), ids))

    welcoming = exists().where(Welcome.event_id == InboxEvent.id, Welcome.status == "waiting")
    old = select(InboxEvent.id).where(InboxEvent.state.in_(SETTLED), InboxEvent.last_received_at < before, ~welcoming)
    return _in_batches(runtime, old, forget)


def _settled(statement: Any, ids: Sequence[int]) -> Any:
    """Narrow a statement to the events found, unless one of them was put back to waiting meanwhile."""
    return statement.where(InboxEvent.id.in_(ids), InboxEvent.state.in_(SETTLED))


def _delete_answers(runtime: Runtime, before: datetime) -> int:
    key = tuple_(IdempotencyRecord.api_key_id, IdempotencyRecord.key)
    old = select(IdempotencyRecord.api_key_id, IdempotencyRecord.key).where(IdempotencyRecord.created_at < before)
    with runtime.write() as session:
        found = delete(IdempotencyRecord).where(key.in_(old.limit(ROWS)))
        return int(session.connection().execute(found).rowcount)


def _delete_some(runtime: Runtime, purge: Callable[[Session, datetime, int], int]) -> int:
    with runtime.write() as session:
        return purge(session, runtime.clock.now(), ROWS)


def _in_batches(runtime: Runtime, old: Select[int], change: Callable[[Session, Sequence[int]], None]) -> int:
    """Look without a lock, change in short transactions; return how many rows were found."""
    total = 0
    while True:
        with runtime.read() as session:
            ids = session.scalars(old.order_by(InboxEvent.id).limit(ROWS)).all()
        if ids:
            with runtime.write() as session:
                change(session, ids)
        total += len(ids)
        if len(ids) < ROWS:
            return total


def _until_none(delete_some: Callable[[], int]) -> int:
    total = 0
    while deleted := delete_some():
        total += deleted
    return total
