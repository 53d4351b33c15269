"""The daily digest: figures of yesterday without a name, once a day for each robot, whatever crashes."""

from collections.abc import Iterator
from datetime import timedelta
from typing import Any

import pytest
from click.testing import CliRunner
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.test_channels import crash, once
from tests.flows.watching import ROBOT, look, open_watched, pass_minutes, said
from wecom_app.cli.bot import bot_group
from wecom_app.clock import ManualClock
from wecom_app.models import Staff
from wecom_app.services import bot_settings, digest, follow_ups
from wecom_app.services.access import staff_viewer
from wecom_app.services.bot_settings import Choices
from wecom_app.services.runtime import SimulatedCrash


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_watched(database_url, clock)  # Monday, 10:00 in Shanghai
    with opened.runtime.write() as session:
        bot_settings.put(session, Choices(digest_at="10:30"), clock.now())
    yield opened
    opened.close()


def digests(company: Company) -> list[str]:
    return [words for words in said(company) if "日报" in words]


def play_a_day(company: Company) -> None:
    """Three customers come: two by a poster, one of them untagged by hand, and one by a name card."""
    channel = company.make_channel()
    tagged = company.simulator.scan(channel["config_id"], name="林晓芸")["external_userid"]
    company.simulator.scan(channel["config_id"], name="赵敏")
    followed = company.simulator.act("wang", "add", name="陈晨", add_way=3)["external_userid"]
    company.settle()
    with company.runtime.write() as session:
        viewer = staff_viewer(session, session.execute(select(Staff).where(Staff.userid == "wang")).scalar_one())
        now = company.clock.now()
        follow_ups.add(session, viewer, followed, "回电", now + timedelta(days=1), now)
        follow_ups.add(session, viewer, followed, "再回电", now + timedelta(days=3), now)
    company.post(f"/customers/{tagged}/tags", {"add": company.make_tags("护肤")}, expect=200)
    company.settle()


@pytest.mark.both
def test_yesterday_is_told_in_figures_and_without_names(company: Company) -> None:
    play_a_day(company)
    company.clock.advance(timedelta(days=1, hours=1).total_seconds())
    pass_minutes(company, 1)
    (told,) = digests(company)
    assert told.splitlines() == [
        "**客户日报** 11-23（周一）",
        "新客户：3 位（门店海报 2、名片分享 1）",
        "已打标：1 位（33%），未打标 2 位",
        "欢迎语未送达：0 条",
        "今天待跟进：1 条",
        "处理失败：任务 0 个，回调 0 条，标签推送 0 个",
        "正在告警：无",
    ]


@pytest.mark.both
def test_it_comes_once_a_day_from_its_time_on(company: Company) -> None:
    for minutes, count in ((29, 0), (1, 1), (1, 1), (600, 1), (3 * 24 * 60, 2), (1, 2)):
        company.clock.advance(60 * minutes)
        look(company)
        assert len(digests(company)) == count


def test_a_digest_that_was_taken_but_not_answered_in_time_is_not_repeated(company: Company) -> None:
    company.clock.advance(timedelta(hours=1).total_seconds())
    company.simulator.faults.add("webhook/send", "timeout", times=1)
    look(company)
    company.settle_later(900, step=60)
    assert len(company.simulator.calls.of("webhook/send")) == 1
    (unsaid,) = company.get("/alerts")["undelivered"]
    assert (unsaid["kind"], unsaid["state"]) == ("digest", "unknown")


@pytest.mark.both
@pytest.mark.parametrize("point", ["digest.before_commit", "robot.before_call", "robot.after_call"])
def test_no_crash_makes_it_come_twice(company: Company, point: str) -> None:
    company.crash_hook = once(point, crash)
    company.clock.advance(timedelta(hours=1).total_seconds())
    with pytest.raises(SimulatedCrash):
        look(company)
    company.restart()
    company.settle_later(900, step=60)
    pass_minutes(company, 2)
    told = 0 if point == "robot.before_call" else 1
    assert len(digests(company)) == told, "a digest that may have arrived is not repeated"


def test_a_robot_that_cannot_be_reached_says_it_later(company: Company) -> None:
    company.clock.advance(timedelta(hours=1).total_seconds())
    company.simulator.faults.add("webhook/send", "down")
    look(company)
    company.simulator.faults.clear()
    company.settle_later(900, step=60)
    assert len(digests(company)) == 1


def test_it_can_be_switched_off_and_needs_a_robot(company: Company) -> None:
    headers = company.headers
    answer = company.client.patch("/api/v1/bot/settings", json={"digest": False}, headers=headers)
    assert answer.status_code == 403, "an ordinary key may not change how the bot behaves"
    company.runtime.robots.clear()
    company.clock.advance(timedelta(hours=1).total_seconds())
    look(company)
    assert said(company) == []


def run(company: Company, monkeypatch: pytest.MonkeyPatch, *arguments: str, **environment: str) -> Any:
    settings = {"DATABASE_URL": company.settings.database_url, **environment}
    for name, value in settings.items():
        monkeypatch.setenv(name, value)
    return CliRunner().invoke(bot_group, arguments)


def test_the_command_shows_the_digest_without_sending(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    shown = run(company, monkeypatch, "digest", "--dry-run")
    assert shown.exit_code == 0
    assert shown.output.startswith("**客户日报**")
    assert said(company) == []


def test_trying_a_robot_says_what_is_wrong(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    nothing = run(company, monkeypatch, "test-robot")
    assert (nothing.exit_code, "GROUP_ROBOT_URL" in nothing.stderr) == (1, True)
    base = {"WECOM_API_BASE_URL": "http://127.0.0.1:9"}
    url = ROBOT["GROUP_ROBOT_URL"].replace(":8001", ":9")
    unreachable = run(company, monkeypatch, "test-robot", GROUP_ROBOT_URL=url, **base)
    assert unreachable.exit_code == 1
    assert "连不上" in unreachable.output
    assert "simulator-robot" not in unreachable.output


@pytest.mark.parametrize(("zone", "day"), [("UTC", "11-22（周日）"), ("Asia/Shanghai", "11-23（周一）")])
def test_days_are_counted_in_the_deployments_zone(company: Company, zone: str, day: str) -> None:
    after_midnight_in_shanghai = company.clock.now() + timedelta(hours=14, minutes=1)
    with company.runtime.read() as session:
        assert day in digest.words(session, company.runtime.queue, after_midnight_in_shanghai, zone)
