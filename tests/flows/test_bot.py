"""What members write to the app: understood, carried out once, answered by a message, and only about their own."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import select, update

from tests.flows.company import Company, open_company
from tests.flows.talking import ask, befriend, sent_to, texts_to
from tests.flows.test_channels import crash, once
from wecom_app.clock import ManualClock
from wecom_app.models import Relation, Staff, TagGroup
from wecom_app.services import follow_ups
from wecom_app.services.access import staff_viewer
from wecom_app.services.runtime import SimulatedCrash


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    make_group(opened, "意向", ["高意向", "观望", "无意向"], selection="single", dimension="journey")
    yield opened
    opened.close()


def make_group(company: Company, name: str, tags: list[str], **more: Any) -> None:
    body = {"name": name, "dimension": "behaviour", "tags": [{"name": tag} for tag in tags], **more}
    company.post("/tag-groups", body)
    company.settle()


def test_help_and_whatever_is_not_understood_are_answered_kindly(company: Company) -> None:
    assert "标签 林晓芸 +高意向 -观望" in ask(company, "zhang", "帮助")
    assert ask(company, "zhang", "？") == ask(company, "zhang", "help")
    assert "帮助" in ask(company, "zhang", "长" * 100)
    company.simulator.act("zhang", "message", msgtype="image", fields={"PicUrl": "http://x", "MediaId": "m"})
    company.settle()
    assert "文字" in texts_to(company, "zhang")[-1]
    assert all(item["state"] == "done" for item in company.get("/inbox")["items"] if item["event"] in ("text", "image"))


def test_opening_the_chat_greets_once(company: Company) -> None:
    for _ in range(2):
        company.simulator.act("zhang", "enter_agent")
        company.settle()
    assert [("客户标签助手" in words) for words in texts_to(company, "zhang")] == [True]


def test_a_menu_entry_works_like_its_word(company: Company) -> None:
    company.simulator.act("zhang", "click", key="今日未打标")
    company.settle()
    assert "新客户" in texts_to(company, "zhang")[0]


@pytest.mark.both
@pytest.mark.parametrize("words", ["林晓芸", "林姐", "客户 林晓芸", "晓芸", "linxiaoyun", "lxy"])
def test_a_customer_is_found_by_name_remark_part_and_pinyin(company: Company, words: str) -> None:
    befriend(company, "zhang", "林晓芸", remark="林姐")
    befriend(company, "zhang", "陈晨")
    answer = ask(company, "zhang", words)
    assert answer.startswith("林晓芸（备注 林姐）")
    assert "名片分享" in answer


def test_several_who_fit_are_numbered_and_the_number_chooses_within_ten_minutes(company: Company) -> None:
    befriend(company, "zhang", "林晓芸")
    befriend(company, "zhang", "林志强")
    listed = ask(company, "zhang", "林")
    assert "1. 林志强" in listed
    assert "2. 林晓芸" in listed
    assert ask(company, "zhang", "9") == "请发 1 到 2 之间的序号。"
    assert ask(company, "zhang", "２").startswith("林晓芸")
    assert "没有等你选的列表" in ask(company, "zhang", "2"), "a number is good once"

    ask(company, "zhang", "林")
    ask(company, "zhang", "待办")
    assert "没有等你选的列表" in ask(company, "zhang", "1"), "another command ends the question"

    ask(company, "zhang", "林")
    company.clock.advance(601)
    assert "没有等你选的列表" in ask(company, "zhang", "1")


def test_the_whole_name_goes_before_those_that_contain_it(company: Company) -> None:
    befriend(company, "zhang", "林晓芸妈妈")
    befriend(company, "zhang", "林晓芸")
    assert ask(company, "zhang", "林晓芸").splitlines()[0] == "林晓芸"


def test_a_colleagues_customer_an_unknown_and_a_lost_one_are_answered_alike(company: Company) -> None:
    befriend(company, "wang", "赵敏")
    lost = befriend(company, "zhang", "陈晨")
    company.simulator.act(lost, "delete_staff", userid="zhang")
    company.settle()
    names = ("赵敏", "陈晨", "没有人")
    for command in ("{}", "客户 {}", "标签 {}", "标签 {} +高意向"):
        answers = {ask(company, "zhang", command.format(name)).replace(name, "…") for name in names}
        assert len(answers) == 1
        assert "没有找到" in answers.pop()


def test_who_has_left_is_not_answered(company: Company) -> None:
    company.simulator.act("admin", "update_member", userid="zhang", status=2)
    company.settle()
    company.simulator.act("zhang", "message", text="帮助")
    company.settle()
    assert sent_to(company, "zhang") == []


@pytest.mark.both
def test_tags_are_edited_shown_with_their_source_and_taken_back(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    make_group(company, "兴趣", ["护肤", "母婴"])
    assert "已打上 高意向、护肤" in ask(company, "zhang", "标签 林晓芸 ＋高意向， + 护肤")
    company.settle()
    assert company.tags_there(external_userid) >= {"高意向", "护肤"}
    (tag,) = [tag for tag in company.get(f"/customers/{external_userid}")["tags"] if tag["name"] == "高意向"]
    assert (tag["source"]["kind"], tag["source"]["actor"], tag["evidence"]) == ("manual", "zhang", {"via": "bot"})
    assert "高意向（意向）：导购打标 张伟 11-23" in ask(company, "zhang", "标签 林晓芸")

    swapped = ask(company, "zhang", "标签 林晓芸 +观望 -母婴")
    assert "已打上 观望，已去掉 高意向" in swapped, "a single-choice group holds one"
    assert "本来就没有「母婴」" in swapped
    assert "没有变化" in ask(company, "zhang", "标签 林晓芸 +观望")

    assert "已打上 高意向，已去掉 观望" in ask(company, "zhang", "撤销")
    assert "没有可以撤销的修改" in ask(company, "zhang", "撤销")
    company.settle()
    assert company.tags_there(external_userid) >= {"高意向", "护肤"}


@pytest.mark.both
def test_a_tag_name_in_several_groups_is_asked_about(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    befriend(company, "zhang", "林志强")
    make_group(company, "兴趣", ["高意向", "护肤"])
    assert "发序号选一位" in ask(company, "zhang", "标签 林 +高意向 +护肤")
    assert "1. 意向/高意向" in ask(company, "zhang", "2")
    assert "已打上 高意向、护肤" in ask(company, "zhang", "1")
    tags = {(tag["group"], tag["name"]) for tag in company.get(f"/customers/{external_userid}")["tags"]}
    assert ("journey.yi_xiang", "高意向") in tags
    assert "已打上 高意向" in ask(company, "zhang", "标签 林晓芸 +兴趣／高意向")


def test_a_name_that_is_no_tag_changes_nothing_and_like_ones_are_offered(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    before = company.tags_here(external_userid)
    assert "什么都没改" in ask(company, "zhang", "标签 林晓芸 +高意向 +不存在")
    assert "1. 意向/高意向" in ask(company, "zhang", "标签 林晓芸 +高意")
    assert company.tags_here(external_userid) == before


def test_what_he_may_not_edit_is_refused_with_the_reason(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    make_group(company, "等级", ["金卡"])
    with company.runtime.write() as session:
        session.execute(update(TagGroup).where(TagGroup.name == "等级").values(editable_by="nobody"))
    assert "由系统维护" in ask(company, "zhang", "标签 林晓芸 +金卡")
    assert "只能选一个" in ask(company, "zhang", "标签 林晓芸 +高意向 +观望")
    assert company.tags_here(external_userid) == {"名片分享"}


def test_a_half_made_friendship_is_shown_and_not_tagged(company: Company) -> None:
    befriend(company, "zhang", "林晓芸")
    with company.runtime.write() as session:
        session.execute(update(Relation).values(half=True))
    assert "还没通过" in ask(company, "zhang", "林晓芸")
    assert "通过后才能打标签" in ask(company, "zhang", "标签 林晓芸 +高意向")


@pytest.mark.both
def test_todays_untagged_are_listed_in_pages_that_fit(company: Company) -> None:
    names = [f"顾客{number:02}{'长' * 28}" for number in range(25)]
    for name in names:
        company.simulator.act("zhang", "add", name=name, add_way=3)
    company.settle()
    tagged = company.get("/customers")["items"][0]["external_userid"]
    company.simulator.act("zhang", "mark", external_userid=tagged, add=[{"group": "意向", "tag": "观望"}])
    company.settle()

    pages = [ask(company, "zhang", "今日未打标")]
    while pages[-1].endswith("看下一页"):
        assert len(pages[-1].encode()) <= 2048
        pages.append(ask(company, "zhang", "更多"))
    everything = "\n".join(pages)
    assert len(pages) > 1
    assert "今天有 24 位新客户还没打标签" in pages[0]
    assert sum(name in everything for name in names) == 24
    assert ask(company, "zhang", "更多") == "没有更多了。"
    assert ask(company, "zhang", "24").startswith("顾客00"), "the numbers stay good while pages are turned"


def test_an_answer_goes_out_by_message_and_never_in_the_callback(company: Company) -> None:
    company.simulator.act("zhang", "message", text="帮助")
    while company.simulator.run_until_idle():
        pass
    assert sent_to(company, "zhang") == []
    company.settle()
    assert len(sent_to(company, "zhang")) == 1


@pytest.mark.both
def test_a_command_that_is_delivered_three_times_acts_once(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    company.hold_callbacks()
    company.simulator.act("zhang", "message", text="标签 林晓芸 +高意向")
    company.simulator.run_until_idle()
    company.release_callbacks(order=[0, 0, 0])
    assert len(texts_to(company, "zhang")) == 1
    history = company.get(f"/customers/{external_userid}/history")["items"]
    assert sum(item["op"] == "add" and "yi_xiang" in item["key"] for item in history) == 1


@pytest.mark.both
def test_one_members_commands_run_in_their_order(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    for words in ("标签 林晓芸 +高意向", "标签 林晓芸 +观望", "标签 林晓芸 +无意向", "撤销"):
        company.simulator.act("zhang", "message", text=words)
    company.settle()
    assert company.tags_here(external_userid) == {"名片分享", "观望"}


@pytest.mark.both
@pytest.mark.parametrize("point", ["bot.before_commit", "bot.after_commit", "bot.after_send"])
def test_no_crash_makes_a_command_act_twice(company: Company, point: str) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    company.crash_hook = once(point, crash)
    company.simulator.act("zhang", "message", text="标签 林晓芸 +高意向")
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(900, step=60)
    history = company.get(f"/customers/{external_userid}/history")["items"]
    assert sum(item["key"].endswith("gao_yi_xiang") for item in history) == 1
    assert set(texts_to(company, "zhang")) == {"林晓芸：已打上 高意向。\n发“撤销”可以撤回。"}


@pytest.mark.both
def test_a_crash_after_undoing_undoes_nothing_more(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    ask(company, "zhang", "标签 林晓芸 +观望")
    ask(company, "zhang", "标签 林晓芸 +高意向")
    company.crash_hook = once("bot.after_undo", crash)
    company.simulator.act("zhang", "message", text="撤销")
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(900, step=60)
    assert company.tags_here(external_userid) == {"名片分享", "观望"}
    assert texts_to(company, "zhang")[-1] == "已经撤回了。"


def test_an_answer_survives_wecom_being_down_for_a_minute(company: Company) -> None:
    company.simulator.act("zhang", "message", text="帮助")
    company.simulator.faults.add("message/send", "down", for_s=60)
    company.settle()
    assert sent_to(company, "zhang") == []
    company.settle_later(300, step=20)
    assert len(texts_to(company, "zhang")) == 1


def test_who_cannot_be_reached_is_noted_and_not_asked_again(company: Company) -> None:
    company.simulator.faults.add("message/send", "errcode", errcode=81013)
    company.simulator.act("zhang", "message", text="帮助")
    company.settle_later(600, step=60)
    assert len(company.simulator.calls.of("message/send")) == 1
    assert company.get("/jobs?state=dead")["items"] == []


@pytest.mark.both
def test_follow_ups_that_are_due_are_listed_and_the_number_shows_the_customer(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    assert ask(company, "zhang", "待办") == "今天没有到期的跟进。"
    with company.runtime.write() as session:
        member = session.execute(select(Staff).where(Staff.userid == "zhang")).scalar_one()
        viewer, now = staff_viewer(session, member), company.clock.now()
        follow_ups.add(session, viewer, external_userid, "回电问面霜", now + timedelta(hours=1), now)
        follow_ups.add(session, viewer, external_userid, "明天的事", now + timedelta(days=1), now)
    listed = ask(company, "zhang", "待办")
    assert "1. 林晓芸：回电问面霜（11-23 11:00，今天）" in listed
    assert "明天的事" not in listed
    assert "待跟进：11-23 11:00 回电问面霜" in ask(company, "zhang", "1")
