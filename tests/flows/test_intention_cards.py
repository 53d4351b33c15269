"""A new contact without an intention tag brings his rep a card, once; a press tags and is shown on the card."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company, open_company
from tests.flows.talking import ask, befriend, cards_to, texts_to
from tests.flows.test_channels import crash, once
from wecom_app.clock import ManualClock
from wecom_app.models import IntentionCard
from wecom_app.services import bot_settings
from wecom_app.services.bot_settings import Choices
from wecom_app.services.runtime import SimulatedCrash

DELAY = 180
KEY = "journey.intention"


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    tags = [{"name": name} for name in ("高意向", "观望", "无意向")]
    body = {"name": "意向", "key": KEY, "dimension": "journey", "selection": "single", "tags": tags}
    opened.post("/tag-groups", body)
    opened.settle()
    yield opened
    opened.close()


def wait(company: Company, seconds: float = DELAY) -> None:
    company.clock.advance(seconds)
    company.settle()


def press(company: Company, name: str, userid: str = "zhang", *, card: int = -1) -> None:
    message = cards_to(company, userid)[card]
    keys = {button["text"]: button["key"] for button in message.body["template_card"]["button_list"]}
    company.simulator.act(userid, "click_card", msgid=message.msgid, key=keys[name])


def shown(company: Company, userid: str = "zhang") -> list[str]:
    """Return what the last card's dead buttons say, in the order of the updates."""
    return [update["button"]["replace_name"] for update in cards_to(company, userid)[-1].updates]


def cards(company: Company, **query: Any) -> list[tuple[str, str | None]]:
    parts = "&".join(f"{name}={value}" for name, value in query.items())
    return [(card["state"], card["reason"]) for card in company.get(f"/bot/cards?{parts}")["items"]]


@pytest.mark.both
def test_the_card_comes_minutes_after_the_contact_and_a_press_tags_him(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company, DELAY - 1)
    assert cards_to(company, "zhang") == []
    wait(company, 1)
    (message,) = cards_to(company, "zhang")
    content = message.body["template_card"]
    assert content["main_title"]["title"] == "新客户 林晓芸"
    assert [button["text"] for button in content["button_list"]] == ["高意向", "观望", "无意向"]

    press(company, "高意向")
    company.settle()
    assert shown(company) == ["已打上：高意向"]
    assert company.tags_there(external_userid) >= {"高意向"}
    assert cards(company) == [("answered", None)]
    assert "已去掉 高意向" in ask(company, "zhang", "撤销")


@pytest.mark.both
def test_a_second_press_says_so_and_changes_nothing(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company)
    press(company, "高意向")
    press(company, "观望")
    company.settle()
    assert shown(company) == ["已打上：高意向", "已是：高意向"]
    assert "高意向" in texts_to(company, "zhang")[-1]
    assert "没有再改" in texts_to(company, "zhang")[-1]
    assert company.tags_here(external_userid) >= {"高意向"}


def test_a_press_after_another_edit_says_so_and_changes_nothing(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company)
    company.simulator.act("zhang", "mark", external_userid=external_userid, add=[{"group": "意向", "tag": "观望"}])
    company.settle()
    press(company, "高意向")
    company.settle()
    assert shown(company) == ["已是：观望"]
    assert company.tags_here(external_userid) >= {"观望"}


@pytest.mark.both
def test_who_was_tagged_or_lost_meanwhile_brings_no_card(company: Company) -> None:
    befriend(company, "zhang", "林晓芸")
    ask(company, "zhang", "标签 林晓芸 +观望")
    lost = befriend(company, "zhang", "陈晨")
    company.simulator.act(lost, "delete_staff", userid="zhang")
    company.settle()
    wait(company)
    assert cards_to(company, "zhang") == []
    assert {reason for _, reason in cards(company, state="skipped")} == {"已经打了标签", "好友关系已解除"}


def test_a_half_made_friendship_brings_its_card_once_it_is_whole(company: Company) -> None:
    channel = company.make_channel()
    scanned = company.simulator.scan(channel["config_id"], name="林晓芸", half=True, confirm=False)
    company.settle()
    wait(company, 600)
    assert cards_to(company, "zhang") == []
    company.simulator.act("zhang", "confirm_add", external_userid=scanned["external_userid"])
    company.settle()
    wait(company)
    assert len(cards_to(company, "zhang")) == 1


def test_each_epoch_of_a_friendship_brings_one_card(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company)
    wait(company, 3600)
    assert len(cards_to(company, "zhang")) == 1
    company.simulator.act(external_userid, "delete_staff", userid="zhang")
    company.settle()
    company.simulator.act(external_userid, "re_add", userid="zhang")
    company.settle()
    wait(company)
    assert len(cards_to(company, "zhang")) == 2


@pytest.mark.both
def test_off_duty_no_card_comes_until_work_begins(company: Company) -> None:
    ask(company, "zhang", "下班")
    befriend(company, "zhang", "林晓芸")
    wait(company, 600)
    assert cards_to(company, "zhang") == []
    assert "1 位新客户还没打意向" in ask(company, "zhang", "上班")
    company.settle()
    assert len(cards_to(company, "zhang")) == 1


def test_a_card_that_was_held_for_days_is_not_sent_any_more(company: Company) -> None:
    ask(company, "zhang", "下班")
    befriend(company, "zhang", "林晓芸")
    wait(company)
    wait(company, 4 * 24 * 3600)
    assert "卡片马上" not in ask(company, "zhang", "上班")
    assert cards(company) == [("skipped", "超过三天没能发出")]
    assert cards_to(company, "zhang") == []


@pytest.mark.both
def test_an_app_without_callback_address_says_why_and_does_not_try_on(company: Company) -> None:
    company.simulator.faults.add("message/send", "errcode", errcode=43012)
    for name in ("林晓芸", "陈晨", "赵敏"):
        befriend(company, "zhang", name)
        wait(company)
    company.settle_later(600, step=60)
    assert len(company.simulator.calls.of("message/send")) == 1
    assert [state for state, _ in cards(company)] == ["skipped", "skipped", "failed"]
    assert all("接收消息" in (reason or "") for _, reason in cards(company))
    assert company.get("/jobs?state=dead")["items"] == []


def test_a_member_who_cannot_be_reached_is_noted(company: Company) -> None:
    befriend(company, "zhang", "林晓芸")
    company.simulator.faults.add("message/send", "errcode", errcode=81013)
    wait(company)
    ((state, reason),) = cards(company)
    assert (state, "收不到" in (reason or "")) == ("failed", True)


@pytest.mark.parametrize("kind", ["lost_reply", "down", "http_502", "timeout"])
def test_a_card_whose_sending_is_in_doubt_comes_once(company: Company, kind: str) -> None:
    befriend(company, "zhang", "林晓芸")
    company.simulator.faults.add("message/send", kind, times=1)
    wait(company)
    company.settle_later(900, step=60)
    assert len(cards_to(company, "zhang")) == 1
    assert cards(company) == [("sent", None)]


@pytest.mark.both
@pytest.mark.parametrize("point", ["card.before_call", "card.after_call"])
def test_no_crash_sends_a_card_twice(company: Company, point: str) -> None:
    befriend(company, "zhang", "林晓芸")
    company.crash_hook = once(point, crash)
    company.clock.advance(DELAY)
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(900, step=60)
    assert len(cards_to(company, "zhang")) == 1
    assert cards(company) == [("sent", None)]


@pytest.mark.both
@pytest.mark.parametrize("point", ["card.before_commit", "card.before_update"])
def test_no_crash_makes_a_press_count_twice(company: Company, point: str) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company)
    company.crash_hook = once(point, crash)
    press(company, "高意向")
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    company.settle_later(900, step=60)
    assert shown(company) == ["已打上：高意向"]
    history = company.get(f"/customers/{external_userid}/history")["items"]
    assert sum(item["key"].endswith("gao_yi_xiang") for item in history) == 1


def test_a_card_that_is_pressed_too_late_to_be_changed_still_tags(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company)
    company.simulator.faults.add("message/update_template_card", "errcode", errcode=42045)
    press(company, "观望")
    company.settle()
    assert company.tags_here(external_userid) >= {"观望"}


def test_nobody_elses_press_counts(company: Company) -> None:
    external_userid = befriend(company, "zhang", "林晓芸")
    wait(company)
    task_id = cards_to(company, "zhang")[0].body["template_card"]["task_id"]
    fields = {"EventKey": f"tag:{KEY}.gao_yi_xiang", "TaskId": task_id, "ResponseCode": "x", "AgentID": "1000002"}
    forged = {"FromUserName": "wang", **fields}
    company.simulator.act("system", "unknown_event", event="template_card_event", fields=forged)
    company.settle()
    assert "高意向" not in company.tags_here(external_userid)


def test_the_group_and_the_delay_are_the_admins_choice(company: Company) -> None:
    company.make_tags("要", "不要", group="试用")
    with company.runtime.write() as session:
        group = company.get("/tag-groups")["items"][-1]["key"]
        bot_settings.put(session, Choices(card_group=group, card_delay_s=0), company.clock.now())
    befriend(company, "zhang", "林晓芸")
    assert [button["text"] for button in cards_to(company, "zhang")[0].body["template_card"]["button_list"]] == [
        "要",
        "不要",
    ]
    with company.runtime.write() as session:
        bot_settings.put(session, Choices(cards=False), company.clock.now())
    befriend(company, "zhang", "陈晨")
    wait(company)
    assert len(cards_to(company, "zhang")) == 1
    with company.runtime.read() as session:
        assert len(session.execute(select(IntentionCard.id)).all()) == 1
