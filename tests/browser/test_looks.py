"""How the pages look: no axe-core violation in any state or layer, light and dark; widths, zoom, large letters."""

from collections.abc import Callable

import pytest

from tests.browser.client import IOS
from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look, Window

MOST_BYTES, MOST_REQUESTS = 60 * 1024, 8

Act = Callable[[Window], None]


@pytest.fixture(scope="module")
def site(standing_site: Site) -> Site:
    """One site for the whole file: pages are opened, nothing is saved."""
    return standing_site


@pytest.fixture(scope="module")
def customer(site: Site) -> str:
    """A customer with tags in all rows, sensitive ones among them, something to say, notes and fields."""
    keys = [
        *site.make_tags("满2000元", "偏好大促", group="消费能力", dimension="consumption"),
        *site.make_tags("关注面霜", "一个名字长得在最窄的侧边栏里也要折行的标签", group="兴趣"),
        *site.make_tags("敏感肌", group="皮肤", dimension="basic_info"),
        *site.make_tags("孕期", group="健康", dimension="basic_info", sensitive=True),
        *site.make_tags("高意向", "观望", group="意向", dimension="journey", selection="single")[:1],
    ]
    content = {"kind": "script", "title": "换季护理", "text": "最近换季。" * 20, "status": "active"}
    assert site.client.post("/api/v1/content", json=content, headers=site.headers).status_code == 201
    found = site.scan("林晓芸", tags=keys)
    site.write_note(found, "约到店试用\n带样品")
    return found


def popover(window: Window) -> None:
    window.press("关注面霜")
    window.find(".popover").wait_for()


def sheet(window: Window) -> None:
    window.press("打标签")
    window.find('.sheet .pick[data-name="观望"]').first.click()


def unsaved(window: Window) -> None:
    sheet(window)
    window.page.keyboard.press("Escape")
    window.shows("修改还没有保存。")


def note(window: Window) -> None:
    window.press("写跟进")
    window.press("三天后")


def library(window: Window) -> None:
    window.press("话术库")
    window.find(".sheet .talk").first.wait_for()


def looks(window: Window) -> None:
    window.page.get_by_label("显示设置").click()
    window.find(".popover").wait_for()


def uncovered(window: Window) -> None:
    window.find(".tag .cover").click()
    window.find(".cover-all").wait_for()


LAYERS: tuple[Act, ...] = (popover, sheet, unsaved, note, library, looks, uncovered)


def away(window: Window) -> None:
    """Close whatever is open, unsaved or not."""
    window.page.evaluate("sidebar.layers.close(true)")


THEMES = pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])


@THEMES
def test_every_part_is_accessible(window: OpenWindow, customer: str, dark: bool) -> None:
    opened = window(customer, look=Look(dark=dark)).open()
    opened.state()
    assert opened.violations() == []
    for act in LAYERS:
        act(opened)
        assert opened.violations() == [], act.__name__
        away(opened)


@THEMES
def test_every_state_is_accessible(window: OpenWindow, customer: str, dark: bool) -> None:
    opened = window(customer, look=Look(dark=dark)).open()
    opened.state()
    for name in opened.page.evaluate("Array.from(document.querySelectorAll('[id^=state-]'), (item) => item.id)"):
        opened.page.evaluate(f"sidebar.profile.show({name.removeprefix('state-')!r}, 'agentConfig:invalid signature')")
        assert opened.violations() == [], name


def test_the_skeleton_is_accessible(window: OpenWindow, customer: str) -> None:
    opened = window(customer, silent={"getContext", "agentConfig"}).open()
    opened.find(".skeleton").wait_for()
    assert opened.violations() == []


@pytest.mark.parametrize("care", [False, True], ids=["plain", "care"])
def test_no_width_makes_the_page_overflow(window: OpenWindow, customer: str, care: bool) -> None:
    """240 is a panel of 360 at 150 % zoom."""
    opened = window(customer, look=Look(touch=True), user_agent=IOS)
    if care:
        opened.context.add_cookies([{"name": "mode", "value": "care", "url": opened.site.url}])
    opened.open()
    opened.state()
    for act in (away, popover, sheet):
        away(opened)
        act(opened)
        for width in (240, 320, 360, 420, 844):
            opened.page.set_viewport_size({"width": width, "height": 740})
            assert opened.overflow() == 0, (act.__name__, width)
    save = opened.page.get_by_role("button", name="保存").bounding_box()
    assert save is not None
    assert save["x"] + save["width"] <= 844


def test_a_phone_s_targets_are_large_enough_for_a_finger(window: OpenWindow, customer: str) -> None:
    opened = window(customer, look=Look(390, 844, touch=True), user_agent=IOS).open()
    opened.state()
    heights = opened.page.evaluate("Array.from(document.querySelectorAll('button'), (item) => item.offsetHeight)")
    assert min(height for height in heights if height) >= 34
    assert opened.find("#bar-tags").bounding_box()["height"] >= 44


def test_theme_and_size_are_kept_for_the_next_page(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open()
    looks(opened)
    opened.press("深色")
    opened.press("大字模式")
    dark = "getComputedStyle(document.body).backgroundColor"
    opened.evaluates(dark, "rgb(17, 19, 23)")
    opened.open()
    opened.rests_at("林晓芸")
    opened.evaluates(dark, "rgb(17, 19, 23)")
    opened.evaluates("getComputedStyle(document.body).fontSize", "18px")
    assert opened.violations() == []


def test_the_page_is_fetched_again_when_somebody_comes_back_to_it(
    window: OpenWindow, customer: str, site: Site
) -> None:
    opened = window(customer)
    opened.page.clock.install()
    opened.open()
    opened.state()
    site.write_note(customer, "同事刚写的")
    opened.page.clock.run_for(2000)
    opened.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    opened.shows("同事刚写的")
    opened.client.external_userid = "wm-somebody-else"
    opened.page.clock.run_for(2000)
    opened.page.evaluate("document.dispatchEvent(new Event('visibilitychange'))")
    opened.shows("没有找到这位客户")


def test_a_first_visit_is_small(window: OpenWindow, customer: str) -> None:
    """On the wire: everything that comes in until the profile stands, headers too."""
    opened = window(customer)
    wire = opened.context.new_cdp_session(opened.page)
    wire.send("Network.enable")
    sizes: list[float] = []
    wire.on("Network.loadingFinished", lambda event: sizes.append(event["encodedDataLength"]))
    asked: list[str] = []
    opened.page.on("request", lambda request: asked.append(request.url) if request.method == "GET" else None)
    opened.open()
    opened.state()
    opened.page.wait_for_load_state("networkidle")
    assert sum(sizes) <= MOST_BYTES, f"{sum(sizes) / 1024:.1f} KiB"
    assert len(asked) <= MOST_REQUESTS, asked
