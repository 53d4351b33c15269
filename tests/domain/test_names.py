"""Names of the library: what people write is taken, emoji too; what cannot be seen, or turns the writing, is not."""

import pytest

from wecom_app.domain.names import fault


@pytest.mark.parametrize(
    "name",
    ["高频", "ＶＩＰ", "带 空格", "<b>", "=1", "😀", "👨‍👩‍👧", "🏴󠁧󠁢󠁥󠁮󠁧󠁿", "❤️", "é", "零\u200b宽", "客户\u3000甲"],
    ids=ascii,
)
def test_a_name_that_shows_is_taken(name: str) -> None:
    assert fault(name) == ""


@pytest.mark.parametrize(
    ("name", "told"),
    [
        ("换\n行", "控制字符"),
        ("a\x7f", "控制字符"),
        ("a\x85b", "控制字符"),
        ("a\u2028b", "控制字符"),
        ("\u202e户客", "文字方向"),
        ("客\u200f", "文字方向"),
        ("\u200b", "没有看得见的字"),
        ("\u200d\ufe0f", "没有看得见的字"),
        ("\u3164", "没有看得见的字"),
        ("\u2800 \u2800", "没有看得见的字"),
    ],
    ids=ascii,
)
def test_a_name_that_deceives_the_eye_is_refused(name: str, told: str) -> None:
    assert told in fault(name)
