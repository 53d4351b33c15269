"""Carrying channels to WeCom as live codes: made, updated and deleted, one call at a time per channel.

`carry` does whatever the saved state calls for; requests call it at once, the job `channel.push` later. What
was last pushed is kept as a hash, so that nothing is pushed that WeCom has already.
"""

import hashlib
import json
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.errors import Unavailable, WeComError, WeComGone, WeComUnavailable
from wecom_app.models import Channel
from wecom_app.services import channel_drafts, channel_traces
from wecom_app.services.context import Context
from wecom_app.services.library import context as plain_context
from wecom_app.services.ports import ContactWay, ContactWayDraft, JobArgs
from wecom_app.services.runtime import Runtime

PUSH_KIND = "channel.push"
MAX_WAY_REMARK = 30
"""add_contact_way: characters of `remark`, which only the API shows."""
CLAIM = timedelta(seconds=60)
"""How long a claim on a channel holds: longer than the 30 s that a call may take."""
SETTLE = timedelta(seconds=10)
"""After an unknown outcome: the request may still be carried out until the call's own time-out."""
SAFETY_DELAY = timedelta(seconds=60)
"""After this a push that was cut short by a crash is looked for and finished."""
NO_CODE = 41044
DELETED = "活码已在企业微信删除，印出的二维码不再有效；需要新的活码请恢复渠道并选择重新生成"
GONE = "企业微信中已没有这个活码（可能在别处被删除），扫码已无效；请恢复渠道并选择重新生成，再更换印出的二维码"
DELETING = "正在企业微信删除活码"


class PushUnderWay(Unavailable):
    """Somebody else is calling WeCom for this channel."""

    default_message = "这个渠道活码正在同步，请稍后再试"


@dataclass(frozen=True)
class Made:
    """A live code, made just now or found as the work of an earlier try."""

    code: ContactWay
    earlier: bool


@dataclass(frozen=True)
class Task:
    """One call to make: `create`, `update` or `delete`."""

    channel_id: int
    act: str
    way: ContactWayDraft
    config_id: str | None
    look_since: datetime | None
    """An earlier creation may have gone through: look for its code among those made since then."""


def way_hash(way: ContactWayDraft) -> str:
    """Return a hash of everything about a live code that WeCom sees and that can change."""
    seen = [sorted(userid.lower() for userid in way.userids), way.remark, way.skip_verify, way.is_exclusive]
    return hashlib.sha256(json.dumps(seen, ensure_ascii=False).encode()).hexdigest()


def way_of(session: Session, channel: Channel) -> ContactWayDraft:
    """Return what the live code is to be at WeCom."""
    return ContactWayDraft(
        userids=tuple(channel_drafts.userids(session, channel.id)),
        state=channel.state,
        remark=channel.name[:MAX_WAY_REMARK],
        skip_verify=channel.skip_verify,
        is_exclusive=channel.exclusive,
    )


def act_due(session: Session, channel: Channel) -> str | None:
    """Return what WeCom still has to be told: `create`, `update` or `delete`; None if nothing."""
    if channel.code == "deleting":
        return "delete"
    if channel.code != "ours":
        return None
    if channel.config_id is None:
        return "create"
    return None if channel.pushed_hash == way_hash(way_of(session, channel)) else "update"


def request(session: Session, context: Context, channel_id: int) -> None:
    """Have the channel pushed as soon as may be."""
    context.queue.enqueue(
        session,
        PUSH_KIND,
        {"channel_id": channel_id},
        lane="push",
        key=f"channel:{channel_id}",
        unique=str(channel_id),
    )


def request_later(session: Session, context: Context, channel_id: int) -> None:
    """Make sure of a push that is about to be made, should the process end before."""
    context.queue.enqueue(
        session,
        PUSH_KIND,
        {"channel_id": channel_id},
        lane="push",
        unique=f"{channel_id}:later",
        run_at=context.now + SAFETY_DELAY,
    )


def push(runtime: Runtime, args: JobArgs) -> None:
    """Bring WeCom to the channel's saved state; a refusal stands on the channel for people to see."""
    channel_id = int(args["channel_id"])
    with runtime.write() as session:
        channel_traces.follow_up(session, plain_context(runtime), channel_id)
    carry(runtime, channel_id)


def carry(runtime: Runtime, channel_id: int) -> None:
    """Make the one call that is due, if any; raise WeComError, noted on the channel, or PushUnderWay."""
    with runtime.write() as session:
        task = _claim(session, channel_id, runtime.clock.now())
    if task is None:
        return
    try:
        made = _call(runtime, task)
    except WeComError as error:
        with runtime.write() as session:
            _note_failure(session, task, error, runtime.clock.now())
        if not _has_lost_its_code(task, error):
            raise
        return
    runtime.crash_point(f"channel.after_{task.act}")
    with runtime.write() as session:
        _note_success(session, plain_context(runtime), task, made)


def find_locked(session: Session, channel_id: int) -> Channel | None:
    """Return the channel, its row locked until the transaction ends."""
    query = select(Channel).where(Channel.id == channel_id).with_for_update()
    return session.execute(query).scalar_one_or_none()


def _claim(session: Session, channel_id: int, now: datetime) -> Task | None:
    channel = find_locked(session, channel_id)
    act = act_due(session, channel) if channel else None
    if channel is None or act is None:
        return None
    if channel.pushing_until is not None and channel.pushing_until > now:
        busy = PushUnderWay()
        busy.retry_after_s = (channel.pushing_until - now).total_seconds()
        raise busy
    task = Task(channel_id, act, way_of(session, channel), channel.config_id, channel.attempted_at)
    channel.pushing_until = now + CLAIM
    if act == "create" and channel.attempted_at is None:
        channel.attempted_at = now
    return task


def _call(runtime: Runtime, task: Task) -> Made | None:
    """Make the call; return the live code if one was made or found."""
    if task.act == "update":
        assert task.config_id is not None
        runtime.wecom.update_contact_way(task.config_id, task.way)
        return None
    if task.act == "delete":
        _delete(runtime, task)
        return None
    found = _left_behind(runtime, task)
    return Made(found, earlier=True) if found else Made(runtime.wecom.add_contact_way(task.way), earlier=False)


def _delete(runtime: Runtime, task: Task) -> None:
    config_id = task.config_id
    if config_id is None:
        found = _left_behind(runtime, task)
        config_id = found.config_id if found else None
    if config_id is None:
        return
    try:
        runtime.wecom.delete_contact_way(config_id)
    except WeComGone as error:
        if error.errcode != NO_CODE:
            raise


def _left_behind(runtime: Runtime, task: Task) -> ContactWay | None:
    """Return the code that an earlier creation of unknown outcome made, if it made one."""
    if task.look_since is None:
        return None
    return runtime.wecom.find_contact_way(task.way.state, created_since=task.look_since)


def _has_lost_its_code(task: Task, error: WeComError) -> bool:
    return task.act == "update" and error.errcode == NO_CODE


def _note_failure(session: Session, task: Task, error: WeComError, now: datetime) -> None:
    channel = find_locked(session, task.channel_id)
    if channel is None:
        return
    channel.pushing_until = None
    if _has_lost_its_code(task, error):
        channel.code, channel.sync_state, channel.sync_reason = "deleted", "failed", GONE
        return
    if isinstance(error, WeComUnavailable):
        channel.pushing_until, channel.pushed_hash = now + SETTLE, None
    channel.sync_state = "pending" if error.retryable else "failed"
    channel.sync_reason = error.message[:300]


def _note_success(session: Session, context: Context, task: Task, made: Made | None) -> None:
    channel = find_locked(session, task.channel_id)
    if channel is None:
        return
    channel.pushing_until = channel.attempted_at = None
    if task.act == "delete":
        channel.code, channel.sync_state, channel.sync_reason = "deleted", "local", DELETED
        return
    if made is not None:
        channel.config_id, channel.qr_code = made.code.config_id, made.code.qr_code
    # An earlier try may have said something else than what is saved now.
    channel.pushed_hash = None if made is not None and made.earlier else way_hash(task.way)
    settle(session, context, channel)


def settle(session: Session, context: Context, channel: Channel) -> None:
    """Say how the channel stands with WeCom, and have it pushed if there is anything left to tell."""
    session.flush()
    if act_due(session, channel) is not None:
        channel.sync_state, channel.sync_reason = "pending", None
        request(session, context, channel.id)
    elif channel.code == "ours":
        channel.sync_state, channel.sync_reason = "synced", None
