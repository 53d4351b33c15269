"""Acts of members towards the app: messages, buttons of cards, confirming mass messages."""

import calendar
from datetime import timedelta

from wecom_app.errors import Conflict, NotFound
from wecom_app.simulator.acts.act import Act, Handler
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.mass_messages import (
    LIMIT_REACHED,
    NOT_A_FRIEND,
    SENT,
    TASK_SENT,
    MemberTask,
    SendResult,
)
from wecom_app.simulator.members import key_of
from wecom_app.simulator.messages import AppMessage

CORP_OFFSET = timedelta(hours=8)
"""Days and months of the limits are counted in China's time."""


def message(act: Act) -> Json:
    """A member writes to the app; other kinds of message are given as `msgtype` and `fields`."""
    kind = str(act.parts.get("msgtype", "text"))
    fields: dict[str, object] = {"MsgType": kind}
    fields |= {"Content": act.text("text")} if kind == "text" else dict(act.parts.get("fields") or {})
    fields |= {"MsgId": act.world.ids.number(), "AgentID": _agent_id(act)}
    act.emit(fields, sender=act.member().userid, agent_id=_agent_id(act))
    return {"msgid": fields["MsgId"]}


def app_event(act: Act) -> Json:
    """A member opens the app (`enter_agent`) or presses a menu entry (`click` with `key`)."""
    fields = {"Event": act.kind, "EventKey": str(act.parts.get("key", "")), "AgentID": _agent_id(act)}
    act.emit(fields, sender=act.member().userid, agent_id=_agent_id(act))
    return {}


def _agent_id(act: Act) -> str:
    return str(act.parts.get("agent_id") or act.context.config.agent_id)


def click_card(act: Act) -> Json:
    """A member presses a button of a card; the app gets a code with which to change the card once."""
    found = _card(act)
    card = found.body.get("template_card") or {}
    key = _pressed(act, found, card)
    code = act.world.mailbox.add_code(act.world.ids.letters(43), found, act.world.now())
    fields: dict[str, object] = {
        "Event": "template_card_event",
        "EventKey": key,
        "TaskId": str(card.get("task_id", "")),
        "CardType": str(card.get("card_type", "")),
        "ResponseCode": code,
        "AgentID": str(found.agent_id),
    }
    selected = act.parts.get("selected")
    if isinstance(selected, dict):
        items = [
            {"QuestionKey": question, "OptionIds": {"OptionId": list(options)}}
            for question, options in selected.items()
        ]
        fields["SelectedItems"] = {"SelectedItem": items}
    act.emit(fields, sender=act.member().userid, agent_id=str(found.agent_id))
    return {"response_code": code}


def _pressed(act: Act, found: AppMessage, card: Json) -> str:
    """Return the key of a button that the card has and that still works."""
    key = str(act.parts.get("key", ""))
    if any("button" in update for update in found.updates):
        raise Conflict("卡片已更新，按钮不能再点")
    keys = {str(button.get("key")) for button in card.get("button_list") or []}
    if keys and key not in keys:
        raise NotFound(f"卡片上没有按钮 {key}")
    return key


def _card(act: Act) -> AppMessage:
    """Return the card by `msgid`, else the last one that the member got."""
    messages = act.world.mailbox.messages
    asked = act.parts.get("msgid")
    for item in reversed(messages.values()):
        wanted = item.msgid == asked if asked else act.actor in item.userids
        if wanted and item.msgtype == "template_card":
            return item
    raise NotFound("没有发给该成员的卡片消息")


def confirm_mass_message(act: Act) -> Json:
    """A member confirms sending: only now does anything reach a customer."""
    asked = act.parts.get("msgid")
    waiting = [
        mass
        for mass in act.world.mass_messages.items.values()
        if (not asked or mass.msgid == asked) and not mass.cancelled and key_of(act.actor) in mass.tasks
    ]
    if not waiting:
        raise NotFound("没有待该成员确认的群发")
    for mass in waiting:
        _confirm(act, mass.tasks[key_of(act.actor)])
    return {"msgids": [mass.msgid for mass in waiting]}


def _confirm(act: Act, task: MemberTask) -> None:
    if task.status == TASK_SENT:
        return
    task.status, task.send_time = TASK_SENT, act.world.unix_now()
    for result in task.results:
        result.status = _outcome(act, task, result)
        if result.status == SENT:
            result.send_time = task.send_time


def _outcome(act: Act, task: MemberTask, result: SendResult) -> int:
    relation = act.world.customers.relation(task.userid, result.external_userid)
    if relation is None or not relation.is_listed:
        return NOT_A_FRIEND
    local = act.world.now() + CORP_OFFSET
    days = calendar.monthrange(local.year, local.month)[1]
    received = act.world.mass_messages.received
    month = (result.external_userid, f"{local:%Y-%m}")
    day = (result.external_userid, f"{local:%Y-%m-%d}")
    per_day = act.context.faults.settings.mass_messages_per_day
    if received.get(month, 0) >= days or (per_day is not None and received.get(day, 0) >= per_day):
        return LIMIT_REACHED
    for key in (month, day):
        received[key] = received.get(key, 0) + 1
    return SENT


def unknown_event(act: Act) -> Json:
    """Push any event at all: `event`, `change_type` and further `fields`."""
    fields: dict[str, object] = {"Event": act.text("event")}
    if act.parts.get("change_type"):
        fields["ChangeType"] = str(act.parts["change_type"])
    act.emit(fields | dict(act.parts.get("fields") or {}))
    return {}


HANDLERS: dict[str, Handler] = {
    "message": message,
    "enter_agent": app_event,
    "click": app_event,
    "click_card": click_card,
    "confirm_mass_message": confirm_mass_message,
    "unknown_event": unknown_event,
}
