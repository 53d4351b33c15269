"""What random histories meet too rarely, one by one: questions in the middle of a push, requests carried out late,
the number of conflict rows, the policies of a page, pages that fail in the middle, and two processes at one customer.
"""

import threading
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.pulling import GET, PAGES, befriend, deafen, go_live, mark, pull, states, unmark, view
from tests.flows.test_channels import once
from tests.flows.test_library_changes import conflicts
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.services.waiting import wait_until_blocked
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import Customer, CustomerTag, Tag, TagGroup
from wecom_app.services import customers, library, runs, sequence, tagging
from wecom_app.services.history import Act
from wecom_app.services.tagging import TagChange


def act(company: Company, external_userid: str, name: str, *, add: bool) -> None:
    """Let a person put a tag on or take it off here, as the sidebar does."""
    with company.runtime.write() as session:
        customer_id = session.scalars(select(Customer.id).where(Customer.external_userid == external_userid)).one()
        tag_id = session.scalars(select(Tag.id).where(Tag.name == name)).one()
        change = TagChange(customer_id, tag_id, add, Source(SourceKind.MANUAL, "", "zhang"))
        now = company.clock.now()
        tagging.apply(session, [change], Act("staff", actor_ref="zhang"), queue=company.runtime.queue, now=now)


def test_pushes_that_were_planned_are_made_although_another_tag_had_to_be_asked_about(company: Company) -> None:
    """A tag is missing on one friendship, so WeCom's library is asked first; what waits for the other is not lost."""
    old, new = company.make_tags("护肤", "母婴")
    customer = known_customer(company)
    company.simulator.act("wang", "add", external_userid=customer)
    company.settle()
    edit(company, customer, add=[old])
    company.settle()
    deafen(company)
    unmark(company, "wang", customer, "护肤")
    company.simulator.calls.clear()

    edit(company, customer, add=[new])
    company.settle()

    assert "母婴" in company.tags_there(customer) & company.tags_there(customer, "wang")
    assert [call.errcode for call in company.simulator.calls.of(MARK)] == [0] * 3  # 母婴 on both, 护肤 off zhang's
    assert conflicts(company) == []


def test_a_tag_that_cannot_be_known_yet_does_not_send_the_looks_round_in_circles(company: Company) -> None:
    """Its name is held by a tag whose deletion waits for a person: each look reads the library once and goes on."""
    company.make_tags(*[f"标签{number}" for number in range(25)])
    (other,) = company.make_tags("护肤", group="护理")
    customer = known_customer(company)
    company.simulator.act("wang", "add", external_userid=customer)
    company.settle()
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle()
    deafen(company)
    company.simulator.act("admin", "tag_create", group="兴趣", name="标签0")
    mark(company, "wang", customer, "标签0")
    company.simulator.calls.clear()

    edit(company, customer, add=[other])
    company.runtime.run_until_idle(max_steps=50)

    assert "护肤" in company.tags_there(customer) & company.tags_there(customer, "wang")
    assert len(company.simulator.calls.of(GET)) <= 3


def test_a_held_deletion_on_one_friendship_does_not_send_the_looks_round_in_circles(company: Company) -> None:
    """The other friendship never got the tag: its part of each answer must not pass for a later look at itself."""
    keys = company.make_tags(*[f"标签{number}" for number in range(25)])
    (other,) = company.make_tags("护肤", group="护理")
    customer = known_customer(company)
    edit(company, customer, add=[keys[0]])
    company.settle()
    company.simulator.faults.add(MARK, "errcode", errcode=-1, times=3)
    company.simulator.act("wang", "add", external_userid=customer)
    company.settle()
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle_later(60)
    company.simulator.calls.clear()

    edit(company, customer, add=[other])
    company.runtime.run_until_idle(max_steps=50)
    assert "护肤" in company.tags_there(customer) & company.tags_there(customer, "wang")
    assert len(company.simulator.calls.of(GET)) <= 3


def test_a_value_that_moves_away_from_a_tag_whose_deletion_is_held_says_why_wecom_is_not_told(company: Company) -> None:
    company.make_tags(*[f"标签{number}" for number in range(25)])
    silver, _ = company.make_tags("银", "铜", group="等级", selection="single")
    (other,) = company.make_tags("护肤", group="护理")
    customer = known_customer(company)
    edit(company, customer, add=[silver])
    company.settle()
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle()
    deafen(company)
    company.simulator.act("admin", "tag_delete", group="等级", tag="银")
    mark(company, "zhang", customer, "铜", group="等级")

    edit(company, customer, add=[other])
    company.settle()

    assert company.tags_here(customer) & {"银", "铜"} == {"铜"}
    (removing,) = company.get(f"/customers/{customer}")["removing"]
    assert (removing["key"], removing["reason"]) == (silver, "标签可能已在企业微信中删除，等管理员确认")


def test_a_page_that_does_not_count_forgets_nothing_that_was_seen_before_the_library_had_it(
    company: Company,
) -> None:
    """A member's tag whose name was held, a person's act after it, and a page that another act has overtaken."""
    company.make_tags(*[f"标签{number}" for number in range(25)])
    company.make_tags("银", "金", group="等级", selection="single")
    company.make_tags("护肤", group="护理")
    customer = known_customer(company)
    company.simulator.act("admin", "group_delete", group="兴趣")
    company.settle()
    deafen(company)
    company.simulator.act("admin", "tag_delete", group="等级", tag="银")
    company.simulator.act("admin", "tag_create", group="等级", name="银")
    mark(company, "zhang", customer, "银", group="等级")
    act(company, customer, "金", add=True)
    company.settle()
    with company.runtime.write() as session:
        (held,) = runs.list_runs(session, company.clock.now(), state="held")
        runs.approve(session, company.runtime.queue, held.id, "admin")
    company.settle()
    for _ in range(2):
        library.pull(company.runtime, {})

    company.crash_hook = once("pull.after_page", lambda: act(company, customer, "护肤", add=True))
    pull(company, seconds=30)

    assert company.tags_here(customer) & {"银", "金"} == {"金"}
    assert company.tags_there(customer) & {"银", "金"} == {"金"}
    assert "concurrent" in conflicts(company)


@pytest.mark.parametrize("kind", ["timeout", "lost_reply"])
def test_a_request_carried_out_as_its_time_runs_out_is_our_own_and_no_edit(company: Company, kind: str) -> None:
    (key,) = company.make_tags("护肤")
    customer = known_customer(company)
    company.simulator.faults.add(MARK, kind, times=1, applied=True)
    company.simulator.calls.clear()

    edit(company, customer, add=[key])
    company.settle()
    edit(company, customer, remove=[key])
    company.settle_later(60)

    assert "护肤" not in company.tags_here(customer) | company.tags_there(customer)
    assert len(company.simulator.calls.of(MARK)) == 2


def test_a_disagreement_leaves_one_row_however_often_it_is_looked_at_and_an_agreement_none(company: Company) -> None:
    key, other = company.make_tags("护肤", "母婴")
    customer = known_customer(company)
    edit(company, customer, add=[key, other])
    company.settle()
    deafen(company)
    unmark(company, "zhang", customer, "护肤", "母婴")
    act(company, customer, "护肤", add=False)
    act(company, customer, "母婴", add=False)
    act(company, customer, "护肤", add=True)

    for _ in range(2):
        pull(company, seconds=30)
        company.simulator.act("zhang", "remark", external_userid=customer, remark="老客")
        company.settle_later(30)

    assert conflicts(company) == ["concurrent"]
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)
    assert "母婴" not in company.tags_here(customer) | company.tags_there(customer)


@pytest.mark.parametrize(("mirror", "stands"), [("push", False), ("pull", True)])
def test_a_page_follows_the_groups_policy_and_says_so_once(company: Company, mirror: str, stands: bool) -> None:
    """Put on in WeCom, unheard: where WeCom follows us it is taken off again, where we follow it is taken over."""
    company.make_tags("护肤")
    customer = known_customer(company)
    with company.runtime.write() as session:
        session.execute(select(TagGroup).where(TagGroup.name == "兴趣")).scalar_one().mirror = mirror
    deafen(company)
    mark(company, "zhang", customer, "护肤")
    company.simulator.calls.clear()

    for _ in range(2):
        pull(company, seconds=30)

    assert ("护肤" in company.tags_here(customer), "护肤" in company.tags_there(customer)) == (stands, stands)
    assert conflicts(company) == ([] if stands else ["policy"])
    assert len(company.simulator.calls.of(MARK)) == (0 if stands else 1)


@pytest.mark.parametrize(
    "fault",
    [{"kind": "circle"}, {"kind": "doubled"}, {"kind": "partial"}, {"kind": "errcode", "errcode": 50100}],
    ids=lambda fault: fault["kind"],
)
def test_what_goes_wrong_on_the_third_page_of_seven_changes_nothing(company: Company, fault: Any) -> None:
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    known = befriend(company, "zhang", 7)
    for customer in known:
        mark(company, "zhang", customer, "护肤")
    company.settle()
    before = [company.get(f"/customers/{customer}") for customer in known]
    company.simulator.faults.put({"callbacks": {"loss": 1.0}, "batch_page_size": 1})
    pages: list[str] = []

    def spoil_the_third(point: str) -> None:
        pages.extend([point] if point == "pull.after_page" else [])
        if point == "pull.after_page" and len(pages) == 3:
            company.simulator.faults.add(PAGES, times=1, **fault)

    company.crash_hook = spoil_the_third
    run = pull(company, seconds=120)

    assert (run.state, run.counts.get("adopted", 0)) == ("done", 0)
    assert [company.get(f"/customers/{customer}") for customer in known] == before


def test_the_drift_of_a_pull_is_what_was_missed(company: Company) -> None:
    """Three marks, one of them taken off, and a friendship that ended: four differences, all mended."""
    keys = company.make_tags("护肤", "母婴", "数码")
    one, other, left = (known_customer(company) for _ in range(3))
    edit(company, one, add=keys[:1])
    company.settle()
    deafen(company)
    unmark(company, "zhang", one, "护肤")
    mark(company, "zhang", other, "母婴", "数码")
    company.simulator.act("zhang", "delete_customer", external_userid=left)

    first, second = pull(company, seconds=60), pull(company, seconds=60)

    assert view(company, first.id).drift == {"found": 4, "mended": 4, "pending": 0}
    assert second.drift == {"found": 0, "mended": 0, "pending": 0}
    assert states(company)[left] == "lost"


def test_a_friendship_that_two_short_answers_hid_comes_back_with_the_next_page(company: Company) -> None:
    (key,) = company.make_tags("护肤")
    company.settle()
    deafen(company)
    (customer,) = befriend(company, "zhang", 1)
    go_live(company)
    pull(company)
    edit(company, customer, add=[key])
    company.settle()
    company.simulator.faults.add(PAGES, "silent_ok", times=3)
    company.simulator.faults.add(GET, "errcode", errcode=84061, times=1)
    pull(company, seconds=30)
    hidden = states(company)

    company.simulator.calls.clear()
    pull(company, seconds=30)

    assert (hidden, states(company)) == ({customer: "lost"}, {customer: "active"})
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)
    assert conflicts(company) == []


@pytest.mark.both
def test_a_number_is_drawn_only_by_whoever_holds_the_customer(company: Company) -> None:
    """Two processes act on one customer: who waits for the other has the higher number, so that he counts as later."""
    company.make_tags("护肤")
    customer = known_customer(company)
    with company.runtime.read() as session:
        customer_id = session.execute(select(Customer.id).where(Customer.external_userid == customer)).scalar_one()

    second = threading.Thread(target=act, args=(company, customer, "护肤"), kwargs={"add": True})
    with company.runtime.write() as session:
        customers.lock(session, [customer_id])
        second.start()
        wait_until_blocked(second, company.runtime.database)
        first = sequence.draw(session)
    second.join()

    with company.runtime.read() as session:
        query = select(CustomerTag.ver).where(CustomerTag.relation_id == 0, CustomerTag.source_kind == "manual")
        assert session.execute(query).scalar_one() > first


@pytest.mark.parametrize("carried", [True, False])
def test_a_friendship_that_was_handed_over_is_looked_at_before_anything_is_written_to_it(
    company: Company, carried: bool
) -> None:
    """Whether WeCom takes tags along nobody knows; what a person took off meanwhile does not come back with them."""
    keys = company.make_tags("护肤", "母婴")
    customer = known_customer(company)
    edit(company, customer, add=keys)
    company.settle()
    company.clock.advance(60)
    company.hold_callbacks()
    company.simulator.act(
        "admin",
        "transfer",
        external_userid=customer,
        handover_userid="zhang",
        takeover_userid="wang",
        result="accept",
        carry_tags=carried,
    )
    act(company, customer, "母婴", add=False)
    company.simulator.calls.clear()

    company.release_callbacks()
    company.settle_later(30)

    apis = [call.api for call in company.simulator.calls if call.api in (GET, MARK)]
    assert apis[:1] == [GET]
    assert company.tags_here(customer) == company.tags_there(customer, "wang")
    assert "护肤" in company.tags_here(customer)
