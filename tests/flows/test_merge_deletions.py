"""The tag that a merge takes out of use deleted at WeCom: only once nobody bears it there, by itself, and undone."""

from pathlib import Path
from typing import Any

import pytest

from tests.flows.company import Company
from tests.flows.pulling import befriend, mark, pull
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.flows.test_merged_marks import here, merge, there
from tests.flows.test_repair_commands import open_terminal
from tests.flows.test_sync_races import act
from wecom_app.cli.tags import tags_group
from wecom_app.services.library_deletions import DELETE
from wecom_app.services.runtime import SimulatedCrash


def names_there(company: Company) -> set[str]:
    """Return the tags that WeCom's library has."""
    tags = (tag for group in company.runtime.wecom.list_corp_tags() for tag in group.tags if not tag.deleted)
    return {tag.name for tag in tags} & {"老客", "常客", "熟客"}


def wait(company: Company, seconds: float = 180) -> None:
    company.settle_later(seconds, step=30)


def merged_tag(company: Company, change: Any) -> tuple[str, str | None]:
    found = company.get(f"/library-changes/{change['id']}")["merged_tag"]
    return found["state"], found["reason"]


def held_by(company: Company, key: str, count: int = 1) -> list[str]:
    """Return customers who have the tag, here and at WeCom."""
    customers = [known_customer(company) for _ in range(count)]
    for customer in customers:
        edit(company, customer, add=[key])
    company.settle()
    return customers


@pytest.mark.both
def test_the_tag_is_deleted_by_itself_after_its_marks_and_undoing_makes_it_anew(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    before = wecom_id(company, "老客")
    company.simulator.calls.clear()

    change = merge(company, old, new, delete_at_wecom=True)
    wait(company)

    assert merged_tag(company, change) == ("deleted", None)
    assert (names_there(company), there(company, customer)) == ({"常客"}, {"常客"})
    calls = [call.api for call in company.simulator.calls if call.api in (MARK, DELETE)]
    assert calls == [MARK, DELETE]
    assert company.post(f"/tags/{old}/recreate", {}, 409)["error"] == "conflict"

    company.post(f"/tags/{old}/unmerge", {}, 202)
    wait(company)

    undone = company.get(f"/library-changes/{change['id']}")
    assert (undone["state"], undone["restored"], undone["kept"], undone["merged_tag"]) == ("undone", 1, 0, None)
    assert (here(company, customer), there(company, customer)) == ({"老客"}, {"老客"})
    assert wecom_id(company, "老客") not in (None, before)
    company.simulator.calls.clear()
    pull(company)
    assert company.simulator.calls.of(MARK) == []
    assert company.get("/sync/conflicts?state=open")["items"] == []


def wecom_id(company: Company, name: str) -> str | None:
    tags = (tag for group in company.runtime.wecom.list_corp_tags() for tag in group.tags)
    return next((tag.id for tag in tags if tag.name == name), None)


@pytest.mark.both
def test_it_is_not_deleted_while_a_mark_is_left_and_says_why(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    first, second = held_by(company, old, 2)
    company.simulator.faults.add(MARK, "silent_ok", times=3)

    change = merge(company, old, new, delete_at_wecom=True)
    wait(company)

    state, reason = merged_tag(company, change)
    assert (state, "1 个好友关系没能移除它" in (reason or "")) == ("waiting", True)
    assert "老客" in names_there(company)
    assert {*there(company, first), *there(company, second)} == {"老客", "常客"}

    company.post("/sync/revive", {}, 200)
    wait(company)

    assert merged_tag(company, change) == ("deleted", None)
    assert (there(company, first), there(company, second)) == ({"常客"}, {"常客"})


def test_a_mark_that_a_member_sets_while_the_tag_waits_moves_before_it_is_deleted(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    held_by(company, old)
    late = known_customer(company)
    company.simulator.faults.add(MARK, "errcode", errcode=-1, times=2)
    change = merge(company, old, new, delete_at_wecom=True)
    mark(company, "zhang", late, "老客")

    wait(company, 600)

    assert merged_tag(company, change) == ("deleted", None)
    assert (here(company, late), there(company, late)) == ({"常客"}, {"常客"})


@pytest.mark.both
def test_a_mark_that_is_seen_after_the_last_count_stops_the_deletion(company: Company) -> None:
    """Between the job that counts and the call to WeCom a member puts the tag on once more."""
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    late = known_customer(company)

    def put_on(name: str) -> None:
        if name == "merge_deletion.asked":
            company.crash_hook = None
            company.simulator.faults.add("externalcontact/get_corp_tag_list", "down", times=2)
            company.simulator.faults.add(MARK, "down")
            mark(company, "zhang", late, "老客")

    company.crash_hook = put_on
    change = merge(company, old, new, delete_at_wecom=True)
    wait(company, 300)
    assert (merged_tag(company, change)[0], "老客" in names_there(company)) == ("waiting", True)
    company.simulator.faults.put({"rules": []})
    wait(company, 1800)

    assert merged_tag(company, change) == ("deleted", None)
    assert (there(company, customer), there(company, late)) == ({"常客"}, {"常客"})


PLACES = [
    "library_change.after_page",
    "sync.before_push",
    "sync.after_push",
    "sync.after_look",
    "merge_deletion.counted",
    "merge_deletion.asked",
    "library.before_delete",
    "library.after_delete",
]


@pytest.mark.parametrize("place", PLACES)
def test_a_process_that_dies_between_two_steps_of_a_merge_goes_on_after_the_restart(
    company: Company, place: str
) -> None:
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    died: list[str] = []

    def die(name: str) -> None:
        if name == place and not died:
            died.append(name)
            raise SimulatedCrash(name)

    company.crash_hook = die
    begun = company.post(f"/tags/{old}/merge", {"into": new, "delete_at_wecom": True}, 202)
    with pytest.raises(SimulatedCrash):
        wait(company)
    company.restart()
    wait(company, 600)

    assert merged_tag(company, begun) == ("deleted", None)
    assert (here(company, customer), there(company, customer)) == ({"常客"}, {"常客"})
    assert names_there(company) == {"常客"}


@pytest.mark.parametrize("place", ["library_change.after_page", "library.before_create", "library.after_create"])
def test_a_process_that_dies_while_the_deleted_tag_is_made_anew_goes_on(company: Company, place: str) -> None:
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    merge(company, old, new, delete_at_wecom=True)
    wait(company)
    died: list[str] = []

    def die(name: str) -> None:
        if name == place and not died:
            died.append(name)
            raise SimulatedCrash(name)

    company.crash_hook = die
    company.post(f"/tags/{old}/unmerge", {}, 202)
    with pytest.raises(SimulatedCrash):
        wait(company)
    company.restart()
    wait(company, 600)

    assert (here(company, customer), there(company, customer)) == ({"老客"}, {"老客"})
    assert names_there(company) == {"老客", "常客"}


@pytest.mark.both
def test_with_wecom_down_nothing_is_deleted_and_all_of_it_happens_afterwards(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    company.simulator.faults.add("*", "down")
    change = merge(company, old, new, delete_at_wecom=True)
    wait(company, 300)
    assert merged_tag(company, change) == ("waiting", "还有 1 个好友关系没有换完、核对完")

    company.simulator.faults.put({"rules": []})
    wait(company, 1800)

    assert merged_tag(company, change) == ("deleted", None)
    assert there(company, customer) == {"常客"}


@pytest.mark.both
def test_a_refusal_of_wecom_is_shown_and_tried_again_on_demand(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    held_by(company, old)
    company.simulator.faults.add(DELETE, "errcode", errcode=40058, times=1)
    change = merge(company, old, new, delete_at_wecom=True)
    wait(company)
    state, reason = merged_tag(company, change)
    assert (state, "40058" in (reason or "")) == ("failed", True)

    company.post(f"/tags/{old}/retry", {}, 200)
    wait(company)

    assert merged_tag(company, change) == ("deleted", None)


def test_what_was_not_chosen_with_the_merge_can_be_chosen_later(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    held_by(company, old)
    change = merge(company, old, new)
    wait(company)
    assert (merged_tag(company, change), "老客" in names_there(company)) == (("kept", None), True)

    company.post(f"/tags/{old}/deletion", {}, 202)
    wait(company)

    assert merged_tag(company, change) == ("deleted", None)


def test_undoing_while_the_deletion_waits_calls_it_off(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    company.simulator.faults.add(MARK, "errcode", errcode=-1, times=2)
    merge(company, old, new, delete_at_wecom=True)

    company.post(f"/tags/{old}/unmerge", {}, 202)
    wait(company, 600)

    assert names_there(company) == {"老客", "常客"}
    assert (here(company, customer), there(company, customer)) == ({"老客"}, {"老客"})


def test_a_mark_that_came_while_the_tag_went_does_not_pass_for_a_removal_of_the_one_made_anew(company: Company) -> None:
    """What WeCom showed of the old tag says nothing of the new one under another id."""
    old, new = company.make_tags("老客", "常客")
    (customer,) = held_by(company, old)
    late = known_customer(company)

    def put_on(name: str) -> None:
        if name == "library.before_delete":
            company.crash_hook = None
            mark(company, "zhang", late, "老客")
            company.simulator.run_until_idle()

    company.crash_hook = put_on
    merge(company, old, new, delete_at_wecom=True)
    wait(company)
    company.post(f"/tags/{old}/unmerge", {}, 202)
    wait(company)
    act(company, late, "老客", add=True)
    wait(company)

    assert here(company, customer) == there(company, customer) == {"老客"}
    assert "老客" in here(company, late) & there(company, late)
    assert company.get("/sync/conflicts?state=open")["items"] == []


def test_a_tag_that_another_made_cannot_be_chosen_for_deletion(company: Company) -> None:
    company.simulator.act("admin", "group_create", group="后台组", names=["老客"])
    company.settle()
    pull(company)
    (new,) = company.make_tags("常客")
    (old,) = [tag["key"] for tag in company.get("/tags?limit=200")["items"] if tag["name"] == "老客"]
    assert "只能在那里删除" in company.get(f"/tags/{old}/merge-preview?into={new}")["deletion_refusal"]
    company.post(f"/tags/{old}/merge", {"into": new, "delete_at_wecom": True}, 409)
    change = merge(company, old, new)
    assert merged_tag(company, change)[0] == "kept"


def test_by_command_the_choice_is_explained_and_made(
    company: Company, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    old, new = company.make_tags("老客", "常客")
    held_by(company, old)
    terminal = open_terminal(company.settings.database_url, tmp_path, monkeypatch)
    shown = terminal(tags_group, "merge", old, new, "--delete-at-wecom", "--dry-run").stdout
    assert "在企业微信里删除不能恢复" in shown
    assert "等客户换完标签后" in terminal(tags_group, "merge", old, new, "--delete-at-wecom", "--yes").stdout
    (change,) = company.get("/library-changes")["items"]
    assert merged_tag(company, change)[0] == "waiting"


def test_a_full_pull_in_the_middle_finds_nothing_to_adopt(company: Company) -> None:
    old, new = company.make_tags("老客", "常客")
    held_by(company, old, 2)
    befriend(company, "wang", 2)
    company.settle()
    company.simulator.faults.add(MARK, "lost_reply", times=1)
    change = merge(company, old, new, delete_at_wecom=True)
    run = pull(company)
    wait(company, 600)
    assert run.counts.get("adopted", 0) == 0
    assert merged_tag(company, change) == ("deleted", None)
    assert company.get("/sync/conflicts?state=open")["items"] == []
