"""The commands for administrators and roles, as an operator types them."""

from pathlib import Path

import pytest
from click.testing import CliRunner, Result

from tests.flows.company import Company
from wecom_app.cli import main
from wecom_app.services import directory

PASSWORD = "correct horse battery"


@pytest.fixture
def run(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, request: pytest.FixtureRequest) -> object:
    url = request.getfixturevalue("company").settings.database_url
    monkeypatch.setenv("DATABASE_URL", url)
    monkeypatch.chdir(tmp_path)

    def command(group: str, *words: str, password: str | None = None) -> Result:
        return CliRunner().invoke(main.commands[group], words, input=password)

    return command


def test_the_life_of_a_local_administrator(company: Company, run: object) -> None:
    assert callable(run)
    made = run("admin", "create", "root", "--password-stdin", password=PASSWORD + "\n")
    assert (made.exit_code, PASSWORD in made.output) == (0, False)
    assert "root" in run("admin", "list").output
    twin = run("admin", "create", "ROOT", "--password-stdin", password=PASSWORD)
    assert (twin.exit_code, "已有同名" in twin.stderr) == (1, True)
    assert run("admin", "disable", "root").exit_code == 0
    assert "已停用" in run("admin", "list").output
    assert run("admin", "reset-password", "root", "--password-stdin", password="another long sentence\n").exit_code == 0
    assert "已停用" not in run("admin", "list").output
    assert run("admin", "disable", "nobody").exit_code == 1
    assert "密码" in run("admin", "create", "second", "--password-stdin", password="short").stderr
    assert "--password-stdin" in run("admin", "create", "second").stderr


def test_roles_are_given_seen_and_taken(company: Company, run: object) -> None:
    assert callable(run)
    company.simulator.act("admin", "create_department", id=7, name="门店一部")
    directory.request_first(company.runtime)
    company.settle()

    assert "数据范围" in run("role", "grant", "zhang", "service").stderr
    assert "没有编号为 99" in run("role", "grant", "zhang", "service", "--department", "99").stderr
    given = run("role", "grant", "ZHANG", "service", "--department", "7")
    assert (given.exit_code, "张伟（zhang）：客服；数据范围：门店一部及下级" in given.output) == (0, True)
    assert "整个公司" in run("role", "grant", "zhang", "service", "--whole-company").output
    assert "管理员、" in run("role", "grant", "zhang", "admin").output.replace("客服、管理员", "管理员、")
    assert "拼写" in run("role", "grant", "typo", "auditor").stderr
    listed = run("role", "list").output
    assert "张伟" in listed
    assert "typo" in listed
    assert run("role", "revoke", "zhang", "service").exit_code == 0
    assert run("role", "revoke", "zhang", "service").exit_code == 1
    assert "不适用" in run("role", "list").output
