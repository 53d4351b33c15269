"""Edits while WeCom is out of reach: taken at once, kept over restarts, and landing as what was wanted last."""

from collections import Counter
from random import Random

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import Staff
from wecom_app.services import access, library, rep_edits, rep_profile
from wecom_app.services.rep_edits import EditDraft
from wecom_app.services.rep_views import RepProfile

MARK = "externalcontact/mark_tag"


def customers(company: Company, count: int) -> list[str]:
    channel = company.make_channel(staff=["zhang"])
    found = [company.simulator.scan(channel["config_id"])["external_userid"] for _ in range(count)]
    company.settle()
    return found


def edit(company: Company, customer: str, add: list[str], remove: list[str]) -> None:
    runtime = company.runtime
    with runtime.write() as session:
        who = access.staff_viewer(session, session.scalars(select(Staff).where(Staff.userid == "zhang")).one())
        rep_edits.edit(session, library.context(runtime), who, customer, EditDraft(add, remove))


def shown(company: Company, customer: str) -> RepProfile:
    with company.runtime.read() as session:
        who = access.staff_viewer(session, session.scalars(select(Staff).where(Staff.userid == "zhang")).one())
        return rep_profile.load(session, who, customer, company.clock.now())


@pytest.mark.both
def test_an_edit_is_taken_while_wecom_is_down_and_lands_when_it_is_back(company: Company) -> None:
    (key,) = company.make_tags("高意向")
    (customer,) = customers(company, 1)
    company.simulator.faults.add("*", "down", for_s=600)

    edit(company, customer, [key], [])

    company.settle()
    company.restart()
    company.settle_later(120, step=60)
    sync = shown(company, customer).header.sync
    assert (sync.state if sync else None, company.tags_there(customer)) == ("pending", {"门店"})
    company.settle_later(1200, step=60)
    sync = shown(company, customer).header.sync
    assert (sync.state if sync else None, company.tags_there(customer)) == ("synced", {"门店", "高意向"})


@pytest.mark.slow
def test_five_hundred_edits_to_and_fro_end_as_the_last_with_one_call_a_cell(company: Company) -> None:
    names = [f"标签{number}" for number in range(8)]
    keys = dict(zip(company.make_tags(*names), names, strict=True))
    whom, chance = customers(company, 15), Random(4)
    wanted: dict[str, set[str]] = {customer: set() for customer in whom}
    company.simulator.faults.add("*", "down", for_s=600)
    company.simulator.calls.clear()
    for number in range(500):
        customer = chance.choice(whom)
        flipped = set(chance.sample(list(keys), chance.randint(1, 3)))
        edit(company, customer, sorted(flipped - wanted[customer]), sorted(flipped & wanted[customer]))
        wanted[customer] ^= flipped
        if number in (150, 350):
            company.settle()
            company.restart()
        company.clock.advance(1)

    company.settle_later(900, step=150)

    for customer in whom:
        assert company.tags_there(customer) - {"门店"} == {keys[key] for key in wanted[customer]}
        sync = shown(company, customer).header.sync
        assert sync is not None
        assert sync.state == "synced"
    written = [call for call in company.simulator.calls.of(MARK) if call.errcode == 0]
    assert max(Counter(call.external_userid for call in written).values()) == 1
