"""Tags in the sidebar, with real clicks: why, removing, undo, the sheet, a colleague who was faster, no network."""

from typing import Any

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Window


@pytest.fixture
def keys(site: Site) -> dict[str, str]:
    """The library: a single choice, a free group, and what the channel gives."""
    names = ("高意向", "观望", "无意向")
    single = site.make_tags(*names, group="购买意向", dimension="journey", selection="single")
    free = site.make_tags("火锅套餐", "送礼", group="聊到的", dimension="consumption")
    channel = site.make_tags("护肤")
    return dict(zip([*names, "火锅套餐", "送礼", "护肤"], [*single, *free, *channel], strict=True))


@pytest.fixture
def customer(site: Site, keys: dict[str, str]) -> str:
    return site.scan("林晓芸", tags=[keys["护肤"]])


def held(site: Site, customer: str) -> dict[str, Any]:
    return {tag["name"]: tag for tag in site.get(f"/customers/{customer}")["tags"]}


def sheet(window: Window) -> Window:
    window.press("打标签")
    window.find(".sheet").wait_for()
    return window


def differs(window: Window, words: str) -> None:
    expect(window.find(".diff")).to_have_text(words)


def choose(window: Window, name: str) -> None:
    window.find(f'.sheet .pick[data-name="{name}"]:visible').first.click()


def test_a_tag_says_why_it_is_there_and_gives_the_focus_back(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open()
    opened.press("护肤")
    opened.shows("客户扫描渠道活码「门店海报」添加，获客来源是门店。")
    opened.shows("企业微信里的这个标签也会一并移除。")
    opened.page.keyboard.press("Escape")
    opened.find(".popover").wait_for(state="detached")
    opened.evaluates("document.activeElement.dataset.tag !== undefined", True)


def test_undo_brings_a_removed_tag_back_with_its_old_reason(window: OpenWindow, customer: str, site: Site) -> None:
    before = held(site, customer)["护肤"]
    opened = window(customer).open()
    opened.press("护肤")
    opened.press("移除标签")
    opened.shows("已移除「护肤」")
    assert held(site, customer) == {}
    opened.comes_to(opened.tags, [])
    opened.press_in("#toast", "撤销")
    opened.shows("已撤销")
    after = held(site, customer)["护肤"]
    assert (after["source"], after["evidence"], after["set_at"]) == (
        before["source"],
        before["evidence"],
        before["set_at"],
    )
    site.settle()
    assert site.tags_there(customer) == {"护肤"}


@pytest.mark.parametrize(
    ("typed", "name"),
    [("gaoyx", None), ("gaoyixiang", "高意向"), ("gyx", "高意向"), ("意向", "高意向"), ("HGTC", "火锅套餐")],
)
def test_the_sheet_finds_tags_by_name_pinyin_and_initials(
    window: OpenWindow, customer: str, typed: str, name: str | None
) -> None:
    opened = sheet(window(customer).open())
    opened.page.get_by_label("搜索标签").fill(typed)
    shown = opened.find(".sheet .pick:visible")
    if name is None:
        opened.shows("没有找到标签")
        expect(shown).to_have_count(0)
    else:
        expect(shown.filter(has_text="送礼")).to_have_count(0)
        expect(shown.filter(has_text=name).first).to_be_visible()


def test_an_edit_is_said_in_words_saved_and_reaches_wecom(
    window: OpenWindow, customer: str, site: Site, keys: dict[str, str]
) -> None:
    opened = sheet(window(customer).open())
    choose(opened, "高意向")
    choose(opened, "护肤")
    differs(opened, "新增 1：高意向；移除 1：护肤")
    opened.press("保存")
    opened.shows("已保存")
    opened.comes_to(opened.tags, ["高意向（手动）（等待同步到企业微信）"])
    site.settle()
    assert site.tags_there(customer) == {"高意向"}
    source = held(site, customer)["高意向"]["source"]
    assert (source["kind"], source["actor"]) == ("manual", "zhang")
    opened = sheet(window(customer).open())
    opened.find(".sheet").get_by_text("最近使用").first.wait_for()


def test_in_a_single_choice_the_last_one_chosen_stands(window: OpenWindow, customer: str, site: Site) -> None:
    opened = sheet(window(customer).open())
    choose(opened, "高意向")
    choose(opened, "观望")
    differs(opened, "新增 1：观望")
    opened.press("保存")
    opened.shows("已保存")
    opened = sheet(window(customer).open())
    choose(opened, "无意向")
    differs(opened, "新增 1：无意向；移除 1：观望")
    opened.press("保存")
    opened.shows("已保存")
    assert set(held(site, customer)) == {"护肤", "无意向"}


def test_an_empty_row_opens_the_sheet_on_its_dimension(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open()
    opened.page.get_by_role("button", name="添加用户旅程标签").click()
    opened.find(".sheet").wait_for()
    opened.comes_to(lambda: set(opened.find(".sheet .pick:visible").all_inner_texts()), {"高意向", "观望", "无意向"})


def test_changes_that_are_not_saved_are_not_lost_by_a_slip(window: OpenWindow, customer: str) -> None:
    opened = sheet(window(customer).open())
    choose(opened, "高意向")
    opened.page.mouse.click(180, 20)
    opened.shows("修改还没有保存。")
    opened.press("继续编辑")
    differs(opened, "新增 1：高意向")
    opened.page.keyboard.press("Escape")
    opened.press("放弃修改")
    opened.find(".sheet").wait_for(state="detached")
    opened.evaluates("document.activeElement.id", "bar-tags")


def test_the_keyboard_stays_in_the_sheet(window: OpenWindow, customer: str) -> None:
    opened = sheet(window(customer).open())
    opened.page.evaluate("document.getElementById('main').inert = false")
    for _ in range(40):
        opened.page.keyboard.press("Tab")
        opened.evaluates("document.activeElement.closest('.sheet') !== null", True)
    opened.page.keyboard.press("Shift+Tab")
    opened.evaluates("document.activeElement.closest('.sheet') !== null", True)


def test_a_colleague_who_was_faster_is_shown_and_the_own_choice_kept(
    window: OpenWindow, customer: str, site: Site, keys: dict[str, str]
) -> None:
    opened = sheet(window(customer).open())
    choose(opened, "高意向")
    site.post(f"/customers/{customer}/tags", {"add": [keys["送礼"]]}, expect=200)
    opened.press("保存")
    opened.shows("标签刚被他人修改。已换成最新内容，您的选择还在，请核对后再保存。")
    differs(opened, "新增 1：高意向")
    expect(opened.find('.pick[data-name="送礼"]').first).to_have_attribute("aria-pressed", "true")
    opened.press("保存")
    opened.shows("已保存")
    assert set(held(site, customer)) == {"护肤", "送礼", "高意向"}


def test_without_a_network_the_choice_is_kept_and_saved_when_it_is_back(
    window: OpenWindow, customer: str, site: Site
) -> None:
    opened = sheet(window(customer).open())
    choose(opened, "高意向")
    opened.context.set_offline(True)
    opened.press("保存")
    opened.shows("网络不通，您的选择已保留，恢复后自动保存。")
    assert "高意向" not in held(site, customer)
    opened.context.set_offline(False)
    opened.shows("已保存")
    assert "高意向" in held(site, customer)


def test_an_answer_that_is_lost_is_not_saved_twice(window: OpenWindow, customer: str, site: Site) -> None:
    opened = sheet(window(customer).open())
    choose(opened, "高意向")
    lost: list[str] = []

    def lose(route: Any) -> None:
        if not lost:
            lost.append(route.fetch().text())
            route.abort()
        else:
            route.continue_()

    opened.page.route("**/tags", lose)
    opened.press("保存")
    opened.shows("网络不通，您的选择已保留，恢复后自动保存。")
    opened.shows("已保存")
    assert len([item for item in site.get(f"/customers/{customer}/history")["items"] if item["op"] == "add"]) == 2


def test_a_tag_that_is_gone_meanwhile_updates_the_page(window: OpenWindow, customer: str) -> None:
    opened, other = window(customer).open(), window(customer).open()
    opened.find(".tag[data-tag]").first.wait_for()
    other.press("护肤")
    other.press("移除标签")
    other.shows("已移除「护肤」")
    opened.press("护肤")
    opened.shows("这个标签已不在了，页面已更新")
    opened.find(".tag[data-tag]").wait_for(state="detached")


def test_an_edit_while_wecom_is_down_lands_after_it_is_back(window: OpenWindow, customer: str, site: Site) -> None:
    opened = sheet(window(customer).open())
    site.simulator.faults.add("*", "lost_reply")
    choose(opened, "高意向")
    opened.press("保存")
    opened.shows("已保存")
    site.settle()
    assert site.tags_there(customer) == {"护肤"}
    site.simulator.faults.clear()
    site.settle_later(600, step=30)
    assert site.tags_there(customer) == {"护肤", "高意向"}
    opened.page.evaluate("sidebar.profile.refresh()")
    opened.find(".tag .glyph").nth(1).wait_for(state="detached")
    opened.comes_to(opened.tags, ["护肤", "高意向（手动）"])
