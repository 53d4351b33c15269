"""When schedules fire: the moment after another one, jitter included, and what a draft must keep to."""

import zlib
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from zoneinfo import ZoneInfo, ZoneInfoNotFoundError

from wecom_app.domain import cron
from wecom_app.domain.cron_words import describe
from wecom_app.errors import InvalidInput

CROWDED_MINUTES = (0, 30)
"""When everybody else's schedules call WeCom as well."""
LOOKED_AT = 50
"""Times whose distances a jitter is held against."""
A_YEAR = datetime(2026, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Preview:
    """A cron expression in words, and when it fires next (UTC)."""

    words: str
    upcoming: Sequence[datetime]


def preview(text: str, time_zone: str, now: datetime) -> Preview:
    """Return what an expression means; raise InvalidInput that says what is wrong with it."""
    check_zone(time_zone)
    read = cron.parse(text)
    return Preview(describe(read), cron.upcoming(read, now, time_zone))


def moment_after(schedule_id: int, text: str, time_zone: str, jitter_s: int, after: datetime) -> datetime:
    """Return the next moment at which a schedule fires; every process computes the same."""
    time = cron.next_after(cron.parse(text), after, time_zone)
    if not jitter_s:
        return time
    delay = zlib.crc32(f"{schedule_id} {time.isoformat()}".encode()) % (jitter_s + 1)
    found = time + timedelta(seconds=delay)
    return found + timedelta(minutes=1) if found.minute in CROWDED_MINUTES else found


def check_zone(time_zone: str) -> None:
    """Raise InvalidInput for a zone that there is not."""
    try:
        ZoneInfo(time_zone)
    except (ZoneInfoNotFoundError, ValueError, OSError):
        raise _wrong("time_zone", "没有这个时区，例如 Asia/Shanghai") from None


def check_jitter(text: str, jitter_s: int) -> None:
    """Raise InvalidInput where a jitter could carry one time beyond the next."""
    if not jitter_s:
        return
    times = cron.upcoming(cron.parse(text), A_YEAR, "UTC", LOOKED_AT)
    shortest = min(later - earlier for earlier, later in pairwise(times))
    if timedelta(seconds=jitter_s + 120) > shortest:
        raise _wrong("jitter_s", "随机推迟太长：要比两次执行的间隔短 2 分钟以上，或填 0")


def _wrong(field: str, words: str) -> InvalidInput:
    return InvalidInput(words, details={field: words})
