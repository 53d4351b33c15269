"""The command around the checks: its lines, its JSON and its exit code."""

import json
from collections.abc import Iterator
from pathlib import Path

import pytest
import requests
from click.testing import CliRunner, Result

from tests.flows.processes import Application
from wecom_app.cli.doctor import doctor as command
from wecom_app.clock import ManualClock
from wecom_app.config import Settings
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator

STRONG = "kTz9w3Xq7LmB2vR8nYc4Hs6JdF1gPa5E"


@pytest.fixture
def far_side(clock: ManualClock) -> Iterator[Simulator]:
    simulator = Simulator(SimulatorConfig(base_url="http://127.0.0.1:0"), clock)
    simulator.world.add_member("zhang", "张伟")
    yield simulator
    simulator.stop()


def run_command(folder: Path, monkeypatch: pytest.MonkeyPatch, environment: dict[str, str], *options: str) -> Result:
    monkeypatch.chdir(folder)
    for name in Settings.model_fields:
        monkeypatch.delenv(name.upper(), raising=False)
    return CliRunner().invoke(command, options, env=environment)


def test_the_command_fails_with_one_line_for_settings_that_cannot_be_read(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    done = run_command(tmp_path, monkeypatch, {"WECOM_AGENT_ID": "zero-secret"}, "--json")
    assert done.exit_code == 1
    told = json.loads(done.stdout)
    assert [check["name"] for check in told["checks"]] == ["settings"]
    assert "WECOM_AGENT_ID" in told["checks"][0]["saw"]
    assert "zero-secret" not in done.output


def test_the_command_aligns_its_lines_and_sums_them_up(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    done = run_command(tmp_path, monkeypatch, {})
    assert done.exit_code == 1
    lines = done.stdout.splitlines()
    # 通过 + 2 + 14 places + 2; a Chinese character takes two places.
    assert "失败  企业微信设置    缺少设置：WECOM_CORP_ID" in lines[0]
    assert "失败  SECRET_KEY      缺少 SECRET_KEY" in done.stdout
    assert f"{' ' * 22}→ 按 .env.example 的说明填写 .env，再运行一次" in lines
    assert lines[-1] == "2 项失败，2 项注意，2 项通过，15 项未查"


def test_the_command_refuses_an_address_that_is_none(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    assert run_command(tmp_path, monkeypatch, {}, "--url", "ftp://x").exit_code == 2


@pytest.mark.slow
def test_the_command_finds_a_running_system_in_order(
    sqlite_template: Path, tmp_path: Path, far_side: Simulator
) -> None:
    config = far_side.config
    with far_side.listen() as server:
        settings = {
            "WECOM_CORP_ID": config.corp_id,
            "WECOM_AGENT_ID": str(config.agent_id),
            "WECOM_SECRET": config.secret,
            "WECOM_CALLBACK_TOKEN": config.callback_token,
            "WECOM_CALLBACK_AES_KEY": config.callback_aes_key,
            "WECOM_API_BASE_URL": server.url,
            "DATABASE_URL": f"sqlite:///{tmp_path / 'app.db'}",
            "SECRET_KEY": STRONG,
        }
        application = Application(settings, tmp_path)
        application.start()
        told = json.loads(application.run("doctor", "--json", "--url", f"{application.url}/wecom/callback"))
        answer = requests.get(f"{application.url}/readyz", timeout=10)
        application.kill()

    states = {check["name"]: check["state"] for check in told["checks"]}
    # The simulator lives in another time, and this machine has no domain.
    assert {name for name, state in states.items() if state != "ok"} <= {"clock", "domain"}
    assert told["ok"] is True
    assert answer.json()["checks"]["worker"] is True
