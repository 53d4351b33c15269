"""`wecom-app api-key …` beside a running system: made, listed without their secrets, and dead at once when revoked."""

from pathlib import Path

import pytest

from tests.flows.company import Company
from tests.flows.test_repair_commands import Terminal, open_terminal
from wecom_app.cli.keys import api_key_group

pytestmark = pytest.mark.both


@pytest.fixture
def terminal(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return open_terminal(company.settings.database_url, tmp_path, monkeypatch)


def make(terminal: Terminal, name: str) -> str:
    return terminal(api_key_group, "create", name, "--scope", "read").stdout.strip()


def status(company: Company, key: str) -> int:
    return company.client.get("/api/v1/tags", headers={"Authorization": f"Bearer {key}"}).status_code


def test_a_revoked_key_is_dead_at_once(company: Company, terminal: Terminal) -> None:
    key, other = make(terminal, "mall"), make(terminal, "till")
    prefix, _, secret = key.partition(".")
    assert status(company, key) == 200

    assert terminal(api_key_group, "revoke", prefix).stdout == f"已吊销 {prefix}（mall）\n"

    assert (status(company, key), status(company, other)) == (401, 200)
    listed = terminal(api_key_group, "list").stdout
    assert prefix in listed
    assert secret not in listed
    items = {item["name"]: item for item in terminal.json(api_key_group, "list")["items"]}
    assert items["mall"]["revoked_at"] is not None
    assert items["till"]["revoked_at"] is None
    again = items["mall"]
    terminal(api_key_group, "revoke", key)
    assert again in terminal.json(api_key_group, "list")["items"]


def test_a_name_is_enough_where_one_key_in_use_has_it(company: Company, terminal: Terminal) -> None:
    first, second = make(terminal, "mall"), make(terminal, "mall")

    refused = terminal(api_key_group, "revoke", "mall", expect=1)
    assert first.partition(".")[0] in refused.output
    terminal(api_key_group, "revoke", first.partition(".")[0])
    terminal(api_key_group, "revoke", "mall")

    assert (status(company, first), status(company, second)) == (401, 401)
    assert "没有这个接口密钥" in terminal(api_key_group, "revoke", "mall", expect=1).output
