"""Kinds of profile fields: how a value is checked, in which one spelling it is kept, and how people read it.

Called when values are written (sidebar, API) and shown. Refusals are ValueErrors in words for people.
"""

import re
import unicodedata
from collections.abc import Callable, Mapping, Sequence
from datetime import date
from decimal import Decimal, InvalidOperation
from enum import StrEnum

MAX_TEXT = 500
MAX_REGION_NAME = 20
LARGEST = Decimal("1e15")
FINEST = Decimal("0.000001")
MOST_DIGITS = 15
"""What a number in JSON carries without loss."""
LEAP_YEAR = 2000
"""Stands in for the year of a birthday without one, so that 29 February is a day."""
FIRST_YEAR = 1900
REGION_PARTS = ("province", "city", "district")

DATE = re.compile(r"(?:(\d{4})[-/.年])?(?:--)?(\d{1,2})[-/.月](\d{1,2})日?")
MOBILE = re.compile(r"1[3-9]\d{9}")
LANDLINE = re.compile(r"0\d{9,11}")
SERVICE_NUMBER = re.compile(r"[48]00\d{7}")
INTERNATIONAL = re.compile(r"\+[1-9]\d{5,14}")
REGION_NAME = re.compile(r"[\w·（）()]+")


class Kind(StrEnum):
    TEXT = "text"
    NUMBER = "number"
    DATE = "date"
    CHOICE = "choice"
    PHONE = "phone"
    REGION = "region"


KIND_WORDS: Mapping[Kind, str] = {
    Kind.TEXT: "文字",
    Kind.NUMBER: "数字",
    Kind.DATE: "日期",
    Kind.CHOICE: "选择",
    Kind.PHONE: "电话",
    Kind.REGION: "地区",
}


def normalise(kind: str, value: object, options: Sequence[str] = ()) -> str:
    """Return the value in the spelling that is kept; raise ValueError with words for people.

    date: YYYY-MM-DD, or --MM-DD without a year; number: plain decimal; phone: digits, abroad with +;
    region: province/city/district by name, the later ones optional.
    """
    if kind == Kind.CHOICE:
        text = _line(value)
        if text not in options:
            raise ValueError(f"只能选：{'、'.join(options)}")
        return text
    return _NORMALISERS[Kind(kind)](value)


def spoken(kind: str, value: str) -> str:
    """Return a kept value as people read it."""
    if kind == Kind.DATE:
        year, month, day = _date_parts(value)
        words = f"{month}月{day}日"
        return words if year is None else f"{year}年{words}"
    return value.replace("/", " ") if kind == Kind.REGION else value


def external(kind: str, value: str) -> object:
    """Return a kept value as the API gives it: a number as a number, a region as an object, the rest as text."""
    if kind == Kind.NUMBER:
        return int(value) if "." not in value else float(value)
    if kind == Kind.REGION:
        names: list[str | None] = [*value.split("/"), None, None]
        return dict(zip(REGION_PARTS, names, strict=False))
    return value


def phone(value: object) -> str:
    """Return a telephone number as digits, one from abroad with its +; raise ValueError."""
    text = re.sub(r"[\s\-().]", "", unicodedata.normalize("NFKC", _line(value)))
    text = re.sub(r"^(?:\+|00)86(?=\d{10,})", "", text)
    if text.startswith("00"):
        text = f"+{text[2:]}"
    if any(pattern.fullmatch(text) for pattern in (MOBILE, LANDLINE, SERVICE_NUMBER, INTERNATIONAL)):
        return text
    raise ValueError("电话号码不对：请填手机号、带区号的座机号，或以 + 开头的国际号码")


def _line(value: object) -> str:
    if not isinstance(value, str) or not value.strip():
        raise ValueError("请填写文字")
    text = value.strip()
    if len(text) > MAX_TEXT:
        raise ValueError(f"最多 {MAX_TEXT} 字")
    if any(unicodedata.category(character) == "Cc" and character not in "\n\t" for character in text):
        raise ValueError("不能含有控制字符")
    return text


def _number(value: object) -> str:
    if isinstance(value, bool) or not isinstance(value, int | float | str):
        raise ValueError("请填写数字")
    try:
        number = Decimal(unicodedata.normalize("NFKC", str(value)).strip().replace(",", ""))
    except InvalidOperation:
        raise ValueError("请填写数字") from None
    if not number.is_finite() or abs(number) >= LARGEST:
        raise ValueError("数字太大")
    if number != number.quantize(FINEST):
        raise ValueError("最多六位小数")
    text = f"{number.quantize(FINEST):f}".rstrip("0").rstrip(".")
    if sum(character.isdigit() for character in text) > MOST_DIGITS:
        raise ValueError(f"最多 {MOST_DIGITS} 位数字")
    return "0" if text in ("-0", "") else text


def _date(value: object) -> str:
    if isinstance(value, date):
        value = value.isoformat()[:10]
    year, month, day = _date_parts(_line(value))
    if year is not None and year < FIRST_YEAR:
        raise ValueError(f"年份需在 {FIRST_YEAR} 年之后")
    try:
        found = date(year or LEAP_YEAR, month, day)
    except ValueError:
        raise ValueError("没有这一天") from None
    return found.isoformat() if year is not None else f"--{found:%m-%d}"


def _date_parts(text: str) -> tuple[int | None, int, int]:
    found = DATE.fullmatch(text)
    if found is None:
        raise ValueError("日期应写作 1990-05-01；不知道年份写 05-01")
    year, month, day = found.groups()
    return int(year) if year else None, int(month), int(day)


def _region(value: object) -> str:
    if isinstance(value, str):
        names: list[object] = list(re.split(r"[/\s]+", value.strip()))
    elif isinstance(value, Mapping):
        if set(value) - set(REGION_PARTS):
            raise ValueError("地区只有 province、city、district 三部分")
        names = [value.get(part) or "" for part in REGION_PARTS]
    else:
        raise ValueError("地区应写作 省/市/区")
    while names and not names[-1]:
        names.pop()
    if not 1 <= len(names) <= len(REGION_PARTS):
        raise ValueError("地区应写作 省/市/区")
    return "/".join(_region_name(name) for name in names)


def _region_name(name: object) -> str:
    text = name.strip() if isinstance(name, str) else ""
    if len(text) > MAX_REGION_NAME or not REGION_NAME.fullmatch(text):
        raise ValueError("地区应写作 省/市/区，每段是地名")
    return text


_NORMALISERS: Mapping[Kind, Callable[[object], str]] = {
    Kind.TEXT: _line,
    Kind.NUMBER: _number,
    Kind.DATE: _date,
    Kind.PHONE: phone,
    Kind.REGION: _region,
}
