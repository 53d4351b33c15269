"""`/api/v1/channels`: live codes; their remarks; and codes of a former tool, seen and adopted."""

from dataclasses import replace
from typing import Any, cast

from pydantic import BaseModel

from wecom_app.errors import InvalidInput
from wecom_app.services import channel_adoption, channel_remarks, channels
from wecom_app.services.accounts import KeyScope
from wecom_app.services.channel_adoption import UnknownState
from wecom_app.services.channel_drafts import ChannelChanges, ChannelDraft
from wecom_app.services.channel_remarks import RemarkView
from wecom_app.services.channels import ChannelView
from wecom_app.web.api import welcomes
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page, PageQuery, Sync
from wecom_app.web.api.schemas_channels import (
    AdoptIn,
    AdoptOut,
    AdoptPreviewIn,
    AdoptPreviewOut,
    ArchiveIn,
    ChannelIn,
    ChannelOut,
    ChannelPatch,
    ChannelsQuery,
    RemarkOut,
    RestoreIn,
    SampleOut,
    TagForecastOut,
    UnknownStateOut,
    UnknownStatesQuery,
)
from wecom_app.web.api.welcomes import greeting_from, welcome_out


def list_channels(call: Call) -> BaseModel:
    query: ChannelsQuery = call.query
    with call.runtime.read() as session:
        found = channels.list_channels(
            session, archived=query.archived, named=query.q, before_id=query.cursor, limit=query.limit + 1
        )
    return Page[ChannelOut](**page_of(found, query.limit, lambda view: view.id, channel_out))


def create_channel(call: Call) -> BaseModel:
    given: ChannelIn = call.body
    draft = replace(_draft(given), skip_verify=given.skip_verify, exclusive=given.exclusive)
    return channel_out(channels.create(call.runtime, draft))


def get_channel(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return channel_out(channels.get(session, call.path["channel_id"]))


def edit_channel(call: Call) -> BaseModel:
    given: ChannelPatch = call.body
    channel_id: int = call.path["channel_id"]
    with call.runtime.read() as session:
        state = channels.get(session, channel_id).state
    if given.state not in (None, state):
        raise InvalidInput("state 不能修改：已印出的活码靠它识别渠道", details={"state": "不能修改"})
    return channel_out(channels.edit(call.runtime, channel_id, _changes(given)))


def _changes(given: ChannelPatch) -> ChannelChanges:
    """Return what the body names, in the words of the service."""
    named = given.model_fields_set - {"state"}
    changes: dict[str, Any] = {name: getattr(given, name) for name in named}
    if "welcome" in changes:
        changes["greeting"] = greeting_from(changes.pop("welcome"))
    for name in ("staff", "tags"):
        if name in changes:
            changes[name] = tuple(changes[name])
    return cast("ChannelChanges", changes)


def archive_channel(call: Call) -> BaseModel:
    given: ArchiveIn = call.body
    return channel_out(channels.archive(call.runtime, call.path["channel_id"], delete_code=given.delete_code))


def restore_channel(call: Call) -> BaseModel:
    given: RestoreIn = call.body
    return channel_out(channels.restore(call.runtime, call.path["channel_id"], new_code=given.new_code))


def list_remarks(call: Call) -> BaseModel:
    channel_id: int = call.path["channel_id"]
    with call.runtime.read() as session:
        channels.get(session, channel_id)
        found = channel_remarks.list_remarks(
            session, channel_id, before_id=call.query.cursor, limit=call.query.limit + 1
        )
    return Page[RemarkOut](**page_of(found, call.query.limit, lambda view: view.id, remark_out))


def list_unknown_states(call: Call) -> BaseModel:
    limit: int = call.query.limit
    with call.runtime.read() as session:
        found = channel_adoption.unknown_states(session, after=call.query.cursor, limit=limit + 1)
    more = found[limit - 1].state if len(found) > limit else None
    return Page[UnknownStateOut](items=[unknown_state_out(item) for item in found[:limit]], next_cursor=more)


def preview_adoption(call: Call) -> BaseModel:
    given: AdoptPreviewIn = call.body
    with call.runtime.read() as session:
        found = channel_adoption.preview(session, given.state, given.source, given.tags)
    return AdoptPreviewOut(
        customers=found.customers,
        tags=[TagForecastOut(key=tag.key, name=tag.name, customers=tag.customers) for tag in found.tags],
        samples=[
            SampleOut(external_userid=item.external_userid, name=item.name, userids=list(item.userids))
            for item in found.samples
        ],
    )


def adopt_state(call: Call) -> BaseModel:
    given: AdoptIn = call.body
    adopted = channel_adoption.adopt(call.runtime, _draft(given), back_tag=given.back_tag, asked_by=call.caller.name)
    shown = channel_out(adopted.channel)
    return AdoptOut(**shown.model_dump(), change_set_id=adopted.change_set_id)


def _draft(given: ChannelIn | AdoptIn) -> ChannelDraft:
    """Return what both ways of making a channel say of it."""
    return ChannelDraft(
        name=given.name,
        source=given.source,
        staff=tuple(given.staff),
        tags=tuple(given.tags),
        greeting=greeting_from(given.welcome),
        remark_rule=given.remark_rule,
        state=given.state,
    )


def channel_out(view: ChannelView) -> ChannelOut:
    """Return a channel as the API shows it."""
    return ChannelOut(
        id=view.id,
        name=view.name,
        source=view.source,
        staff=list(view.staff),
        tags=list(view.tags),
        welcome=welcome_out(view.greeting),
        remark_rule=view.remark_rule,
        skip_verify=view.skip_verify,
        exclusive=view.exclusive,
        state=view.state,
        config_id=view.config_id,
        qr_code=view.qr_code,
        sync=Sync.model_validate({"state": view.sync_state, "reason": view.sync_reason}),
        created_at=view.created_at,
        archived_at=view.archived_at,
    )


def remark_out(view: RemarkView) -> RemarkOut:
    return RemarkOut.model_validate(view, from_attributes=True)


def unknown_state_out(found: UnknownState) -> UnknownStateOut:
    return UnknownStateOut(
        state=found.state,
        count=found.count,
        staff=list(found.staff),
        first_at=found.first_at,
        last_at=found.last_at,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/channels",
        KeyScope.READ,
        "渠道活码，新的在前；archived=true 列出已归档的，q 按名称查找",
        list_channels,
        Page[ChannelOut],
        ChannelsQuery,
    ),
    Endpoint(
        "POST",
        "/channels",
        KeyScope.WRITE,
        "新建渠道活码；连不上企业微信时先保存，稍后自动创建",
        create_channel,
        ChannelOut,
        body=ChannelIn,
        status=201,
    ),
    Endpoint("GET", "/channels/<int:channel_id>", KeyScope.READ, "一个渠道活码", get_channel, ChannelOut),
    Endpoint(
        "PATCH",
        "/channels/<int:channel_id>",
        KeyScope.WRITE,
        "修改渠道活码；只有企业微信看得到的内容变了才推送",
        edit_channel,
        ChannelOut,
        body=ChannelPatch,
    ),
    Endpoint(
        "POST",
        "/channels/<int:channel_id>/archive",
        KeyScope.WRITE,
        "归档：不再列出，已印出的活码仍然打标和欢迎；delete_code 同时在企业微信删除活码",
        archive_channel,
        ChannelOut,
        body=ArchiveIn,
        body_optional=True,
    ),
    Endpoint(
        "POST",
        "/channels/<int:channel_id>/restore",
        KeyScope.WRITE,
        "恢复已归档的渠道；new_code 为已删除的活码重新生成一个",
        restore_channel,
        ChannelOut,
        body=RestoreIn,
        body_optional=True,
    ),
    Endpoint(
        "GET",
        "/channels/<int:channel_id>/remarks",
        KeyScope.READ,
        "按备注规则设置备注的结果，新的在前",
        list_remarks,
        Page[RemarkOut],
        PageQuery,
    ),
    Endpoint(
        "GET",
        "/channels/unknown-states",
        KeyScope.READ,
        "未识别的 state：客户数、成员、首次与最近时间",
        list_unknown_states,
        Page[UnknownStateOut],
        UnknownStatesQuery,
    ),
    Endpoint(
        "POST",
        "/channels/adopt/preview",
        KeyScope.READ,
        "预览认领：会为多少客户补打标签",
        preview_adoption,
        AdoptPreviewOut,
        body=AdoptPreviewIn,
    ),
    Endpoint(
        "POST",
        "/channels/adopt",
        KeyScope.WRITE,
        "认领一个 state 为渠道；back_tag 为此前的客户补打标签",
        adopt_state,
        AdoptOut,
        body=AdoptIn,
        status=201,
    ),
    *welcomes.ENDPOINTS,
)
