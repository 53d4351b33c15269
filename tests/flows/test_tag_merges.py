"""Merges, groups turned single and groups taken to WeCom, by API and command, as WeCom comes to see them."""

from pathlib import Path

import pytest

from tests.flows.company import Company
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.flows.test_repair_commands import Terminal, open_terminal
from wecom_app.cli.tags import tags_group


@pytest.fixture
def terminal(company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Terminal:
    return open_terminal(company.settings.database_url, tmp_path, monkeypatch)


def tag(company: Company, customer: str, *keys: str) -> None:
    edit(company, customer, add=keys)
    company.settle()
    company.simulator.calls.clear()


@pytest.mark.both
def test_a_merge_costs_one_call_a_relation_and_undoing_it_brings_everything_back(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    customer = known_customer(company)
    tag(company, customer, old)
    looked = company.get(f"/tags/{old}/merge-preview?into={new}")
    assert [looked[name] for name in ("customers_source", "customers_both", "relations", "calls")] == [1, 0, 1, 1]

    begun = company.post(f"/tags/{old}/merge", {"into": new}, 202)
    company.settle()

    done = company.get(f"/library-changes/{begun['id']}")
    assert (done["state"], done["changed"], done["words"]) == ("done", 1, "「老客」合并到「常客」")
    there = company.tags_there(customer)
    assert "常客" in there
    assert "老客" not in there
    assert len(company.simulator.calls.of(MARK)) == 1
    archived = company.get("/tags?archived=true")["items"]
    assert [(one["key"], one["merged_into"]) for one in archived] == [(old, new)]

    company.post(f"/tags/{old}/unmerge", {}, 202)
    company.settle()

    undone = company.get(f"/library-changes/{begun['id']}")
    assert (undone["state"], undone["restored"], undone["kept"]) == ("undone", 1, 0)
    assert "老客" in company.tags_here(customer)
    assert "常客" not in company.tags_here(customer)
    assert "老客" in company.tags_there(customer)
    assert "常客" not in company.tags_there(customer)
    assert company.post(f"/tags/{new}/unmerge", {}, 404)["error"] == "not_found"


def test_a_merge_and_its_undo_by_command(company: Company, terminal: Terminal) -> None:
    old, new = company.make_tags("老客", "常客")
    customer = known_customer(company)
    tag(company, customer, old)
    shown = terminal(tags_group, "merge", old, new, "--dry-run").stdout
    assert "有「老客」的客户：1" in shown
    assert "老客" in company.tags_here(customer)
    assert "完成：1 位客户已改" in terminal(tags_group, "merge", old, new, "--yes").stdout
    assert "常客" in company.tags_here(customer)
    assert "老客" not in company.tags_here(customer)
    assert "1 位客户恢复原样" in terminal(tags_group, "unmerge", old, "--yes").stdout
    assert "老客" in company.tags_here(customer)


@pytest.mark.both
def test_a_group_turns_single_once_who_holds_several_keeps_the_strongest(company: Company, terminal: Terminal) -> None:
    high, low = company.make_tags("高意向", "观望", group="意向")
    customer = known_customer(company)
    tag(company, customer, high, low)
    group = company.get("/tag-groups")["items"][0]["key"]
    edited = company.client.patch(f"/api/v1/tag-groups/{group}", json={"selection": "single"}, headers=company.headers)
    assert (edited.status_code, edited.get_json()["details"]) == (409, {"customers": 1})
    looked = company.get(f"/tag-groups/{group}/single-preview")
    assert (looked["customers"], looked["several"], looked["calls"]) == (1, 1, 1)
    assert [(one["key"], one["kept"], one["lost"]) for one in looked["values"]] == [(high, 1, 0), (low, 0, 1)]
    assert "「高意向」留下 1 位" in terminal(tags_group, "single", group, "--dry-run").stdout

    begun = company.post(f"/tag-groups/{group}/single", {}, 202)
    company.settle()

    assert company.get("/tag-groups")["items"][0]["selection"] == "single"
    assert company.tags_here(customer) & {"高意向", "观望"} == {"高意向"}
    assert company.tags_there(customer) & {"高意向", "观望"} == {"高意向"}
    company.post(f"/library-changes/{begun['id']}/undo", {}, 202)
    company.settle()
    assert company.get("/tag-groups")["items"][0]["selection"] == "multi"
    assert company.tags_here(customer) >= {"高意向", "观望"}
    assert company.tags_there(customer) & {"高意向", "观望"} == {"高意向", "观望"}


def test_back_to_multi_choice_is_an_edit_like_any_other(company: Company) -> None:
    high, low = company.make_tags("高意向", "观望", group="意向", selection="single")
    customer = known_customer(company)
    tag(company, customer, high)
    group = company.get("/tag-groups")["items"][0]["key"]
    answer = company.client.patch(f"/api/v1/tag-groups/{group}", json={"selection": "multi"}, headers=company.headers)
    assert answer.status_code == 200
    tag(company, customer, low)
    assert company.tags_here(customer) >= {"高意向", "观望"}


@pytest.mark.both
def test_a_group_that_stood_here_alone_is_taken_to_wecom_with_its_customers_for_what_the_preview_said(
    company: Company, terminal: Terminal
) -> None:
    (key, _) = company.make_tags("重点", "一般", group="内部", mirror="none")
    customer = known_customer(company)
    tag(company, customer, key)
    assert "重点" not in company.tags_there(customer)
    group = next(one["key"] for one in company.get("/tag-groups")["items"] if one["name"] == "内部")
    cost = company.get(f"/tag-groups/{group}/mirror-preview")
    assert [cost[name] for name in ("tags", "customers", "relations", "first_calls", "days")] == [2, 1, 1, 1, 1]
    assert cost["calls_a_day"] == 1.0
    assert cost["tags_most"] == 10_000
    said = terminal(tags_group, "mirror", group, "--dry-run").stdout
    assert "1 次打标调用，按现在的速度约 1 秒" in said
    assert "占每天可用次数的 不到 0.01%" in said
    told = terminal.json(tags_group, "mirror", group, "--dry-run")
    assert told["first_hours"] == cost["first_hours"] == pytest.approx(1 / 120_000)
    assert all(one["share"] == pytest.approx(one["calls_a_day"] / (24 * 120_000)) for one in (told, cost))
    edited = company.client.patch(f"/api/v1/tag-groups/{group}", json={"mirror": "push"}, headers=company.headers)
    assert edited.status_code == 409

    begun = company.post(f"/tag-groups/{group}/mirror", {}, 202)
    company.settle()

    assert "重点" in company.tags_there(customer)
    assert len(company.simulator.calls.of(MARK)) == 1
    assert company.post(f"/library-changes/{begun['id']}/undo", {}, 409)["error"] == "conflict"
    assert company.post(f"/tag-groups/{group}/mirror", {}, 409)["error"] == "conflict"
