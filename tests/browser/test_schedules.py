"""Schedules by real clicks: edited with a live preview and seen to fire, paused and back; fit for every look."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look
from wecom_app.services import schedules

pytestmark = pytest.mark.slow


def test_a_schedule_is_edited_with_a_preview_and_fires_at_its_new_time(site: Site, window: OpenWindow) -> None:
    site.make_tags("护肤")
    page = window(roles=("ops",), look=Look(1280, 900)).open("/admin/schedules")
    page.page.get_by_role("link", name="读取标签库", exact=True).click()
    page.field("随机推迟").fill("0")
    page.field("执行时间").fill("0 9 * *")
    page.find("#preview").get_by_text("现在有 4 段").wait_for()
    page.field("执行时间").fill("5 10 * * 1")
    page.find("#preview").get_by_text("每周一 10:05").wait_for()
    expect(page.page.locator("#preview li")).to_have_count(5)
    page.press("保存")
    page.shows("修改已保存，立即生效")

    site.clock.advance(300)
    schedules.fire_due(site.runtime)
    page.open("/admin/schedules").page.get_by_text("等待执行").wait_for()
    site.settle()
    # The page asks by itself, and is renewed by the end.
    page.page.get_by_text("标签组 1，标签 1").wait_for()
    page.page.get_by_role("button", name="立即执行「读取标签库」").wait_for()

    page.press("暂停「读取标签库」")
    page.shows("计划已暂停")
    page.press("撤销")
    page.shows("计划已继续")
    assert page.violations() == []


@pytest.mark.parametrize(
    "look", [Look(1280, 900), Look(1280, 900, dark=True), Look(375, 760), Look(375, 760, dark=True)]
)
def test_the_pages_are_accessible_and_fit_every_width(site: Site, window: OpenWindow, look: Look) -> None:
    with site.runtime.write() as session:
        schedules.run_now(session, site.runtime.queue, 1, "zhang", site.clock.now())
    site.settle()
    with site.runtime.write() as session:
        schedules.run_now(session, site.runtime.queue, 2, "zhang", site.clock.now())
    page = window(roles=("admin",), look=look)
    for path in ("/admin/schedules", "/admin/schedules/new", "/admin/schedules/1"):
        page.open(path)
        assert page.violations() == [], path
        assert page.overflow() == 0, path
