"""Content: what may be saved, whom it is suggested for, how it is found, and what became of it."""

from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import event, select

from tests.services.shop import Shop
from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.domain.access import Role
from wecom_app.domain.contents import ChatMessage
from wecom_app.errors import InvalidInput, StaleEdit
from wecom_app.models import ContentEvent, Department, DepartmentMember, Media, Staff, Tag
from wecom_app.services import condition_queries, content, content_use, recommendations
from wecom_app.services.access import Viewer
from wecom_app.services.content import ContentView, Filter
from wecom_app.services.content_cache import ContentCache
from wecom_app.services.content_drafts import ContentDraft
from wecom_app.services.context import Context
from wecom_app.services.recommendations import Recommendation

pytestmark = pytest.mark.both
ZONE = "Asia/Shanghai"


class Desk:
    """The content desk of a shop, with a customer zhang looks after."""

    def __init__(self, shop: Shop) -> None:
        self.shop, self.cache = shop, ContentCache()
        self.customer = shop.customer("zhang")

    @property
    def context(self) -> Context:
        return Context(self.shop.store.queue, PinyinSlugify(), self.shop.clock.now())

    def item(self, title: str = "问候", *, kind: str = "script", **more: Any) -> ContentView:
        draft = ContentDraft(**{"kind": kind, "title": title, "text": "您好", "status": "active", **more})
        with self.shop.store.write() as session:
            return content.create(session, self.context, draft, "root")

    def edit(self, item_id: int, version: int | None = None, **changes: Any) -> ContentView:
        with self.shop.store.write() as session:
            return content.edit(session, self.context, item_id, changes, version=version, actor="li")

    def viewer(self, userid: str = "zhang") -> Viewer:
        with self.shop.store.read() as session:
            staff_id = session.scalars(select(Staff.id).where(Staff.userid == userid)).one()
        return Viewer(1, staff_id, userid, userid, frozenset({Role.REP}))

    def suggested(self, viewer: Viewer | None = None) -> list[Recommendation]:
        viewer, now = viewer or self.viewer(), self.shop.clock.now()
        with self.shop.store.read() as session:
            held = condition_queries.held_tags(session, self.customer, now)
            return recommendations.for_customer(
                session, self.cache, held, now, customer_id=self.customer, viewer=viewer
            )

    def titles(self, viewer: Viewer | None = None) -> list[str]:
        return [found.item.title for found in self.suggested(viewer)]

    def record(self, item_id: int, result: str) -> None:
        with self.shop.store.write() as session:
            content_use.record(
                session,
                item_id,
                result,
                customer_id=self.customer,
                staff_id=self.viewer().staff_id or 0,
                now=self.shop.clock.now(),
                time_zone=ZONE,
            )

    def found(self, q: str = "", **more: Any) -> list[str]:
        with self.shop.store.read() as session:
            found = content.list_items(session, Filter(q, **more), self.shop.clock.now())
        return [view.draft.title for view in found]


@pytest.fixture
def desk(shop: Shop) -> Desk:
    return Desk(shop)


def has(*keys: str, op: str = "has_any") -> dict[str, Any]:
    return {"on": "tag", "op": op, "tags": list(keys)}


def test_what_fits_the_customers_tags_is_suggested_with_the_tags_as_the_reason(desk: Desk, shop: Shop) -> None:
    shop.tags("vip", "new", "left")
    vip, new, _ = (tag.id for tag in shop.all(Tag, Tag.id))
    desk.item("给会员", condition={"all": [has("behaviour.group.vip"), has("behaviour.group.new")]})
    desk.item("给流失", condition=has("behaviour.group.left"))
    desk.item("给没流失的", condition=has("behaviour.group.left", op="has_none"), priority=40)
    desk.item("给所有人", priority=30)
    shop.add(desk.customer, vip)
    shop.add(desk.customer, new)
    assert [(one.item.title, one.reason) for one in desk.suggested()] == [
        ("给会员", "标签 vip、new"),
        ("给没流失的", "没有「left」"),
        ("给所有人", "适合所有客户"),
    ]


def test_three_are_suggested_at_most_by_priority_then_by_fit_then_the_newest(desk: Desk, shop: Shop) -> None:
    (vip,) = shop.tags("vip")
    for title, priority in (("旧", 50), ("新", 50), ("最要紧", 90), ("次要", 10)):
        desk.item(title, priority=priority)
    desk.item("合适", condition=has("behaviour.group.vip"))
    shop.add(desk.customer, vip)
    assert desk.titles() == desk.titles() == ["最要紧", "合适", "新"]


def test_drafts_the_archived_and_what_is_out_of_its_time_are_not_suggested(desk: Desk, shop: Shop) -> None:
    now = shop.clock.now()
    desk.item("草稿", status="draft")
    desk.item("未开始", valid_from=now + timedelta(hours=1))
    desk.item("已过期", valid_until=now)
    archived = desk.item("归档")
    assert desk.titles() == ["归档"]
    with shop.store.write() as session:
        content.archive(session, desk.context, archived.id, "root")
    assert desk.titles() == []
    assert desk.found() == ["已过期", "未开始", "草稿"]
    assert desk.found(state="archived") == ["归档"]
    assert [desk.found(state=state) for state in ("draft", "planned", "over")] == [["草稿"], ["未开始"], ["已过期"]]
    shop.clock.advance(3600)
    assert desk.titles() == ["未开始"]


def test_what_was_dismissed_stays_away_for_its_time_and_what_was_sent_for_a_week(desk: Desk, shop: Shop) -> None:
    dismissed, sent = desk.item("不感兴趣", rest_days=2), desk.item("发过")
    other = shop.customer("zhang", name="wm_other")
    desk.record(dismissed.id, "dismissed")
    desk.record(sent.id, "sent")
    assert desk.titles() == []
    desk.customer, first = other, desk.customer
    assert desk.titles() == ["发过", "不感兴趣"]
    desk.customer = first
    shop.clock.advance(2 * 86_400)
    assert desk.titles() == ["不感兴趣"]
    shop.clock.advance(5 * 86_400)
    assert desk.titles() == ["发过", "不感兴趣"]


def test_an_item_for_a_department_is_for_its_members_and_those_below_it(desk: Desk, shop: Shop) -> None:
    shop.customer("wang", name="wm_other")
    with shop.store.write() as session:
        # Told in pieces, a tree may hold a ring for a moment: 2 and 3 are below each other.
        for number, parent in ((1, 0), (2, 3), (3, 2), (4, 1)):
            session.add(Department(id=number, name=str(number), parent_id=parent))
        session.flush()
        session.add(DepartmentMember(department_id=3, staff_id=desk.viewer("zhang").staff_id))
        session.add(DepartmentMember(department_id=4, staff_id=desk.viewer("wang").staff_id))
    desk.item("二部专用", departments=(2,))
    assert desk.titles(desk.viewer("zhang")) == ["二部专用"]
    assert desk.titles(desk.viewer("wang")) == []
    with pytest.raises(InvalidInput, match="没有部门 9"):
        desk.item("没有这个部门", departments=(9,))


def test_suggesting_costs_two_statements_however_many_items_there_are(desk: Desk) -> None:
    for number in range(30):
        desk.item(f"第 {number} 条")
    viewer, now = desk.viewer(), desk.shop.clock.now()
    desk.suggested()
    statements: list[str] = []
    with desk.shop.store.read() as session:
        connection = session.connection()
        event.listen(connection, "before_cursor_execute", lambda *call: statements.append(call[2]))
        recommendations.for_customer(session, desk.cache, [], now, customer_id=desk.customer, viewer=viewer)
    assert len(statements) == 2


def test_every_process_notices_an_edit_by_another(desk: Desk) -> None:
    item = desk.item("旧名")
    other = ContentCache()
    assert desk.titles() == ["旧名"]
    desk.cache, first = other, desk.cache
    assert desk.titles() == ["旧名"]
    desk.edit(item.id, title="新名")
    for cache in (first, other):
        desk.cache = cache
        assert desk.titles() == ["新名"]


def test_a_tag_that_was_renamed_is_called_by_its_new_name_ten_minutes_later(desk: Desk, shop: Shop) -> None:
    shop.tags("旧称")
    (tag,) = shop.all(Tag)
    desk.item(condition=has(tag.key, op="has_none"))
    assert [one.reason for one in desk.suggested()] == ["没有「旧称」"]
    with shop.store.write() as session:
        session.get_one(Tag, tag.id).name = "新称"
    shop.clock.advance(600)
    assert [one.reason for one in desk.suggested()] == ["没有「新称」"]


def test_use_is_forgotten_after_four_hundred_days(desk: Desk, shop: Shop) -> None:
    item = desk.item()
    desk.record(item.id, "sent")
    shop.clock.advance(400 * 86_400)
    desk.record(item.id, "shown")
    with shop.store.write() as session:
        assert content_use.purge(session, shop.clock.now(), 500) == 0
    shop.clock.advance(1)
    with shop.store.write() as session:
        assert [content_use.purge(session, shop.clock.now(), 500) for _ in range(2)] == [1, 0]
    assert [one.result for one in shop.all(ContentEvent)] == ["shown"]


def test_an_edit_of_an_old_version_is_refused_and_changes_nothing(desk: Desk) -> None:
    item = desk.item("问候")
    assert desk.edit(item.id, item.version, title="您好呀").version == 2
    with pytest.raises(StaleEdit) as caught:
        desk.edit(item.id, item.version, title="迟到的修改")
    assert caught.value.details == {"version": 2}
    assert desk.found() == ["您好呀"]
    assert desk.edit(item.id, 2, title="您好呀").version == 2


def test_items_are_found_by_characters_pinyin_initials_and_text(desk: Desk) -> None:
    desk.item("春季面霜 VIP 券", kind="coupon", link="https://shop.test/1", text="满 100% 减")
    desk.item("早安问候")
    for typed in ("面霜", "chunji", "CJMS", "cjmsv", "面霜vip", "100%"):
        assert desk.found(typed) == ["春季面霜 VIP 券"], typed
    assert desk.found("%") == ["春季面霜 VIP 券"]
    assert desk.found("没有的") == []
    assert desk.found("q", kind="script") == []
    viewer, now = desk.viewer(), desk.shop.clock.now()
    with desk.shop.store.read() as session:
        found = recommendations.search(session, desk.cache, viewer, "zawh", now)
    assert [item.title for item in found] == ["早安问候"]


def test_a_copy_is_a_draft_of_its_own(desk: Desk, shop: Shop) -> None:
    item = desk.item("问候" * 32)
    with shop.store.write() as session:
        made = content.copy(session, desk.context, item.id, "li")
    assert made.state == "draft"
    assert made.draft.title.endswith("（副本）")
    assert len(made.draft.title) == 64
    assert made.draft.text == item.draft.text


@pytest.mark.parametrize(
    ("more", "field", "told"),
    [
        ({"kind": "poem"}, "kind", "类型"),
        ({"title": " "}, "title", "标题"),
        ({"text": ""}, "text", "话术内容"),
        ({"kind": "article"}, "link", "文章链接"),
        ({"kind": "article", "link": "javascript:alert(1)"}, "link", "https://"),
        ({"kind": "product"}, "link", "小程序"),
        ({"kind": "product", "mini_program": "wx1", "mini_program_page": "a.html?x=1"}, "media", "图片"),
        ({"kind": "product", "mini_program": "wx1", "mini_program_page": "a"}, "mini_program_page", ".html"),
        ({"kind": "material"}, "media", "文件"),
        ({"media": 7}, "media", "没有素材 7"),
        ({"priority": 101}, "priority", "优先级"),
        ({"rest_days": -1}, "rest_days", "天"),
        ({"condition": {"all": [{"on": "tag"}]}}, "condition/all/0/tags", "标签的 key"),
        ({"condition": {"on": "tag", "op": "has_any", "tags": ["no.such"]}}, "condition", "no.such"),
    ],
)
def test_what_could_not_be_sent_or_asked_is_refused_field_by_field(
    desk: Desk, more: dict[str, Any], field: str, told: str
) -> None:
    with pytest.raises(InvalidInput) as caught:
        desk.item(**more)
    assert told in str((caught.value.details or {})[field])


def test_each_kind_is_sent_as_the_client_wants_it(desk: Desk, shop: Shop) -> None:
    with shop.store.write() as session:
        now = shop.clock.now()
        for number, kind in ((1, "image"), (2, "video"), (3, "file")):
            session.add(
                Media(id=number, kind=kind, filename=f"f{number}", size=9, sha256=str(number) * 64, created_at=now)
            )
        session.flush()
        video = session.get_one(Media, 2)
        video.media_id, video.uploaded_at = "WECOM-2", now
    script = desk.item("话术", text="早")
    article = desk.item("文章", kind="article", link="https://a.test/1", media=1)
    product = desk.item("商品", kind="product", mini_program="wx1", mini_program_page="p/i.html", media=1)
    film, paper = desk.item("视频", kind="material", media=2), desk.item("资料", kind="material", media=3)
    with shop.store.read() as session:
        ids = [item.id for item in (script, article, product, film, paper)]
        found = content.messages(session, ids, shop.clock.now(), "https://app.test/pictures/")
    picture = f"https://app.test/pictures/{'1' * 64}"
    assert [found[number] for number in ids] == [
        ChatMessage("text", {"content": "早"}),
        ChatMessage("news", {"link": "https://a.test/1", "title": "文章", "desc": "您好", "imgUrl": picture}),
        ChatMessage("miniprogram", {"appid": "wx1", "title": "商品", "imgUrl": picture, "page": "p/i.html"}),
        ChatMessage("video", {"mediaid": "WECOM-2"}),
        "文件正在上传到企业微信，请稍后再发",
    ]
    assert {"media": 3} in shop.waiting("media.renew")


def test_a_showing_counts_once_a_business_day_and_a_sending_each_time(desk: Desk, shop: Shop) -> None:
    item = desk.item()
    for _ in range(3):
        desk.record(item.id, "shown")
        desk.record(item.id, "sent")
    # From 10:00 in Shanghai: fourteen hours later it is the next day there, though not yet in London.
    shop.clock.advance(14 * 3600)
    desk.record(item.id, "shown")
    with shop.store.read() as session:
        now = shop.clock.now()
        assert content_use.figures(session, [item.id], now) == {item.id: content_use.Use(shown=2, sent=3)}
        (one,) = content_use.by_staff(session, item.id, now)
        assert (one.userid, one.use.sent) == ("zhang", 3)
        assert content_use.figures(session, [item.id], now + timedelta(days=30)) == {}
