"""What members write and what is covered: notes, fields, remarks; sensitive things until tapped; new customers."""

import pytest
from playwright.sync_api import expect

from tests.browser.conftest import OpenWindow
from tests.browser.site import Site
from tests.browser.window import Window


@pytest.fixture
def customer(site: Site) -> str:
    return site.scan("林晓芸", tags=[*site.make_tags("护肤"), *site.make_tags("孕期", group="健康", sensitive=True)])


def write(window: Window, text: str, day: str | None = None) -> None:
    window.press("写跟进")
    window.page.get_by_label("内容").fill(text)
    if day is not None:
        window.press(day)
    window.press("保存")
    window.find("#toast").get_by_text("已保存").wait_for()


def at_the_clock_s_time(opened: Window, site: Site) -> Window:
    """Let the page's clock show what the site's does."""
    opened.page.clock.set_fixed_time(site.clock.now())
    return opened.open()


def test_a_note_stands_in_the_timeline(window: OpenWindow, customer: str, site: Site) -> None:
    site.clock.advance(60)
    opened = at_the_clock_s_time(window(customer), site)
    write(opened, "想要敏感肌能用的面霜\n下周到店")
    opened.until(lambda: "想要敏感肌能用的面霜\n下周到店" in opened.find("#timeline li").first.inner_text())
    expect(opened.find("#reminders-title")).to_have_count(0)


def test_a_note_with_a_date_waits_until_it_is_done(window: OpenWindow, customer: str, site: Site) -> None:
    opened = at_the_clock_s_time(window(customer), site)
    write(opened, "约到店试用", "明天")
    opened.shows("明天 10:00")
    site.clock.advance(2 * 86_400)
    opened = at_the_clock_s_time(window(customer), site)
    opened.shows("该跟进了")
    opened.press_in(".notes", "完成")
    opened.find(".notes").wait_for(state="detached")
    opened.shows("已完成")


def test_a_note_is_changed_and_deleted_by_its_author_alone(window: OpenWindow, customer: str, site: Site) -> None:
    opened = at_the_clock_s_time(window(customer), site)
    write(opened, "约到店试用", "明天")
    opened.press_in(".notes", "修改")
    expect(opened.page.get_by_label("时间")).to_have_value("10:00")
    opened.page.get_by_label("内容").fill("改约周五")
    opened.press("保存")
    opened.find(".notes").get_by_text("改约周五").wait_for()
    leader = at_the_clock_s_time(window(customer, userid="wang", roles=("admin",)), site)
    leader.shows("改约周五")
    expect(leader.find('[data-action="follow-up-remove"]')).to_have_count(0)
    opened.press_in(".notes", "删除")
    opened.press_in(".notes", "确认删除")
    opened.find(".notes").wait_for(state="detached")


def test_an_empty_note_is_refused_and_a_lost_network_keeps_it(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open()
    opened.press("写跟进")
    opened.press("保存")
    opened.shows("请填写跟进内容")
    opened.page.get_by_label("内容").fill("别丢了")
    opened.context.set_offline(True)
    opened.press("保存")
    opened.shows("网络不通，写的内容还在，请稍后再点保存。")
    opened.context.set_offline(False)
    opened.press("保存")
    opened.find("#timeline").get_by_text("别丢了").wait_for()


def test_sensitive_tags_are_covered_until_tapped_and_one_tap_covers_them(window: OpenWindow, customer: str) -> None:
    opened = window(customer).open()
    opened.find(".tag[data-tag]").nth(1).wait_for()
    assert "孕期" not in opened.find("main").inner_text()
    opened.find(".tag-rows").get_by_text("敏感标签").click()
    opened.find(".tag-rows").get_by_text("孕期").wait_for()
    opened.find(".tag-rows").get_by_text("孕期").click()
    opened.find(".popover").wait_for()
    opened.press("知道了")
    opened.press("遮住敏感内容")
    opened.until(lambda: "孕期" not in opened.find("main").inner_text())


def test_the_sheet_and_the_reasons_keep_sensitive_tags_covered_too(
    window: OpenWindow, customer: str, site: Site
) -> None:
    (key,) = [tag["key"] for tag in site.get("/tags")["items"] if tag["name"] == "孕期"]
    fits = {"on": "tag", "op": "has_any", "tags": [key]}
    item = {"kind": "script", "title": "好物", "text": "正文", "status": "active", "condition": fits}
    assert site.client.post("/api/v1/content", json=item, headers=site.headers).status_code == 201
    opened = window(customer).open()
    opened.shows("理由：敏感标签")
    opened.press("打标签")
    opened.find(".sheet").wait_for()
    assert "孕期" not in opened.find("body").inner_text()
    opened.press_in(".sheet", "点按显示")
    opened.find('.sheet .pick[data-name="孕期"]').click()
    expect(opened.find(".diff")).to_have_text("移除 1：孕期")


def test_older_entries_are_fetched(window: OpenWindow, customer: str, site: Site) -> None:
    for number in range(25):
        site.clock.advance(1)
        site.write_note(customer, f"第 {number} 条")
    opened = window(customer).open()
    opened.press("更早的动态")
    opened.find("#timeline").get_by_text("第 0 条").wait_for()
    notes = opened.find("#timeline .said").filter(has_text="第")
    expect(notes).to_have_text([f"第 {number} 条" for number in reversed(range(25))])


def test_fields_are_filled_in_where_they_are_shown(window: OpenWindow, customer: str, site: Site) -> None:
    site.define_field("children", "孩子生日", "date", repeated=True)
    site.define_field("skin", "肤质", "choice", options=["干性", "油性"])
    site.define_field("illness", "过敏史", "text", sensitive=True)
    opened = window(customer).open()
    opened.find("#edit-fields").click()
    opened.find('[data-field="children"] input').fill("2018-05-20")
    opened.find('[data-field="children"]').get_by_role("button").click()
    opened.find('[data-field="children"] input').nth(1).fill("12-24")
    opened.find('[data-field="skin"] select').select_option("干性")
    opened.find('[data-field="illness"] input').fill("花粉")
    opened.press("保存")
    opened.shows("2018年5月20日")
    facts = opened.find(".facts")
    for word in ("12月24日", "干性"):
        expect(facts).to_contain_text(word, use_inner_text=True)
    expect(facts).not_to_contain_text("花粉", use_inner_text=True)
    opened.press("点按显示")
    expect(facts).to_contain_text("花粉", use_inner_text=True)
    opened.find("#edit-fields").click()
    expect(opened.find('[data-field="illness"] input')).to_be_hidden()
    opened.press_in(".sheet", "点按显示")
    expect(opened.find('[data-field="illness"] input')).to_have_value("花粉")
    expect(opened.find('[data-field="children"] input').nth(1)).to_have_value("--12-24")
    opened.find('[data-field="children"] input').nth(1).fill("13-40")
    opened.press("保存")
    opened.find(".notice").get_by_text("孩子生日").wait_for()


def test_a_remark_is_written_to_wecom(window: OpenWindow, customer: str, site: Site) -> None:
    opened = window(customer).open()
    opened.find("#edit-remark").click()
    opened.page.get_by_label("备注名").fill("林姐 面霜")
    opened.page.get_by_label("描述").fill("朋友介绍")
    opened.press("保存")
    opened.find("h1").get_by_text("林姐 面霜").wait_for()
    expect(opened.find(".facts")).to_contain_text("等待同步", use_inner_text=True)
    site.settle()
    relation = site.wecom_state()["relations"][0]
    assert (relation["remark"], relation["description"]) == ("林姐 面霜", "朋友介绍")


def test_a_customer_whom_only_wecom_knows_is_fetched(window: OpenWindow, site: Site) -> None:
    site.simulator.world.add_customer("陈新", external_userid="wm_new")
    site.simulator.world.add_relation("zhang", "wm_new")
    window("wm_new").open().rests_at("陈新")


def test_a_customer_whom_only_wecom_knows_can_wait_until_it_is_back(window: OpenWindow, site: Site) -> None:
    site.simulator.world.add_customer("陈新", external_userid="wm_new")
    site.simulator.world.add_relation("zhang", "wm_new")
    opened = window("wm_new")
    site.simulator.faults.add("externalcontact/get", "errcode", errcode=-1)
    opened.open().rests_at("还没有取到这位客户的资料")
    site.simulator.faults.clear()
    opened.press("重试")
    opened.shows("陈新")
