"""The library's hygiene report: each kind of finding by what brings it about, and silence over a tidy library."""

import pytest

from tests.services.shop import Shop
from wecom_app.domain.vocabulary import Selection
from wecom_app.models import Channel, ChannelTag, Tag, TagGroup
from wecom_app.services import tag_lint

pytestmark = pytest.mark.both
DAY = 86_400


def tidy(shop: Shop) -> None:
    """Describe every group, and say who answers for it."""
    with shop.store.write() as session:
        for group in session.query(TagGroup):
            group.description, group.maintainer = "说明", "zhang"


def found(shop: Shop) -> list[tuple[str, str]]:
    with shop.store.read() as session:
        findings = tag_lint.lint(
            session, lambda name: {"护肤": "hu_fu", "呼肤": "hu_fu"}.get(name, name), shop.clock.now()
        )
    assert all(finding.words and finding.advice for finding in findings)
    return [(finding.code, finding.name) for finding in findings]


def test_a_new_and_described_library_has_nothing_to_be_said_of(shop: Shop) -> None:
    shop.tags("一次", "二次", "三次", group="频次")
    shop.tags("100至300元", "300至800元", group="客单价")
    shop.tags("高频购买用户", "中频购买用户", "低频购买用户", group="频率")
    assert found(shop) == [("missing_texts", name) for name in ("频次", "客单价", "频率")]
    tidy(shop)
    assert found(shop) == []


def test_names_that_look_or_sound_alike_are_told_once(shop: Shop) -> None:
    shop.tags("ＶＩＰ", "护肤", "高端护肤客户", "回头客", group="甲")
    shop.tags("vip", "呼肤", "高端护扶客户", "回\u200b头客", "别的", group="乙")
    tidy(shop)
    assert found(shop) == [("near_duplicate", name) for name in ("vip", "呼肤", "高端护扶客户", "回\u200b头客")]


def test_a_tag_that_nobody_has_is_unused_after_a_month_unless_something_else_uses_it(shop: Shop) -> None:
    used, _, in_channel = shop.tags("有人", "没人", "活码打的")
    tidy(shop)
    shop.add(shop.customer(), used)
    with shop.store.write() as session:
        session.add(Channel(id=1, name="海报", source="门店", state="poster", created_at=shop.clock.now()))
        session.flush()
        session.add(ChannelTag(channel_id=1, tag_id=in_channel, position=0))
    assert found(shop) == []
    shop.clock.advance(31 * DAY)
    assert found(shop) == [("unused", "没人")]
    shop.clock.advance(150 * DAY)
    assert found(shop) == [("unused", "没人"), ("stale", "有人")]


def test_shares_that_tell_nobody_apart_are_told_once_there_are_enough_customers(shop: Shop) -> None:
    everybody, one, some = shop.tags("人人", "一位", "一些")
    tidy(shop)
    shop.clock.advance(31 * DAY)
    for number in range(120):
        customer = shop.customer(name=f"wm_{number}")
        shop.add(customer, everybody)
        if number % 3 == 0:
            shop.add(customer, some)
        if number == 0:
            shop.add(customer, one)
    assert found(shop) == [("coverage", "人人"), ("coverage", "一位")]


def test_what_wecom_refused_and_a_single_choice_without_end_are_told(shop: Shop) -> None:
    shop.tags(*(f"值{number}" for number in range(25)), group="城市", selection=Selection.SINGLE)
    tidy(shop)
    with shop.store.write() as session:
        session.query(Tag).filter(Tag.name == "值0").one().blocked = "名称含有敏感词（40071）"
    assert found(shop) == [("refused", "值0"), ("too_many_values", "城市")]
