"""Tags merged and a group turned single-choice by real clicks: looked at first, done, and undone."""

import pytest

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look
from wecom_app.domain.vocabulary import Colour

DESK = Look(width=1280, height=900)
pytestmark = pytest.mark.slow


def names(site: Site, customer: str) -> set[str]:
    return {tag["name"] for tag in site.get(f"/customers/{customer}")["tags"]} & {"老客", "常客", "高意向"}


def test_a_tag_is_merged_after_a_look_and_comes_back_by_undo(site: Site, window: OpenWindow) -> None:
    old, _ = site.make_tags("老客", "常客")
    customer = site.scan("林晓芸", tags=[old])
    page = window(roles=("admin",), look=DESK).open(f"/admin/tags/items/{old}")
    page.page.get_by_role("link", name="合并到…").click()
    page.field("合并到").select_option(label="常客（兴趣）")
    page.press("看看会怎样")
    page.shows("「老客」合并到「常客」")
    page.shows("1 个好友关系，1 次打标调用")
    page.shows("改打「常客」")
    assert page.violations() == []
    assert names(site, customer) == {"老客"}
    page.press("确认合并")
    page.shows("已开始，客户在后台分批改")
    site.settle()
    page.shows("已完成")
    assert page.violations() == []
    assert names(site, customer) == {"常客"}
    page.press("撤销「老客」合并到「常客」")
    site.settle()
    page.shows("1 位客户恢复原样")
    assert page.violations() == []
    assert names(site, customer) == {"老客"}


def test_a_merged_tag_is_deleted_in_wecom_by_choice_and_its_page_says_how_far_that_is(
    site: Site, window: OpenWindow
) -> None:
    old, new, other = site.make_tags("老客", "常客", "熟客")
    site.scan("林晓芸", tags=[old, other])
    page = window(roles=("admin",), look=DESK).open(f"/admin/tags/items/{old}/merge?into={new}")
    page.shows("在企业微信里删除不能恢复")
    page.page.get_by_label("同时从企业微信删除「老客」").check()
    assert page.violations() == []
    page.press("确认合并")
    page.shows("等客户换完标签后，从企业微信删除旧标签")
    site.settle()
    page.page.reload()
    page.shows("旧标签已从企业微信删除")
    assert page.violations() == []

    page.open(f"/admin/tags/items/{other}/merge?into={new}")
    page.press("确认合并")
    site.settle()
    page.open("/admin/tags?show=archived")
    page.page.get_by_role("link", name="「熟客」的合并").click()
    page.shows("旧标签仍在企业微信里")
    assert page.violations() == []
    page.press("从企业微信删除旧标签")
    site.settle()
    page.page.reload()
    page.shows("旧标签已从企业微信删除")


def test_a_group_turns_single_after_a_look_at_who_keeps_what(site: Site, window: OpenWindow) -> None:
    keys = site.make_tags("高意向", "老客")
    customer = site.scan("林晓芸", tags=keys)
    group = site.get("/tags")["items"][0]["group"]
    page = window(roles=("admin",), look=DESK).open(f"/admin/tags/groups/{group}")
    page.field("单选还是多选").select_option("single")
    page.press("保存")
    page.shows("有 1 位客户同时有这组的几个标签")
    page.page.get_by_role("link", name="改为单选…").click()
    page.shows("其中 1 位同时有几个")
    assert page.violations() == []
    page.press("确认改为单选")
    page.shows("已开始，客户在后台分批改")
    site.settle()
    page.shows("已完成")
    assert names(site, customer) == {"高意向"}
    page.press("撤销「兴趣」改为单选")
    site.settle()
    page.shows("1 位客户恢复原样")
    assert names(site, customer) == {"高意向", "老客"}


@pytest.mark.parametrize("look", [DESK, Look(1280, 900, dark=True), Look(375, 760), Look(375, 760, dark=True)])
def test_the_pages_of_changes_are_accessible_and_fit_every_width(site: Site, window: OpenWindow, look: Look) -> None:
    old, new, other = site.make_tags("老客" * 15, "常客", "贵宾" * 15)
    site.make_tags("重点", group="内部", mirror="none")
    site.scan("林晓芸", tags=[old, new])
    groups = {group["name"]: group["key"] for group in site.get("/tag-groups")["items"]}
    change = site.post(f"/tags/{old}/merge", {"into": new}, 202)["id"]
    site.settle()
    page = window(roles=("admin",), look=look)
    for path in (
        "/admin/tags",
        "/admin/tags/changes",
        f"/admin/tags/changes/{change}",
        f"/admin/tags/items/{new}",
        f"/admin/tags/items/{new}/merge",
        f"/admin/tags/items/{other}/merge?into={new}",
        f"/admin/tags/groups/{groups['兴趣']}/single",
        f"/admin/tags/groups/{groups['内部']}/mirror",
    ):
        page.open(path)
        assert page.violations() == [], path
        assert page.overflow() == 0, path


@pytest.mark.parametrize("look", [DESK, Look(1280, 900, dark=True)])
def test_a_group_shows_in_its_own_colour_and_every_colour_can_be_read(
    site: Site, window: OpenWindow, look: Look
) -> None:
    keys = [site.make_tags(colour, group=colour, colour=colour)[0] for colour in Colour]
    customer = site.scan("林晓芸", tags=keys)
    page = window(roles=("admin",), look=look)
    # Of a customer it stands among his tags and in the timeline.
    for path, times in (("/admin/tags", 1), (f"/admin/customers/{customer}", 2)):
        page.open(path)
        for colour in Colour:
            assert page.page.locator(f".chip-{colour}", has_text=colour).count() == times
        assert page.violations() == [], path
    group = site.get("/tag-groups")["items"][0]["key"]
    page.open(f"/admin/tags/groups/{group}")
    page.field("颜色").select_option(label="跟随维度")
    page.press("保存")
    page.shows("修改已保存")
    assert site.get("/tag-groups")["items"][0]["colour"] is None
