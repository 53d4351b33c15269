"""`wecom-app schedule …` beside a running system: listed with words and times, changed, run and followed, stopped."""

from pathlib import Path

import pytest

from tests.flows.company import Company
from tests.flows.test_repair_commands import Terminal, open_terminal
from wecom_app.cli.schedule import schedule_group
from wecom_app.clock import SystemClock

pytestmark = pytest.mark.both


@pytest.fixture
def terminal(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return open_terminal(company.settings.database_url, tmp_path, monkeypatch)


def test_schedules_are_listed_with_words_and_the_next_five_times(company: Company, terminal: Terminal) -> None:
    listed = terminal(schedule_group, "list").stdout
    assert "每天 03:20" in listed
    assert "已暂停" in listed
    (line,) = [line for line in listed.splitlines() if line.startswith("1 接下来")]
    assert line.count("03:20") == 5
    assert terminal.json(schedule_group, "list")["items"][0]["kind"] == "directory"


def test_a_schedule_is_added_set_paused_resumed_and_removed(company: Company, terminal: Terminal) -> None:
    added = terminal(schedule_group, "add", "library", "--name", "核对", "--cron", "0 9 * * 7").stdout
    assert "核对：每周日 09:00（0 9 * * 7）" in added
    one = added.split()[0]
    assert "每月 1 日 03:00" in terminal(schedule_group, "set", one, "--cron", "0 3 1 * *").stdout
    assert "2028-02-29 09:00" in terminal(schedule_group, "set", one, "--cron", "0 9 29 2 *").stdout
    assert "现在有 2 段" in terminal(schedule_group, "set", one, "--cron", "0 3", expect=1).stderr
    assert "请给出要改的" in terminal(schedule_group, "set", one, expect=2).stderr
    terminal(schedule_group, "pause", one)
    assert company.get(f"/schedules/{one}")["enabled"] is False
    assert "接下来" in terminal(schedule_group, "resume", one).stdout
    assert "已删除" in terminal(schedule_group, "remove", one).stdout
    assert "没有这个计划" in terminal(schedule_group, "remove", one, expect=1).stderr


def test_a_run_is_followed_to_its_end(company: Company, terminal: Terminal, monkeypatch: pytest.MonkeyPatch) -> None:
    # While the command waits, the running system does its work; the command's clock is the computer's.
    company.clock.advance((SystemClock().now() - company.clock.now()).total_seconds() + 60)
    looks: list[float] = []

    def work(_clock: SystemClock, deadline: float) -> None:
        looks.append(deadline)
        assert len(looks) < 5
        company.settle()

    monkeypatch.setattr(SystemClock, "sleep_until", work)
    done = terminal(schedule_group, "run", "1")
    assert "完成 部门 1，成员 3" in done.stdout


def test_a_run_that_waits_is_stopped(company: Company, terminal: Terminal) -> None:
    terminal(schedule_group, "run", "1", "--no-follow")
    assert "正在执行" in terminal(schedule_group, "run", "1", expect=1).stderr
    assert "已要求停止" in terminal(schedule_group, "stop", "1").stdout
    assert company.get("/schedules/1")["last_run"]["state"] == "stopped"
