"""Five-field cron as people write it: read, refused place by place, and the moments at which it fires.

Weekdays are 0 to 7 with both ends Sunday, or names. Where day and weekday are both restricted, either is enough, as
in crontab(5).
Called by `services.schedules`; `domain.cron_words` says the same in Chinese.
"""

from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from datetime import UTC, date, datetime, timedelta
from unicodedata import normalize
from zoneinfo import ZoneInfo

from wecom_app.errors import InvalidInput

MACROS: Mapping[str, str] = {
    "@hourly": "0 * * * *",
    "@daily": "0 0 * * *",
    "@midnight": "0 0 * * *",
    "@weekly": "0 0 * * 0",
    "@monthly": "0 0 1 * *",
    "@yearly": "0 0 1 1 *",
    "@annually": "0 0 1 1 *",
}
LONGEST = 100
"""Characters of an expression."""
LONGEST_MONTHS = {2: 29, 4: 30, 6: 30, 9: 30, 11: 30}
HORIZON = timedelta(days=366 * 41)
"""No expression that fires at all rests longer: a 29 February that is a Sunday comes again after 40 years at most."""
MINUTE_LONG, LONGEST_SHIFT = timedelta(minutes=1), timedelta(hours=2)
"""Clocks are put forward or back by an hour, in one place by half of it."""


@dataclass(frozen=True)
class Field:
    """One of the five places: what people call it, its bounds, and the names of its values."""

    words: str
    low: int
    high: int
    names: Mapping[str, int]


MONTHS = ("jan", "feb", "mar", "apr", "may", "jun", "jul", "aug", "sep", "oct", "nov", "dec")
WEEKDAYS = ("sun", "mon", "tue", "wed", "thu", "fri", "sat")
MINUTE, HOUR, DAY = Field("分钟", 0, 59, {}), Field("小时", 0, 23, {}), Field("日", 1, 31, {})
MONTH, WEEKDAY = (
    Field("月", 1, 12, dict(zip(MONTHS, range(1, 13), strict=True))),
    Field("星期", 0, 7, dict(zip(WEEKDAYS, range(7), strict=True))),
)
FIELDS = (MINUTE, HOUR, DAY, MONTH, WEEKDAY)
SUNDAY = 7


@dataclass(frozen=True)
class Cron:
    """An expression that was read. Weekdays are 1 (Monday) to 7 (Sunday)."""

    text: str
    minutes: tuple[int, ...]
    hours: tuple[int, ...]
    days: tuple[int, ...]
    months: tuple[int, ...]
    weekdays: tuple[int, ...]
    either: bool
    """Whether day and weekday are both restricted, so that either of them is enough."""

    @property
    def every_hour(self) -> bool:
        """Whether it fires in each hour of its days."""
        return len(self.hours) == HOUR.high + 1

    def fires_on(self, day: date) -> bool:
        """Return whether it fires on that day at all."""
        if day.month not in self.months:
            return False
        by_day, by_weekday = day.day in self.days, day.isoweekday() in self.weekdays
        return by_day or by_weekday if self.either else by_day and by_weekday


def parse(text: str) -> Cron:
    """Read an expression or a macro; raise InvalidInput that names the place which is wrong."""
    # A Chinese keyboard types digits, stars and spaces in full width.
    given = " ".join(normalize("NFKC", text).split())
    if not given:
        raise _wrong("请填写执行时间，例如 15 2 * * *（每天 02:15）")
    if len(given) > LONGEST:
        raise _wrong(f"执行时间最多 {LONGEST} 个字符")
    if given.startswith("@") and given.lower() not in MACROS:
        raise _wrong(f"不认识「{given}」，可用：{'、'.join(MACROS)}")
    places = MACROS.get(given.lower(), given).split()
    if len(places) != len(FIELDS):
        raise _wrong(f"要有 5 段：分 时 日 月 星期，用空格隔开；现在有 {len(places)} 段")
    minutes, hours, days, months, weekdays = (
        _values(field, place) for field, place in zip(FIELDS, places, strict=True)
    )
    # crontab(5): a place that begins with a star does not count as restricted, not even with a step.
    either = not places[2].startswith("*") and not places[4].startswith("*")
    found = Cron(given, minutes, hours, days, months, tuple(sorted({day or SUNDAY for day in weekdays})), either)
    if not either and not any(day <= LONGEST_MONTHS.get(month, 31) for month in months for day in days):
        raise _wrong("这个日期不存在，永远不会执行：请检查「日」和「月」")
    return found


def next_after(cron: Cron, moment: datetime, time_zone: str) -> datetime:
    """Return the first moment (UTC) later than `moment` at which it fires on the clocks of that zone.

    A time that the clocks skip fires as late as they were put forward. One that they show twice fires the first
    time, and the second as well where every hour has its turn.
    """
    zone = ZoneInfo(time_zone)
    # A time skipped by the clocks is shown to be earlier than when it fires.
    begin = (moment - LONGEST_SHIFT).astimezone(zone).replace(tzinfo=None)
    for shown in _shown_after(cron, begin):
        found = shown.replace(tzinfo=zone).astimezone(UTC)
        if found > moment:
            return (_shown_again(cron, moment, found, zone) if cron.every_hour else None) or found
    raise AssertionError(f"{cron.text} never fires")


def _shown_again(cron: Cron, moment: datetime, until: datetime, zone: ZoneInfo) -> datetime | None:
    """Return the first moment before `until` when the clocks show a time of firing for the second time."""
    found = moment.astimezone(UTC).replace(second=0, microsecond=0) + MINUTE_LONG
    last = min(until, found + LONGEST_SHIFT)
    while found < last:
        shown = found.astimezone(zone)
        if shown.fold and shown.minute in cron.minutes and cron.fires_on(shown.date()):
            return found
        found += MINUTE_LONG
    return None


def upcoming(cron: Cron, moment: datetime, time_zone: str, count: int = 5) -> list[datetime]:
    """Return the next moments at which it fires."""
    found: list[datetime] = []
    while len(found) < count:
        found.append(next_after(cron, found[-1] if found else moment, time_zone))
    return found


def _shown_after(cron: Cron, begin: datetime) -> Iterator[datetime]:
    """Yield what the clocks show when it fires, from the minute of `begin` on."""
    day, last = begin.date(), begin.date() + HORIZON
    while day <= last:
        if day.month not in cron.months:
            day = (day.replace(day=1) + timedelta(days=32)).replace(day=1)
            continue
        if cron.fires_on(day):
            yield from _times(cron, day, begin)
        day += timedelta(days=1)


def _times(cron: Cron, day: date, begin: datetime) -> Iterator[datetime]:
    for hour in cron.hours:
        for minute in cron.minutes:
            shown = datetime(day.year, day.month, day.day, hour, minute)  # noqa: DTZ001  what a clock on the wall shows
            if shown >= begin.replace(second=0, microsecond=0):
                yield shown


def _values(field: Field, place: str) -> tuple[int, ...]:
    found: set[int] = set()
    for part in place.split(","):
        if not part:
            raise _wrong(f"「{field.words}」里的「{place}」多了一个逗号")
        found |= _part(field, part)
    return tuple(sorted(found))


def _part(field: Field, part: str) -> set[int]:
    span, slash, step_text = part.partition("/")
    step = 1
    if slash:
        if not _is_number(step_text) or int(step_text) < 1:
            raise _wrong(f"「{field.words}」里的「{part}」：斜线后面要是 1 以上的整数")
        step = int(step_text)
    low, high = _span(field, span, part, open_ended=bool(slash))
    return set(range(low, high + 1, step))


def _span(field: Field, span: str, part: str, *, open_ended: bool) -> tuple[int, int]:
    if span == "*":
        # Sunday has two numbers: without the second one, a step over all days does not meet it twice.
        return field.low, 6 if field is WEEKDAY else field.high
    first, dash, last = span.partition("-")
    low = _value(field, first, part)
    if not dash:
        return low, field.high if open_ended else low
    high = _value(field, last, part)
    if field is WEEKDAY and high == 0:
        high = SUNDAY
    if low > high:
        raise _wrong(f"「{field.words}」里的「{part}」：起点在终点之后，请写成两段并用逗号隔开")
    return low, high


def _value(field: Field, text: str, part: str) -> int:
    if text.lower() in field.names:
        return field.names[text.lower()]
    if not _is_number(text):
        raise _wrong(f"「{field.words}」里的「{part}」看不懂：可用数字、*、逗号、- 和 /")
    value = int(text)
    if not field.low <= value <= field.high:
        raise _wrong(f"「{field.words}」要在 {field.low} 到 {field.high} 之间，现在是 {value}")
    return value


def _is_number(text: str) -> bool:
    return text.isascii() and text.isdigit() and len(text) <= 3


def _wrong(words: str) -> InvalidInput:
    return InvalidInput(words, details={"cron": words})
