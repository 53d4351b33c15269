"""How the console writes times and numbers."""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any
from zoneinfo import ZoneInfo

from wecom_app.domain.durations import span_words
from wecom_app.web.state import runtime


def local(moment: datetime) -> datetime:
    """Return the moment in the company's time zone."""
    return moment.astimezone(ZoneInfo(runtime().settings.time_zone))


def moment_words(moment: datetime | None) -> str:
    """Return 11月23日 10:05, with the year where it is not this one; a dash for no moment."""
    if moment is None:
        return "—"
    shown, now = local(moment), local(runtime().clock.now())
    year = "" if shown.year == now.year else f"{shown.year}年"
    return f"{year}{shown.month}月{shown.day}日 {shown:%H:%M}"


def number_words(value: int) -> str:
    """Return the number with its thousands apart."""
    return f"{value:,}"


def seconds_words(seconds: float) -> str:
    """Return 45 秒, 12 分钟, 3 小时 or 2 天."""
    return span_words(timedelta(seconds=seconds))


FILTERS: Mapping[str, Callable[..., Any]] = {
    "moment": moment_words,
    "number": number_words,
    "seconds": seconds_words,
}
