"""`/api/v1/channels`: live codes."""

from pydantic import BaseModel

from wecom_app.services import channels
from wecom_app.services.accounts import KeyScope
from wecom_app.services.channels import ChannelDraft, ChannelView
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import ChannelIn, ChannelOut, Page, PageQuery, Sync, WelcomeOut


def list_channels(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = channels.list_channels(session, before_id=call.query.cursor, limit=call.query.limit + 1)
    return Page[ChannelOut](**page_of(found, call.query.limit, lambda view: view.id, channel_out))


def create_channel(call: Call) -> BaseModel:
    given: ChannelIn = call.body
    draft = ChannelDraft(
        name=given.name,
        source=given.source,
        staff=tuple(given.staff),
        tags=tuple(given.tags),
        welcome_text=given.welcome.text,
        welcome_fallback_text=given.welcome.fallback_text,
        attachments=tuple(
            attachment.model_dump(exclude_none=True) for attachment in given.welcome.attachments
        ),
        state=given.state,
    )
    return channel_out(channels.create(call.runtime, draft))


def get_channel(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return channel_out(channels.get(session, call.path["channel_id"]))


def channel_out(view: ChannelView) -> ChannelOut:
    """Return a channel as the API shows it."""
    return ChannelOut(
        id=view.id,
        name=view.name,
        source=view.source,
        staff=list(view.staff),
        tags=list(view.tags),
        welcome=WelcomeOut(
            text=view.welcome_text,
            fallback_text=view.welcome_fallback_text,
            attachments=[dict(attachment) for attachment in view.attachments],
        ),
        state=view.state,
        config_id=view.config_id,
        qr_code=view.qr_code,
        sync=Sync.model_validate({"state": view.sync_state, "reason": view.sync_reason}),
        created_at=view.created_at,
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/channels",
        KeyScope.READ,
        "渠道活码，新的在前",
        list_channels,
        Page[ChannelOut],
        PageQuery,
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
)
