"""What is forgotten, and when: a schedule runs `sweep` once an hour.

Callbacks that were handled lose their text, later their row; the call log, ended jobs, kept answers, ended browser
sessions, the use of content, records of changes that can no longer be undone, and old audit entries go.
Whatever must still be handled stays, however old it is.
"""

from collections.abc import Callable, Mapping, Sequence
from datetime import datetime, timedelta
from functools import partial
from typing import Any

import structlog
from sqlalchemy import Select, delete, exists, null, select, update
from sqlalchemy.orm import Session

from wecom_app.models import InboxEvent, ScheduleRun, Welcome
from wecom_app.services import (
    accounts,
    audit,
    content_use,
    library_changes,
    notices,
    rate_limits,
    robots,
    sessions,
    sign_in,
)
from wecom_app.services.ports import JobArgs
from wecom_app.services.progress import SILENT, Progress
from wecom_app.services.runtime import Runtime

ROWS = 500
"""Rows in one write transaction: others wait for the writer meanwhile."""
SETTLED = ("done", "ignored")
RUNS_KEPT = timedelta(days=30)
WORDS: Mapping[str, str] = {
    "bodies": "回调正文",
    "events": "回调",
    "calls": "调用记录",
    "jobs": "任务",
    "sessions": "登录",
    "sign_ins": "登录请求",
    "limits": "限流记录",
    "audit": "审计记录",
    "notices": "应用消息",
    "content_use": "内容使用记录",
    "robot_messages": "机器人消息",
    "runs": "运行记录",
    "answers": "接口回答",
    "library_changes": "标签库改动的撤销记录",
}
"""What `sweep` counts."""

log = structlog.get_logger(__name__)


def sweep(runtime: Runtime, _args: JobArgs, progress: Progress = SILENT) -> None:
    """Delete what was kept long enough, at most 500 rows a transaction; running it again changes nothing."""
    steps = _steps(runtime)
    progress.expect(len(steps))
    swept = {}
    for name, step in steps.items():
        swept[name] = step()
        progress.advance(**{name: swept[name]} if swept[name] else {})
    log.info("retention.swept", **swept)


def _steps(runtime: Runtime) -> dict[str, Callable[[], int]]:
    now, settings = runtime.clock.now(), runtime.settings

    def until_none(purge: Callable[[Session, datetime, int], int]) -> Callable[[], int]:
        return lambda: _until_none(lambda: _delete_some(runtime, purge))

    return {
        "bodies": lambda: _clear_bodies(runtime, now - timedelta(days=settings.inbox_body_days)),
        "events": lambda: _delete_events(runtime, now - timedelta(days=settings.inbox_digest_days)),
        "calls": lambda: runtime.wecom_status.purge(timedelta(days=settings.api_call_days)),
        "jobs": lambda: _until_none(runtime.queue.purge),
        "sessions": until_none(sessions.purge),
        "sign_ins": until_none(sign_in.purge),
        "limits": until_none(rate_limits.purge),
        "audit": until_none(partial(audit.purge, keep=timedelta(days=settings.audit_days))),
        "notices": until_none(partial(notices.purge, keep=timedelta(days=settings.inbox_body_days))),
        "content_use": until_none(content_use.purge),
        "robot_messages": until_none(robots.purge),
        "runs": until_none(_delete_runs),
        "library_changes": until_none(library_changes.purge),
        "answers": lambda: _until_none(lambda: _delete_answers(runtime, now - accounts.KEPT_FOR)),
    }


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
    with runtime.write() as session:
        return accounts.forget_answers(session, before, ROWS)


def _delete_runs(session: Session, now: datetime, limit: int) -> int:
    """Delete runs of schedules that ended long ago."""
    old = select(ScheduleRun.id).where(ScheduleRun.finished_at < now - RUNS_KEPT).limit(limit)
    return int(session.connection().execute(delete(ScheduleRun).where(ScheduleRun.id.in_(old))).rowcount)


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
