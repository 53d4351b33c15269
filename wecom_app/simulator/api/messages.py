"""message/send, cards, recall, and the group robot (Tencent's pages 90236, 94888, 94867 and 91770)."""

from collections.abc import Callable
from datetime import timedelta

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.limits import HOUR_S, MINUTE_S
from wecom_app.simulator.members import ACTIVE, key_of
from wecom_app.simulator.messages import AppMessage, ResponseCode, RobotMessage

USERS, PARTIES = 1000, 100
PER_MEMBER_MINUTE, PER_MEMBER_HOUR = 30, 1000
"""An app's messages to one member beyond these are dropped without an error."""
RESPONSE_CODE_LIFE = timedelta(hours=72)
RECALL_LIFE = timedelta(hours=24)
ARTICLES = 8
INTERACTIVE = frozenset({"button_interaction", "vote_interaction", "multiple_interaction"})
CARD_TYPES = INTERACTIVE | {"text_notice", "news_notice"}


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
    message = _record(call, kind, valid)
    answer: Json = {"msgid": message.msgid}
    # Tencent's answer spells the members that it could not reach in lower case.
    if invalid:
        answer["invaliduser"] = "|".join(key_of(userid) for userid in invalid)
    if call.body.get("template_card", {}).get("card_type") in INTERACTIVE:
        code = call.world.ids.letters(43)
        expires_at = call.world.now() + RESPONSE_CODE_LIFE
        call.world.mailbox.response_codes[code] = ResponseCode(message.msgid, message.agent_id, expires_at)
        answer["response_code"] = code
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
    if not part.get("content"):
        raise ApiError(44004)


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


def _card(call: Call, part: Json) -> None:
    kind = part.get("card_type")
    if kind not in CARD_TYPES:
        raise ApiError(40058)
    if kind in INTERACTIVE and call.context.callbacks.url is None:
        raise ApiError(43012)
    if (kind in INTERACTIVE or part.get("action_menu")) and not part.get("task_id"):
        raise ApiError(40058)


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
    "template_card": _card,
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


ROBOT_KINDS = frozenset({"text", "markdown", "markdown_v2", "image", "news", "file", "voice", "template_card"})


def robot_send(call: Call) -> Json:
    """Post a message of a group robot: no token, a key, twenty a minute."""
    key = _robot_key(call)
    call.context.limits.count(f"robot:{key}", call.context.config.robot_per_minute, MINUTE_S)
    kind = call.body.get("msgtype")
    if kind not in ROBOT_KINDS:
        raise ApiError(40008)
    if kind in {"text", "markdown", "markdown_v2"} and not (call.body.get(kind) or {}).get("content"):
        raise ApiError(44004)
    call.world.mailbox.robot_messages.append(RobotMessage(key, call.world.now(), call.body))
    return {}


def robot_upload(call: Call) -> Json:
    """Keep a file for a robot; the file is looked at before the key."""
    part = call.files.get("media")
    content = part.read() if part is not None else b""
    if part is None or not content:
        raise ApiError(44001)
    _robot_key(call)
    kind, name = call.query.get("type", "file"), part.filename or "file"
    file = call.world.media.add(kind, name, "application/octet-stream", content, call.world.now())
    created_at = str(int(file.created_at.timestamp()))
    return {"type": kind, "media_id": file.media_id, "created_at": created_at}


def _robot_key(call: Call) -> str:
    key = call.query.get("key", "")
    if key not in call.context.config.robot_keys:
        raise ApiError(93000)
    return key


ENDPOINTS = {
    "message/send": Endpoint(send),
    "message/update_template_card": Endpoint(update_template_card),
    "message/recall": Endpoint(recall),
    "webhook/send": Endpoint(robot_send, needs_token=False, is_limited=False),
    "webhook/upload_media": Endpoint(robot_upload, needs_token=False, is_limited=False),
}
