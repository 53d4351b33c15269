"""Sync by real clicks: a pull begun, watched and undone, a deletion that waits for a yes, a disagreement settled."""

from collections.abc import Iterator
from contextlib import contextmanager

from playwright.sync_api import Browser

from tests.browser.client import WeComClient
from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look, Window, open_window
from tests.flows.definitions import names_there, rename_there, set_policy, tag_here
from tests.flows.pulling import befriend, deafen, go_live, mark, pull
from tests.flows.test_sync_conflicts import crossed

DESK, PHONE = Look(1280, 900), Look(390, 844)
LOOKS = (DESK, Look(1280, 900, dark=True), Look(320, 640), Look(390, 844, dark=True))


def old_customers(site: Site, group: str = "兴趣") -> list[str]:
    """Return customers from before go-live who bear a tag in WeCom; no callback tells of anything any more."""
    site.simulator.act("admin", "group_create", group=group, names=["护肤"])
    deafen(site)
    found = befriend(site, "zhang", 3, add_way=3)
    for external_userid in found:
        mark(site, "zhang", external_userid, "护肤", group=group)
    go_live(site)
    return found


def say_yes(page: Window) -> None:
    """Answer the dialog that asks before something is done."""
    page.press_in("dialog[open]", "确定")


def test_a_pull_is_begun_watched_to_its_end_and_undone(site: Site, window: OpenWindow) -> None:
    customers = old_customers(site)
    page = window(roles=("ops",), look=DESK).open("/admin/sync")
    page.press("开始全量同步")
    say_yes(page)
    page.shows("全量同步已开始")
    page.shows("等待开始")
    site.settle()
    # The page asks by itself, and is renewed by the end.
    page.find("main").get_by_text("已完成").wait_for()
    assert site.tags_here(customers[0]) == {"护肤"}
    assert page.violations() == []

    page.press("撤销")
    say_yes(page)
    page.shows("正在撤销")
    site.settle_later(30)
    page.shows("已恢复")
    assert all(site.tags_here(one) == set() == site.tags_there(one) for one in customers)
    assert page.violations() == []


def test_a_deletion_of_many_tags_waits_is_looked_at_and_approved(site: Site, window: OpenWindow) -> None:
    site.make_tags(*[f"标签{number}" for number in range(25)])
    site.simulator.faults.put({"callbacks": {"hold": True}})
    for number in range(22):
        site.simulator.act("admin", "tag_delete", group="兴趣", tag=f"标签{number}")
    site.simulator.faults.put({})
    site.settle()
    page = window(roles=("admin",), look=PHONE).open("/admin")
    page.press("菜单 有待处理")
    page.page.get_by_role("link", name="同步 1 项待处理").click()
    page.page.get_by_role("link", name="查看预览并处理").click()
    page.shows("企业微信里一次删除了")
    page.shows("标签21")
    assert page.violations() == []
    page.press("确认执行")
    # Whoever thinks better of it has done nothing.
    page.press_in("dialog[open]", "取消")
    assert len(site.get("/tags")["items"]) == 25
    page.press("确认执行")
    say_yes(page)
    page.shows("已确认，正在执行")
    site.settle()
    page.shows("已停用标签")
    assert {tag["name"] for tag in site.get("/tags")["items"]} == {"标签22", "标签23", "标签24"}


def test_a_tag_that_was_renamed_on_both_sides_is_settled_by_a_click(site: Site, window: OpenWindow) -> None:
    (key,) = site.make_tags("护肤")
    set_policy(site, "ask")
    page = window(roles=("admin",), look=DESK).open(f"/admin/tags/items/{key}")
    page.page.get_by_label("名称").fill("护肤品")
    page.press("保存")
    page.shows("修改已保存")
    rename_there(site, "护肤", "面部护理")
    site.settle_later(30)

    page.open("/admin").page.get_by_role("link", name="不一致 1 项待处理").click()
    row = page.page.get_by_role("row", name="护肤品").inner_text()
    assert "面部护理" in row
    assert "名称不同" in row
    assert page.violations() == []
    page.press("采纳企业微信：「护肤品」")
    say_yes(page)
    page.shows("已采纳企业微信的值")
    page.shows("两边一致")
    site.settle_later(30)
    assert (tag_here(site, key).name, names_there(site)) == ("面部护理", ["面部护理"])
    assert (
        "采纳企业微信"
        in page.open("/admin/conflicts?state=settled").page.get_by_role("row", name="面部护理").inner_text()
    )
    assert page.violations() == []


def test_on_a_phone_a_disagreement_is_settled_by_thumb_and_taken_back(site: Site, window: OpenWindow) -> None:
    customer, _ = crossed(site)
    page = window(roles=("admin",), look=Look(320, 640, touch=True)).open("/admin/conflicts")
    button = page.page.get_by_role("button", name="采纳企业微信：「护肤」")
    box = button.bounding_box()
    assert box is not None
    assert box["x"] >= 0
    assert box["x"] + box["width"] <= 320
    assert box["height"] >= 44
    button.tap()
    say_yes(page)
    page.shows("已采纳企业微信的值")
    site.settle_later(30)
    assert "护肤" not in site.tags_here(customer) | site.tags_there(customer)

    page.open("/admin/conflicts?state=settled")
    page.page.get_by_role("row", name="护肤").get_by_text("采纳企业微信").wait_for()
    assert page.violations() == []
    page.page.get_by_role("button", name="撤销对「护肤」").tap()
    say_yes(page)
    page.shows("已撤销，恢复到处理之前")
    page.page.get_by_role("button", name="采纳企业微信：「护肤」").wait_for()
    site.settle_later(30)
    assert "护肤" in site.tags_here(customer) & site.tags_there(customer)


def sideways(page: Window) -> int:
    """Return by how many pixels the widest table must be scrolled to be read."""
    boxes = "[...document.querySelectorAll('.table-box')]"
    return int(page.page.evaluate(f"Math.max(0, ...{boxes}.map((box) => box.scrollWidth - box.clientWidth))"))


@contextmanager
def looking(browser: Browser, site: Site, look: Look) -> Iterator[Window]:
    """Open a window of an administrator; at its end nothing may have gone wrong in it."""
    client = WeComClient(site.simulator, userid="zhang", external_userid="")
    opened = open_window(browser, site, client, look, session=site.session_of("zhang", "admin"))
    yield opened
    opened.close()
    assert opened.problems == []


def test_the_pages_are_accessible_and_fit_every_width(browser: Browser, standing_site: Site) -> None:
    site = standing_site
    crossed(site)
    old_customers(site, group="肤质")
    site.simulator.act("wang", "add", external_userid=site.get("/customers")["items"][0]["external_userid"])
    run = pull(site)
    for look in LOOKS:
        with looking(browser, site, look) as page:
            for path in ("/admin/sync", f"/admin/sync/runs/{run.id}", "/admin/conflicts", "/admin/sync/sources"):
                page.open(path)
                page.find("[role=region]").first.wait_for()
                assert page.violations() == [], path
                assert page.overflow() == 0, path
                assert sideways(page) == 0 or look.width > 760, path
