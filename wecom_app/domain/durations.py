"""Durations as rules write them, `90d` or `6m`, for the leaves of `domain.conditions`; and how long something took."""

import re
from calendar import monthrange
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta

PATTERN = re.compile(r"([1-9][0-9]{0,4})([hdwmy])")
EXACT = {"h": timedelta(hours=1), "d": timedelta(days=1), "w": timedelta(weeks=1)}
MONTHS = {"m": 1, "y": 12}
UNIT_WORDS = {"h": "小时", "d": "天", "w": "周", "m": "个月", "y": "年"}
BEGINNING = datetime(1, 1, 1, tzinfo=UTC)


@dataclass(frozen=True)
class Duration:
    """A count of hours, days or weeks, which are exact, or of calendar months or years."""

    count: int
    unit: str

    def __str__(self) -> str:
        return f"{self.count}{self.unit}"

    @property
    def words(self) -> str:
        return f"{self.count} {UNIT_WORDS[self.unit]}"

    def before(self, moment: datetime) -> datetime:
        """Return the moment this much earlier: the last day of a month where it has no such day.

        Months are those of the moment's own time zone. What lies before the calendar is its beginning.
        """
        try:
            if self.unit in EXACT:
                return moment - self.count * EXACT[self.unit]
            return _months_before(moment, self.count * MONTHS[self.unit])
        except (OverflowError, ValueError):
            return BEGINNING


def parse_duration(text: str) -> Duration | None:
    """Return the duration; None where the text is none."""
    found = PATTERN.fullmatch(text)
    return Duration(int(found[1]), found[2]) if found else None


def span_words(length: timedelta) -> str:
    """Return a length of time in its largest fitting unit."""
    seconds = int(length.total_seconds())
    if seconds < 120:
        return f"{seconds} 秒"
    return f"{seconds // 60} 分钟" if seconds < 7200 else f"{seconds // 3600} 小时"


def _months_before(moment: datetime, months: int) -> datetime:
    year, month = divmod(moment.year * 12 + moment.month - 1 - months, 12)
    if year < 1:
        return BEGINNING
    return moment.replace(year=year, month=month + 1, day=min(moment.day, monthrange(year, month + 1)[1]))
