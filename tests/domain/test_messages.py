"""What callbacks say and what welcome messages say: heads, hints, times, placeholders."""

from datetime import UTC, datetime

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from wecom_app.domain.messages import (
    PLACEHOLDERS,
    cut_to_bytes,
    fill,
    is_hint,
    moment,
    placeholders_in,
    read_head,
    text,
    unknown_placeholders,
    without_name,
)


def test_the_head_of_an_event_names_kind_change_subject_and_time() -> None:
    head = read_head(
        {
            "MsgType": "event",
            "Event": "change_external_contact",
            "ChangeType": "add_external_contact",
            "ExternalUserID": "wm_li",
            "UserID": "zhang",
            "CreateTime": "1700000000",
        }
    )

    assert (head.event, head.change_type, head.subject) == ("change_external_contact", "add_external_contact", "wm_li")
    assert head.occurred_at == datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)


@pytest.mark.parametrize(
    ("fields", "subject"),
    [
        ({"UserID": "zhang", "FromUserName": "sys"}, "zhang"),
        ({"Id": "et1", "FromUserName": "sys"}, "et1"),
        ({"ChatId": "wr1", "UserID": "zhang"}, "wr1"),
        ({"FromUserName": "mycreate"}, "mycreate"),
        ({"ExternalUserID": "", "UserID": "zhang"}, "zhang"),
        ({"ExternalUserID": {"nested": "x"}, "UserID": "zhang"}, "zhang"),
        ({}, ""),
    ],
)
def test_the_subject_is_the_closest_one_named(fields: dict[str, object], subject: str) -> None:
    assert read_head(fields).subject == subject


def test_a_message_is_named_after_its_type() -> None:
    assert read_head({"MsgType": "text", "Event": "ignored"}).event == "text"


@pytest.mark.parametrize("fields", [{}, {"MsgType": "event"}, {"MsgType": ["event", "event"]}, {"Event": {"a": "b"}}])
def test_an_event_without_a_readable_name_is_called_unknown(fields: dict[str, object]) -> None:
    assert read_head(fields).event == "unknown"


def test_long_values_are_cut_to_what_the_table_holds() -> None:
    head = read_head({"Event": "e" * 200, "ChangeType": "c" * 200, "ExternalUserID": "x" * 200})

    assert (len(head.event), len(head.change_type), len(head.subject)) == (64, 64, 128)


@pytest.mark.parametrize(
    ("event", "change_type", "hint"),
    [
        ("change_external_contact", "edit_external_contact", True),
        ("change_external_tag", "update", True),
        ("change_external_tag", "shuffle", True),
        ("change_contact", "update_user", True),
        ("change_external_contact", "add_external_contact", False),
        ("change_external_contact", "del_follow_user", False),
        ("brand_new", "", False),
    ],
)
def test_hints_are_the_events_that_only_say_where_to_look(event: str, change_type: str, hint: bool) -> None:
    assert is_hint(event, change_type) == hint


@pytest.mark.parametrize("value", [None, 7, ["a"], {"a": "b"}])
def test_what_is_no_leaf_has_no_text(value: object) -> None:
    assert text({"A": value}, "A") == ""


def test_a_leafs_text_loses_the_space_around_it() -> None:
    assert text({"A": " \n zhang\r\n"}, "A") == "zhang"


@pytest.mark.parametrize(
    ("seconds", "expected"),
    [
        ("0", datetime(1970, 1, 1, tzinfo=UTC)),
        ("1700000000", datetime(2023, 11, 14, 22, 13, 20, tzinfo=UTC)),
        ("99999999999", datetime(5138, 11, 16, 9, 46, 39, tzinfo=UTC)),
    ],
)
def test_a_unix_time_becomes_a_utc_moment(seconds: str, expected: datetime) -> None:
    assert moment(seconds) == expected


@pytest.mark.parametrize(
    "seconds", ["", "-1", "1.5", "1e3", " 1", "soon", "100000000000", "9" * 400, "\u0661\u0662", "1\n"], ids=ascii
)
def test_what_is_no_unix_time_is_no_moment(seconds: str) -> None:
    assert moment(seconds) is None


@given(st.text(max_size=30))
@settings(max_examples=300, deadline=None)
def test_any_text_is_a_moment_or_none(seconds: str) -> None:
    found = moment(seconds)
    assert found is None or found.tzinfo is UTC


def test_placeholders_are_found_once_each() -> None:
    assert placeholders_in("{a}{b} {a}") == {"a", "b"}


@pytest.mark.parametrize("template", ["", "{}", "{ }", "{a b}", "{{}", "}{", "{" + "x" * 33 + "}"])
def test_braces_without_a_name_are_plain_text(template: str) -> None:
    assert placeholders_in(template) == frozenset()
    assert fill(template, {"a": "x"}) == template


def test_unknown_placeholders_are_named_in_order() -> None:
    assert unknown_placeholders("{zzz}{customer_name}{客户}{aaa}") == ["aaa", "zzz", "客户"]


def test_all_known_placeholders_are_filled() -> None:
    values = {name: name.upper() for name in PLACEHOLDERS}
    template = "、".join(f"{{{name}}}" for name in PLACEHOLDERS)

    assert fill(template, values) == "CUSTOMER_NAME、STAFF_NAME、CHANNEL_NAME、DATE"


def test_a_name_that_looks_like_a_placeholder_is_not_filled_again() -> None:
    values = {"customer_name": "{staff_name}", "staff_name": "张伟"}

    assert fill("{customer_name}，我是{staff_name}", values) == "{staff_name}，我是张伟"


def test_a_placeholder_without_a_value_stays_as_it_is() -> None:
    assert fill("{date}", {}) == "{date}"


@pytest.mark.parametrize(
    ("template", "expected"),
    [
        ("{customer_name}，您好", "您好"),
        ("{customer_name}, hello", "hello"),
        ("{customer_name}：\n欢迎", "欢迎"),
        ("您好{customer_name}！我是{staff_name}", "您好我是{staff_name}"),
        ("您好", "您好"),
        ("{customer_name}", ""),
    ],
)
def test_without_the_name_its_comma_goes_too(template: str, expected: str) -> None:
    assert without_name(template) == expected


@pytest.mark.parametrize(
    ("value", "limit", "expected"),
    [("您好", 6, "您好"), ("您好", 5, "您"), ("您好", 2, ""), ("ab😀", 5, "ab"), ("abc", 0, ""), ("", 3, "")],
)
def test_text_is_cut_at_a_character(value: str, limit: int, expected: str) -> None:
    assert cut_to_bytes(value, limit) == expected


@given(st.text(max_size=50), st.integers(0, 100))
@settings(max_examples=200, deadline=None)
def test_a_cut_text_fits_and_is_a_beginning(value: str, limit: int) -> None:
    cut = cut_to_bytes(value, limit)
    assert len(cut.encode()) <= limit
    assert value.startswith(cut)
    assert cut == value or len(value[: len(cut) + 1].encode()) > limit
