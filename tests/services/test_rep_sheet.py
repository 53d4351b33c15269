"""What the edit sheet offers: one's last tags, colleagues' habits with customers alike, and the editable library."""

import pytest

from tests.services.people import viewer
from tests.services.shop import CHANNEL, PERSON, Shop
from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.domain.vocabulary import EditableBy, Scope, Selection
from wecom_app.errors import NotFound
from wecom_app.models import TagGroup
from wecom_app.services import rep_sheet
from wecom_app.services.history import Act
from wecom_app.services.rep_views import Sheet
from wecom_app.services.tagging import TagChange

pytestmark = pytest.mark.both


def load(shop: Shop, userid: str = "zhang") -> Sheet:
    with shop.store.read() as session:
        return rep_sheet.load(session, viewer(shop, userid), "wm_li", shop.clock.now(), slugify=PinyinSlugify())


def by_hand(shop: Shop, userid: str, customer: int, tag: int) -> None:
    shop.apply(TagChange(customer, tag, True, PERSON), act=Act("staff", userid))


def test_the_library_comes_by_dimension_and_group_with_what_people_type(shop: Shop) -> None:
    high, _low = shop.tags("高意向", "观望", group="意向", selection=Selection.SINGLE)
    shop.tags("VIP客户", group="类型", sensitive=True)
    customer = shop.customer("zhang")
    shop.add(customer, high, PERSON)

    (dimension,) = load(shop).dimensions

    assert dimension.name == "行为属性"
    intention, kind = dimension.groups
    assert (intention.name, intention.is_single, kind.is_single, kind.is_sensitive) == ("意向", True, False, True)
    assert [(tag.name, tag.is_held, tag.pinyin, tag.initials) for tag in intention.tags] == [
        ("高意向", True, "gaoyixiang", "gyx"),
        ("观望", False, "guanwang", "gw"),
    ]
    assert kind.tags[0].pinyin == "vipkehu"


@pytest.mark.parametrize("editable_by", [EditableBy.LEADERS, EditableBy.NOBODY])
def test_what_he_may_not_edit_is_not_offered(shop: Shop, editable_by: EditableBy) -> None:
    (tag,) = shop.tags("会员等级")
    customer = shop.customer("zhang")
    by_hand(shop, "zhang", customer, tag)
    with shop.store.write() as session:
        session.query(TagGroup).one().editable_by = editable_by.value

    sheet = load(shop)

    assert (sheet.dimensions, sheet.recent, sheet.suggested) == ((), (), ())


def test_his_own_last_tags_come_first_each_once(shop: Shop) -> None:
    first, second, third = shop.tags("一", "二", "三")
    other = shop.customer("zhang", name="wm_xu")
    shop.customer("zhang", "wang")
    for tag in (first, second):
        by_hand(shop, "zhang", other, tag)
    shop.remove(other, first, PERSON)
    by_hand(shop, "zhang", other, first)
    by_hand(shop, "wang", other, third)

    sheet = load(shop)

    assert [(tag.name, tag.is_held) for tag in sheet.recent] == [("一", False), ("二", False)]


def test_colleagues_habits_with_customers_alike_are_suggested_with_the_reason(shop: Shop) -> None:
    (shared,) = shop.tags("门店", key="basic_info.source", group="获客来源")
    habit, rare = shop.tags("要赠品", "怕踩雷", group="关注点")
    for number in range(3):
        alike = shop.customer("wang", name=f"wm_{number}")
        shop.add(alike, shared, CHANNEL)
        by_hand(shop, "wang", alike, habit)
    by_hand(shop, "wang", alike, rare)
    stranger = shop.customer("wang", name="wm_stranger")
    by_hand(shop, "wang", stranger, rare)
    customer = shop.customer("zhang")
    shop.add(customer, shared, CHANNEL)

    sheet = load(shop)
    (suggestion,) = sheet.suggested

    assert (suggestion.tag.name, sheet.open_places()[suggestion.tag.key].tone) == ("要赠品", "behaviour")
    assert suggestion.reason == "同样来自「门店」的客户里，近来有 3 位被打了这个标签"
    by_hand(shop, "zhang", customer, habit)
    assert load(shop).suggested == ()


def test_a_tag_of_a_friendship_is_held_only_where_ones_own_has_it(shop: Shop) -> None:
    (tag,) = shop.tags("已约到店", scope=Scope.RELATION)
    customer = shop.customer("zhang")
    other = shop.befriend(customer, "wang")
    shop.add(customer, tag, PERSON, relation_id=other)

    def held(userid: str) -> bool:
        return load(shop, userid).dimensions[0].groups[0].tags[0].is_held

    assert (held("zhang"), held("wang")) == (False, True)


def test_who_may_not_edit_gets_no_sheet(shop: Shop) -> None:
    shop.customer("wang")
    shop.customer("zhang", name="wm_mine")
    with pytest.raises(NotFound):
        load(shop)
