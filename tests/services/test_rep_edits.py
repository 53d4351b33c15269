"""Edits by hand: done as a whole or refused as a whole, on the version that was seen, on one's own friendship."""

from typing import Any

import pytest

from tests.services.people import ADMIN, viewer
from tests.services.shop import CHANNEL, PERSON, RULE, Shop
from wecom_app.domain.vocabulary import EditableBy, Mirror, Scope, Selection
from wecom_app.errors import InvalidInput, NotFound, StaleEdit
from wecom_app.models import ChangeSet, Tag, TagGroup
from wecom_app.services import rep_edits
from wecom_app.services.access import Viewer
from wecom_app.services.rep_edits import EditDraft, Edited


def edit(shop: Shop, who: Viewer | str = "zhang", name: str = "wm_li", **draft: Any) -> Edited:
    by = who if isinstance(who, Viewer) else viewer(shop, who)
    with shop.store.write() as session:
        return rep_edits.edit(session, shop.context, by, name, EditDraft(**draft))


def key(shop: Shop, tag_id: int) -> str:
    with shop.store.read() as session:
        return session.get_one(Tag, tag_id).key


def refused(shop: Shop, who: str = "zhang", **draft: Any) -> InvalidInput:
    """Return the refusal of an edit, after checking that nothing was written."""
    before = (shop.rows(), shop.events(), shop.operations())
    with pytest.raises(InvalidInput) as found:
        edit(shop, who, **draft)
    after = (shop.rows(), shop.events(), shop.operations())
    assert [len(each) for each in after] == [len(each) for each in before]
    assert found.value.message
    return found.value


@pytest.mark.both
def test_a_rep_adds_and_removes_in_one_act_of_his_own(shop: Shop) -> None:
    old, new = shop.tags("观望", "高意向")
    customer = shop.customer("zhang")
    shop.add(customer, old, RULE)

    edited = edit(shop, add=[key(shop, new)], remove=[key(shop, old)], version=1, reason="问了尺码")

    assert shop.held(customer) == {new: "manual"}
    row = shop.row(customer, new)
    assert (row.actor, row.evidence) == ("zhang", {"via": "sidebar", "reason": "问了尺码"})
    (made,) = [each for each in shop.all(ChangeSet) if each.id == edited.change_set_id]
    assert (made.actor_kind, made.actor_ref, made.reason) == ("staff", "zhang", "问了尺码")
    assert edited.version == 2
    assert shop.waiting("customer.sync") == [{"customer_id": customer}]


@pytest.mark.both
def test_an_edit_on_an_old_version_is_refused_with_the_present_one(shop: Shop) -> None:
    first, second = shop.tags("观望", "高意向")
    customer = shop.customer("zhang", "wang")
    edit(shop, "wang", add=[key(shop, first)], version=0)

    with pytest.raises(StaleEdit) as stale:
        edit(shop, add=[key(shop, second)], version=0)

    assert stale.value.details == {"version": 1}
    assert shop.held(customer) == {first: "manual"}
    edit(shop, add=[key(shop, second)], version=1)


@pytest.mark.both
def test_a_tag_of_a_friendship_goes_to_ones_own(shop: Shop) -> None:
    (tag,) = shop.tags("已约到店", scope=Scope.RELATION)
    customer = shop.customer("wang")
    own = shop.befriend(customer, "zhang")

    edit(shop, add=[key(shop, tag)])

    assert [(row.relation_id, row.wanted) for row in shop.rows()] == [(own, True)]
    assert "好友" in refused_admin(shop, key(shop, tag)).message


def refused_admin(shop: Shop, tag_key: str) -> InvalidInput:
    with pytest.raises(InvalidInput) as found:
        edit(shop, ADMIN, remove=[tag_key])
    return found.value


def test_a_colleagues_tag_of_his_friendship_cannot_be_taken_off(shop: Shop) -> None:
    (tag,) = shop.tags("已约到店", scope=Scope.RELATION)
    customer = shop.customer("zhang")
    other = shop.befriend(customer, "wang")
    shop.add(customer, tag, PERSON, relation_id=other)

    assert "刷新" in refused(shop, remove=[key(shop, tag)]).message


def test_an_edit_that_cannot_be_is_refused_with_a_reason(shop: Shop) -> None:
    one, other = shop.tags("观望", "高意向", selection=Selection.SINGLE)
    free, archived = shop.tags("常客", "旧标签", group="类型")
    shop.customer("zhang")
    with shop.store.write() as session:
        session.get_one(Tag, archived).archived_at = shop.clock.now()
    keys = {tag: key(shop, tag) for tag in (one, other, free, archived)}

    assert "只能选一个" in refused(shop, add=[keys[one], keys[other]]).message
    assert "刷新" in refused(shop, remove=[keys[free]], add=[keys[one]]).message
    assert "既添加又移除" in refused(shop, add=[keys[free]], remove=[keys[free]]).message
    assert refused(shop, add=[keys[archived], keys[free]]).details == {"tags": [keys[archived]]}
    assert refused(shop, add=["behaviour.group", "nothing"]).details == {"tags": ["behaviour.group", "nothing"]}
    assert "没有要保存" in refused(shop).message
    assert "50" in refused(shop, add=[f"x.{number}" for number in range(51)]).message
    assert "300" in refused(shop, add=[keys[free]], reason="很" * 301).message


@pytest.mark.parametrize(
    ("values", "words"),
    [
        ({"editable_by": EditableBy.LEADERS.value}, "主管"),
        ({"editable_by": EditableBy.NOBODY.value}, "系统维护"),
        ({"mirror": Mirror.PULL.value}, "企业微信为准"),
    ],
    ids=["leaders", "nobody", "pull"],
)
def test_a_group_that_is_not_his_to_edit_is_refused(shop: Shop, values: dict[str, str], words: str) -> None:
    (tag,) = shop.tags("会员等级")
    customer = shop.customer("zhang")
    shop.add(customer, tag, CHANNEL)
    with shop.store.write() as session:
        group = session.query(TagGroup).one()
        for name, value in values.items():
            setattr(group, name, value)

    assert words in refused(shop, remove=[key(shop, tag)]).message


def test_an_administrator_edits_what_leaders_may(shop: Shop) -> None:
    (tag,) = shop.tags("会员等级")
    customer = shop.customer("zhang")
    with shop.store.write() as session:
        session.query(TagGroup).one().editable_by = EditableBy.LEADERS.value

    edit(shop, ADMIN, add=[key(shop, tag)])

    assert shop.row(customer, tag).actor == "管理员"


@pytest.mark.both
def test_customers_out_of_reach_are_refused_like_those_that_are_not_there(shop: Shop) -> None:
    (tag,) = shop.tags("高意向")
    shop.customer("wang")
    shop.customer("zhang", name="wm_mine")
    half = shop.customer(name="wm_half")
    shop.befriend(half, "zhang", half=True)

    for name in ("wm_li", "wm_half", "wm_nobody"):
        with pytest.raises(NotFound):
            edit(shop, name=name, add=[key(shop, tag)])
    assert shop.rows() == []
