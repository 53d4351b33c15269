"""What a cron expression means, in the words of people: 每天 02:15, 每周一、三 09:00, 每月 1 日 03:00."""

from collections.abc import Sequence

from wecom_app.domain.cron import DAY, HOUR, MINUTE, MONTH, Cron, Field

WEEKDAYS = "一二三四五六日"
MOST_TIMES = 4
"""Times of day that are named one by one."""


def describe(cron: Cron) -> str:
    """Return the expression in Chinese."""
    day, time = _day(cron), _time(cron)
    if day:
        return f"{day} {time}"
    return time if time.startswith("每") else f"每天 {time}"


def _day(cron: Cron) -> str:
    """Return the days; nothing where it is every day."""
    months = "" if _is_all(cron.months, MONTH) else f"{_list(cron.months)} 月"
    days = "" if _is_all(cron.days, DAY) else f"{_list(cron.days)} 日"
    weekdays = "" if len(cron.weekdays) == len(WEEKDAYS) else f"周{_weekdays(cron.weekdays)}"
    if cron.either and not (days and weekdays):
        # Either is enough, and one of them is every day.
        days = weekdays = ""
    if days and weekdays:
        joined = f"{days}和每{weekdays}" if cron.either else f"{days}中的{weekdays}"
        return f"每年 {months}的 {joined}" if months else f"每月 {joined}"
    if months:
        return f"每年 {months}" + (f" {days}" if days else f"的每{weekdays or '天'}")
    return f"每月 {days}" if days else (f"每{weekdays}" if weekdays else "")


def _time(cron: Cron) -> str:
    if len(cron.hours) * len(cron.minutes) <= MOST_TIMES:
        return "、".join(f"{hour:02}:{minute:02}" for hour in cron.hours for minute in cron.minutes)
    minutes = _minutes(cron.minutes)
    if _is_all(cron.hours, HOUR):
        return minutes if minutes.startswith("每") else f"每小时{minutes}"
    step = _step(cron.hours, HOUR)
    if step and not minutes.startswith("每"):
        return f"每 {step} 小时{minutes}"
    return f"{_list(cron.hours)} 点{minutes}"


def _minutes(minutes: Sequence[int]) -> str:
    if _is_all(minutes, MINUTE):
        return "每分钟"
    step = _step(minutes, MINUTE)
    if step:
        return f"每 {step} 分钟"
    return "整点" if list(minutes) == [0] else f"第 {_list(minutes)} 分"


def _step(values: Sequence[int], field: Field) -> int:
    """Return the even step in which the values go round from 0; 0 where there is none."""
    size = field.high + 1
    step = size // len(values)
    return step if len(values) > 1 and list(values) == list(range(0, size, step)) and size % step == 0 else 0


def _is_all(values: Sequence[int], field: Field) -> bool:
    return len(values) == field.high - field.low + 1


def _weekdays(weekdays: Sequence[int]) -> str:
    return "、".join(
        WEEKDAYS[first - 1] if first == last else f"{WEEKDAYS[first - 1]}至周{WEEKDAYS[last - 1]}"
        for first, last in _runs(weekdays)
    )


def _list(values: Sequence[int]) -> str:
    return "、".join(str(first) if first == last else f"{first}–{last}" for first, last in _runs(values))


def _runs(values: Sequence[int]) -> list[tuple[int, int]]:
    """Return the values as spans; two neighbours stay two."""
    found: list[tuple[int, int]] = []
    for value in values:
        if found and value == found[-1][1] + 1:
            found[-1] = (found[-1][0], value)
        else:
            found.append((value, value))
    return [
        span
        for first, last in found
        for span in ([(first, last)] if last != first + 1 else [(first, first), (last, last)])
    ]
