"""A full pull finds what no callback told of, and ends nothing because of one answer."""

import pytest
from sqlalchemy import select

from tests.flows.company import Company, open_company
from tests.flows.pulling import (
    GET,
    MEMBERS,
    PAGES,
    befriend,
    begin,
    deafen,
    go_live,
    items,
    mark,
    pull,
    states,
    unmark,
    view,
)
from tests.flows.test_mark_failures import MARK, edit, known_customer
from wecom_app.clock import ManualClock
from wecom_app.errors import Conflict
from wecom_app.models import Customer, SyncConflict
from wecom_app.services import pull_chains, runs, watch
from wecom_app.services.runtime import SimulatedCrash


@pytest.mark.both
def test_a_pull_brings_every_customer_from_before_go_live_with_tags(company: Company) -> None:
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤", "母婴"])
    deafen(company)
    old = befriend(company, "zhang", 3) + befriend(company, "wang", 2)
    mark(company, "zhang", old[0], "护肤")
    go_live(company)

    run = pull(company)

    assert run.state == "done"
    assert company.tags_here(old[0]) == {"护肤"}
    assert states(company) == dict.fromkeys(old, "active")
    assert (run.counts["contacts"], run.counts["new"], run.counts["adopted"]) == (5, 5, 1)


@pytest.mark.both
def test_texts_that_are_longer_than_their_room_hold_up_neither_page_nor_look(company: Company) -> None:
    deafen(company)
    (external_userid,) = befriend(company, "zhang", 1)
    contact = company.simulator.world.customers.find(external_userid)
    assert contact is not None
    contact.name, contact.type, contact.corp_name = "名" * 200, 2, "公" * 300
    contact.avatar = "https://wework.qpic.cn/" + "a" * 3000
    go_live(company)

    assert pull(company).state == "done"
    company.simulator.faults.put({})
    company.simulator.act("zhang", "remark", external_userid=external_userid, remark="老客")
    company.settle()

    assert company.get(f"/customers/{external_userid}")["name"] == "名" * 128
    with company.runtime.read() as session:
        kept = session.execute(select(Customer.corp_name, Customer.avatar)).one()
    assert tuple(kept) == ("公" * 128, None)


@pytest.mark.both
def test_one_pull_is_enough_after_every_callback_was_lost(company: Company) -> None:
    """Marks put on and taken off, friendships begun and ended: all of it unheard."""
    keys = company.make_tags("护肤", "母婴")
    kept, left = known_customer(company), known_customer(company)
    edit(company, kept, add=keys[:1])
    company.settle()
    deafen(company)
    mark(company, "zhang", kept, "母婴")
    unmark(company, "zhang", kept, "护肤")
    company.simulator.act("zhang", "delete_customer", external_userid=left)
    (new,) = befriend(company, "wang", 1)

    run = pull(company, seconds=30)

    assert run.state == "done"
    assert "母婴" in company.tags_here(kept)
    assert "护肤" not in company.tags_here(kept)
    assert states(company) == {kept: "active", left: "lost", new: "active"}
    assert company.tags_here(kept) == company.tags_there(kept)
    assert view(company, run.id).drift["pending"] == 0


def test_at_rest_a_pull_writes_nothing_to_wecom_and_changes_no_tag(company: Company) -> None:
    keys = company.make_tags("护肤")
    customer = known_customer(company)
    edit(company, customer, add=keys)
    company.settle()
    before = company.get(f"/customers/{customer}")
    company.simulator.calls.clear()

    run = pull(company, seconds=30)

    assert (run.state, run.drift) == ("done", {"found": 0, "mended": 0, "pending": 0})
    assert company.simulator.calls.of(MARK) == []
    assert company.simulator.calls.of(GET) == []
    assert company.get(f"/customers/{customer}") == before


@pytest.mark.both
def test_a_pull_goes_on_where_it_was_killed(database_url: str, clock: ManualClock) -> None:
    company = open_company(database_url, clock)
    deafen(company)
    befriend(company, "zhang", 7)
    go_live(company)
    company.simulator.faults.put({"callbacks": {"loss": 1.0}, "batch_page_size": 2})
    run_id = begin(company)
    for point in ("pull.after_members", "pull.after_page", "pull.after_slice", "pull.before_commit", "pull.after_step"):
        _crash_at(company, point)
        company.clock.advance(700)
    company.settle_later(60)

    run = view(company, run_id)
    assert run.state == "done"
    assert len(states(company)) == 7
    assert run.counts["pages"] == 4 + 2  # zhang's four and one of each colleague: none was counted twice
    company.close()


def _crash_at(company: Company, point: str) -> None:
    def crash(name: str) -> None:
        if name == point:
            raise SimulatedCrash(name)

    company.crash_hook = crash
    with pytest.raises(SimulatedCrash):
        company.settle_later(30)
    company.crash_hook = None
    company.restart()


@pytest.mark.parametrize("answer", ["empty", "short", "refused", "unreachable", "html"])
def test_an_answer_that_hides_customers_ends_no_friendship(company: Company, answer: str) -> None:
    customers = [known_customer(company) for _ in range(3)]
    deafen(company)
    kinds = {
        "empty": {"kind": "silent_ok"},
        "short": {"kind": "partial"},
        "refused": {"errcode": 84061},
        "unreachable": {"kind": "down", "times": 3},
        "html": {"kind": "html", "times": 3},
    }
    company.simulator.faults.add(PAGES, **kinds[answer])

    run = pull(company, seconds=600)

    assert run.state == "done"
    assert states(company) == dict.fromkeys(customers, "active")


def test_an_empty_list_of_members_stops_the_pull(company: Company) -> None:
    customer = known_customer(company)
    company.simulator.faults.add(MEMBERS, "silent_ok")

    run = pull(company)

    assert run.state == "failed"
    assert "名单是空的" in (run.reason or "")
    assert states(company) == {customer: "active"}


@pytest.mark.parametrize("errcode", [84061, 701008, 60011])
def test_a_member_who_cannot_be_read_is_shown_and_keeps_his_customers(company: Company, errcode: int) -> None:
    customer = known_customer(company)
    company.simulator.faults.add(PAGES, "errcode", errcode=errcode)
    company.simulator.faults.add(GET, "errcode", errcode=84061)

    run = pull(company, seconds=60)

    assert "zhang" in [item.subject for item in items(company, run.id, "unreadable")]
    assert states(company) == {customer: "active"}


def test_members_without_a_licence_among_others_are_told_and_counted_once(
    company: Company, monkeypatch: pytest.MonkeyPatch
) -> None:
    """Every page of theirs names them again."""
    monkeypatch.setattr(pull_chains, "CHAINS", 1)
    known_customer(company)
    befriend(company, "zhang", 3)
    company.settle()
    wang = company.simulator.world.members.find("wang")
    assert wang is not None
    wang.licensed = False
    company.simulator.faults.put({"batch_page_size": 1})

    run = pull(company, seconds=60)

    assert (run.counts["pages"], run.counts["contacts"], run.counts["unreadable"]) == (4, 4, 1)
    assert [item.subject for item in items(company, run.id, "unreadable")] == ["wang"]


def test_a_member_without_customers_is_read_though_wecom_answers_with_an_error(company: Company) -> None:
    """84061 is WeCom's word for an empty list."""
    customer = known_customer(company)
    company.simulator.faults.add(PAGES, "errcode", errcode=84061)

    run = pull(company, seconds=60)

    assert [item.subject for item in items(company, run.id, "unreadable")] == ["zhang"]
    assert run.counts["unreadable"] == 1 < run.counts["members"]
    assert states(company) == {customer: "active"}


def test_pages_that_go_round_in_circles_are_given_up(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    customer = known_customer(company)
    asked = []
    gateway = company.runtime.wecom
    read = gateway.list_contacts

    def circling(userids: list[str], cursor: str | None = None, limit: int = 100) -> object:
        asked.append(cursor)
        found = read(userids, None)
        following = {None: "a", "a": "b", "b": "c", "c": "a"}[cursor]
        return type(found)(found.contacts, following)

    monkeypatch.setattr(gateway, "list_contacts", circling)

    run = pull(company, seconds=60)

    assert run.state == "done"
    assert len(asked) < 60
    assert items(company, run.id, "failed")
    assert states(company) == {customer: "active"}


@pytest.mark.both
def test_a_pull_whose_process_ended_again_and_again_says_so_and_can_be_gone_on_with(
    database_url: str, clock: ManualClock
) -> None:
    company = open_company(database_url, clock)
    deafen(company)
    befriend(company, "zhang", 2)
    go_live(company)
    run_id = begin(company)
    for _ in range(5):
        _crash_at(company, "pull.after_members")
        company.clock.advance(700)
    watch.request(company.runtime)
    company.settle_later(30)

    run = view(company, run_id)
    assert (run.state, "可以从停下的地方继续" in (run.reason or "")) == ("failed", True)
    with company.runtime.write() as session:
        runs.resume(session, company.runtime.queue, run_id, "admin")
    watch.request(company.runtime)
    company.settle_later(30)
    assert (view(company, run_id).state, len(states(company))) == ("done", 2)
    company.close()


def test_there_is_one_pull_at_a_time_and_it_can_be_stopped_and_resumed(company: Company) -> None:
    deafen(company)
    befriend(company, "zhang", 3)
    go_live(company)
    run_id = begin(company)
    with pytest.raises(Conflict):
        begin(company)

    with company.runtime.write() as session:
        runs.stop(session, run_id, "admin", company.clock.now())
    company.settle()
    assert states(company) == {}
    with company.runtime.write() as session:
        runs.resume(session, company.runtime.queue, run_id, "admin")
    company.settle()

    assert view(company, run_id).state == "done"
    assert len(states(company)) == 3


@pytest.mark.both
@pytest.mark.parametrize("change", ["add", "remove"])
def test_an_edit_carried_to_wecom_while_a_page_is_under_way_outlives_the_page(company: Company, change: str) -> None:
    """The page shows what stood before the edit: it is older, however late it is taken in."""
    (key,) = company.make_tags("护肤")
    customer = known_customer(company)
    if change == "remove":
        edit(company, customer, add=[key])
        company.settle()
    edits: list[str] = []

    def edit_now(point: str) -> None:
        if point == "pull.after_page" and not edits:
            edits.append(point)
            edit(company, customer, **{change: [key]})
            company.runtime.run_until_idle()

    company.crash_hook = edit_now
    run = pull(company, seconds=30)

    assert (run.state, edits) == ("done", ["pull.after_page"])
    assert ("护肤" in company.tags_here(customer)) is (change == "add")
    assert company.tags_here(customer) == company.tags_there(customer)
    with company.runtime.read() as session:
        assert session.scalars(select(SyncConflict.id)).all() == []
