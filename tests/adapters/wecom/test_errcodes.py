"""WeCom's error numbers become the error that says what to do, and advice that a person understands."""

import re

import pytest

from wecom_app.adapters.wecom.errcodes import MEANINGS, error_for, meaning_of
from wecom_app.errors import (
    WeComError,
    WeComGone,
    WeComMemberBarred,
    WeComMisconfigured,
    WeComRejected,
    WeComTagGone,
    WeComThrottled,
    WeComUnavailable,
    WelcomeTaken,
    WelcomeTooLate,
)

EXPECTED = {
    WeComUnavailable: (-1, 40014, 42001),
    WeComThrottled: (6000, 45009, 45033, 45035, 41096),
    WeComMisconfigured: (40001, 40013, 40056, 40091, 48002, 50003, 60020, 301002, 43012, 93000),
    WeComMemberBarred: (40098, 41054, 50002, 60011, 60021, 84074, 84083, 610004, 701008),
    WeComGone: (40003, 40096, 41044, 60111, 84061),
    WeComTagGone: (40068,),
    WelcomeTooLate: (41049, 41050),
    WelcomeTaken: (41051,),
    WeComRejected: (40058, 40071, 40126, 41045, 50100, 81011, 81013, 42045, 12345),
}


@pytest.mark.parametrize(
    ("errcode", "kind"), [(errcode, kind) for kind, errcodes in EXPECTED.items() for errcode in errcodes]
)
def test_each_number_has_its_error(errcode: int, kind: type[WeComError]) -> None:
    error = error_for("externalcontact/mark_tag", errcode)
    assert type(error) is kind
    assert (error.errcode, error.api) == (errcode, "externalcontact/mark_tag")


@pytest.mark.parametrize("errcode", sorted(MEANINGS))
def test_each_advice_is_chinese(errcode: int) -> None:
    assert re.search(r"[\u4e00-\u9fff]{4}", error_for("api", errcode).message)


def test_only_what_passes_by_itself_is_retried() -> None:
    assert {code for code in MEANINGS if error_for("api", code).retryable} == {
        -1, 6000, 40014, 41001, 41096, 42001, 45009, 45033, 45035,
    }  # fmt: skip


def test_another_apps_tag_is_no_misconfiguration() -> None:
    assert meaning_of("externalcontact/edit_corp_tag", 301002).error is WeComRejected
    assert meaning_of("message/send", 301002).error is WeComMisconfigured


def test_an_unknown_number_is_named() -> None:
    assert "12345" in error_for("api", 12345).message


def test_the_address_to_trust_is_named() -> None:
    text = "not allow to access from your ip, hint: [1], from ip: 203.0.113.9, more info at https://x"
    assert "203.0.113.9" in error_for("gettoken", 60020, text).message
    assert "203.0.113.9" not in error_for("gettoken", 48002, text).message
