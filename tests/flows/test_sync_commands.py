"""`wecom-app sync …` and `/api/v1/sync/runs`: a full pull asked for, watched, approved, stopped and undone."""

from datetime import UTC, datetime
from pathlib import Path
from typing import Any

import pytest

from tests.flows.company import Company
from tests.flows.pulling import wiped
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.flows.test_repair_commands import Terminal, open_terminal
from wecom_app.cli.sync import sync_group


@pytest.fixture
def terminal(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    """A terminal has the machine's clock: the company's is put ahead of it, so that what it asks for is due."""
    ahead_s = (datetime.now(UTC) - company.clock.now()).total_seconds() + 3600
    company.clock.advance(max(0, ahead_s))
    return open_terminal(company.settings.database_url, tmp_path, monkeypatch)


def test_a_pull_from_the_terminal_is_shown_approved_and_undone_there(company: Company, terminal: Terminal) -> None:
    customers = wiped(company)
    run_id = str(terminal.json(sync_group, "pull")["id"])
    company.settle()

    shown = terminal(sync_group, "status", run_id).stdout
    assert "等待确认" in shown
    assert f"sync approve {run_id}" in shown
    listed = terminal.json(sync_group, "status", run_id, "--items")["items"]
    assert [item["state"] for item in listed] == ["waiting"] * 22

    terminal(sync_group, "approve", run_id)
    company.settle_later(30)
    assert company.tags_here(customers[0]) == set()
    assert "已完成" in terminal(sync_group, "status", run_id).stdout

    terminal(sync_group, "undo", run_id)
    company.settle_later(60)
    assert company.tags_there(customers[0]) == {"护肤"}


def test_commands_that_make_no_sense_say_why(company: Company, terminal: Terminal) -> None:
    assert "没有这次同步" in terminal(sync_group, "status", "99", expect=1).output
    assert "还没有同步过" in terminal(sync_group, "status").output
    run_id = str(terminal.json(sync_group, "pull")["id"])

    assert "请先处理它" in terminal(sync_group, "pull", expect=1).output
    assert "没有在等待确认" in terminal(sync_group, "approve", run_id, expect=1).output
    terminal(sync_group, "stop", run_id)
    assert "只有进行中的" in terminal(sync_group, "stop", run_id, expect=1).output
    terminal(sync_group, "resume", run_id)
    company.settle()
    assert terminal.json(sync_group, "status", run_id, "--follow")["state"] == "done"


def test_tags_that_the_library_has_not_taken_in_are_told_with_the_reason(company: Company, terminal: Terminal) -> None:
    assert "都在标签库里" in terminal(sync_group, "unlinked").stdout
    company.make_tags("金卡", group="等级", mirror="none")
    company.simulator.act("admin", "group_create", group="等级", names=["金卡", "银卡"])
    company.settle()

    assert "2 个标签没有收进标签库" in terminal(sync_group, "status").stdout
    assert terminal(sync_group, "unlinked").stdout.count("只在本系统") == 2
    assert [tag["name"] for tag in terminal.json(sync_group, "unlinked")["items"]] == ["金卡", "银卡"]


def test_push_sends_on_what_still_waits(company: Company, terminal: Terminal) -> None:
    keys = company.make_tags("护肤")
    external_userid = known_customer(company)
    company.simulator.faults.add(MARK, "errcode", errcode=48002, times=1)
    edit(company, external_userid, add=keys)
    company.settle()

    assert terminal.json(sync_group, "push") == {"cells": 1, "customers": 1}
    company.settle_later(30)

    assert "护肤" in company.tags_there(external_userid)
    assert terminal.json(sync_group, "push") == {"cells": 0, "customers": 0}


def test_the_api_starts_shows_and_steers_a_pull(company: Company) -> None:
    customers = wiped(company)
    run = company.post("/sync/runs", {})
    assert company.post("/sync/runs", {}, expect=409)["details"] == {"run_id": run["id"]}
    company.settle()

    held = company.get(f"/sync/runs/{run['id']}")
    assert (held["state"], held["guard"]["deletions"]["removals"]) == ("held", 22)
    assert [one["state"] for one in company.get("/sync/runs")["items"]] == ["held", "done"]
    page: Any = company.get(f"/sync/runs/{run['id']}/items?limit=20")
    assert len(page["items"]) == 20
    assert len(company.get(f"/sync/runs/{run['id']}/items?cursor={page['next_cursor']}")["items"]) == 2

    company.post(f"/sync/runs/{run['id']}/reject", {}, expect=200)
    assert company.get("/sync/drift")["pending"] == 0
    assert company.tags_here(customers[0]) == {"护肤"}
