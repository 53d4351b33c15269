"""message/send, update_template_card and recall (Tencent's pages 90236, 94888 and 94867)."""

from collections.abc import Callable
from datetime import timedelta

from wecom_app.simulator.api.cards import check_card, is_interactive, note_task_id
from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.limits import HOUR_S, MINUTE_S
from wecom_app.simulator.members import ACTIVE, key_of
from wecom_app.simulator.messages import AppMessage

USERS, PARTIES = 1000, 100
PER_MEMBER_MINUTE, PER_MEMBER_HOUR = 30, 1000
"""An app's messages to one member beyond these are dropped without an error."""
RECALL_LIFE = timedelta(hours=24)
ARTICLES = 8
TEXT_BYTES = 2048
"""A longer text or markdown is cut there without a word."""


def send(call: Call) -> Json:
    """Send an app's message to members; who cannot get it stands in `invaliduser`."""
    _check_agent(call)
    wanted = _receivers(call)
    kind = str(call.body.get("msgtype") or "")
    check = CONTENTS.get(kind)
    if check is None:
        raise ApiError(40008)
    part = call.body.get(kind)
    check(call, part if isinstance(part, dict) else {})
    valid, invalid = _split(call, wanted)
    if not valid:
        raise ApiError(81013)
    if kind == "template_card":
        note_task_id(call)
    message = _record(call, kind, valid)
    answer: Json = {"msgid": message.msgid}
    # Tencent's answer spells the members that it could not reach in lower case.
    if invalid:
        answer["invaliduser"] = "|".join(key_of(userid) for userid in invalid)
    if kind == "template_card" and is_interactive(call.body[kind]):
        code = call.world.ids.letters(43)
        answer["response_code"] = call.world.mailbox.add_code(code, message, call.world.now())
    return answer


def _check_agent(call: Call) -> None:
    agent_id = call.body.get("agentid")
    if agent_id is None:
        raise ApiError(41011)
    if str(agent_id) != str(call.app.agent_id):
        raise ApiError(301002)


def _receivers(call: Call) -> list[str]:
    """Return the userids asked for, those of whole departments included."""
    users = [item for item in str(call.body.get("touser") or "").split("|") if item]
    parties = [item for item in str(call.body.get("toparty") or "").split("|") if item]
    if users == ["@all"]:
        return [member.userid for member in call.context.seen_members(call.app)]
    if len(users) > USERS:
        raise ApiError(82002)
    if len(parties) > PARTIES:
        raise ApiError(82003)
    if not users and not parties and not call.body.get("totag"):
        raise ApiError(82001)
    departments = call.world.members.departments
    known = [int(item) for item in parties if item.isdecimal() and int(item) in departments]
    inside = (member.userid for member in call.world.members.inside(known))
    return list(dict.fromkeys((*users, *inside)))


def _split(call: Call, wanted: list[str]) -> tuple[list[str], list[str]]:
    valid, invalid = [], []
    for userid in wanted:
        member = call.world.members.find(userid)
        if member is None or member.status != ACTIVE or not call.context.sees(call.app, userid):
            invalid.append(userid)
        else:
            valid.append(member.userid)
    return valid, invalid


def _record(call: Call, kind: str, userids: list[str]) -> AppMessage:
    agent_id, limits = call.app.agent_id, call.context.limits
    dropped = [
        userid
        for userid in userids
        if not (
            limits.is_within(f"message:{agent_id}:{userid}", PER_MEMBER_MINUTE, MINUTE_S)
            and limits.is_within(f"message:{agent_id}:{userid}", PER_MEMBER_HOUR, HOUR_S)
        )
    ]
    reached = [userid for userid in userids if userid not in dropped]
    message = AppMessage(call.world.ids.letters(64), agent_id, call.world.now(), reached, kind, call.body, dropped)
    call.world.mailbox.messages[message.msgid] = message
    return message


def _text(_: Call, part: Json) -> None:
    content = part.get("content")
    if not content or not isinstance(content, str):
        raise ApiError(44004)
    part["content"] = content.encode()[:TEXT_BYTES].decode(errors="ignore")


def _text_card(_: Call, part: Json) -> None:
    for name, missing in (("title", 41016), ("description", 41033), ("url", 41010)):
        if not part.get(name):
            raise ApiError(missing)


def _news(_: Call, part: Json) -> None:
    articles = part.get("articles")
    if not isinstance(articles, list) or not 1 <= len(articles) <= ARTICLES:
        raise ApiError(45008)
    for article in articles:
        if not article.get("title"):
            raise ApiError(41016)


def _media(call: Call, part: Json) -> None:
    call.world.media.get(part.get("media_id"), call.world.now())


def _anything(_: Call, __: Json) -> None:
    """Kinds whose content is recorded as it is."""


CONTENTS: dict[str, Callable[[Call, Json], None]] = {
    "text": _text,
    "markdown": _text,
    "textcard": _text_card,
    "news": _news,
    "image": _media,
    "voice": _media,
    "video": _media,
    "file": _media,
    "mpnews": _anything,
    "miniprogram_notice": _anything,
    "template_card": check_card,
}


def update_template_card(call: Call) -> Json:
    """Change an interactive card once, with the code of its button or of its sending."""
    _check_agent(call)
    found = call.world.mailbox.response_codes.get(call.text("response_code"))
    if found is None or found.used or found.expires_at <= call.world.now():
        raise ApiError(42045)
    if found.agent_id != call.app.agent_id:
        raise ApiError(301002)
    if not call.body.get("button") and not call.body.get("template_card"):
        raise ApiError(40063)
    found.used = True
    call.world.mailbox.messages[found.msgid].updates.append(call.body)
    return {}


def recall(call: Call) -> Json:
    """Take a message back within 24 hours."""
    message = call.world.mailbox.messages.get(call.text("msgid"))
    too_late = message is not None and call.world.now() - message.at > RECALL_LIFE
    if message is None or too_late or message.agent_id != call.app.agent_id:
        raise ApiError(40058)
    message.updates.append({"recalled": True})
    message.userids.clear()
    return {}


ENDPOINTS = {
    "message/send": Endpoint(send),
    "message/update_template_card": Endpoint(update_template_card),
    "message/recall": Endpoint(recall),
}
