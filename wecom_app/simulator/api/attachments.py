"""Texts and attachments of welcome and mass messages, checked as Tencent's page 92137 lists them."""

from collections.abc import Callable
from typing import Any

from wecom_app.simulator.api.endpoint import Call
from wecom_app.simulator.errcodes import ApiError, Json

TEXT_BYTES = 4000
ATTACHMENTS = 9
LINK_DESCRIPTION_BYTES = 512


def check_content(call: Call) -> Json:
    """Return the `text` and `attachments` of the body; 40063 if there is neither."""
    text, attachments = call.body.get("text"), call.body.get("attachments")
    content = text.get("content") if isinstance(text, dict) else None
    if not content and not attachments:
        raise ApiError(40063)
    if content is not None and not isinstance(content, str):
        raise ApiError(40058)
    if content and len(content.encode()) > TEXT_BYTES:
        raise ApiError(45002)
    return {"text": content or "", "attachments": _checked(call, attachments or [])}


def _checked(call: Call, attachments: Any) -> list[Json]:
    if not isinstance(attachments, list) or len(attachments) > ATTACHMENTS:
        raise ApiError(40058)
    for item in attachments:
        kind = item.get("msgtype") if isinstance(item, dict) else None
        check = CHECKS.get(kind) if isinstance(kind, str) else None
        if check is None:
            raise ApiError(40008)
        part = item.get(kind)
        if not isinstance(part, dict):
            raise ApiError(40063)
        check(call, part)
    return attachments


def _image(call: Call, part: Json) -> None:
    if part.get("media_id") or not part.get("pic_url"):
        call.world.media.get(part.get("media_id"), call.world.now())


def _link(_: Call, part: Json) -> None:
    _need(part, "title", 41016, 128, 45003)
    _need(part, "url", 41010, 2048, 40058)
    if len(str(part.get("desc") or "").encode()) > LINK_DESCRIPTION_BYTES:
        raise ApiError(45004)


def _mini_program(call: Call, part: Json) -> None:
    _need(part, "title", 41016, 64, 45003)
    _need(part, "appid", 40063, 128, 40058)
    _need(part, "page", 40063, 1024, 40058)
    call.world.media.get(part.get("pic_media_id"), call.world.now())


def _file(call: Call, part: Json) -> None:
    call.world.media.get(part.get("media_id"), call.world.now())


def _need(part: Json, name: str, missing: int, limit: int, too_long: int) -> None:
    value = part.get(name)
    if not isinstance(value, str) or not value:
        raise ApiError(missing)
    if len(value.encode()) > limit:
        raise ApiError(too_long)


CHECKS: dict[str, Callable[[Call, Json], None]] = {
    "image": _image,
    "link": _link,
    "miniprogram": _mini_program,
    "video": _file,
    "file": _file,
}
