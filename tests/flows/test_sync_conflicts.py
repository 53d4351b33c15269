"""A person's word on what the two sides disagreed on: what stands here stays, or WeCom's value is taken over."""

from datetime import UTC, datetime
from pathlib import Path

import pytest

from tests.flows.company import Company
from tests.flows.pulling import unmark
from tests.flows.test_mark_failures import edit, known_customer
from tests.flows.test_repair_commands import open_terminal
from wecom_app.cli.sync import sync_group


def disputed(company: Company) -> tuple[str, int]:
    """Return a customer whose tag was taken off in a group where WeCom only follows us, and the conflict's number."""
    keys = company.make_tags("护肤", mirror="push")
    external_userid = known_customer(company)
    edit(company, external_userid, add=keys)
    company.settle()
    unmark(company, "zhang", external_userid, "护肤")
    company.settle_later(30)
    (conflict,) = company.get("/sync/conflicts?state=open")["items"]
    return external_userid, conflict["id"]


@pytest.mark.both
def test_wecoms_value_is_taken_over_and_can_be_undone(company: Company) -> None:
    customer, conflict = disputed(company)

    done = company.post("/sync/conflicts/settle", {"ids": [conflict], "keep": "theirs"}, expect=200)
    company.settle_later(30)

    assert (done["settled"], done["left"]) == (1, [])
    assert "护肤" not in company.tags_here(customer) | company.tags_there(customer)
    assert company.get("/sync/conflicts?state=open")["items"] == []
    company.post(f"/change-sets/{done['change_set_id']}/undo", {}, expect=200)
    company.settle_later(30)
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)


def test_ours_is_kept_and_what_cannot_be_settled_says_why(company: Company) -> None:
    customer, conflict = disputed(company)

    first = company.post("/sync/conflicts/settle", {"ids": [conflict, 99], "keep": "ours"}, expect=200)
    again = company.post("/sync/conflicts/settle", {"ids": [conflict], "keep": "theirs"}, expect=200)
    company.settle_later(30)

    assert (first["settled"], [one["reason"] for one in first["left"]]) == (1, ["missing"])
    assert (again["settled"], [one["reason"] for one in again["left"]]) == (0, ["settled"])
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)


def test_a_disagreement_is_settled_from_the_terminal(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    customer, conflict = disputed(company)
    company.clock.advance(max(0, (datetime.now(UTC) - company.clock.now()).total_seconds() + 3600))
    terminal = open_terminal(company.settings.database_url, tmp_path, monkeypatch)
    assert [one["id"] for one in terminal.json(sync_group, "conflicts")["items"]] == [conflict]
    assert "护肤" in terminal(sync_group, "conflicts").stdout

    terminal(sync_group, "settle", str(conflict), "--keep", "theirs")
    company.settle_later(30)

    assert "护肤" not in company.tags_here(customer) | company.tags_there(customer)
    assert "已经处理过了" in terminal(sync_group, "settle", str(conflict), "--keep", "ours").stdout
