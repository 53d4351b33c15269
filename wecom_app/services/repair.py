"""Repair by a person: looking at a callback, handling it again, and running, cancelling or reviving jobs.

Nothing here has an effect of its own: what is put back to waiting goes the same way as the first time, and
that way is safe to go again. Called by the API and by the commands `inbox` and `jobs`.
"""

from collections.abc import Callable, Mapping
from contextlib import suppress
from dataclasses import dataclass
from typing import Any

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wecom_app.errors import Conflict, NotFound
from wecom_app.models import InboxEvent
from wecom_app.services import cells, inbox, library_retries, pushes, taxonomy
from wecom_app.services.inbox import EventView
from wecom_app.services.ports import CANCELLED, JobArgs, JobQueue, JobView
from wecom_app.services.runtime import Store

MOST_AT_ONCE = 1_000
BATCH = 100
"""Replays in one write transaction."""
MASK = "******"
MASKED = frozenset({"welcomecode", "token", "authcode", "suiteticket"})
"""Elements of callbacks that open something; a welcome code sends a message to a customer."""
EVENT_STATES = ("waiting", "done", "ignored", "failed")
JOB_STATES: Mapping[str, str] = {
    "waiting": "等待执行",
    "running": "正在执行",
    "retrying": "等待重试",
    "done": "已完成",
    "dead": "处理失败",
}


@dataclass(frozen=True)
class EventDetail(EventView):
    """A callback with its elements, those that open something masked; None once the text is forgotten."""

    fields: Mapping[str, Any] | None


@dataclass(frozen=True)
class Bulk:
    """What became of many at once; `skipped` could not be put back. From `next_cursor` on there are more."""

    replayed: int
    skipped: int
    next_cursor: int | None


def get_event(session: Session, event_id: int) -> EventDetail:
    """Return one callback; raise NotFound."""
    event = inbox.get(session, event_id)
    fields = None if event.fields is None else _masked(event.fields)
    return EventDetail(**vars(inbox.view(event)), fields=fields)


def replay_event(session: Session, queue: JobQueue, event_id: int) -> int | None:
    """Have a callback handled again; return the job's id, None if one is waiting to do it.

    A failed one is waiting from now on. Raises NotFound, and Conflict where the text is forgotten.
    """
    event = inbox.get(session, event_id)
    if event.fields is None:
        raise Conflict("这条回调的正文已过保留期，不能重新处理")
    session.execute(
        update(InboxEvent)
        .where(InboxEvent.id == event_id, InboxEvent.state == "failed")
        .values(state="waiting", error=None)
    )
    session.refresh(event)
    return inbox.request_handling(session, queue, event_id, event.subject)


def replay_failed_events(store: Store, *, after_id: int | None = None, limit: int = MOST_AT_ONCE) -> Bulk:
    """Have failed callbacks handled again, in the order in which they came."""
    replayed = skipped = 0
    cursor = after_id or 0
    while replayed + skipped < limit:
        size = min(BATCH, limit - replayed - skipped)
        query = select(InboxEvent.id).where(InboxEvent.state == "failed", InboxEvent.id > cursor)
        with store.read() as session:
            found = session.scalars(query.order_by(InboxEvent.id).limit(size)).all()
        if not found:
            return Bulk(replayed, skipped, None)
        with store.write() as session:
            kept = sum(_was_replayed(session, store.queue, event_id) for event_id in found)
        replayed, skipped, cursor = replayed + kept, skipped + len(found) - kept, found[-1]
    return Bulk(replayed, skipped, cursor)


def get_job(session: Session, queue: JobQueue, job_id: int) -> JobView:
    """Return one job; raise NotFound."""
    job = queue.get_job(session, job_id)
    if job is None:
        raise NotFound("没有这个任务，或它已过保留期")
    return job


def replay_job(session: Session, queue: JobQueue, job_id: int) -> JobView:
    """Put a dead job back to waiting; raise NotFound, and Conflict where that makes no sense."""
    job = get_job(session, queue, job_id)
    if job.state != "dead":
        raise Conflict(f"只有处理失败的任务可以重新执行，这个任务{JOB_STATES[job.state]}")
    if not _put_back(session, queue, job):
        raise Conflict("同样的任务已在等待执行，不必重复")
    return get_job(session, queue, job_id)


def replay_dead_jobs(
    store: Store,
    *,
    kind: str | None = None,
    error: str | None = None,
    before_id: int | None = None,
    limit: int = MOST_AT_ONCE,
) -> Bulk:
    """Put dead jobs back to waiting, newest first; those that a person cancelled only where `error` says so."""
    replayed = skipped = 0
    cursor = before_id
    while replayed + skipped < limit:
        size = min(BATCH, limit - replayed - skipped)
        with store.read() as session:
            page = store.queue.list_jobs(session, state="dead", kind=kind, error=error, before_id=cursor, limit=size)
        wanted = [job for job in page.items if error is not None or job.last_error != CANCELLED]
        with store.write() as session:
            kept = sum(_put_back(session, store.queue, job) for job in wanted)
        replayed, skipped, cursor = replayed + kept, skipped + len(page.items) - kept, page.next_cursor
        if cursor is None:
            break
    return Bulk(replayed, skipped, cursor)


def cancel_job(session: Session, queue: JobQueue, job_id: int) -> JobView:
    """End a job that is not running; raise NotFound, and Conflict where it runs or is over."""
    job = get_job(session, queue, job_id)
    if not queue.cancel(session, job_id):
        raise Conflict(f"只有还没开始执行的任务可以取消，这个任务{JOB_STATES[job.state]}")
    return get_job(session, queue, job_id)


def _was_replayed(session: Session, queue: JobQueue, event_id: int) -> bool:
    try:
        replay_event(session, queue, event_id)
    except Conflict:
        return False
    return True


def _put_back(session: Session, queue: JobQueue, job: JobView) -> bool:
    """Undo what the job's failure left behind, then let it run; False if a twin waits or it is not dead any more."""
    prepare = PREPARATIONS.get(job.kind)
    if prepare is not None:
        # Arguments that cannot be read hold nobody up: the job will die of them again and say so.
        with suppress(KeyError, TypeError, ValueError):
            prepare(session, job.args)
    return queue.replay(session, job.id)


def _revive_cells(session: Session, args: JobArgs) -> None:
    pushes.revive(session, int(args["customer_id"]))


def _unblock_tags(session: Session, args: JobArgs) -> None:
    """Let tags that WeCom refused to take be tried again."""
    library_retries.release(session, int(args["group_id"]))


def _await_event(session: Session, args: JobArgs) -> None:
    session.execute(
        update(InboxEvent)
        .where(InboxEvent.id == int(args["event_id"]), InboxEvent.state == "failed")
        .values(state="waiting", error=None)
    )


def _masked(value: Any) -> Any:
    if isinstance(value, Mapping):
        return {
            name: MASK if name.lower() in MASKED and element else _masked(element) for name, element in value.items()
        }
    return [_masked(element) for element in value] if isinstance(value, list) else value


PREPARATIONS: Mapping[str, Callable[[Session, JobArgs], None]] = {
    cells.SYNC_KIND: _revive_cells,
    taxonomy.PUSH_KIND: _unblock_tags,
    inbox.HANDLE_KIND: _await_event,
}
"""What a kind of job leaves behind when it dies, undone before it runs again."""
