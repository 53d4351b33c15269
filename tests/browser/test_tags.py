"""The tag library by real clicks: make a group, rename a tag, archive it and take that back."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look

DESK = Look(width=1280, height=900)
pytestmark = pytest.mark.slow


def test_a_group_is_made_a_tag_renamed_archived_and_brought_back(site: Site, window: OpenWindow) -> None:
    page = window(roles=("admin",), look=DESK).open("/admin/tags")
    page.page.get_by_role("link", name="新建第一个标签组").click()
    page.ready(page.find("#field-name")).fill("客户意向")
    page.field("标签", exact=True).fill("高意向\n观望")
    page.press("保存")
    page.shows("标签组已新建")
    site.settle()
    page.page.get_by_role("link", name="观望", exact=True).click()
    page.ready(page.find("#field-name")).fill("再看看")
    page.press("保存")
    page.shows("修改已保存")
    site.settle()
    assert {tag["name"] for tag in site.get("/tags")["items"]} == {"高意向", "再看看"}
    page.press("归档「再看看」")
    page.shows("标签已归档")
    assert [tag["name"] for tag in site.get("/tags")["items"]] == ["高意向"]
    page.press("撤销")
    page.shows("已恢复")
    assert {tag["name"] for tag in site.get("/tags")["items"]} == {"高意向", "再看看"}
    assert page.violations() == []


def test_who_moves_by_keyboard_stays_at_his_button_and_his_place_on_the_page(site: Site, window: OpenWindow) -> None:
    for number in range(12):
        site.make_tags(f"标签{number}", group=f"组{number}")
    page = window(roles=("admin",), look=DESK).open("/admin/tags")
    groups = page.find(".tree-group")
    assert groups.first.get_by_role("button").all_inner_texts() == ["下移", "归档"]
    assert groups.last.get_by_role("button").all_inner_texts() == ["置顶", "上移", "归档"]
    label = groups.nth(7).get_by_role("button", name="下移").get_attribute("aria-label") or ""
    button = page.page.get_by_role("button", name=label)
    button.scroll_into_view_if_needed()
    button.focus()
    for place in (8, 9):
        page.page.keyboard.press("Enter")
        expect(groups.nth(place).get_by_role("button", name=label)).to_be_focused()
    page.shows("顺序已调整")
    assert page.page.evaluate("scrollY") > 0


def test_a_starter_tree_is_looked_at_and_carried_in_and_a_wrong_file_is_told_by_line(
    site: Site, window: OpenWindow
) -> None:
    page = window(roles=("admin",), look=DESK).open("/admin/tags")
    page.page.get_by_role("link", name="用一套行业起步标签").click()
    page.press("零售")
    page.shows("会有 54 处改动")
    assert page.violations() == []
    assert site.get("/tags")["items"] == []
    page.press("确认导入")
    page.shows("标签库已导入")
    page.shows("购买频次")
    page.page.get_by_role("link", name="导入与导出").click()
    wrong = "format: wecom-tags/1\ngroups:\n  - {name: 意向, dimension: nowhere}\n"
    page.ready(page.find("#file")).set_input_files(
        {"name": "a.yaml", "mimeType": "text/yaml", "buffer": wrong.encode()}
    )
    page.press("试算")
    page.shows("第 3 行：没有维度「nowhere」")
    assert page.violations() == []


@pytest.mark.parametrize("look", [DESK, Look(1280, 900, dark=True), Look(320, 640), Look(320, 640, dark=True)])
def test_the_library_is_accessible_and_fits_every_width(site: Site, window: OpenWindow, look: Look) -> None:
    key, _ = site.make_tags("护肤" * 10, "旧", group="很长的标签组名称" * 3)
    site.simulator.act("admin", "tag_delete", group="很长的标签组名称" * 3, tag="旧")
    site.settle()
    site.scan("林晓芸", tags=[key])
    group = site.get("/tags")["items"][0]["group"]
    page = window(roles=("admin",), look=look)
    for path in (
        "/admin/tags",
        "/admin/tags?q=没有的",
        "/admin/tags/groups/new",
        "/admin/tags/dimensions",
        "/admin/tags/import",
        "/admin/tags/report",
        "/admin/tags/deleted",
        f"/admin/tags/groups/{group}",
        f"/admin/tags/items/{key}",
    ):
        page.open(path)
        assert page.violations() == [], path
        assert page.overflow() == 0, path
