"""The shapes of alerts and of the bot's settings."""

from typing import Annotated

from pydantic import BaseModel, Field

from wecom_app.domain.keys import MAX_KEY_LENGTH
from wecom_app.web.api.schemas import Given, Moment


class AlertOut(BaseModel):
    key: str
    title: str
    saw: str
    advice: str
    firing: bool
    level: int
    since: Moment
    recovered_at: Moment | None
    told_at: Moment | None
    delivered: bool
    delivery_reason: str | None


class UnsaidOut(BaseModel):
    robot: str
    kind: str
    state: str
    reason: str | None
    created_at: Moment


class AlertsOut(BaseModel):
    items: list[AlertOut]
    robots: list[str]
    undelivered: list[UnsaidOut]


class CardOut(BaseModel):
    id: int
    external_userid: str
    userid: str
    state: str
    reason: str | None
    tag: str | None
    created_at: Moment
    sent_at: Moment | None
    closed_at: Moment | None


class BotSettingsOut(BaseModel):
    cards: bool
    card_group: str | None
    card_delay_s: int
    digest: bool
    digest_at: str
    alerts: bool


class BotSettingsIn(Given):
    cards: bool = True
    card_group: Annotated[str, Field(max_length=MAX_KEY_LENGTH)] | None = None
    card_delay_s: Annotated[int, Field(ge=0, le=86_400)] = 180
    digest: bool = True
    digest_at: Annotated[str, Field(pattern=r"^([01][0-9]|2[0-3]):[0-5][0-9]$")] = "09:00"
    alerts: bool = True
