"""The pages around log-in in a real browser: readable, usable with a keyboard, without a report of blocked code."""

import pytest

from tests.browser.client import PLAIN_BROWSER
from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look
from wecom_app.services import administrators, directory

PASSWORD = "correct horse battery"
pytestmark = pytest.mark.slow


def read_the_directory(site: Site) -> None:
    """Let the application learn of departments as the nightly schedule does."""
    with site.runtime.write() as session:
        directory.request_pull(session, site.runtime.queue)
    site.settle()


@pytest.mark.parametrize("look", [Look(1280, 900), Look(320, 640, dark=True)], ids=["desk", "small and dark"])
def test_the_pages_around_log_in_have_no_violation(site: Site, window: OpenWindow, look: Look) -> None:
    site.simulator.act("admin", "create_department", id=7, name="华东区")
    read_the_directory(site)
    stranger = window(signed_in=False, look=look)
    for path in ("/admin/login", "/auth/signed-out", "/auth/callback", "/no-such-page"):
        stranger.open(path).find("h1").wait_for()
        assert (stranger.violations(), stranger.overflow()) == ([], 0), path
    admin = window(userid="wang", roles=("admin",), look=look)
    for path in ("/account", "/admin/roles", "/admin/roles?q=张", "/admin/roles?q=没有这个人", "/admin/roles/1"):
        admin.open(path).find("h1").wait_for()
        assert (admin.violations(), admin.overflow()) == ([], 0), path


def test_an_administrator_logs_in_gives_a_role_and_leaves(site: Site, window: OpenWindow) -> None:
    with site.runtime.write() as session:
        administrators.create(session, "root", PASSWORD, site.clock.now())
    site.simulator.act("admin", "create_department", id=7, name="华东区")
    read_the_directory(site)
    page = window(signed_in=False, look=Look(1280, 900), user_agent=PLAIN_BROWSER).open("/admin/roles")
    page.field("用户名").fill("root")
    page.field("密码").fill("something else")
    page.page.keyboard.press("Enter")
    page.shows("用户名或密码不正确")
    page.field("密码").fill(PASSWORD)
    page.press("登录")
    page.page.wait_for_url("**/admin/roles")

    page.field("搜索").fill("张")
    page.page.keyboard.press("Enter")
    page.page.get_by_role("link", name="修改张伟的角色").click()
    page.field("客服").check()
    page.press("保存")
    page.shows("要指定数据范围")
    page.field("指定部门").check()
    page.field("华东区").check()
    page.press("保存")
    page.shows("角色已保存")
    page.shows("华东区及下级")

    page.press("退出")
    page.shows("已退出登录")
    page.open("/admin").page.wait_for_url("**/admin/login**")
