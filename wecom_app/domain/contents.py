"""Kinds of content, what each needs to be sent, and how it is sent from the sidebar.

The messages are those of `sendChatMessage` (WeCom's JS-SDK, page 96935): text, news, image, video, file, miniprogram.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum


class Kind(StrEnum):
    SCRIPT = "script"
    ARTICLE = "article"
    PRODUCT = "product"
    COUPON = "coupon"
    MATERIAL = "material"


KIND_WORDS: Mapping[Kind, str] = {
    Kind.SCRIPT: "话术",
    Kind.ARTICLE: "文章",
    Kind.PRODUCT: "商品",
    Kind.COUPON: "优惠券",
    Kind.MATERIAL: "素材",
}
RESULTS = ("shown", "sent", "dismissed")
RESULT_WORDS: Mapping[str, str] = {"shown": "展示", "sent": "发送", "dismissed": "不感兴趣"}
STATE_WORDS: Mapping[str, str] = {
    "draft": "草稿",
    "active": "使用中",
    "planned": "未开始",
    "over": "已过期",
    "archived": "已归档",
}
MAX_DESCRIPTION = 120
"""What a card shows of a text."""
PAGE_SUFFIX = ".html"
"""A mini-program's page is not found in WeChat unless its path ends so (page 96935)."""


@dataclass(frozen=True)
class File:
    """A file of ours; `wecom_id` is its media_id while WeCom has it."""

    sha256: str
    kind: str
    filename: str
    wecom_id: str | None = None


@dataclass(frozen=True)
class Sendable:
    """What of an item matters for sending it."""

    kind: str
    title: str
    text: str
    link: str | None
    mini_program: str | None
    mini_program_page: str | None
    file: File | None = None


@dataclass(frozen=True)
class ChatMessage:
    """What the sidebar hands to `ww.sendChatMessage`: a msgtype, and the object under that name."""

    msgtype: str
    body: Mapping[str, str]


def message(item: Sendable, picture_url: str | None) -> ChatMessage | str:
    """Return the message that sends an item, or in words why it cannot be sent now.

    `picture_url` is a public address of the item's picture.
    """
    if item.kind == Kind.MATERIAL:
        return _file_message(item.file)
    if item.kind == Kind.SCRIPT:
        return ChatMessage("text", {"content": item.text})
    if item.mini_program:
        if picture_url is None:
            return "小程序卡片需要一张图片，请管理员补上"
        body = {
            "appid": item.mini_program,
            "title": item.title,
            "imgUrl": picture_url,
            "page": item.mini_program_page or "",
        }
        return ChatMessage("miniprogram", body)
    body = {
        "link": item.link or "",
        "title": item.title,
        "desc": item.text[:MAX_DESCRIPTION],
        "imgUrl": picture_url or "",
    }
    return ChatMessage("news", body)


def _file_message(file: File | None) -> ChatMessage | str:
    if file is None:
        return "没有文件，请管理员补上"
    if file.wecom_id is None:
        return "文件正在上传到企业微信，请稍后再发"
    return ChatMessage(file.kind, {"mediaid": file.wecom_id})


def problems(item: Sendable) -> dict[str, str]:
    """Return what an item lacks to be sent, field by field."""
    found: dict[str, str] = {}
    if item.kind == Kind.SCRIPT and not item.text.strip():
        found["text"] = "请填写话术内容"
    if item.kind == Kind.ARTICLE and not item.link:
        found["link"] = "请填写文章链接"
    if item.kind in (Kind.PRODUCT, Kind.COUPON) and not (item.link or item.mini_program):
        found["link"] = "请填写链接，或改填小程序"
    if item.kind == Kind.MATERIAL and item.file is None:
        found["media"] = "请选择文件"
    return {**found, **_mini_program_problems(item)}


def _mini_program_problems(item: Sendable) -> dict[str, str]:
    found: dict[str, str] = {}
    if not item.mini_program:
        return {"mini_program": "填了小程序页面，也要填 AppID"} if item.mini_program_page else {}
    path = (item.mini_program_page or "").partition("?")[0]
    if not path.endswith(PAGE_SUFFIX):
        found["mini_program_page"] = f"小程序页面要以 {PAGE_SUFFIX} 结尾，否则客户打不开"
    if item.file is None:
        found["media"] = "小程序卡片需要一张图片"
    return found


def is_web_address(text: str) -> bool:
    """Return whether a text can be a link in a message."""
    scheme, separator, rest = text.partition("://")
    host = rest.split("/", 1)[0].split("?", 1)[0]
    plain = text.isprintable() and not any(character.isspace() for character in text)
    return bool(separator and host) and scheme.lower() in ("http", "https") and plain
