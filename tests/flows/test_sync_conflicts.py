"""A person's word on what the two sides disagreed on: what stands here stays, or WeCom's value is taken over."""

from datetime import UTC, datetime
from pathlib import Path

import pytest
from sqlalchemy import select, update

from tests.flows.company import Company
from tests.flows.pulling import unmark
from tests.flows.test_mark_failures import MARK, edit, known_customer
from tests.flows.test_repair_commands import open_terminal
from wecom_app.cli.sync import sync_group
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import Customer, SyncConflict, Tag
from wecom_app.services import tagging
from wecom_app.services.history import Act
from wecom_app.services.tagging import TagChange


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


def by_hand(company: Company, external_userid: str, key: str, *, add: bool) -> None:
    """Let a rep put a tag on or take it off in the sidebar."""
    with company.runtime.write() as session:
        customer = session.scalars(select(Customer).where(Customer.external_userid == external_userid)).one()
        tag = session.scalars(select(Tag).where(Tag.key == key)).one()
        change = TagChange(customer.id, tag.id, add, Source(SourceKind.MANUAL, "sidebar", "zhang"))
        act = Act("staff", actor_ref="zhang")
        tagging.apply(session, [change], act, queue=company.runtime.queue, now=company.clock.now())


def crossed(company: Company) -> tuple[str, str]:
    """Return a customer whose tag zhang put on here while he took it off in WeCom, both unseen, and the tag's key."""
    (key,) = company.make_tags("护肤")
    customer = known_customer(company)
    by_hand(company, customer, key, add=True)
    company.settle()
    company.hold_callbacks()
    unmark(company, "zhang", customer, "护肤")
    by_hand(company, customer, key, add=True)
    company.release_callbacks()
    company.settle_later(30)
    return customer, key


def conflicts_of(company: Company) -> list[tuple[str, str, str | None]]:
    found = company.get("/sync/conflicts")["items"]
    return [(one["kind"], one["state"], one["resolution"]) for one in found]


@pytest.mark.both
def test_a_disagreement_stays_though_our_push_made_both_sides_agree_until_a_person_decides_anew(
    company: Company,
) -> None:
    customer, key = crossed(company)
    assert "护肤" in company.tags_here(customer) & company.tags_there(customer)
    assert conflicts_of(company) == [("concurrent", "open", None)]

    by_hand(company, customer, key, add=False)
    assert conflicts_of(company) == [("concurrent", "open", None)]
    company.settle_later(30)

    assert "护肤" not in company.tags_there(customer)
    assert conflicts_of(company) == [("concurrent", "settled", "newer")]


def test_a_disagreement_is_answered_by_what_a_person_does_in_wecom_later(company: Company) -> None:
    customer, _ = crossed(company)
    unmark(company, "zhang", customer, "护肤")
    company.settle_later(30)

    assert "护肤" not in company.tags_here(customer)
    assert conflicts_of(company) == [("concurrent", "settled", "newer")]


def test_a_question_about_a_policy_is_answered_by_no_mark(company: Company) -> None:
    customer, _ = disputed(company)
    (key,) = [tag["key"] for tag in company.get(f"/customers/{customer}")["tags"] if tag["name"] == "护肤"]
    by_hand(company, customer, key, add=False)
    company.settle_later(30)
    assert conflicts_of(company) == [("policy", "open", None)]


@pytest.mark.parametrize("kind", ["link", "repush", "single"])
def test_every_kind_of_disagreement_about_a_mark_is_answered_by_a_newer_word(company: Company, kind: str) -> None:
    customer, key = crossed(company)
    with company.runtime.write() as session:
        session.execute(update(SyncConflict).values(kind=kind))
    by_hand(company, customer, key, add=False)
    company.settle_later(30)
    assert conflicts_of(company) == [(kind, "settled", "newer")]


def test_what_wecom_never_showed_answers_nothing(company: Company) -> None:
    customer, key = crossed(company)
    company.simulator.faults.add(MARK, "silent_ok")
    by_hand(company, customer, key, add=False)
    company.settle_later(600, step=30)

    assert "护肤" in company.tags_there(customer)
    assert conflicts_of(company)[-1] == ("concurrent", "open", None)
