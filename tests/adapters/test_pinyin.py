"""Names as the words of keys: Chinese by its sound, other letters by what they stand for."""

import pytest

from wecom_app.adapters.pinyin import PinyinSlugify


@pytest.mark.parametrize(
    ("name", "slug"),
    [
        ("高意向客户", "gao_yi_xiang_ke_hu"),
        ("VIP 客户", "vip_ke_hu"),
        ("ＶＩＰ２", "vip2"),
        ("① 级", "1_ji"),
        ("Café", "cafe"),
        ("😀", ""),
    ],
)
def test_a_name_becomes_words(name: str, slug: str) -> None:
    assert PinyinSlugify()(name) == slug
