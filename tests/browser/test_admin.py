"""The console by real clicks: write an item and see whom it fits, put it away and back; look at a customer and undo."""

import re

import pytest
from playwright.sync_api import Route, expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look, Window

DESK = Look(width=1280, height=900)
pytestmark = pytest.mark.slow


def admin(window: OpenWindow, look: Look = DESK) -> Window:
    return window(roles=("admin",), look=look)


def add_tag(page: Window, fieldset: str, typed: str, name: str, *, by_key: bool = False) -> None:
    """Look a tag up in one fieldset of the condition, and add it."""
    choice = page.find(f'[data-choice="{fieldset}"]')
    choice.get_by_role("searchbox").fill(typed)
    if by_key:
        # At once: the answer to what was typed is not there yet.
        page.page.keyboard.press("Enter")
    else:
        choice.get_by_role("button", name=f"＋ {name}", exact=True).click()


def fits(page: Window, count: int) -> None:
    page.find(
        ".fit-count",
    ).get_by_text(f"{count} 位客户").wait_for()


def test_an_item_is_written_and_the_count_follows_each_choice_with_one_request(site: Site, window: OpenWindow) -> None:
    skin, baby = site.make_tags("护肤", "母婴")
    site.scan("林晓芸", tags=[skin])
    site.scan("王子涵", tags=[skin, baby])
    page = admin(window)
    counts: list[str] = []
    page.page.on("request", lambda sent: counts.append(sent.url) if sent.url.endswith("/content/count") else None)

    page.open("/admin/content").page.get_by_role("link", name="新建第一条内容").click()
    page.field("标题").fill("换季护肤问候")
    page.field("内容", exact=True).fill("最近干吗？店里到了新的面霜。")
    page.find("#phone").get_by_text("最近干吗").wait_for()
    fits(page, 2)
    add_tag(page, "all", "hf", "护肤")
    page.find("#fit").get_by_text("有「护肤」", exact=True).wait_for()
    add_tag(page, "none", "母", "母婴", by_key=True)
    fits(page, 1)
    page.find('[data-choice="none"] label.chip input').focus()
    page.page.keyboard.press("Space")
    fits(page, 2)
    page.evaluates("document.activeElement.name", "q_none")
    assert len(counts) == 3
    page.find("#who").fill("王子")
    page.find("#tried").get_by_text("标签 护肤").wait_for()
    assert page.violations() == []

    page.press("保存")
    page.shows("内容已新建")
    page.page.get_by_role("link", name="换季护肤问候").wait_for()
    (item,) = site.get("/content")["items"]
    assert item["condition"] == {"on": "tag", "op": "has_all", "tags": [skin]}
    assert (item["created_by"], item["state"]) == ("zhang", "active")


def test_what_is_archived_comes_back_with_one_click(site: Site, window: OpenWindow) -> None:
    site.post("/content", {"kind": "script", "title": "问候", "text": "您好", "status": "active"})
    page = admin(window).open("/admin/content")
    page.press("归档「问候」")
    page.shows("内容已归档，不再推荐")
    assert site.get("/content")["items"] == []
    # Within reach of a keyboard: right behind the link that skips to the text.
    page.page.keyboard.press("Tab")
    page.page.keyboard.press("Tab")
    page.evaluates("document.activeElement.textContent", "撤销")
    page.page.keyboard.press("Enter")
    page.shows("内容已恢复")
    assert [item["title"] for item in site.get("/content")["items"]] == ["问候"]
    # Said once: the address is clean again, so a reload says nothing.
    page.page.wait_for_url("**/admin/content")


def test_a_wrong_document_is_told_place_by_place_and_nothing_is_saved(site: Site, window: OpenWindow) -> None:
    page = admin(window).open("/admin/content/new")
    page.field("标题").fill("问候")
    page.page.get_by_label("高级（JSON）").check()
    page.page.get_by_label("条件", exact=True).fill('{"all": [{"on": "tag", "op": "has", "tags": ["a"]}]}')
    page.page.get_by_label("标题").focus()
    page.find("#fit code").get_by_text("/all/0/op").wait_for()
    page.press("保存")
    page.shows("尚未保存")
    page.evaluates("document.activeElement.id", "problems")
    expect(page.page.get_by_label("条件", exact=True)).to_have_value(re.compile(r'^\{"all"'))
    assert page.violations() == []
    assert site.get("/content")["items"] == []


@pytest.mark.parametrize(
    "look", [Look(1280, 900), Look(1280, 900, dark=True), Look(375, 760), Look(360, 740, dark=True)]
)
def test_the_pages_are_accessible_and_fit_every_width(site: Site, window: OpenWindow, look: Look) -> None:
    (skin,) = site.make_tags("护肤")
    customer = f"/admin/customers/{site.scan('林晓芸', tags=[skin])}"
    condition = {"on": "tag", "op": "has_any", "tags": [skin]}
    site.post("/content", {"kind": "coupon", "title": "券" * 64, "link": "https://a.test/1", "condition": condition})
    page = admin(window, look)
    for path in (
        "/admin",
        "/admin/content",
        "/admin/content?q=没有的",
        "/admin/content/1",
        "/admin/customers",
        customer,
    ):
        page.open(path)
        assert page.violations() == [], path
        assert page.overflow() == 0, path


def test_on_a_phone_all_pages_stand_behind_a_button_and_are_reached_by_key(site: Site, window: OpenWindow) -> None:
    page = admin(window, Look(375, 740, touch=True)).open("/admin/content")
    button, entry = page.page.get_by_role("button", name="菜单"), page.page.get_by_role("link", name="计划")
    expect(entry).to_be_hidden()
    page.ready(button).focus()
    page.page.keyboard.press("Enter")
    expect(entry).to_be_visible()
    page.evaluates("(({scrollWidth, clientWidth}) => scrollWidth - clientWidth)(document.querySelector('nav'))", 0)
    assert page.overflow() == 0
    assert page.violations() == []
    page.page.keyboard.press("Tab")
    page.evaluates("document.activeElement.textContent.trim()", "客户")
    page.page.keyboard.press("Escape")
    expect(entry).to_be_hidden()
    page.evaluates("document.activeElement.className.includes('nav-toggle')", True)
    button.tap()
    entry.tap()
    page.page.wait_for_url("**/admin/schedules")


def test_a_form_is_sent_once_however_often_its_button_is_pressed(site: Site, window: OpenWindow) -> None:
    page = admin(window).open("/admin/tags/groups/new")
    held: list[Route] = []
    page.page.route("**/groups/new", lambda route: held.append(route))
    page.ready(page.find("#field-name")).fill("客户意向")
    save = page.page.get_by_role("button", name="保存")
    save.scroll_into_view_if_needed()
    box = save.bounding_box()
    assert box is not None
    for _ in range(2):
        page.page.mouse.click(box["x"] + 5, box["y"] + 5)
        page.until(lambda: bool(held))
    # A second sending would have called the first one off, and would be held for ever.
    held[0].continue_()
    page.shows("标签组已新建")


def test_a_tag_says_why_it_stands_and_its_change_is_taken_back_after_asking(site: Site, window: OpenWindow) -> None:
    customer = site.scan("林晓芸", tags=site.make_tags("护肤"))
    page = admin(window).open("/admin/customers")
    page.page.get_by_role("link", name="林晓芸", exact=True).click()
    page.press("护肤")
    page.find("#why").get_by_text("移除后").wait_for()
    page.find(".happened form button").first.click()
    page.press("取消")
    assert site.tags_here(customer) == {"护肤"}
    page.find(".happened form button").first.click()
    page.press("确定")
    page.shows("已撤销，标签恢复到修改之前")
    assert site.tags_here(customer) == set()
