"""我的客户 with real clicks: today, search, tagging a selection and undo, the card stack, a profile and back."""

from datetime import timedelta

import pytest
from playwright.sync_api import expect

from tests.browser.client import IOS, PLAIN_BROWSER
from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Look, Window
from wecom_app.models import Staff
from wecom_app.services import follow_ups, profile_values
from wecom_app.services.access import staff_viewer

NAMES = ("林晓芸", "周婷", "马骏", "Amy Wong", "孙悦", "林志强")


@pytest.fixture(scope="module")
def site(standing_site: Site) -> Site:
    """One site for the whole file; each test leaves it as it found it."""
    return standing_site


@pytest.fixture(scope="module")
def people(site: Site) -> dict[str, str]:
    """Customers of zhang's by name: two of yesterday's, four of today's; notes, dates and tags about some."""
    single = site.make_tags("高意向", "观望", group="意向", dimension="journey", selection="single")
    free = site.make_tags("火锅套餐", "送礼", group="聊到的", dimension="consumption")
    site.make_tags("孕期", group="健康", dimension="basic_info", sensitive=True)
    site.define_field("birthday", "生日", "date")
    channel = site.make_channel(name="门店海报")
    found: dict[str, str] = {}
    for number, name in enumerate(NAMES):
        if number == 2:
            site.settle()
            site.clock.advance(86_400)
        found[name] = site.simulator.scan(channel["config_id"], name=name)["external_userid"]
    site.settle()
    now = site.clock.now()
    with site.runtime.write() as session:
        author = staff_viewer(session, session.query(Staff).filter_by(userid="zhang").one())
        follow_ups.add(session, author, found["Amy Wong"], "约到店试用，带样品", now + timedelta(hours=2), now)
        day = now + timedelta(days=2)
        profile_values.fill(session, author, found["Amy Wong"], {"birthday": f"1990-{day:%m-%d}"}, now)
    for name, keys in (("Amy Wong", [single[0], *free]), ("林志强", [free[0]])):
        site.post(f"/customers/{found[name]}/tags", {"add": keys}, expect=200)
    return found


def at_home(window: OpenWindow, **more: object) -> Window:
    opened = window(entry="normal", **more).open("/sidebar/mine")
    opened.find("#panel-today [data-count]").wait_for(state="attached")
    return opened


def in_list(window: OpenWindow, **more: object) -> Window:
    opened = at_home(window, **more)
    opened.page.get_by_role("tab", name="全部").click()
    opened.find("#rows .row").first.wait_for()
    return opened


def names(opened: Window) -> list[str]:
    return [text.strip() for text in opened.find("#rows .row-name b").all_inner_texts()]


def search(opened: Window, words: str) -> None:
    with opened.page.expect_response(lambda response: "/sidebar/mine/list" in response.url):
        opened.page.get_by_label("搜索客户").fill(words)
    opened.find("#rows .skeleton").wait_for(state="detached")


def test_today_says_who_is_new_who_waits_and_what_comes_near(window: OpenWindow, people: dict[str, str]) -> None:
    opened = at_home(window)
    opened.shows("今天 2 位，昨天 2 位，近 7 天共 4 位")
    opened.shows("约到店试用，带样品")
    opened.shows("后天 ·")
    expect(opened.find("#tab-today .count")).to_have_text("6")
    opened.page.get_by_role("button", name="完成").first.click()
    opened.shows("已完成")
    opened.find("#due-title").wait_for(state="detached")
    opened.press_in("#toast", "撤销")
    opened.find("#due-title").wait_for()


def test_search_filter_and_a_profile_and_back_where_one_was(window: OpenWindow, people: dict[str, str]) -> None:
    opened = in_list(window)
    opened.comes_to(lambda: sorted(names(opened)), sorted(NAMES))
    search(opened, "lxy")
    opened.comes_to(lambda: names(opened), ["林晓芸"])
    search(opened, "")
    opened.press("筛选")
    opened.find('.filters .pick[data-name="火锅套餐"]').click()
    opened.press("看结果")
    opened.page.get_by_role("button", name="去掉筛选：火锅套餐").wait_for()
    expect(opened.find("#rows .row")).to_have_count(2)
    opened.find("#rows .row-link").first.click()
    assert opened.state() in ("Amy Wong", "林志强")
    opened.page.get_by_role("link", name="我的客户").click()
    opened.page.get_by_role("button", name="去掉筛选：火锅套餐").wait_for()
    expect(opened.find("#rows .row")).to_have_count(2)


def test_a_selection_is_tagged_and_taken_back_as_a_whole(
    window: OpenWindow, people: dict[str, str], site: Site
) -> None:
    opened = in_list(window)
    opened.press("多选")
    for name in ("林晓芸", "周婷"):
        opened.page.locator("#rows .row", has_text=name).click()
    opened.shows("已选 2 位")
    opened.press("打标签")
    opened.find('.sheet .pick[data-name="高意向"]').first.click()
    opened.find('.sheet .pick[data-name="观望"]').first.click()
    opened.find('.sheet .pick[data-name="送礼"]').first.dblclick()
    expect(opened.find(".diff")).to_have_text("新增 1：观望；移除 1：送礼")
    opened.press("保存")
    opened.shows("已更新 2 位客户")
    assert all("观望" in site.tags_here(people[name]) for name in ("林晓芸", "周婷"))
    opened.press_in("#toast", "撤销")
    opened.shows("已撤销")
    assert all("观望" not in site.tags_here(people[name]) for name in ("林晓芸", "周婷"))


def test_the_card_stack_goes_by_click_and_by_key(window: OpenWindow, people: dict[str, str], site: Site) -> None:
    opened = at_home(window)
    opened.press("逐个打标")
    opened.find(".deck-card").wait_for()
    expect(opened.find(".deck-at")).to_have_text("1/2")
    first = opened.find(".deck-card").get_attribute("data-label")
    opened.page.keyboard.press("1")
    expect(opened.find('.big[aria-pressed="true"]')).to_have_count(1)
    opened.page.keyboard.press("ArrowRight")
    opened.shows("2/2")
    opened.find(f'.deck-card:not([data-label="{first}"])').wait_for()
    opened.press_in("#toast", "撤销")
    opened.find(f'.deck-card[data-label="{first}"]').wait_for()
    opened.press("跳过")
    opened.shows("2/2")
    opened.press("下一位")
    opened.shows("2 位里打了 0 位。")
    opened.page.keyboard.press("ArrowLeft")
    opened.shows("2/2")
    opened.page.keyboard.press("Escape")
    opened.find("#new-title").wait_for()
    assert all(not site.tags_here(people[name]) & {"高意向", "观望"} for name in ("林晓芸", "周婷"))


def test_inside_of_wecom_a_row_leads_to_the_chat(window: OpenWindow, people: dict[str, str]) -> None:
    opened = in_list(window)
    search(opened, "lxy")
    opened.find("#rows .chat").click()
    opened.until(lambda: bool(opened.client.opened))
    assert opened.client.opened[0]["name"] == "openEnterpriseChat"
    assert opened.client.opened[0]["externalUserIds"] == people["林晓芸"]


def test_in_a_browser_on_a_computer_it_works_without_the_client(window: OpenWindow, people: dict[str, str]) -> None:
    opened = in_list(window, user_agent=PLAIN_BROWSER, look=Look(1280, 800))
    expect(opened.find("#rows .chat:visible")).to_have_count(0)
    opened.find("#rows .row-link").first.click()
    assert opened.state() in NAMES


def test_without_network_the_page_says_so_and_tries_again(window: OpenWindow, people: dict[str, str]) -> None:
    opened = in_list(window)
    opened.context.set_offline(True)
    opened.page.get_by_label("搜索客户").fill("林")
    opened.shows("网络不通")
    opened.context.set_offline(False)
    opened.press_in("#rows", "重试")
    expect(opened.find("#rows .row")).to_have_count(2)


def test_the_profile_page_of_a_colleague_s_customer_is_not_there(window: OpenWindow, people: dict[str, str]) -> None:
    opened = window(userid="wang", entry="normal")
    answer = opened.page.goto(f"{opened.site.url}/sidebar/mine/customers/{people['周婷']}")
    assert answer is not None
    assert answer.status == 404


def deck(opened: Window) -> None:
    opened.page.get_by_role("tab", name="今天").click()
    opened.press("逐个打标")
    opened.find(".deck-card").wait_for()


def listing(opened: Window) -> None:
    opened.page.get_by_role("tab", name="全部").click()
    opened.find("#rows .row").first.wait_for()


def selecting(opened: Window) -> None:
    listing(opened)
    opened.press("多选")
    opened.press("全选")


def sheet(opened: Window) -> None:
    opened.press("打标签")
    opened.find('.sheet .pick[data-name="观望"]').first.click()


def filters(opened: Window) -> None:
    opened.page.evaluate("sidebar.layers.close(true)")
    opened.page.get_by_role("button", name="筛选").click()
    opened.find('.filters .pick[data-name="观望"]').click()


def empty(opened: Window) -> None:
    opened.page.evaluate("sidebar.layers.close(true)")
    search(opened, "没有这个人")


PARTS = (listing, selecting, sheet, filters, empty)


@pytest.mark.parametrize("dark", [False, True], ids=["light", "dark"])
def test_every_part_is_accessible_and_fits_every_width(window: OpenWindow, people: dict[str, str], dark: bool) -> None:
    opened = at_home(window, look=Look(375, 812, dark=dark, touch=True), user_agent=IOS)
    for act in (lambda _: None, *PARTS):
        act(opened)
        _inspect(opened, getattr(act, "__name__", "today"))
    stacked = at_home(window, look=Look(375, 812, dark=dark), user_agent=IOS)
    deck(stacked)
    stacked.find(".big").first.click()
    _inspect(stacked, "deck")


def test_large_letters_fit_too(window: OpenWindow, people: dict[str, str]) -> None:
    opened = window(entry="normal", look=Look(320, 740, touch=True), user_agent=IOS)
    opened.context.add_cookies([{"name": "mode", "value": "care", "url": opened.site.url}])
    opened.open("/sidebar/mine")
    opened.find("#new-title").wait_for()
    _inspect(opened, "today")
    listing(opened)
    _inspect(opened, "list")


def _inspect(opened: Window, name: str) -> None:
    assert opened.violations() == [], name
    for width in (240, 320, 375, 1280):
        opened.page.set_viewport_size({"width": width, "height": 812})
        assert opened.overflow() == 0, (name, width)
    opened.page.set_viewport_size({"width": 375, "height": 812})
