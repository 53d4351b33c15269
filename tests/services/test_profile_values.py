"""Fields filled in by members: shown in the profile with who and when, for customers of their own alone."""

from typing import Any

import pytest

from tests.services.people import viewer
from tests.services.shop import Shop
from wecom_app.domain.field_kinds import Kind
from wecom_app.errors import InvalidInput, NotFound
from wecom_app.services import profile_fields, profile_values, rep_profile
from wecom_app.services.profile_fields import FieldDraft
from wecom_app.services.rep_views import RepProfile

pytestmark = pytest.mark.both


def define(shop: Shop, name: str, kind: Kind, **more: Any) -> None:
    with shop.store.write() as session:
        profile_fields.create(session, shop.context, FieldDraft(name, kind, **more))


def fill(shop: Shop, userid: str = "zhang", **values: Any) -> list[str]:
    with shop.store.write() as session:
        return profile_values.fill(session, viewer(shop, userid), "wm_li", values, shop.clock.now())


def load(shop: Shop) -> RepProfile:
    with shop.store.read() as session:
        return rep_profile.load(session, viewer(shop, "zhang"), "wm_li", shop.clock.now())


def test_a_member_fills_in_and_everybody_sees_who_did_and_when(shop: Shop) -> None:
    define(shop, "孩子生日", Kind.DATE, key="birthdays", repeated=True, sensitive=True)
    define(shop, "爱好", Kind.TEXT, key="hobby", help="喝茶还是咖啡")
    shop.customer("zhang", "wang")

    assert fill(shop, "wang", birthdays=["2019-03-05", "5月1日"]) == ["birthdays"]
    shop.clock.advance(60)
    assert fill(shop, birthdays=["2019-03-05", "5月1日"]) == []

    birthdays, hobby = load(shop).fields
    assert [(value.text, value.by, value.source_word) for value in birthdays.values] == [
        ("2019年3月5日", "wang", "成员填写"),
        ("5月1日", "wang", "成员填写"),
    ]
    assert birthdays.values[0].set_at < shop.clock.now()
    assert (birthdays.is_sensitive, birthdays.repeated, hobby.values, hobby.help) == (True, True, (), "喝茶还是咖啡")
    assert load(shop).has_sensitive


def test_a_value_moved_keeps_who_set_it(shop: Shop) -> None:
    define(shop, "电话", Kind.PHONE, key="phone", repeated=True)
    shop.customer("zhang", "wang")
    fill(shop, "wang", phone=["13800138000"])
    fill(shop, phone=["13900139000", "13800138000"])

    (phone,) = load(shop).fields
    assert [(value.value, value.by) for value in phone.values] == [("13900139000", "zhang"), ("13800138000", "wang")]


def test_nobody_fills_in_for_customers_of_others(shop: Shop) -> None:
    define(shop, "爱好", Kind.TEXT, key="hobby")
    shop.customer("wang")
    shop.customer("zhang", name="wm_mine")
    with pytest.raises(NotFound):
        fill(shop, hobby="茶")


def test_what_is_filled_in_wrong_is_said_by_field(shop: Shop) -> None:
    define(shop, "电话", Kind.PHONE, key="phone")
    shop.customer("zhang")
    with pytest.raises(InvalidInput) as refused:
        fill(shop, phone="12")
    assert "电话：" in refused.value.message
