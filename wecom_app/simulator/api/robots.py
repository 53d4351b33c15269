"""The group robot, which needs a key and no token (Tencent's page 91770)."""

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.limits import MINUTE_S
from wecom_app.simulator.messages import RobotMessage

MOST_BYTES = {"text": 2048, "markdown": 4096, "markdown_v2": 4096}
ROBOT_KINDS = frozenset({*MOST_BYTES, "image", "news", "file", "voice", "template_card"})


def robot_send(call: Call) -> Json:
    """Post a message of a group robot: no token, a key, twenty a minute."""
    key = _robot_key(call)
    call.context.limits.count(f"robot:{key}", call.context.config.robot_per_minute, MINUTE_S)
    kind = call.body.get("msgtype")
    if kind not in ROBOT_KINDS:
        raise ApiError(40008)
    if kind in MOST_BYTES:
        _check_words((call.body.get(kind) or {}).get("content"), MOST_BYTES[kind])
    call.world.mailbox.robot_messages.append(RobotMessage(key, call.world.now(), call.body))
    return {}


def _check_words(content: object, most_bytes: int) -> None:
    if not content or not isinstance(content, str):
        raise ApiError(44004)
    if len(content.encode()) > most_bytes:
        raise ApiError(45002)


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
    "webhook/send": Endpoint(robot_send, needs_token=False, is_limited=False),
    "webhook/upload_media": Endpoint(robot_upload, needs_token=False, is_limited=False),
}
