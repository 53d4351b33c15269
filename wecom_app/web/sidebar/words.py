"""How the sidebar writes moments."""

from collections.abc import Mapping
from datetime import datetime
from typing import Any
from urllib.parse import urlsplit

from wecom_app.web.admin.words import local, moment_words
from wecom_app.web.state import runtime

PICTURE_HOSTS = (".qlogo.cn", ".qpic.cn")
"""Those that the content security policy lets pictures come from."""
NEAR_DAYS: Mapping[int, str] = {-1: "昨天", 0: "今天", 1: "明天", 2: "后天"}


def when(moment: datetime) -> str:
    """Return 今天 10:05, 昨天, 明天 or 后天 with the time, else the day as the console writes it."""
    shown, now = local(moment), local(runtime().clock.now())
    near = NEAR_DAYS.get((shown.date() - now.date()).days)
    return moment_words(moment) if near is None else f"{near} {shown:%H:%M}"


def short(dimension: str) -> str:
    """Return a dimension's name as it fits before its row of tags: 消费属性 is 消费, 用户旅程 is 旅程."""
    return dimension.removesuffix("属性").removesuffix("信息").removeprefix("用户")[:4] or dimension[:4]


def picture(address: str | None) -> str | None:
    """Return where an avatar is fetched from; None unless it is at WeChat's picture hosts, which still say http."""
    parts = urlsplit(address or "")
    known = parts.hostname is not None and parts.hostname.endswith(PICTURE_HOSTS)
    return parts._replace(scheme="https").geturl() if known and parts.scheme in ("http", "https") else None


def for_templates() -> dict[str, Any]:
    """Return what the sidebar's templates say moments with."""
    return {"when": when, "exactly": moment_words, "short": short, "picture": picture}
