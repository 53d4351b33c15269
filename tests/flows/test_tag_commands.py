"""`wecom-app tags …` and the same by the API: a starter tree, export, an edited file tried out and carried in."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.flows.company import Company
from tests.flows.test_repair_commands import Terminal, open_terminal
from wecom_app.cli.tags import tags_group


@pytest.fixture
def terminal(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return open_terminal(company.settings.database_url, tmp_path, monkeypatch)


@pytest.mark.both
def test_a_starter_tree_is_shown_then_made_here_and_in_wecom(company: Company, terminal: Terminal) -> None:
    shown = terminal(tags_group, "starter", "retail", "--dry-run").stdout
    assert "客户阶段" in shown
    assert company.get("/tag-groups")["items"] == []
    terminal(tags_group, "starter", "retail")
    # The command reads the real clock: the jobs that it left are due by then.
    company.clock.advance(max(0.0, (datetime.now(UTC) - company.clock.now()).total_seconds()) + 60)
    company.settle()
    groups = company.get("/tag-groups")["items"]
    assert len(groups) == 10
    assert {tag["sync"]["state"] for group in groups for tag in group["tags"]} == {"synced"}
    assert "没有要改的" in terminal(tags_group, "starter", "retail").stdout


def test_a_file_is_exported_edited_tried_out_and_carried_in(company: Company, terminal: Terminal) -> None:
    company.make_tags("护肤", "母婴")
    terminal(tags_group, "export", "--format", "csv", "--output", "tags.csv")
    path = Path("tags.csv")
    assert "没有要改的" in terminal(tags_group, "import", "tags.csv", "--dry-run").stdout
    lines = path.read_text(encoding="utf-8-sig").splitlines()
    path.write_text("\n".join([*lines, lines[-1].replace("母婴", "彩妆").replace("mu_ying", "cai_zhuang")]), "gb18030")
    tried = terminal.json(tags_group, "import", "tags.csv", "--dry-run")
    assert [(step["line"], step["action"], step["name"]) for step in tried["steps"]] == [(4, "create", "彩妆")]
    assert len(company.get("/tags")["items"]) == 2
    terminal(tags_group, "import", "tags.csv")
    assert "彩妆" in terminal(tags_group, "list").stdout

    path.write_text("\n".join([lines[0], lines[1].replace("护肤", "改名")]), "utf-8")
    terminal(tags_group, "import", "tags.csv")
    company.clock.advance(max(0, (datetime.now(UTC) - company.clock.now()).total_seconds() + 60))
    company.settle()
    assert {tag["name"] for group in company.wecom_state()["tag_groups"] for tag in group["tag"]} == {
        "改名",
        "母婴",
        "彩妆",
    }


def test_the_api_tries_out_unless_told_otherwise(company: Company) -> None:
    content = "format: wecom-tags/1\ngroups:\n  - {name: 意向, dimension: journey, tags: [高, 低]}\n"
    tried = company.post("/tags/import", {"content": content}, 200)
    assert (tried["dry_run"], len(tried["steps"])) == (True, 3)
    assert company.get("/tags")["items"] == []
    company.post("/tags/import", {"content": content, "dry_run": False}, 200)
    exported = company.client.get("/api/v1/tags/export?format=yaml", headers=company.headers)
    again = company.post("/tags/import", {"content": exported.get_data(as_text=True)}, 200)
    assert again["steps"] == []
    wrong = company.post("/tags/import", {"content": content.replace("journey", "no"), "dry_run": False}, 422)
    assert wrong["details"]["problems"][0]["line"] == 3


def test_the_report_is_the_same_by_command_and_api_and_ends_with_status_1(company: Company, terminal: Terminal) -> None:
    assert "没有发现问题" in terminal(tags_group, "lint").stdout
    company.make_tags("护肤")
    told = terminal.json(tags_group, "lint", expect=1)
    assert [(item["code"], item["name"]) for item in told["items"]] == [("missing_texts", "兴趣")]
    assert company.get("/tags/report") == told


def test_tags_are_deleted_in_wecom_listed_made_anew_and_tried_again_from_the_terminal(
    company: Company, terminal: Terminal
) -> None:
    key, other = company.make_tags("护肤", "母婴")
    company.clock.advance(max(0, (datetime.now(UTC) - company.clock.now()).total_seconds() + 60))
    assert "0 个好友关系" in terminal(tags_group, "delete", key, "--dry-run").stdout
    assert terminal.json(tags_group, "delete", key) == {"key": key, "state": "deleting"}
    company.settle_later(60)
    assert [tag["key"] for tag in terminal.json(tags_group, "deleted")["items"]] == [key]
    assert "护肤" in terminal(tags_group, "deleted").stdout
    assert "正在重新创建" in terminal(tags_group, "recreate", key).stdout
    terminal(tags_group, "recreate", other, expect=1)
    company.settle_later(60)
    assert terminal.json(tags_group, "deleted")["items"] == []
    assert "已重新排队" in terminal(tags_group, "retry", key).stdout
    assert terminal.json(tags_group, "retry", "--all") == {"retried": 0}
    terminal(tags_group, "retry", expect=2)
