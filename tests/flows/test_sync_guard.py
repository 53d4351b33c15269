"""What a full pull would end or write in great number waits for a person, who agrees to it, refuses or undoes it."""

import pytest

from tests.flows.company import Company
from tests.flows.pulling import GET, abandon, befriend, deafen, go_live, mark, pull, states, unmark, view, wiped
from tests.flows.test_channels import once
from tests.flows.test_mark_failures import MARK
from wecom_app.services import runs


@pytest.mark.both
def test_more_endings_than_a_tenth_wait_for_a_person_and_happen_once_he_agrees(company: Company) -> None:
    deafen(company)
    customers = befriend(company, "zhang", 25)
    go_live(company)
    pull(company)
    for external_userid in customers[:22]:
        company.simulator.act("zhang", "delete_customer", external_userid=external_userid)

    run = pull(company, seconds=30)

    assert run.state == "held"
    assert run.guard["deletions"]["absent"] == 22
    assert set(states(company).values()) == {"active"}
    company.simulator.act("zhang", "add", external_userid=customers[0])
    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.settle_later(60)
    assert view(company, run.id).state == "done"
    assert sorted(states(company).values()).count("lost") == 21


def test_a_rejected_run_ends_nothing(company: Company) -> None:
    abandon(company)
    run = pull(company)

    with company.runtime.write() as session:
        runs.reject(session, company.runtime.queue, run.id, "admin", company.clock.now())
    company.settle_later(60)

    assert view(company, run.id).state == "stopped"
    assert set(states(company).values()) == {"active"}


def test_marks_of_deleted_tags_count_for_nothing_where_a_tenth_is_the_limit(company: Company) -> None:
    """They are frozen: however many there are, they make room for no removal."""
    old = [f"旧{number}" for number in range(9)]
    company.simulator.act("admin", "group_create", group="旧标签", names=old)
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    deafen(company)
    customers = befriend(company, "zhang", 22)
    for external_userid in customers:
        mark(company, "zhang", external_userid, *old, group="旧标签")
        mark(company, "zhang", external_userid, "护肤")
    go_live(company)
    pull(company)
    company.simulator.act("admin", "group_delete", group="旧标签")
    pull(company)
    for external_userid in customers[:21]:
        unmark(company, "zhang", external_userid, "护肤")

    run = pull(company, seconds=30)

    assert run.state == "held"
    assert (run.guard["deletions"]["removals"], run.guard["deletions"]["marks"]) == (21, 22)


@pytest.mark.both
def test_a_wipe_of_marks_waits_for_a_person_and_can_be_undone_once_it_happened(company: Company) -> None:
    customers = wiped(company)

    run = pull(company, seconds=30)

    assert run.state == "held"
    assert run.guard["deletions"]["removals"] == 22
    assert company.tags_here(customers[0]) == {"护肤"}
    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.settle_later(60)
    assert company.tags_here(customers[0]) == set()

    with company.runtime.write() as session:
        undo_id = runs.start_undo(session, company.runtime.queue, run.id, "admin", company.clock.now()).id
    company.settle_later(60)
    assert view(company, undo_id).state == "done"
    assert view(company, undo_id).counts["restored"] == 22
    assert company.tags_there(customers[0]) == {"护肤"} == company.tags_here(customers[0])


@pytest.mark.both
def test_the_first_link_pushes_nothing_before_its_preview_was_approved(company: Company) -> None:
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    deafen(company)
    (shared,) = befriend(company, "zhang", 1)
    company.simulator.act("wang", "add", external_userid=shared)
    mark(company, "zhang", shared, "护肤")
    go_live(company)
    company.simulator.calls.clear()

    run = pull(company, seconds=30)

    assert run.state == "held"
    assert run.guard["first_link"]["push_relations"] == 1
    assert company.simulator.calls.of(MARK) == []
    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.settle_later(30)
    assert view(company, run.id).state == "done"
    assert company.tags_there(shared, "wang") == {"护肤"}


def test_the_preview_of_a_first_link_waits_for_looks_at_customers_whom_the_pages_left_in_doubt(
    company: Company,
) -> None:
    """What it says is what will be written: how many friendships and marks, and how long that takes."""
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤", "母婴"])
    deafen(company)
    (shared,) = befriend(company, "zhang", 1)
    company.simulator.act("wang", "add", external_userid=shared)
    mark(company, "zhang", shared, "护肤")
    mark(company, "wang", shared, "母婴")
    go_live(company)
    company.simulator.faults.add(GET, "errcode", errcode=-1, times=1)
    company.simulator.calls.clear()
    # The colleagues' pages are answered before the first one is taken in, and so cannot tell what is newer.
    company.crash_hook = once("pull.after_page", company.settle)

    run = pull(company, seconds=120)

    told = run.guard["first_link"]
    assert (told["push_relations"], told["push_marks"], told["push_seconds"]) == (2, 2, 1)
    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.settle_later(30)
    assert len(company.simulator.calls.of(MARK)) == 2
