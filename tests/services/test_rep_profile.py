"""What a rep sees of a customer: header, tags and why, timeline; in a fixed number of queries."""

from collections.abc import Iterator
from contextlib import contextmanager
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event

from tests.services.people import ADMIN, viewer
from tests.services.shop import API, CAMPAIGN, CHANNEL, PERSON, RULE, Shop, in_seconds
from wecom_app.domain.vocabulary import EditableBy, Scope, Selection
from wecom_app.errors import InvalidInput, NotFound
from wecom_app.models import Customer, Relation, Staff, TagGroup
from wecom_app.services import follow_ups, rep_profile
from wecom_app.services.history import Act
from wecom_app.services.rep_views import Chip, RepProfile, TimelineEntry, Why
from wecom_app.services.tagging import TagChange

DAY = 24 * 3600
MOST_QUERIES = 14


def load(shop: Shop, userid: str = "zhang", name: str = "wm_li") -> RepProfile:
    with shop.store.read() as session:
        return rep_profile.load(session, viewer(shop, userid), name, shop.clock.now())


def why(shop: Shop, key: str, userid: str = "zhang") -> Why:
    with shop.store.read() as session:
        return rep_profile.why(session, viewer(shop, userid), "wm_li", key, shop.clock.now())


def chips(profile: RepProfile) -> dict[str, Chip]:
    return {chip.name: chip for dimension in profile.dimensions for chip in dimension.chips}


def timeline(shop: Shop, limit_pages: int = 20) -> list[TimelineEntry]:
    """Return every entry, by paging from the newest to the oldest."""
    found: list[TimelineEntry] = []
    before: str | None = None
    for _ in range(limit_pages):
        with shop.store.read() as session:
            page = rep_profile.timeline(session, viewer(shop, "zhang"), "wm_li", before, shop.clock.now())
        found += page.entries
        before = page.before
        if before is None:
            return found
    raise AssertionError("the timeline has no end")


def rename(shop: Shop, **staff_names: str) -> None:
    with shop.store.write() as session:
        for member in session.query(Staff):
            member.name = staff_names.get(member.userid, member.name)


def set_group(shop: Shop, tag_key: str, **values: Any) -> None:
    with shop.store.write() as session:
        group = session.query(TagGroup).filter(TagGroup.key == tag_key.rsplit(".", 1)[0]).one()
        for name, value in values.items():
            setattr(group, name, value)


@pytest.mark.both
def test_a_profile_shows_the_customer_as_his_rep_knows_him(shop: Shop) -> None:
    customer = shop.customer("wang", "zhang")
    rename(shop, zhang="张伟", wang="王芳")
    with shop.store.write() as session:
        row = session.get_one(Customer, customer)
        row.name, row.avatar = "林晓芸", "https://wx.qlogo.cn/a"
        own = session.query(Relation).join(Staff, Staff.id == Relation.staff_id).filter(Staff.userid == "zhang").one()
        own.remark, own.add_way, own.epoch_at = "林姐", 3, shop.clock.now() - timedelta(days=40)

    profile = load(shop)

    header = profile.header
    assert (header.name, header.remark, header.avatar, header.type_word) == (
        "林晓芸",
        "林姐",
        "https://wx.qlogo.cn/a",
        "微信客户",
    )
    assert [(owner.name, owner.is_me, owner.days, owner.came_by) for owner in header.owners] == [
        ("张伟", True, 40, "名片分享"),
        ("王芳", False, 0, "来源未识别"),
    ]
    assert (header.state, header.sync, header.figures) == ("active", None, ())
    assert [dimension.key for dimension in profile.dimensions] == ["consumption", "behaviour", "basic_info", "journey"]
    assert (profile.can_edit, profile.tag_count, profile.removed) == (True, 0, ())


@pytest.mark.both
def test_each_tag_says_its_source_its_agreement_and_whether_it_runs_out(shop: Shop) -> None:
    manual, automatic, short = shop.tags("高意向", "常客", "券将到期")
    customer = shop.customer("zhang")
    shop.add(customer, manual, PERSON)
    shop.add(customer, automatic, RULE)
    shop.add(customer, short, CAMPAIGN, expires_at=in_seconds(shop, 3 * DAY))

    profile = load(shop)

    found = chips(profile)
    assert {name: (chip.source_word, chip.is_manual, chip.expires_soon) for name, chip in found.items()} == {
        "高意向": ("导购打标", True, False),
        "常客": ("系统自动打标", False, False),
        "券将到期": ("活动打标", False, True),
    }
    assert {chip.sync.state for chip in found.values()} == {"pending"}
    assert profile.header.sync is not None
    assert profile.header.sync.word == "等待同步到企业微信"
    assert profile.version == shop.version(customer)

    shop.clock.advance(3 * DAY)
    assert set(chips(load(shop))) == {"高意向", "常客"}


@pytest.mark.both
def test_a_tag_taken_off_stays_listed_until_wecom_has_let_go_of_it(shop: Shop) -> None:
    (tag,) = shop.tags("观望")
    customer = shop.customer("zhang")
    shop.add(customer, tag)
    shop.remove(customer, tag, PERSON)

    profile = load(shop)

    assert [(removed.name, removed.sync.state) for removed in profile.removed] == [("观望", "pending")]
    assert profile.tag_count == 0


def test_a_tag_of_one_friendship_names_its_member_and_is_his_alone_to_edit(shop: Shop) -> None:
    (tag,) = shop.tags("已约到店", scope=Scope.RELATION)
    customer = shop.customer("zhang")
    colleagues = shop.befriend(customer, "wang")
    rename(shop, wang="王芳")
    shop.add(customer, tag, PERSON, relation_id=colleagues)

    mine, hers = chips(load(shop))["已约到店"], chips(load(shop, "wang"))["已约到店"]

    assert (mine.members, mine.is_editable, hers.is_editable) == (("王芳",), False, True)
    assert why(shop, mine.key, "wang").removal.startswith("只移除王芳与这位客户之间的这个标签")
    assert why(shop, mine.key).not_editable == rep_profile.OTHERS_TAG


@pytest.mark.parametrize(
    ("editable_by", "editable"),
    [(EditableBy.EVERYBODY, True), (EditableBy.LEADERS, False), (EditableBy.NOBODY, False)],
)
def test_a_group_says_who_may_edit_it_and_whether_it_is_covered(
    shop: Shop, editable_by: EditableBy, editable: bool
) -> None:
    (tag,) = shop.tags("孕期")
    customer = shop.customer("zhang")
    shop.add(customer, tag)
    key = chips(load(shop))["孕期"].key
    set_group(shop, key, editable_by=editable_by.value, sensitive=True)

    profile = load(shop)

    chip = chips(profile)["孕期"]
    assert (chip.is_editable, chip.is_sensitive, profile.has_sensitive) == (editable, True, True)
    assert (why(shop, key).not_editable is None) == editable


@pytest.mark.both
def test_why_tells_the_evidence_who_set_it_when_and_what_removal_means(shop: Shop) -> None:
    (tag,) = shop.tags("高频购买用户")
    customer = shop.customer("zhang")
    shop.add(customer, tag, RULE, evidence={"text": "近 90 天下单 5 次（规则：≥ 4 次）", "rule_name": "高频购买"})
    at = shop.clock.now()
    shop.clock.advance(60)
    shop.add(customer, tag, API, evidence={"api_key": "商城"})
    key = chips(load(shop))["高频购买用户"].key

    found = why(shop, key)

    assert (found.sentence, found.by, found.at) == ("近 90 天下单 5 次（规则：≥ 4 次）。", "规则「高频购买」", at)
    assert found.removal == (
        "移除后，除非客户数据变化使规则重新成立，不会再自动添加。企业微信里的这个标签也会一并移除。"
    )
    assert [(claim.source_word, claim.by) for claim in found.claims] == [("接口", "接口密钥「商城」")]


@pytest.mark.parametrize(
    ("source", "evidence", "sentence"),
    [
        (PERSON, {"via": "sidebar", "reason": "要买两件"}, "张伟在侧边栏手动打标，说明：要买两件。"),
        (CHANNEL, {"channel_name": "门店海报", "source": "门店"}, "客户扫描渠道活码「门店海报」添加，获客来源是门店。"),
        (CHANNEL, {"add_way": 3}, "客户通过「名片分享」添加。"),
        (CAMPAIGN, {}, "参加活动「spring」。"),
        (API, {"api_key": "商城"}, "由接口写入（密钥「商城」）。"),
    ],
    ids=["person", "channel", "add_way", "campaign", "api"],
)
def test_every_source_has_a_sentence(shop: Shop, source: Any, evidence: dict[str, Any], sentence: str) -> None:
    (tag,) = shop.tags("标签")
    customer = shop.customer("zhang")
    rename(shop, zhang="张伟")
    shop.add(customer, tag, source, evidence=evidence)

    assert why(shop, chips(load(shop))["标签"].key).sentence == sentence


def test_why_of_a_tag_that_has_gone_meanwhile_says_so(shop: Shop) -> None:
    shop.customer("zhang")
    with pytest.raises(NotFound, match="请刷新"):
        why(shop, "behaviour.group.gone")


@pytest.mark.both
def test_unknown_and_not_mine_are_refused_alike(shop: Shop) -> None:
    shop.customer("zhang")
    shop.customer("wang", name="wm_wangs")
    messages = set()
    for name in ("wm_wangs", "wm_nobody"):
        with pytest.raises(NotFound) as refused:
            load(shop, "zhang", name)
        messages.add((str(refused.value), str(refused.value.details)))
    assert len(messages) == 1


@pytest.mark.both
def test_the_timeline_pages_over_everything_once_newest_first(shop: Shop) -> None:
    names = [f"标签{number}" for number in range(25)]
    tags = shop.tags(*names)
    customer = shop.customer("zhang")
    for number, tag in enumerate(tags):
        if number % 3:
            shop.clock.advance(60)
        shop.add(customer, tag)
        with shop.store.write() as session:
            follow_ups.add(session, viewer(shop, "zhang"), "wm_li", f"跟进{number}", None, shop.clock.now())
    shop.clock.advance(60)
    shop.apply(*[TagChange(customer, tag, False, PERSON) for tag in tags[:2]], act=Act("staff", "zhang", "记错了"))

    entries = timeline(shop)

    assert [entry.at for entry in entries] == sorted((entry.at for entry in entries), reverse=True)
    assert [entry.detail for entry in entries if entry.kind == "follow_up"] == [f"跟进{n}" for n in range(24, -1, -1)]
    assert [step.name for entry in entries for step in entry.steps if step.op == "add"] == names[::-1]
    assert entries[-1].kind == "added"
    first = entries[0]
    assert (first.title, first.detail, [step.name for step in first.steps]) == ("导购打标", "记错了", names[:2])
    assert (first.can_undo, entries[1].can_undo) == (True, False)


def test_a_position_that_no_page_gave_is_refused(shop: Shop) -> None:
    shop.customer("zhang")
    for before in ("x", "1-2", "9" * 30 + "-0-1"):
        with shop.store.read() as session, pytest.raises(InvalidInput):
            rep_profile.timeline(session, viewer(shop, "zhang"), "wm_li", before, shop.clock.now())


@contextmanager
def counted(shop: Shop) -> Iterator[list[str]]:
    """Count the statements that are run inside."""
    seen: list[str] = []
    engine = shop.store.database._reader

    def note(_c: Any, _cursor: Any, statement: str, *_rest: Any) -> None:
        seen.append(statement)

    event.listen(engine, "before_cursor_execute", note)
    yield seen
    event.remove(engine, "before_cursor_execute", note)


def test_the_number_of_queries_does_not_grow_with_the_customer(shop: Shop) -> None:
    tags = shop.tags(*[f"标签{number}" for number in range(30)], selection=Selection.MULTI)
    customer = shop.customer("zhang", "wang", "chen")
    who = viewer(shop, "zhang")
    counts = []
    for tag in (tags[0], *tags):
        shop.add(customer, tag, PERSON)
        shop.clock.advance(1)
    for userid in ("zhang", "wang"):
        with shop.store.write() as session:
            follow_ups.add(session, viewer(shop, userid), "wm_li", "跟进", None, shop.clock.now())
    shop.customer("zhang", name="wm_new")
    for name in ("wm_new", "wm_li"):
        with counted(shop) as seen, shop.store.read() as session:
            rep_profile.load(session, who, name, shop.clock.now())
        counts.append(len(seen))

    assert max(counts) <= MOST_QUERIES
    assert counts[1] - counts[0] <= 1, "only members' names may need one more"


def test_an_administrator_sees_and_may_edit_everybody(shop: Shop) -> None:
    shop.customer("wang")
    with shop.store.read() as session:
        profile = rep_profile.load(session, ADMIN, "wm_li", shop.clock.now())
    assert (profile.can_edit, profile.remark) == (True, None)
