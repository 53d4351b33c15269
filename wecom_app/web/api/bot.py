"""`/api/v1/alerts` and `/api/v1/bot/settings`: what people must know of, and how the bot behaves."""

from dataclasses import asdict, replace

from pydantic import BaseModel

from wecom_app.errors import InvalidInput
from wecom_app.services import alerts, bot_settings, intention_cards, robots
from wecom_app.services.accounts import KeyScope
from wecom_app.services.intention_cards import STATES, CardView
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page, StateQuery
from wecom_app.web.api.schemas_bot import AlertOut, AlertsOut, BotSettingsIn, BotSettingsOut, CardOut, UnsaidOut


def list_alerts(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = alerts.list_alerts(session, call.runtime.clock.now())
        unsaid = robots.unsaid(session)
    return AlertsOut(
        items=[AlertOut.model_validate(view, from_attributes=True) for view in found],
        robots=sorted(call.runtime.robots),
        undelivered=[UnsaidOut.model_validate(message, from_attributes=True) for message in unsaid],
    )


def get_bot_settings(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return BotSettingsOut(**asdict(bot_settings.get(session)))


def set_bot_settings(call: Call) -> BaseModel:
    """Change what is given and leave the rest."""
    given: BotSettingsIn = call.body
    with call.runtime.write() as session:
        wanted = replace(bot_settings.get(session), **given.model_dump(exclude_unset=True))
        return BotSettingsOut(**asdict(bot_settings.put(session, wanted, call.runtime.clock.now())))


def list_cards(call: Call) -> BaseModel:
    if call.query.state is not None and call.query.state not in STATES:
        raise InvalidInput(f"state 只能是：{'、'.join(STATES)}", details={"state": list(STATES)})
    with call.runtime.read() as session:
        found = intention_cards.list_cards(
            session, state=call.query.state, before_id=call.query.cursor, limit=call.query.limit + 1
        )
    return Page[CardOut](**page_of(found, call.query.limit, lambda view: view.id, _card_out))


def _card_out(view: CardView) -> CardOut:
    return CardOut.model_validate(view, from_attributes=True)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/alerts",
        KeyScope.READ,
        "告警：正在发生的在前，其后是最近一周已恢复的；undelivered 是没能送到群里的消息",
        list_alerts,
        AlertsOut,
    ),
    Endpoint(
        "GET",
        "/bot/cards",
        KeyScope.READ,
        "问新客户意向的卡片，新的在前；没发出的写明原因",
        list_cards,
        Page[CardOut],
        StateQuery,
    ),
    Endpoint("GET", "/bot/settings", KeyScope.READ, "机器人的设置：卡片、日报与告警", get_bot_settings, BotSettingsOut),
    Endpoint(
        "PATCH",
        "/bot/settings",
        KeyScope.ADMIN,
        "修改机器人的设置，只改给出的项",
        set_bot_settings,
        BotSettingsOut,
        body=BotSettingsIn,
    ),
)
