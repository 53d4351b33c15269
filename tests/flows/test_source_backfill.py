"""Source tags for customers from before go-live: counted first, given page by page, never twice, and put back."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.definitions import names_there
from tests.flows.pulling import befriend, deafen, go_live, pull, unmark, view
from tests.flows.test_repair_commands import open_terminal
from tests.web.browsing import local_admin
from wecom_app.cli.sync import sync_group
from wecom_app.models import Customer, Relation
from wecom_app.services import runs, source_backfill
from wecom_app.services.runtime import SimulatedCrash

CARD, ASSIGNED = 3, 202


def old_customers(company: Company) -> dict[str, str]:
    """Return customers who were there before us, by how they came."""
    (care,) = company.make_tags("护肤")
    channel = company.make_channel(name="门店海报", tags=[care])
    deafen(company)
    found = {
        "channel": company.simulator.scan(channel["config_id"])["external_userid"],
        "card": befriend(company, "zhang", 1, add_way=CARD)[0],
        "foreign": befriend(company, "zhang", 1, add_way=1, state="other_tool")[0],
        "handed over": befriend(company, "wang", 1, add_way=ASSIGNED)[0],
    }
    go_live(company)
    assert pull(company).state == "done"
    return found


def fill(company: Company, seconds: float = 60) -> runs.RunView:
    """Give the source tags; return the run at its end."""
    started = company.post("/sync/sources", {})
    company.settle_later(seconds)
    return view(company, started["id"])


@pytest.mark.both
def test_everybody_gets_the_tag_of_how_he_came_as_counted_before_and_an_undo_takes_it_back(company: Company) -> None:
    of = old_customers(company)
    before = company.get("/sync/sources")
    assert {(one["kind"], one["name"], one["customers"], *one["tags"]) for one in before["shares"]} == {
        ("channel", "门店海报", 1, "护肤"),
        ("add_way", "名片分享", 1, "名片分享"),
        ("unknown", "来源未识别", 1, "来源未识别"),
    }
    assert (before["relations"], before["handed_over"], before["customers"], before["calls"]) == (4, 1, 3, 3)

    run = fill(company)

    assert (run.state, run.counts["assigned"], run.counts["handed_over"]) == ("done", 3, 1)
    wanted = {"channel": {"护肤"}, "card": {"名片分享"}, "foreign": {"来源未识别"}, "handed over": set()}
    for how, tags in wanted.items():
        assert company.tags_here(of[how]) == tags, how
        assert company.tags_there(of[how], "wang" if how == "handed over" else "zhang") == tags, how
    assert company.get("/sync/sources")["customers"] == 0

    company.post(f"/sync/runs/{run.id}/undo", {})
    company.settle_later(60)
    assert all(company.tags_here(one) == set() == company.tags_there(one) for one in of.values())


@pytest.mark.both
def test_the_tags_that_an_undone_run_made_are_archived_on_request_and_come_back_with_the_next_run(
    company: Company,
) -> None:
    of = old_customers(company)
    run = fill(company)
    admin = local_admin(company)
    page = f"/admin/sync/runs/{run.id}"
    assert "现在没有客户了" not in admin.get(page).get_data(as_text=True)
    company.post(f"/sync/runs/{run.id}/undo", {})
    company.settle_later(60)
    text = admin.get(page).get_data(as_text=True)
    assert "归档这 2 个标签" in text
    assert "现在没有客户了" in admin.get(f"/admin/sync/runs/{run.id + 1}").get_data(as_text=True)

    admin.send("POST", f"{page}/leftovers")

    assert source_tags(company) == set()
    assert "现在没有客户了" not in admin.get(page).get_data(as_text=True)
    fill(company)
    assert source_tags(company) == {"名片分享", "来源未识别"}
    assert company.tags_here(of["card"]) == {"名片分享"} == company.tags_there(of["card"])
    assert set(names_there(company, "获客来源")) == {"名片分享", "来源未识别"}


def source_tags(company: Company) -> set[str]:
    return {tag["name"] for tag in company.get("/tags")["items"] if tag["group"] == "basic_info.source"}


def test_running_again_changes_nothing_and_what_a_person_took_off_stays_off(company: Company) -> None:
    of = old_customers(company)
    fill(company)
    unmark(company, "zhang", of["card"], "名片分享", group="获客来源")
    pull(company, seconds=30)

    assert company.get("/sync/sources")["customers"] == 0
    again = fill(company)

    assert (again.state, again.counts.get("assigned", 0)) == ("done", 0)
    assert company.tags_here(of["card"]) == set()


def test_a_customer_who_was_never_read_is_counted_as_such_and_gets_nothing(company: Company) -> None:
    of = old_customers(company)
    with company.runtime.write() as session:
        relation = session.scalars(select(Relation).join(Customer).where(Customer.external_userid == of["card"])).one()
        relation.add_way = None

    assert company.get("/sync/sources")["unread"] == 1
    assert fill(company).counts["unread"] == 1
    assert company.tags_here(of["card"]) == set()


def test_a_crash_in_a_page_and_a_stop_go_on_where_they_were(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    deafen(company)
    people = befriend(company, "zhang", 5, add_way=CARD)
    go_live(company)
    pull(company)
    monkeypatch.setattr(source_backfill, "MOST_ON_PAGE", 2)
    pages: list[str] = []

    def crash(point: str) -> None:
        if point == "sources.before_commit":
            pages.append(point)
            if len(pages) == 2:
                raise SimulatedCrash(point)

    company.crash_hook = crash
    run_id = company.post("/sync/sources", {})["id"]
    with pytest.raises(SimulatedCrash):
        company.settle()
    assert view(company, run_id).progress.done == 2
    company.crash_hook = None
    company.restart()
    company.post(f"/sync/runs/{run_id}/stop", {}, expect=200)
    company.settle_later(60)
    assert sum(company.tags_here(one) != set() for one in people) == 2
    company.post(f"/sync/runs/{run_id}/resume", {}, expect=200)
    company.settle_later(60)

    done = view(company, run_id)
    assert (done.state, done.counts["assigned"], done.counts["contacts"]) == ("done", 5, 5)
    assert all(company.tags_there(one) == {"名片分享"} for one in people)


def test_it_is_refused_beside_a_full_pull_and_beside_itself(company: Company) -> None:
    old_customers(company)
    company.post("/sync/runs", {})
    assert "全量同步还没有结束" in company.post("/sync/sources", {}, expect=409)["message"]
    company.settle_later(30)
    first = company.post("/sync/sources", {})
    assert company.post("/sync/sources", {}, expect=409)["details"] == {"run_id": first["id"]}


def test_the_terminal_counts_without_a_change_and_then_asks_for_it(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    of = old_customers(company)
    company.clock.advance(max(0, (datetime.now(UTC) - company.clock.now()).total_seconds() + 3600))
    terminal = open_terminal(company.settings.database_url, tmp_path, monkeypatch)
    shown = terminal(sync_group, "backfill", "--dry-run").stdout
    assert "名片分享" in shown
    assert company.tags_here(of["card"]) == set()
    assert terminal.json(sync_group, "backfill", "--dry-run")["customers"] == 3
    terminal(sync_group, "backfill")
    company.settle_later(60)
    assert company.tags_here(of["card"]) == {"名片分享"}
