"""Channels: made, edited, archived, restored, listed and read; the API and the demo call this.

A channel is saved while WeCom cannot be reached and pushed later (`channel_push`); what WeCom definitely refuses
is taken back.
"""

import secrets
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import Conflict, InvalidInput, NameTaken, NotFound, WeComError
from wecom_app.models import Channel, ChannelRemark, ChannelStaff, ChannelTag, Relation, Welcome
from wecom_app.services import channel_drafts, channel_push, channel_traces, library
from wecom_app.services.channel_drafts import ChannelChanges, ChannelDraft
from wecom_app.services.context import Context
from wecom_app.services.greetings import Greeting
from wecom_app.services.runtime import Runtime

CODE_COLUMNS = ("code", "config_id", "qr_code", "pushed_hash", "sync_state", "sync_reason", "archived_at")


@dataclass(frozen=True)
class ChannelView:
    """A channel as the API shows it."""

    id: int
    name: str
    source: str
    state: str
    staff: tuple[str, ...]
    tags: tuple[str, ...]
    greeting: Greeting
    remark_rule: str | None
    skip_verify: bool
    exclusive: bool
    config_id: str | None
    qr_code: str | None
    sync_state: str
    sync_reason: str | None
    created_at: datetime
    archived_at: datetime | None


def create(runtime: Runtime, draft: ChannelDraft) -> ChannelView:
    """Make a channel and its live code; raise InvalidInput or NameTaken, also for what WeCom refuses."""
    with runtime.write() as session:
        context = library.context(runtime)
        traces = channel_traces.newcomers(session, draft.staff, draft.source.strip())
        channel_id = insert(session, context, draft, code="ours").id
        channel_push.request_later(session, context, channel_id)
    runtime.crash_point("channel.before_create")
    refusal = _carry_now(runtime, channel_id)
    if refusal is not None:
        with runtime.write() as session:
            _forget(session, channel_id)
            channel_traces.drop(session, library.context(runtime), traces)
        raise _refused("创建渠道活码", refusal) from refusal
    _follow_up(runtime, channel_id)
    return _read(runtime, channel_id)


def edit(runtime: Runtime, channel_id: int, changes: ChannelChanges) -> ChannelView:
    """Change a channel; its live code only where WeCom sees a difference.

    Raises InvalidInput with nothing changed, also where WeCom refuses the new staff.
    """
    with runtime.write() as session:
        context = library.context(runtime)
        channel = _find(session, channel_id)
        was = channel_push.way_hash(channel_push.way_of(session, channel))
        traces = channel_traces.newcomers(
            session, changes.get("staff", ()), changes.get("source", channel.source).strip()
        )
        before = channel_drafts.apply(session, context, channel, changes)
        after = channel_drafts.read(session, channel)
        differs = channel_push.way_hash(channel_push.way_of(session, channel)) != was
        at_once = differs and channel_push.act_due(session, channel) == "update"
        if at_once:
            channel.sync_state, channel.sync_reason = "pending", None
            channel_push.request_later(session, context, channel_id)
        else:
            channel_traces.follow_up(session, context, channel_id)
            if differs:
                channel_push.settle(session, context, channel)
    runtime.crash_point("channel.before_update")
    refusal = _carry_now(runtime, channel_id) if at_once else None
    if refusal is not None:
        with runtime.write() as session:
            context = library.context(runtime)
            channel = _find(session, channel_id)
            channel_drafts.take_back(session, context, channel, before, after)
            channel_push.settle(session, context, channel)
            channel_traces.drop(session, context, traces)
        raise _refused("修改渠道活码", refusal) from refusal
    if at_once:
        _follow_up(runtime, channel_id)
    return _read(runtime, channel_id)


def archive(runtime: Runtime, channel_id: int, *, delete_code: bool = False) -> ChannelView:
    """Hide a channel from the lists; whoever scans its printed code is still tagged and welcomed.

    With `delete_code` the live code is deleted at WeCom, after which nobody can scan it. The state stays reserved.
    """
    with runtime.write() as session:
        context = library.context(runtime)
        channel = _find(session, channel_id)
        if delete_code and channel.code == "foreign":
            raise InvalidInput("这个活码属于其他工具，请在原工具中删除；本系统只能归档渠道")
        was_archived_at, was_sync = channel.archived_at, (channel.sync_state, channel.sync_reason)
        channel.archived_at = channel.archived_at or context.now
        deletes = delete_code and channel.code == "ours"
        if deletes:
            channel.code = "deleting"
            channel.sync_state, channel.sync_reason = "pending", channel_push.DELETING
            channel_push.request_later(session, context, channel_id)
    runtime.crash_point("channel.before_delete")
    refusal = _carry_now(runtime, channel_id) if deletes else None
    if refusal is not None:
        with runtime.write() as session:
            channel = _find(session, channel_id)
            channel.code, channel.archived_at = "ours", was_archived_at
            channel.sync_state, channel.sync_reason = was_sync
        raise _refused("删除渠道活码", refusal) from refusal
    return _read(runtime, channel_id)


def restore(runtime: Runtime, channel_id: int, *, new_code: bool = False) -> ChannelView:
    """Show a channel in the lists again; with `new_code` make it another live code in place of a deleted one."""
    with runtime.write() as session:
        context = library.context(runtime)
        channel = _find(session, channel_id)
        before = {name: getattr(channel, name) for name in CODE_COLUMNS}
        if new_code:
            _want_new_code(channel)
            channel_push.request_later(session, context, channel_id)
        channel.archived_at = None
    refusal = _carry_now(runtime, channel_id) if new_code else None
    if refusal is not None:
        with runtime.write() as session:
            channel = _find(session, channel_id)
            for name, value in before.items():
                setattr(channel, name, value)
        raise _refused("重新生成活码", refusal) from refusal
    return _read(runtime, channel_id)


def list_channels(
    session: Session,
    *,
    archived: bool = False,
    named: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[ChannelView]:
    """Return the channels in use, or the archived ones, newest first; `named` is a part of the name."""
    stowed = Channel.archived_at.is_not(None) if archived else Channel.archived_at.is_(None)
    query = select(Channel).where(stowed).order_by(Channel.id.desc()).limit(limit)
    if named:
        query = query.where(Channel.name.icontains(named, autoescape=True))
    if before_id is not None:
        query = query.where(Channel.id < before_id)
    return [_view(session, channel) for channel in session.execute(query).scalars()]


def get(session: Session, channel_id: int) -> ChannelView:
    """Return a channel; raise NotFound."""
    channel = session.get(Channel, channel_id)
    if channel is None:
        raise NotFound("没有这个渠道活码")
    return _view(session, channel)


def insert(session: Session, context: Context, draft: ChannelDraft, *, code: str) -> Channel:
    """Write a new channel; raise InvalidInput, or NameTaken for a state that was used before."""
    channel_drafts.check(session, draft, fewest_staff=1 if code == "ours" else 0)
    state = draft.state or f"ch_{secrets.token_hex(8)}"
    if session.execute(select(Channel.id).where(Channel.state == state)).first() is not None:
        raise NameTaken(f"state「{state}」已被使用过，请换一个", details={"state": state})
    channel = Channel(state=state, code=code, sync_state="pending", created_at=context.now)
    channel_drafts.write_new(session, context, channel, draft)
    return channel


def _carry_now(runtime: Runtime, channel_id: int) -> WeComError | None:
    """Push at once; return WeCom's definite refusal. What may pass is left to the job."""
    try:
        channel_push.carry(runtime, channel_id)
    except channel_push.PushUnderWay:
        pass
    except WeComError as error:
        if not error.retryable:
            return error
    else:
        return None
    with runtime.write() as session:
        channel_push.request(session, library.context(runtime), channel_id)
    return None


def _follow_up(runtime: Runtime, channel_id: int) -> None:
    """Done here at once; should the process end before, `channel.push` does it."""
    with runtime.write() as session:
        channel_traces.follow_up(session, library.context(runtime), channel_id)


def _refused(act: str, error: WeComError) -> InvalidInput:
    return InvalidInput(f"企业微信拒绝{act}：{error.message}", details={"errcode": error.errcode})


def _want_new_code(channel: Channel) -> None:
    if channel.code == "deleting":
        raise Conflict("旧活码正在删除，请稍后再重新生成")
    if channel.code != "deleted":
        raise InvalidInput("这个渠道的活码没有被删除，不需要重新生成")
    channel.code, channel.sync_state, channel.sync_reason = "ours", "pending", None
    channel.config_id = channel.qr_code = channel.pushed_hash = channel.attempted_at = None


def _find(session: Session, channel_id: int) -> Channel:
    channel = channel_push.find_locked(session, channel_id)
    if channel is None:
        raise NotFound("没有这个渠道活码")
    return channel


def _forget(session: Session, channel_id: int) -> None:
    """Delete a channel that never came to be; who scanned a printed code of that name meanwhile stays known.

    They are few, and so are its rows: a channel that was ever made at WeCom is archived instead.
    """
    session.execute(update(Relation).where(Relation.channel_id == channel_id).values(channel_id=None))
    session.execute(update(Welcome).where(Welcome.channel_id == channel_id).values(channel_id=None))
    for table in (ChannelStaff, ChannelTag, ChannelRemark):
        session.execute(delete(table).where(table.channel_id == channel_id))
    session.execute(delete(Channel).where(Channel.id == channel_id))


def _read(runtime: Runtime, channel_id: int) -> ChannelView:
    with runtime.read() as session:
        return get(session, channel_id)


def _view(session: Session, channel: Channel) -> ChannelView:
    shown = channel_drafts.read(session, channel)
    return ChannelView(
        id=channel.id,
        name=shown.name,
        source=shown.source,
        state=channel.state,
        staff=shown.staff,
        tags=shown.tags,
        greeting=shown.greeting,
        remark_rule=shown.remark_rule,
        skip_verify=shown.skip_verify,
        exclusive=shown.exclusive,
        config_id=channel.config_id,
        qr_code=channel.qr_code,
        sync_state=channel.sync_state,
        sync_reason=channel.sync_reason,
        created_at=channel.created_at,
        archived_at=channel.archived_at,
    )
