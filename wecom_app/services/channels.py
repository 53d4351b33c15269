"""Channels: made, listed, read, and carried to WeCom as live codes; the API and the demo call this.

A channel is kept while WeCom cannot be reached and pushed later by the job `channel.push`; what WeCom
definitely refuses is not kept.
"""

import secrets
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.messages import MAX_TEXT_BYTES, PLACEHOLDERS, unknown_placeholders
from wecom_app.errors import InvalidInput, NameTaken, NotFound, WeComError
from wecom_app.models import Channel, ChannelStaff, ChannelTag, Staff, Tag
from wecom_app.services import library, staff, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.ports import ContactWay, ContactWayDraft, JobArgs
from wecom_app.services.runtime import Runtime

PUSH_KIND = "channel.push"
MAX_STATE = 30
MAX_STAFF = 100
"""add_contact_way: members per live code."""
MAX_ATTACHMENTS = 9
SAFETY_DELAY = timedelta(seconds=60)
"""After this a channel whose creation was cut short by a crash is looked for and finished."""


@dataclass(frozen=True)
class ChannelDraft:
    name: str
    source: str
    staff: tuple[str, ...]
    tags: tuple[str, ...] = ()
    welcome_text: str | None = None
    welcome_fallback_text: str | None = None
    attachments: tuple[Mapping[str, Any], ...] = ()
    state: str | None = None


@dataclass(frozen=True)
class ChannelView:
    """A channel as the API shows it."""

    id: int
    name: str
    source: str
    state: str
    staff: tuple[str, ...]
    tags: tuple[str, ...]
    welcome_text: str | None
    welcome_fallback_text: str | None
    attachments: tuple[Mapping[str, Any], ...]
    config_id: str | None
    qr_code: str | None
    sync_state: str
    sync_reason: str | None
    created_at: datetime


def create(runtime: Runtime, draft: ChannelDraft) -> ChannelView:
    """Make a channel and its live code; raise InvalidInput or NameTaken, also for what WeCom refuses."""
    _check(draft)
    with runtime.write() as session:
        channel_id = _insert(session, library.context(runtime), draft)
    runtime.crash_point("channel.before_create")
    try:
        _create_at_wecom(runtime, channel_id)
    except WeComError as error:
        if not error.retryable:
            with runtime.write() as session:
                _forget(session, channel_id)
            details = {"errcode": error.errcode}
            raise InvalidInput(f"企业微信拒绝创建渠道活码：{error.message}", details=details) from error
        with runtime.write() as session:
            _note(session, channel_id, "pending", error.message)
            _request_push(session, library.context(runtime), channel_id)
    with runtime.read() as session:
        return get(session, channel_id)


def push(runtime: Runtime, args: JobArgs) -> None:
    """Finish a channel that has no live code yet, first looking whether an earlier try made one."""
    channel_id = int(args["channel_id"])
    with runtime.read() as session:
        channel = session.get(Channel, channel_id)
    if channel is None or channel.config_id is not None:
        return
    if channel.attempted_at is not None:
        found = runtime.wecom.find_contact_way(channel.state, created_since=channel.attempted_at)
        if found is not None:
            _accept(runtime, channel_id, found)
            return
    try:
        _create_at_wecom(runtime, channel_id)
    except WeComError as error:
        with runtime.write() as session:
            _note(session, channel_id, "pending" if error.retryable else "failed", error.message)
        raise


def list_channels(session: Session, *, before_id: int | None = None, limit: int = 50) -> list[ChannelView]:
    """Return channels, newest first."""
    query = select(Channel).order_by(Channel.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(Channel.id < before_id)
    return [_view(session, channel) for channel in session.execute(query).scalars()]


def get(session: Session, channel_id: int) -> ChannelView:
    """Return a channel; raise NotFound."""
    channel = session.get(Channel, channel_id)
    if channel is None:
        raise NotFound("没有这个渠道活码")
    return _view(session, channel)


def _check(draft: ChannelDraft) -> None:
    problems = {
        "name": "请填写名称（不超过 64 字）" if not 0 < len(draft.name.strip()) <= 64 else "",
        "source": "请填写来源（不超过 30 字）" if not 0 < len(draft.source.strip()) <= 30 else "",
        "staff": f"请选择 1 到 {MAX_STAFF} 名成员" if not 0 < len(draft.staff) <= MAX_STAFF else "",
        "state": _state_problem(draft.state),
        "welcome": _welcome_problem(draft),
    }
    found = {field: problem for field, problem in problems.items() if problem}
    if found:
        raise InvalidInput("；".join(found.values()), details=found)


def _state_problem(state: str | None) -> str:
    if state is None:
        return ""
    if not state or len(state) > MAX_STATE or not state.isprintable() or state != state.strip():
        return f"state 需为 1 到 {MAX_STATE} 个可见字符"
    return ""


def _welcome_problem(draft: ChannelDraft) -> str:
    for wording in (draft.welcome_text, draft.welcome_fallback_text):
        unknown = unknown_placeholders(wording or "")
        if unknown:
            known = "、".join(f"{{{name}}}" for name in PLACEHOLDERS)
            return f"欢迎语里有不认识的占位符：{'、'.join(unknown)}；可用的是 {known}"
        if len((wording or "").encode()) > MAX_TEXT_BYTES:
            return f"欢迎语不能超过 {MAX_TEXT_BYTES} 字节（约 1300 个汉字）"
    if "{customer_name}" in (draft.welcome_fallback_text or ""):
        return "备用欢迎语在不知道客户名字时使用，不能含有 {customer_name}"
    if len(draft.attachments) > MAX_ATTACHMENTS:
        return f"附件最多 {MAX_ATTACHMENTS} 个"
    return ""


def _insert(session: Session, context: Context, draft: ChannelDraft) -> int:
    state = draft.state or f"ch_{secrets.token_hex(8)}"
    if session.execute(select(Channel.id).where(Channel.state == state)).first() is not None:
        raise NameTaken(f"state「{state}」已被使用过，请换一个", details={"state": state})
    tag_ids = _tag_ids(session, context, draft)
    channel = Channel(
        name=draft.name.strip(),
        source=draft.source.strip(),
        state=state,
        welcome_text=draft.welcome_text or None,
        welcome_fallback_text=draft.welcome_fallback_text or None,
        attachments=[dict(attachment) for attachment in draft.attachments],
        sync_state="pending",
        attempted_at=context.now,
        created_at=context.now,
    )
    session.add(channel)
    session.flush()
    staff_ids = list(dict.fromkeys(staff.ensure(session, draft.staff, context.now).values()))
    staff.request_names(session, context.queue, staff_ids)
    session.add_all(
        ChannelStaff(channel_id=channel.id, staff_id=staff_id, position=position)
        for position, staff_id in enumerate(staff_ids)
    )
    session.add_all(
        ChannelTag(channel_id=channel.id, tag_id=tag_id, position=position)
        for position, tag_id in enumerate(tag_ids)
    )
    _request_push(session, context, channel.id, run_at=context.now + SAFETY_DELAY)
    return channel.id


def _tag_ids(session: Session, context: Context, draft: ChannelDraft) -> list[int]:
    """Return the tags given, or the one named like the source where none is."""
    keys = list(dict.fromkeys(draft.tags))
    if not keys:
        return [taxonomy.ensure_source_tag(session, context, draft.source.strip())]
    found = taxonomy.find_tags(session, keys)
    return [found[key].id for key in keys]


def _create_at_wecom(runtime: Runtime, channel_id: int) -> None:
    with runtime.write() as session:
        channel = session.get_one(Channel, channel_id)
        channel.attempted_at = runtime.clock.now()
        draft = ContactWayDraft(
            userids=tuple(_userids(session, channel_id)),
            state=channel.state,
            remark=channel.name[:30],
        )
    made = runtime.wecom.add_contact_way(draft)
    runtime.crash_point("channel.after_create")
    _accept(runtime, channel_id, made)


def _accept(runtime: Runtime, channel_id: int, made: ContactWay) -> None:
    with runtime.write() as session:
        session.execute(
            update(Channel)
            .where(Channel.id == channel_id)
            .values(
                config_id=made.config_id,
                qr_code=made.qr_code,
                sync_state="synced",
                sync_reason=None,
                attempted_at=None,
            )
        )


def _note(session: Session, channel_id: int, state: str, reason: str) -> None:
    session.execute(
        update(Channel).where(Channel.id == channel_id).values(sync_state=state, sync_reason=reason[:300])
    )


def _request_push(
    session: Session, context: Context, channel_id: int, run_at: datetime | None = None
) -> None:
    context.queue.enqueue(session, PUSH_KIND, {"channel_id": channel_id}, lane="push", run_at=run_at)


def _forget(session: Session, channel_id: int) -> None:
    for table in (ChannelStaff, ChannelTag):
        session.execute(delete(table).where(table.channel_id == channel_id))
    session.execute(delete(Channel).where(Channel.id == channel_id))


def _userids(session: Session, channel_id: int) -> Sequence[str]:
    query = (
        select(Staff.userid)
        .join(ChannelStaff, ChannelStaff.staff_id == Staff.id)
        .where(ChannelStaff.channel_id == channel_id)
        .order_by(ChannelStaff.position)
    )
    return session.execute(query).scalars().all()


def _view(session: Session, channel: Channel) -> ChannelView:
    keys = session.execute(
        select(Tag.key)
        .join(ChannelTag, ChannelTag.tag_id == Tag.id)
        .where(ChannelTag.channel_id == channel.id)
        .order_by(ChannelTag.position)
    ).scalars()
    return ChannelView(
        id=channel.id,
        name=channel.name,
        source=channel.source,
        state=channel.state,
        staff=tuple(_userids(session, channel.id)),
        tags=tuple(keys),
        welcome_text=channel.welcome_text,
        welcome_fallback_text=channel.welcome_fallback_text,
        attachments=tuple(channel.attachments),
        config_id=channel.config_id,
        qr_code=channel.qr_code,
        sync_state=channel.sync_state,
        sync_reason=channel.sync_reason,
        created_at=channel.created_at,
    )
