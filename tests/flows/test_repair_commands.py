"""`wecom-app inbox …` and `jobs …`: the same repair from a terminal, beside a running system and without WeCom."""

import json
import threading
from collections.abc import Iterable
from pathlib import Path
from typing import Any

import click
import pytest
from click.testing import CliRunner, Result

from tests.flows.company import Company
from tests.flows.processes import Application
from wecom_app.cli.repair import inbox_group, jobs_group
from wecom_app.cli.tables import echo_table
from wecom_app.config import Settings
from wecom_app.simulator.http_server import SimulatorServer
from wecom_app.simulator.server import RunningServer


class Terminal:
    """Runs commands with one setting, the database's."""

    def __init__(self, database_url: str) -> None:
        self._environment = {"DATABASE_URL": database_url}

    def __call__(self, group: click.Group, *arguments: str, expect: int = 0) -> Result:
        done = CliRunner().invoke(group, arguments, env=self._environment)
        assert done.exit_code == expect, done.output
        return done

    def json(self, group: click.Group, *arguments: str, expect: int = 0) -> Any:
        return json.loads(self(group, *arguments, "--json", expect=expect).stdout)


@pytest.fixture
def terminal(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return open_terminal(company.settings.database_url, tmp_path, monkeypatch)


def open_terminal(database_url: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    monkeypatch.chdir(folder)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return Terminal(database_url)


def fail_twice(company: Company, channel: Any = None) -> list[str]:
    """Let the callbacks of two customers fail for good; return the two."""
    channel = channel or company.make_channel()

    def fail(point: str) -> None:
        if point == "event.before_commit":
            raise RuntimeError("a mistake")

    company.crash_hook = fail
    found = [company.simulator.scan(channel["config_id"])["external_userid"] for _ in range(2)]
    company.settle_later(60)
    company.crash_hook = None
    return found


@pytest.mark.both
def test_failed_callbacks_are_listed_shown_and_replayed(company: Company, terminal: Terminal) -> None:
    second, first = fail_twice(company)[::-1]

    listed = terminal.json(inbox_group, "list", "--state", "failed")["items"]
    assert [event["subject"] for event in listed] == [second, first]
    one = str(listed[1]["id"])
    shown = terminal(inbox_group, "show", one).stdout
    assert "状态：处理失败" in shown
    assert "原因：RuntimeError: a mistake" in shown
    assert '"WelcomeCode": "******"' in shown
    assert terminal(inbox_group, "replay", one).stdout == f"{one}：已重新排队\n"
    assert terminal(inbox_group, "replay", one).stdout == f"{one}：已在等待处理\n"
    assert terminal(inbox_group, "replay", "--failed").stdout == "已重新排队 1 个\n"
    assert terminal.json(inbox_group, "list", "--state", "failed") == {"items": [], "next_cursor": None}
    assert {event["state"] for event in terminal.json(inbox_group, "list")["items"]} == {"waiting"}


@pytest.mark.both
def test_dead_jobs_are_listed_shown_and_replayed(company: Company, terminal: Terminal) -> None:
    fail_twice(company)

    dead = terminal.json(jobs_group, "list", "--state", "dead", "--kind", "event.handle")["items"]
    assert len(dead) == 2
    one = str(dead[0]["id"])
    shown = terminal(jobs_group, "show", one).stdout
    assert "任务：event.handle（队列 event）" in shown
    assert "状态：处理失败，已执行 5 次" in shown
    assert terminal(jobs_group, "replay", "--dead", "--kind", "channel.push").stdout == "已重新排队 0 个\n"
    assert terminal(jobs_group, "replay", one).stdout == f"{one}：已重新排队\n"
    assert terminal.json(jobs_group, "replay", "--dead") == {"replayed": 1, "skipped": 0}
    assert terminal.json(jobs_group, "list", "--state", "dead")["items"] == []


@pytest.mark.both
def test_a_waiting_job_is_cancelled_once(company: Company, terminal: Terminal) -> None:
    company.simulator.scan(company.make_channel()["config_id"])
    company.simulator.run_until_idle()
    (job,) = company.get("/jobs?state=waiting&kind=event.handle")["items"]

    assert terminal(jobs_group, "cancel", str(job["id"])).stdout == f"{job['id']}：已取消\n"
    refused = terminal(jobs_group, "cancel", str(job["id"]), expect=1)

    assert "只有还没开始执行的任务可以取消，这个任务处理失败" in refused.stderr
    assert terminal(jobs_group, "replay", "--dead").stdout.startswith("已重新排队 0 个，跳过 1 个")


def test_each_of_several_is_told_and_one_failure_fails_the_command(company: Company, terminal: Terminal) -> None:
    fail_twice(company)
    first, second = [str(job["id"]) for job in company.get("/jobs?state=dead")["items"]]

    done = terminal.json(jobs_group, "replay", first, "987654", second, expect=1)

    assert [(item["id"], item["ok"]) for item in done["items"]] == [
        (int(first), True),
        (987654, False),
        (int(second), True),
    ]


def test_long_replays_say_how_far_they_are(company: Company, terminal: Terminal) -> None:
    with company.runtime.write() as session:
        for number in range(1_001):
            company.runtime.queue.enqueue(session, "event.handle", {"event_id": 10_000 + number}, lane="event")
    while company.runtime.queue.step():
        pass

    done = terminal(jobs_group, "replay", "--dead")

    assert (done.stderr, done.stdout) == ("已重新排队 1000 个…\n", "已重新排队 1001 个\n")


def test_lists_are_paged(company: Company, terminal: Terminal) -> None:
    fail_twice(company)
    done = terminal(inbox_group, "list", "--limit", "1")
    newest, oldest = company.get("/inbox")["items"]
    assert done.stderr == f"还有更多：加上 --before {newest['id']}\n"
    (row,) = done.stdout.splitlines()[1:]
    assert row.startswith(f"{newest['id']} ")
    following = terminal(inbox_group, "list", "--limit", "1", "--before", str(newest["id"]))
    assert (following.stderr, following.stdout.splitlines()[1].split()[0]) == ("", str(oldest["id"]))
    page = terminal.json(jobs_group, "list", "--limit", "1")
    assert page["next_cursor"] == str(page["items"][0]["id"])


def test_columns_stay_aligned_with_chinese_text(capsys: pytest.CaptureFixture[str]) -> None:
    echo_table(("编号", "对象", "原因"), [("1", "张伟", "超过 20 秒"), ("1234567", "wm", "一" * 50)])
    assert capsys.readouterr().out.splitlines() == [
        "编号     对象  原因",
        "1        张伟  超过 20 秒",
        f"1234567  wm    {'一' * 29}…",
    ]


@pytest.mark.parametrize(
    "arguments", [("replay",), ("replay", "1", "--dead"), ("replay", "1", "--kind", "event.handle"), ("show", "0")]
)
def test_commands_that_make_no_sense_are_refused(terminal: Terminal, arguments: tuple[str, ...]) -> None:
    terminal(jobs_group, *arguments, expect=2)


def test_unknown_ids_and_missing_databases_are_told(company: Company, terminal: Terminal, tmp_path: Path) -> None:
    assert "没有这条回调" in terminal(inbox_group, "show", "4711", expect=1).stderr
    nowhere = Terminal(f"sqlite:///{tmp_path / 'nowhere.db'}")
    assert "还没有数据库" in nowhere(jobs_group, "list", expect=1).stderr
    assert not (tmp_path / "nowhere.db").exists()


@pytest.mark.slow
def test_a_repair_beside_a_running_system_is_carried_out_by_it(company: Company, tmp_path: Path) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    fail_twice(company, channel)
    company.runtime.stop()
    pushed = threading.Event()

    def far_side(environ: dict[str, Any], start_response: Any) -> Iterable[bytes]:
        if environ["PATH_INFO"].endswith("/mark_tag"):
            pushed.set()
        return company.simulator.wsgi(environ, start_response)

    with RunningServer(SimulatorServer("127.0.0.1", 0, far_side)) as server:
        settings = environment_of(company.settings) | {"WECOM_API_BASE_URL": server.url}
        application = Application(settings, tmp_path)
        application.start()
        try:
            assert application.run("jobs", "replay", "--dead") == "已重新排队 2 个"
            assert pushed.wait(30)
        finally:
            application.kill()


def environment_of(settings: Settings) -> dict[str, str]:
    """Return the environment in which another process reads the same settings."""
    values = settings.model_dump(exclude_none=True).items()
    plain = {name: getattr(value, "get_secret_value", lambda value=value: value)() for name, value in values}
    return {name.upper(): str(value) for name, value in plain.items()}
