"""What the app answers to members; each cause is told once.

`say` writes an answer down in the caller's transaction; the job `bot.send` sends it.
"""

from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import WeComRejected
from wecom_app.models import BotMessage, Staff
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import ignoring

SEND_KIND = "bot.send"
PRIORITY = 20
"""Somebody is looking at his phone."""
STALE = timedelta(hours=1)
"""An answer that could not be sent for so long is not wanted any more."""
TOO_LATE = "超过一小时没能送出，不再发送"
UNREACHED = "成员收不到消息：不在应用的可见范围内、未激活或已离职"

log = structlog.get_logger(__name__)


def say(session: Session, queue: JobQueue, staff_id: int, cause: str, words: str, now: datetime) -> bool:
    """Have a member told something now; return False if that cause was told before."""
    row = {"staff_id": staff_id, "cause": cause, "text": words, "state": "waiting", "created_at": now}
    statement = ignoring(session, BotMessage, ("cause",), returning=("id",))
    message_id = statement.scalar(session, row)
    if message_id is not None:
        args = {"message_id": message_id}
        queue.enqueue(session, SEND_KIND, args, lane="push", key=f"bot:{staff_id}", priority=PRIORITY)
    return message_id is not None


def is_told(session: Session, cause: str) -> bool:
    """Return whether a cause has its message."""
    return session.execute(select(BotMessage.id).where(BotMessage.cause == cause)).scalar_one_or_none() is not None


def send(runtime: Runtime, args: JobArgs) -> None:
    """Send one message; raises what trying again, or a person, can help.

    After an unknown outcome it is sent again: an answer that comes twice harms less than none.
    """
    message_id = int(args["message_id"])
    with runtime.read() as session:
        message = session.get_one(BotMessage, message_id)
        userid = session.get_one(Staff, message.staff_id).userid
    if message.state != "waiting":
        return
    if runtime.clock.now() - message.created_at > STALE:
        _finish(runtime, message_id, "failed", TOO_LATE)
        return
    try:
        sent = runtime.wecom.send_text([userid], message.text)
    except WeComRejected as error:
        _finish(runtime, message_id, "failed", error.message)
        return
    runtime.crash_point("bot.after_send")
    _finish(runtime, message_id, "failed" if sent.unreached else "sent", UNREACHED if sent.unreached else None)


def purge(session: Session, now: datetime, limit: int, *, keep: timedelta) -> int:
    """Delete what was told longer ago, at most `limit` rows; return how many."""
    old = select(BotMessage.id).where(BotMessage.finished_at < now - keep).limit(limit)
    return int(session.connection().execute(delete(BotMessage).where(BotMessage.id.in_(old))).rowcount)


def _finish(runtime: Runtime, message_id: int, state: str, reason: str | None) -> None:
    values: dict[str, Any] = {"state": state, "reason": reason, "finished_at": runtime.clock.now()}
    if reason is not None:
        log.info("bot.unsent", message_id=message_id, reason=reason)
    with runtime.write() as session:
        session.execute(update(BotMessage).where(BotMessage.id == message_id).values(**values))
