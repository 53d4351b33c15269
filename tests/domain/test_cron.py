"""Cron as people mean it: the same moments as APScheduler's, words, and what is refused place by place."""

from contextlib import suppress
from datetime import UTC, datetime, timedelta
from itertools import pairwise
from typing import Any

import pytest
from apscheduler.triggers.combining import OrTrigger
from apscheduler.triggers.cron import CronTrigger
from hypothesis import given, settings
from hypothesis import strategies as st

from wecom_app.domain.cron import DAY, FIELDS, HOUR, MINUTE, MONTH, SUNDAY, WEEKDAY, Field, next_after, parse, upcoming
from wecom_app.domain.cron_words import describe
from wecom_app.errors import InvalidInput

ZONES = ("Asia/Shanghai", "UTC", "Asia/Kolkata")
"""Without summer time in the years looked at; the clocks that skip and repeat have their own test."""
NAMES = ("mon", "tue", "wed", "thu", "fri", "sat", "sun")
MOMENTS = st.datetimes(datetime(2024, 1, 1), datetime(2035, 1, 1)).map(lambda shown: shown.replace(tzinfo=UTC))  # noqa: DTZ001  given one


@st.composite
def part(draw: st.DrawFn, field: Field) -> str:
    low, high = sorted((draw(st.integers(field.low, field.high)), draw(st.integers(field.low, field.high))))
    if low == high:
        return str(low)
    # APScheduler refuses a step that is longer than its range.
    step = draw(st.integers(1, high - low))
    return draw(st.sampled_from((str(low), f"*/{step}", f"{low}-{high}", f"{low}-{high}/{step}")))


def parts(field: Field) -> st.SearchStrategy[str]:
    return st.lists(part(field), min_size=1, max_size=3).map(",".join)


def places(field: Field) -> st.SearchStrategy[str]:
    return st.one_of(st.just("*"), parts(field))


def theirs_as_is(text: str, zone: str) -> Any:
    """Return APScheduler's trigger of the days alone."""
    minute, hour, day, month, _ = text.split()
    return CronTrigger(minute=minute, hour=hour, day=day, month=month, timezone=zone)


def theirs(text: str, zone: str) -> Any:
    """Return APScheduler's trigger; its weekday numbers are not people's, so it is given names."""
    minute, hour, day, month, _ = text.split()
    read = parse(text)
    weekdays = ",".join(NAMES[weekday - 1] for weekday in read.weekdays)
    common = {"minute": minute, "hour": hour, "month": month, "timezone": zone}
    if read.either:
        return OrTrigger([CronTrigger(day=day, **common), CronTrigger(day_of_week=weekdays, **common)])
    return CronTrigger(day=day, day_of_week=weekdays, **common)


@settings(max_examples=200, deadline=None)
@given(
    st.tuples(places(MINUTE), places(HOUR), places(DAY), places(MONTH), places(WEEKDAY)).map(" ".join),
    MOMENTS,
    st.sampled_from(ZONES),
)
def test_it_fires_when_apscheduler_fires(text: str, moment: datetime, zone: str) -> None:
    try:
        read = parse(text)
    except InvalidInput:
        # A day that none of its months has; APScheduler looks for it until its own horizon.
        assert theirs_as_is(text, zone).get_next_fire_time(None, moment) is None
        return
    expected = theirs(text, zone).get_next_fire_time(None, moment + timedelta(microseconds=1))
    found = next_after(read, moment, zone)
    # APScheduler looks no further than its own horizon of years.
    assert expected is None or found == expected.astimezone(UTC)


@pytest.mark.parametrize("text", ["0 9 * * 0", "0 9 * * 7", "0 9 * * sun", "0 9 * * SUN"])
def test_sunday_is_0_and_7_and_its_name(text: str) -> None:
    assert parse(text).weekdays == (SUNDAY,)
    assert next_after(parse(text), datetime(2026, 11, 23, tzinfo=UTC), "Asia/Shanghai").isoweekday() == SUNDAY


def test_a_range_may_end_on_sunday_by_any_of_its_names() -> None:
    assert {parse(f"0 9 * * {span}").weekdays for span in ("5-7", "5-0", "fri-sun")} == {(5, 6, 7)}
    assert parse("0 9 * * sun-tue").weekdays == (1, 2, 7)


def test_1_is_monday_which_from_crontab_of_apscheduler_takes_for_tuesday() -> None:
    monday = next_after(parse("0 9 * * 1"), datetime(2026, 11, 24, tzinfo=UTC), "Asia/Shanghai")
    assert monday == datetime(2026, 11, 30, 1, tzinfo=UTC)


def test_where_day_and_weekday_are_both_given_either_is_enough() -> None:
    found = upcoming(parse("0 9 1 * mon"), datetime(2026, 11, 27, tzinfo=UTC), "Asia/Shanghai", 3)
    assert [f"{moment:%m-%d}" for moment in found] == ["11-30", "12-01", "12-07"]


def test_a_time_that_the_clocks_skip_or_repeat_fires_once() -> None:
    nightly = parse("30 2 * * *")
    skipped = upcoming(nightly, datetime(2026, 3, 28, tzinfo=UTC), "Europe/Berlin", 3)
    assert [f"{moment:%d %H:%M}" for moment in skipped] == ["28 01:30", "29 01:30", "30 00:30"]
    repeated = upcoming(nightly, datetime(2026, 10, 24, 12, tzinfo=UTC), "Europe/Berlin", 2)
    assert [f"{moment:%d %H:%M}" for moment in repeated] == ["25 00:30", "26 01:30"]


def test_what_fires_every_hour_also_does_in_the_hour_that_the_clocks_show_twice() -> None:
    begin = datetime(2026, 11, 1, 5, 30, tzinfo=UTC)
    found = upcoming(parse("*/15 * * * *"), begin, "America/New_York", 8)
    assert [after - before for before, after in pairwise([begin, *found])] == [timedelta(minutes=15)] * 8
    hours = upcoming(parse("7 * * * *"), begin, "America/New_York", 3)
    assert [f"{moment:%H:%M}" for moment in hours] == ["06:07", "07:07", "08:07"]


def test_a_time_that_the_clocks_skipped_is_still_to_come_after_they_were_put_forward() -> None:
    forward = datetime(2027, 3, 14, 7, 10, tzinfo=UTC)
    assert next_after(parse("30 2 * * *"), forward, "America/New_York") == forward + timedelta(minutes=20)


def test_a_leap_day_that_is_a_sunday_is_found_across_the_turn_of_a_century() -> None:
    rare = parse("0 0 29 2 */7")
    found = upcoming(rare, datetime(2070, 1, 1, tzinfo=UTC), "UTC", 2)
    assert [moment.year for moment in found] == [2088, 2128]


@pytest.mark.parametrize(
    ("text", "words"),
    [
        ("15 2 * * *", "每天 02:15"),
        ("@daily", "每天 00:00"),
        ("@weekly", "每周日 00:00"),
        ("0 9 * * 1,3", "每周一、三 09:00"),
        ("0 9,18 * * sat-sun", "每周六、日 09:00、18:00"),
        ("0 3 1 * *", "每月 1 日 03:00"),
        ("0 3 1,15 * *", "每月 1、15 日 03:00"),
        ("0 9 1 * 1", "每月 1 日和每周一 09:00"),
        ("* * * * *", "每分钟"),
        ("*/10 * * * *", "每 10 分钟"),
        ("7 * * * *", "每小时第 7 分"),
        ("0 * * * *", "每小时整点"),
        ("5 */2 * * *", "每 2 小时第 5 分"),
        ("*/15 9-18 * * mon-fri", "每周一至周五 9–18 点每 15 分钟"),
        ("0 8-17 * * *", "每天 8–17 点整点"),
        ("0 0 1 1 *", "每年 1 月 1 日 00:00"),
        ("0 8 * 3 *", "每年 3 月的每天 08:00"),
        ("0 8 * 3 1", "每年 3 月的每周一 08:00"),
        ("0 8 1 3 1", "每年 3 月的 1 日和每周一 08:00"),
        ("0 8 1 * 0-6", "每天 08:00"),
        ("0 8 1-31 3 1", "每年 3 月的每天 08:00"),
    ],
)
def test_it_is_said_in_words(text: str, words: str) -> None:
    assert describe(parse(text)) == words


@settings(max_examples=100, deadline=None)
@given(st.tuples(*(places(field) for field in FIELDS)).map(" ".join))
def test_whatever_can_be_read_can_be_said(text: str) -> None:
    try:
        read = parse(text)
    except InvalidInput:
        return
    assert describe(read)


@pytest.mark.parametrize(
    ("text", "told"),
    [
        ("", "请填写执行时间"),
        ("* * * *", "现在有 4 段"),
        ("@often", "不认识「@often」"),
        ("60 * * * *", "「分钟」要在 0 到 59 之间，现在是 60"),
        ("0 24 * * *", "「小时」"),
        ("0 0 0 * *", "「日」"),
        ("0 0 * 13 *", "「月」"),
        ("0 0 * * 8", "「星期」"),
        ("0 0 L * *", "「日」里的「L」看不懂"),
        ("0 0 ? * 1", "看不懂"),
        ("*/0 * * * *", "斜线后面"),
        ("20-10 * * * *", "起点在终点之后"),
        ("1,,2 * * * *", "多了一个逗号"),
        ("0 9 * * 1,", "「星期」里的「1,」多了一个逗号"),
        ("0 0 31 4,6 *", "永远不会执行"),
        ("0 0 30 2 *", "永远不会执行"),
        ("٩ * * * *", "看不懂"),
        ("0 " * 60, "最多 100 个字符"),
    ],
)
def test_what_is_wrong_is_told_place_by_place(text: str, told: str) -> None:
    with pytest.raises(InvalidInput) as refused:
        parse(text)
    assert told in refused.value.message
    assert refused.value.details == {"cron": refused.value.message}


def test_what_a_chinese_keyboard_types_in_full_width_is_read() -> None:
    assert parse("３０　９ ＊／２ ＊ １，３") == parse("30 9 */2 * 1,3")


@settings(max_examples=300, deadline=None)
@given(st.text(max_size=30))
def test_any_text_is_read_or_refused(text: str) -> None:
    with suppress(InvalidInput):
        assert len(upcoming(parse(text), datetime(2026, 1, 1, tzinfo=UTC), "UTC", 1)) == 1
