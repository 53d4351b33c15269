"""Kinds of profile fields: one spelling for each value, and a reason in words for what is none."""

from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st

from wecom_app.domain import field_kinds
from wecom_app.domain.field_kinds import Kind, external, normalise, spoken

CHOICES = ("油皮", "干皮")


@pytest.mark.parametrize(
    ("kind", "value", "kept", "read"),
    [
        (Kind.TEXT, "  爱喝茶 ", "爱喝茶", "爱喝茶"),
        (Kind.NUMBER, "1,200.50", "1200.5", "1200.5"),
        (Kind.NUMBER, 3, "3", "3"),
        (Kind.NUMBER, -0.0, "0", "0"),
        (Kind.NUMBER, "１２", "12", "12"),
        (Kind.DATE, "1990-5-1", "1990-05-01", "1990年5月1日"),
        (Kind.DATE, "1990年5月1日", "1990-05-01", "1990年5月1日"),
        (Kind.DATE, "02-29", "--02-29", "2月29日"),
        (Kind.DATE, "--05-01", "--05-01", "5月1日"),
        (Kind.DATE, "5月1日", "--05-01", "5月1日"),
        (Kind.CHOICE, "油皮", "油皮", "油皮"),
        (Kind.PHONE, "+86 138-0013-8000", "13800138000", "13800138000"),
        (Kind.PHONE, "(021) 1234 5678", "02112345678", "02112345678"),
        (Kind.PHONE, "００８６１３８００１３８０００", "13800138000", "13800138000"),
        (Kind.PHONE, "+1 650 253 0000", "+16502530000", "+16502530000"),
        (Kind.PHONE, "400-123-4567", "4001234567", "4001234567"),
        (Kind.REGION, "广东省/深圳市/南山区", "广东省/深圳市/南山区", "广东省 深圳市 南山区"),
        (Kind.REGION, {"province": "上海市", "city": None}, "上海市", "上海市"),
        (Kind.REGION, "北京市 海淀区", "北京市/海淀区", "北京市 海淀区"),
    ],
)
def test_a_value_is_kept_in_one_spelling(kind: Kind, value: Any, kept: str, read: str) -> None:
    assert normalise(kind, value, CHOICES) == kept
    assert spoken(kind, kept) == read


@pytest.mark.parametrize(
    ("kind", "value"),
    [
        (Kind.TEXT, ""),
        (Kind.TEXT, 7),
        (Kind.TEXT, "x" * 501),
        (Kind.TEXT, "a\0b"),
        (Kind.NUMBER, "很多"),
        (Kind.NUMBER, True),
        (Kind.NUMBER, "1e15"),
        (Kind.NUMBER, float("nan")),
        (Kind.NUMBER, "0.0000001"),
        (Kind.NUMBER, "12345678901234.56"),
        (Kind.DATE, "1990-02-30"),
        (Kind.DATE, "02-30"),
        (Kind.DATE, "1899-01-01"),
        (Kind.DATE, "昨天"),
        (Kind.CHOICE, "混合皮"),
        (Kind.PHONE, "12345"),
        (Kind.PHONE, "1380013800a"),
        (Kind.REGION, ""),
        (Kind.REGION, "一/二/三/四"),
        (Kind.REGION, {"city": "深圳市"}),
        (Kind.REGION, {"country": "中国"}),
        (Kind.REGION, "<b>"),
        (Kind.REGION, ["广东省"]),
    ],
)
def test_what_is_no_value_is_refused_in_words(kind: Kind, value: Any) -> None:
    with pytest.raises(ValueError, match=r"[\u4e00-\u9fff]"):
        normalise(kind, value, CHOICES)


def test_the_api_gives_numbers_and_regions_as_what_they_are() -> None:
    assert external(Kind.NUMBER, "3") == 3
    assert external(Kind.NUMBER, "3.5") == 3.5
    assert external(Kind.REGION, "上海市") == {"province": "上海市", "city": None, "district": None}
    assert external(Kind.DATE, "--05-01") == "--05-01"


ANYTHING = st.recursive(
    st.none() | st.booleans() | st.integers() | st.floats() | st.text(),
    lambda inner: st.lists(inner, max_size=3) | st.dictionaries(st.text(max_size=8), inner, max_size=3),
)


@given(kind=st.sampled_from([kind for kind in Kind if kind is not Kind.CHOICE]), value=ANYTHING)
def test_whatever_is_given_is_refused_in_words_or_kept_for_good(kind: Kind, value: Any) -> None:
    try:
        kept = normalise(kind, value)
    except ValueError:
        return
    assert 0 < len(kept) <= field_kinds.MAX_TEXT
    assert normalise(kind, kept) == kept
    assert normalise(kind, external(kind, kept)) == kept
    assert spoken(kind, kept)
