"""The playground in a plain browser: a customer's phone, the rep's chat with our real sidebar, and what happened.

The browser really goes to the simulator to log in; callbacks and jobs move only when a test says so.
"""

import re
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import pytest
from playwright.sync_api import Browser, FrameLocator, Locator, expect

from tests.browser.client import PLAIN_BROWSER, WeComClient
from tests.browser.site import Site, open_site
from tests.browser.window import Look, Window, open_window
from wecom_app.clock import ManualClock

STEPS = ["扫码", "这个标签为什么在", "导购改标签", "同一个标签在企业微信里被改", "企业微信断线一分钟"]


class Playground:
    """The page in one window."""

    def __init__(self, window: Window) -> None:
        self.window, self.page = window, window.page
        self.site = window.site

    @property
    def sidebar(self) -> FrameLocator:
        return self.page.frame_locator("#sidebar")

    def open(self, path: str = "/playground") -> "Playground":
        self.window.open(path)
        self.page.locator(".step").first.wait_for()
        return self

    def scan(self, name: str, code: str = "扫「门店海报」") -> None:
        self.page.get_by_label("新客户的昵称").fill(name)
        with self.answered("/playground/scan"):
            self.page.get_by_role("button", name=code).click()

    @contextmanager
    def answered(self, path: str) -> Iterator[None]:
        """Let callbacks and jobs run once an address has answered what the block sets off."""
        with self.page.expect_response(lambda answer: path in answer.url and answer.request.method == "POST"):
            yield
        self.site.settle()

    def pane(self, name: str) -> Locator:
        return self.page.locator(f'[data-pane="{name}"]')

    def ticked(self, count: int) -> None:
        """Wait until so many steps are ticked, and see that they are the first ones."""
        expect(self.page.locator(".step.done h2")).to_have_text([re.compile(rf"^\s*{step}") for step in STEPS[:count]])

    def edit(self, tag: str) -> None:
        """Put a tag on in the sidebar, as the rep does."""
        self.sidebar.get_by_role("button", name="打标签", exact=True).click()
        self.sidebar.locator(f'.sheet .pick[data-name="{tag}"]').first.click()
        self.sidebar.get_by_role("button", name="保存").click()
        self.sidebar.locator(".sheet").wait_for(state="detached")

    def turn(self, fault: str) -> Locator:
        button = self.page.locator(".switch", has_text=fault)
        button.click()
        return button


OpenPlayground = Callable[..., Playground]


@pytest.fixture
def site(browser: Browser, database_url: str, clock: ManualClock) -> Iterator[Site]:
    with open_site(database_url, clock, demo=True) as opened:
        keys = opened.make_tags("护肤", "彩妆", group="感兴趣的品类")
        opened.make_tags("高意向", "观望", group="意向", selection="single")
        opened.make_channel(tags=keys[:1], staff=["zhang"], welcome={"text": "{customer_name}您好，我是{staff_name}"})
        opened.post(
            "/content", {"kind": "script", "title": "问问肤质", "text": "您是干皮还是油皮？", "status": "active"}
        )
        yield opened


@pytest.fixture
def playground(browser: Browser, site: Site) -> Iterator[OpenPlayground]:
    opened: list[Window] = []

    def make(look: Look | None = None) -> Playground:
        client = WeComClient(site.simulator, user_agent=PLAIN_BROWSER)
        opened.append(open_window(browser, site, client, look or Look(1280, 800)))
        return Playground(opened[-1])

    yield make
    problems = [problem for each in opened for problem in each.problems]
    for each in opened:
        each.close()
    assert problems == []


def test_the_guided_path_ticks_itself_off_from_what_really_happened(playground: OpenPlayground, site: Site) -> None:
    opened = playground().open()
    expect(opened.page.locator(".pill[aria-current]"), "signed in by the simulator, silently").to_have_text("张伟")

    opened.scan("林晓芸")
    opened.ticked(1)
    for pane in ("phone", "chat"):
        expect(opened.pane(pane)).to_contain_text("林晓芸您好，我是张伟", use_inner_text=True)

    opened.sidebar.get_by_role("button", name="护肤").click()
    opened.sidebar.get_by_text("客户扫描渠道活码「门店海报」添加").wait_for()
    opened.ticked(2)
    opened.sidebar.get_by_role("button", name="知道了").click()

    opened.edit("彩妆")
    opened.page.locator(".line", has_text="添加标签「彩妆」").wait_for()
    assert opened.page.locator(".step.done").count() == 2, "an edit counts only once WeCom shows it"
    site.settle()
    opened.ticked(3)

    opened.page.get_by_text("企业微信里的标签", exact=True).first.click()
    with opened.answered("/playground/act"):
        opened.pane("chat").get_by_role("button", name="彩妆").click()
    opened.ticked(4)
    opened.sidebar.get_by_role("button", name="彩妆").wait_for(state="detached")
    opened.page.locator(".line", has_text="移除标签「彩妆」：张伟在企业微信里去掉").wait_for()

    site.clock.advance(5)
    opened.turn("断线一分钟").get_by_text("还剩 60 秒").wait_for()
    opened.edit("高意向")
    site.settle()
    opened.sidebar.get_by_role("button", name="高意向").wait_for()
    opened.pane("story").get_by_text("企业微信断线，没有应答").first.wait_for()
    assert opened.page.locator(".step.done").count() == 4
    site.settle_later(90)
    opened.ticked(5)
    opened.page.locator(".line", has_text="企业微信断线，没有应答（连续").first.wait_for()
    opened.page.get_by_text("五步都走完了").wait_for()
    assert site.tags_there(opened.page.url.split("customer=")[1].split("&")[0]) == {"护肤", "高意向"}

    opened.page.get_by_role("button", name="重新开始").click()
    opened.page.locator(".code").wait_for()
    expect(opened.page.locator(".step.done")).to_have_count(0)
    opened.scan("陈思远")
    opened.ticked(1)


def test_the_story_tells_both_sides_in_order_with_what_went_over_the_wire(playground: OpenPlayground) -> None:
    opened = playground().open()
    opened.scan("林晓芸")
    story = opened.page.locator(".lines")
    story.get_by_text("读回核对").first.wait_for()
    lines = story.locator(".line").all_inner_texts()
    words = (
        "推来回调：客户加了张伟",
        "先存进数据库",
        "任务「处理回调」完成",
        "errcode 0",
        "添加标签「护肤」",
        "读回核对",
    )
    places = [next(number for number, line in enumerate(lines) if each in line) for each in words]
    assert places == sorted(places)
    story.locator("summary", has_text="推来回调").click()
    story.get_by_text("<ChangeType><![CDATA[add_external_contact]]></ChangeType>").wait_for()


def test_what_the_sidebar_sends_appears_in_both_chats_and_survives_a_reload(playground: OpenPlayground) -> None:
    opened = playground().open()
    opened.scan("林晓芸")
    opened.sidebar.locator(".talk .send").first.click()
    for side in ("rep", "customer"):
        opened.page.locator(f'[data-bubbles="{side}"] .bubble', has_text="您是干皮还是油皮").wait_for()
    opened.page.locator(".line").get_by_text("计入内容统计").wait_for()
    opened.page.get_by_label("客户说点什么").fill("<b>油皮</b>")
    opened.page.keyboard.press("Enter")
    opened.page.locator('[data-bubbles="rep"] .bubble', has_text="<b>油皮</b>").wait_for()
    opened.page.reload()
    opened.page.locator('[data-bubbles="rep"] .bubble').nth(1).wait_for()
    opened.page.locator(".step.done").first.wait_for()


def test_a_message_of_another_origin_or_frame_is_nobody_s(playground: OpenPlayground) -> None:
    opened = playground().open()
    opened.scan("林晓芸")
    opened.sidebar.get_by_role("button", name="护肤").wait_for()
    forged = "{from: 'sidebar', name: 'sendChatMessage', params: {msgtype: 'text', text: {content: 'forged'}}}"
    opened.page.evaluate(f"window.postMessage({forged}, location.origin)")
    opened.sidebar.locator(".talk .send").first.click()
    opened.page.locator('[data-bubbles="rep"] .bubble').first.wait_for()
    assert "forged" not in opened.page.locator("[data-bubbles]").first.inner_text()


def test_a_customer_who_deletes_his_rep_is_lost_and_may_come_back(playground: OpenPlayground) -> None:
    opened = playground().open()
    opened.scan("林晓芸")
    with opened.answered("/playground/act"):
        opened.page.get_by_role("button", name="删除张伟").click()
    opened.pane("chat").get_by_text("对方还不是你的好友").wait_for()
    opened.sidebar.get_by_text("没有找到这位客户").wait_for()
    opened.page.get_by_role("button", name="再扫一个码").click()
    with opened.answered("/playground/scan"):
        opened.page.get_by_role("button", name="扫「门店海报」").click()
    opened.page.get_by_role("button", name="删除张伟").wait_for()
    opened.sidebar.get_by_role("button", name="护肤").wait_for()


def test_another_rep_does_not_see_the_customer(playground: OpenPlayground) -> None:
    opened = playground().open()
    opened.scan("林晓芸")
    opened.page.get_by_role("link", name="王芳").first.click()
    opened.pane("chat").get_by_text("王芳还不是林晓芸的好友").wait_for()
    opened.sidebar.get_by_text("没有找到这位客户").wait_for()


FAULTS = ("断线一分钟", "变慢 3 秒", "丢一次回包", "假成功一次", "回调重复", "回调乱序", "回调丢失", "回声")


def test_every_fault_goes_on_and_off_at_the_simulator(playground: OpenPlayground, site: Site) -> None:
    opened = playground().open()
    opened.page.locator(".switch").nth(len(FAULTS) - 1).wait_for()
    calm = site.simulator.faults.as_dict()
    for fault in FAULTS:
        opened.turn(fault)
        on = opened.page.locator('.switch[aria-pressed="true"]', has_text=fault)
        on.wait_for()
        assert site.simulator.faults.as_dict() != calm, fault
        on.click()
        on.wait_for(state="detached")
        assert site.simulator.faults.as_dict() == calm, fault


def test_the_keyboard_alone_scans_and_switches(playground: OpenPlayground, site: Site) -> None:
    opened = playground().open()
    opened.page.get_by_label("新客户的昵称").press_sequentially("林晓芸")
    with opened.answered("/playground/scan"):
        opened.page.keyboard.press("Enter")
    opened.ticked(1)
    fault = opened.page.locator("#fault-echo")
    fault.focus()
    for state in ("true", "false"):
        opened.page.keyboard.press("Space")
        opened.page.locator(f'#fault-echo[aria-pressed="{state}"]:focus').wait_for()


def test_who_comes_before_the_demo_has_members_is_logged_in_once_it_has(playground: OpenPlayground, site: Site) -> None:
    site.simulator.world.reset()
    opened = playground().open()
    opened.page.get_by_text("演示正在准备").wait_for()
    site.simulator.world.add_member("zhang", "张伟")
    opened.page.locator(".pill[aria-current]").wait_for()


def test_a_minute_that_runs_goes_on_when_another_fault_is_switched(
    playground: OpenPlayground, site: Site, clock: ManualClock
) -> None:
    opened = playground().open()
    opened.turn("断线一分钟").get_by_text("还剩 60 秒").wait_for()
    clock.advance(40)
    opened.turn("丢一次回包").get_by_text("等下一次打标签").wait_for()
    opened.page.locator(".switch", has_text="还剩 20 秒").wait_for()
    opened.page.get_by_role("button", name="全部恢复").click()
    opened.page.locator('.switch[aria-pressed="true"]').first.wait_for(state="detached")
    assert site.simulator.faults.as_dict()["rules"] == []


def test_a_lost_reply_and_a_callback_that_comes_three_times_are_told(playground: OpenPlayground) -> None:
    opened = playground().open()
    opened.turn("丢一次回包")
    opened.turn("回调重复")
    opened.page.locator('.switch[aria-pressed="true"]').nth(1).wait_for()
    opened.scan("林晓芸")
    story = opened.page.locator(".lines")
    story.get_by_text("企业微信已照做，但回包丢了").wait_for()
    story.get_by_text("后来的 2 遍认得出，只记个数").wait_for()


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_it_is_accessible_wide_and_narrow(playground: OpenPlayground, dark: bool) -> None:
    opened = playground(Look(1280, 800, dark=dark)).open()
    opened.page.locator(".code").wait_for()
    assert opened.window.violations() == []
    opened.scan("林晓芸")
    opened.ticked(1)
    opened.page.locator(".native summary").click()
    opened.page.locator(".native-tag").first.wait_for()
    opened.page.locator(".line summary").first.click()
    assert opened.window.violations() == []
    assert opened.window.overflow() == 0
    opened.page.set_viewport_size({"width": 375, "height": 740})
    for view in ("客户手机", "导购聊天", "侧边栏", "发生了什么"):
        opened.page.get_by_role("button", name=view, exact=True).click()
        expect(opened.page.locator(".pane:visible")).to_have_count(1)
        assert opened.window.overflow() == 0, view
        assert opened.window.violations() == [], view
