"""What group robots are to say, durable until it was said: `post` writes it down, the job `robot.send` says it.

An alert or a digest that cannot be delivered keeps its row, with the reason, for people to see.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import ConfigurationError, WeComError, WeComUnavailable
from wecom_app.models import RobotMessage
from wecom_app.services.ports import GroupRobot, JobArgs
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import ignoring

SEND_KIND = "robot.send"
ALERT, DIGEST = "alert", "digest"
REPEATED = frozenset({ALERT})
"""Kinds that are said again where the first saying may have been lost: two alerts harm less than none."""
MAY_HAVE_ARRIVED = "机器人没有回应，消息可能已送达，不再重发"
REMOVED = "GROUP_ROBOT_URL 里已没有这个机器人"
KEPT = timedelta(days=90)
UNSAID = ("waiting", "sending", "failed", "unknown")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Unsaid:
    """A message that a robot has not said, and why."""

    robot: str
    kind: str
    state: str
    reason: str | None
    created_at: datetime


def post(session: Session, runtime: Runtime, kind: str, period: str, content: str) -> bool:
    """Have every robot say something once for a period; return whether anything was new."""
    made = False
    for name in runtime.robots:
        row = {
            "robot": name,
            "kind": kind,
            "period": period,
            "content": content,
            "state": "waiting",
            "created_at": runtime.clock.now(),
        }
        statement = ignoring(session, RobotMessage, ("robot", "kind", "period"), returning=("id",))
        message_id = statement.scalar(session, row)
        if message_id is not None:
            made = True
            runtime.queue.enqueue(session, SEND_KIND, {"message_id": message_id}, lane="bulk", key=f"robot:{name}")
    return made


def send(runtime: Runtime, args: JobArgs) -> None:
    """Say one message; raises only what trying again can help."""
    message_id = int(args["message_id"])
    with runtime.write() as session:
        message = session.get_one(RobotMessage, message_id)
        if message.state not in ("waiting", "sending"):
            return
        robot = runtime.robots.get(message.robot)
        lost = message.state == "sending" and message.kind not in REPEATED
        message.state = "sending"
    if robot is None:
        _finish(runtime, message_id, "failed", REMOVED)
        return
    if lost:
        _finish(runtime, message_id, "unknown", MAY_HAVE_ARRIVED)
        return
    runtime.crash_point("robot.before_call")
    try:
        robot.send_markdown(message.content)
    except WeComError as error:
        _refused(runtime, message, error)
        return
    runtime.crash_point("robot.after_call")
    _finish(runtime, message_id, "sent", None)


def say_now(robots: Mapping[str, GroupRobot], content: str) -> dict[str, str | None]:
    """Have every robot say something at once; return for each what went wrong, None where nothing did.

    Raises ConfigurationError where there is no robot.
    """
    if not robots:
        raise ConfigurationError("没有设置群机器人：把群里的 Webhook 地址填到 GROUP_ROBOT_URL")
    return {name: _say(robot, content) for name, robot in robots.items()}


def _say(robot: GroupRobot, content: str) -> str | None:
    try:
        robot.send_markdown(content)
    except WeComError as error:
        return error.message
    return None


def unsaid(session: Session, limit: int = 50) -> list[Unsaid]:
    """Return what was not delivered, newest first."""
    query = select(RobotMessage).where(RobotMessage.state.in_(UNSAID)).order_by(RobotMessage.id.desc()).limit(limit)
    return [
        Unsaid(message.robot, message.kind, message.state, message.reason, message.created_at)
        for message in session.execute(query).scalars()
    ]


def purge(session: Session, now: datetime, limit: int) -> int:
    """Delete messages that came to their end long ago, at most `limit` rows; return how many."""
    old = select(RobotMessage.id).where(RobotMessage.finished_at < now - KEPT).limit(limit)
    return int(session.connection().execute(delete(RobotMessage).where(RobotMessage.id.in_(old))).rowcount)


def _refused(runtime: Runtime, message: RobotMessage, error: WeComError) -> None:
    """Note a failure; raise it again where the message is to be tried again."""
    if not error.retryable:
        log.warning("robot.refused", robot=message.robot, errcode=error.errcode)
        _finish(runtime, message.id, "failed", error.message)
    elif _may_have_arrived(error) and message.kind not in REPEATED:
        _finish(runtime, message.id, "unknown", MAY_HAVE_ARRIVED)
    else:
        _note(runtime, message.id, state="waiting", reason=error.message)
        raise error


def _may_have_arrived(error: WeComError) -> bool:
    """Return whether the group has probably seen the message: taken in and not answered in time.

    A connection that breaks is mostly one that had been idle for long, and no answer of a proxy comes from WeCom.
    """
    return isinstance(error, WeComUnavailable) and error.settle_s > WeComUnavailable.settle_s


def _finish(runtime: Runtime, message_id: int, state: str, reason: str | None) -> None:
    _note(runtime, message_id, state=state, reason=reason, finished_at=runtime.clock.now())


def _note(runtime: Runtime, message_id: int, **values: Any) -> None:
    with runtime.write() as session:
        session.execute(update(RobotMessage).where(RobotMessage.id == message_id).values(**values))
