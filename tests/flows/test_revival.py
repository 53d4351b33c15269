"""Tags that could not be pushed are listed by reason and tried again when asked; disagreements can be read."""

from pathlib import Path
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.test_repair_commands import open_terminal
from wecom_app.cli.sync import sync_group
from wecom_app.models import Relation, SyncConflict, Tag
from wecom_app.services import revival

MARK = "externalcontact/mark_tag"
UNCHANGED = "多次推送后企业微信仍未变化"
REFUSED = 99999


@pytest.fixture
def channel(company: Company) -> Any:
    return company.make_channel(tags=company.make_tags("护肤", "母婴"))


def fail(company: Company, channel: Any, kind: str, **fault: Any) -> str:
    """Let a customer scan while pushes fail until they are given up; then WeCom is well again."""
    company.simulator.faults.add(MARK, kind, **fault)
    external_userid: str = company.simulator.scan(channel["config_id"])["external_userid"]
    company.settle_later(60)
    company.simulator.faults.put({})
    assert states(company, external_userid) == {"failed"}
    return external_userid


def states(company: Company, external_userid: str) -> set[str]:
    return {tag["sync"]["state"] for tag in company.get(f"/customers/{external_userid}")["tags"]}


@pytest.mark.both
def test_one_customers_failed_tags_are_pushed_again(company: Company, channel: Any) -> None:
    one, other = fail(company, channel, "silent_ok"), fail(company, channel, "silent_ok")
    assert company.get("/jobs?state=dead")["items"] == []

    revived = company.post(f"/customers/{one}/revive", None, expect=200)

    assert revived == {"cells": 2, "customers": 1, "next_cursor": None}
    company.settle()
    assert (states(company, one), states(company, other)) == ({"synced"}, {"failed"})
    assert company.tags_there(one) == {"护肤", "母婴"}
    assert company.post(f"/customers/{one}/revive", None, expect=200)["cells"] == 0
    assert company.post("/customers/wm_nobody/revive", None, expect=404)["error"] == "not_found"


@pytest.mark.both
def test_failures_are_counted_by_reason_and_those_of_one_reason_tried_again(company: Company, channel: Any) -> None:
    unchanged = [fail(company, channel, "silent_ok") for _ in range(2)]
    refused = fail(company, channel, "errcode", errcode=REFUSED)

    first, second = company.get("/sync/failures")["items"]
    assert first == {"reason": UNCHANGED, "cells": 4, "customers": 2}
    assert str(REFUSED) in second["reason"]

    revived = company.post("/sync/revive", {"reason": "仍未变化"}, expect=200)

    assert revived == {"cells": 4, "customers": 2, "next_cursor": None}
    company.settle()
    assert [states(company, one) for one in unchanged] == [{"synced"}, {"synced"}]
    assert states(company, refused) == {"failed"}
    assert company.post("/sync/revive", {}, expect=200)["cells"] == 2


@pytest.mark.both
def test_many_are_revived_in_slices_each_customer_once(company: Company, channel: Any) -> None:
    failed = [fail(company, channel, "silent_ok") for _ in range(3)]

    first = revival.revive_all(company.runtime, limit=2)
    rest = revival.revive_all(company.runtime, after_id=first.next_cursor, limit=2)

    assert (first.customers, rest.customers, rest.next_cursor) == (2, 1, None)
    company.settle()
    assert {state for one in failed for state in states(company, one)} == {"synced"}


def test_a_tag_that_is_gone_is_not_revived(company: Company, channel: Any) -> None:
    one = fail(company, channel, "silent_ok")
    company.simulator.act("admin", "tag_delete", group="兴趣", tag="护肤")
    company.settle()

    assert [item["cells"] for item in company.get("/sync/failures")["items"]] == [1]
    assert company.post(f"/customers/{one}/revive", None, expect=200)["cells"] == 1


@pytest.mark.both
def test_the_command_lists_failures_and_tries_them_again(
    company: Company, channel: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    one, _ = fail(company, channel, "silent_ok"), fail(company, channel, "silent_ok")
    terminal = open_terminal(company.settings.database_url, tmp_path, monkeypatch)

    assert UNCHANGED in terminal(sync_group, "failures").stdout
    assert terminal(sync_group, "revive", one).stdout == f"{one}：已重新排队 2 个标签（1 位客户）\n"
    assert "没有这个客户" in terminal(sync_group, "revive", "wm_nobody", expect=1).output
    assert terminal(sync_group, "revive", "--all", "--reason", "别的").stdout == "没有推送失败的标签\n"
    assert terminal(sync_group, "revive", "--all").stdout == "已重新排队 2 个标签（1 位客户）\n"
    terminal(sync_group, "revive", expect=2)
    terminal(sync_group, "revive", one, "--all", expect=2)
    assert terminal.json(sync_group, "failures") == {"items": []}


@pytest.mark.both
def test_conflicts_are_read_newest_first_by_state_and_customer(company: Company, channel: Any) -> None:
    people = [company.simulator.scan(channel["config_id"])["external_userid"] for _ in range(2)]
    company.settle()
    with company.runtime.write() as session:
        tags = {tag.key: tag.id for tag in session.scalars(select(Tag).where(Tag.name.in_(("护肤", "母婴"))))}
        first, second = tags
        for relation in session.scalars(select(Relation).order_by(Relation.id)).all():
            for state in ("open", "settled"):
                session.add(
                    SyncConflict(
                        kind="concurrent",
                        customer_id=relation.customer_id,
                        relation_id=relation.id,
                        tag_id=tags[first],
                        ours={"wanted": [tags[first]]},
                        theirs={"observed": [tags[first], tags[second]]},
                        state=state,
                        created_at=company.clock.now(),
                    )
                )

    newest = company.get("/sync/conflicts?limit=3")
    rest = company.get(f"/sync/conflicts?limit=3&cursor={newest['next_cursor']}")
    found = [*newest["items"], *rest["items"]]
    assert [item["id"] for item in found] == sorted((item["id"] for item in found), reverse=True)
    assert [item["external_userid"] for item in found] == [people[1], people[1], people[0], people[0]]
    (one,) = company.get(f"/sync/conflicts?state=open&external_userid={people[0]}")["items"]
    assert (one["kind"], one["state"], one["userid"], one["key"]) == ("concurrent", "open", "zhang", first)
    assert (one["ours"], one["theirs"]) == ([first], [first, second])
    refused = company.client.get("/api/v1/sync/conflicts?state=lost", headers=company.headers)
    assert refused.status_code == 422
