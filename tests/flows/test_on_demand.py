"""A customer at WeCom but not yet here: fetched for his rep with one question, and for nobody else."""

import pytest
from sqlalchemy import func, select

from tests.flows.company import Company
from wecom_app.errors import NotInSight, WeComError
from wecom_app.models import Customer, Staff
from wecom_app.services import access, on_demand, staff
from wecom_app.services.access import Viewer
from wecom_app.services.rep_views import RepProfile

GET, TAGS = "externalcontact/get", "externalcontact/get_corp_tag_list"


def viewer(company: Company, userid: str = "zhang") -> Viewer:
    with company.runtime.write() as session:
        staff.ensure(session, [userid], company.clock.now())
        return access.staff_viewer(session, session.scalars(select(Staff).where(Staff.userid == userid)).one())


def unheard_of(company: Company, *userids: str) -> str:
    """Let a customer be there of whom no callback has told us; return his external_userid."""
    found = ""
    for userid in userids:
        more = {"external_userid": found} if found else {"name": "林晓芸"}
        found = company.simulator.act(userid, "add", silent=True, welcome=False, **more)["external_userid"]
    return found


def calls(company: Company, api: str) -> int:
    return len(company.simulator.calls.of(api))


def names(profile: RepProfile) -> set[str]:
    return {chip.name for dimension in profile.dimensions for chip in dimension.chips}


def here(company: Company) -> int:
    with company.runtime.read() as session:
        return session.execute(select(func.count()).select_from(Customer)).scalar_one()


@pytest.mark.both
def test_his_rep_gets_the_whole_profile_for_one_question_and_one_look_at_the_library(company: Company) -> None:
    company.simulator.act("admin", "tag_create", group="意向", names=["高意向"], silent=True)
    customer = unheard_of(company, "wang", "zhang")
    company.simulator.act(
        "zhang", "mark", external_userid=customer, add=[{"group": "意向", "tag": "高意向"}], silent=True
    )

    profile = on_demand.load(company.runtime, viewer(company), customer)

    assert (profile.header.name, profile.header.state) == ("林晓芸", "active")
    assert [owner.is_me for owner in profile.header.owners] == [True, False]
    assert "高意向" in names(profile)
    assert (calls(company, GET), calls(company, TAGS)) == (1, 1)


def test_what_was_fetched_comes_to_rest_like_any_other_customer(company: Company) -> None:
    customer = unheard_of(company, "zhang")
    on_demand.load(company.runtime, viewer(company), customer)

    company.settle()

    profile = on_demand.load(company.runtime, viewer(company), customer)
    assert names(profile) == company.tags_there(customer) == {"名片分享"}
    assert {chip.sync.state for row in profile.dimensions for chip in row.chips} == {"synced"}
    assert profile.header.owners[0].name == "张伟"


@pytest.mark.both
def test_a_new_friendship_with_a_customer_known_here_is_found_too(company: Company) -> None:
    customer = unheard_of(company, "wang")
    on_demand.load(company.runtime, viewer(company, "wang"), customer)
    company.settle()
    company.simulator.act("zhang", "add", external_userid=customer, silent=True, welcome=False)

    profile = on_demand.load(company.runtime, viewer(company), customer)
    company.settle()

    assert (profile.header.owners[0].is_me, profile.can_edit) == (True, True)
    assert "名片分享" in company.tags_there(customer, "zhang")


def test_a_thousand_guesses_cost_few_calls_and_store_nothing(company: Company) -> None:
    theirs = unheard_of(company, "wang")
    unheard = here(company)
    guesser, answers = viewer(company), set()
    for number in range(1000):
        company.clock.advance(5)
        with pytest.raises(NotInSight) as refused:
            on_demand.load(company.runtime, guesser, theirs if number % 10 == 0 else f"wm_guess_{number}")
        answers.add((refused.value.message, str(refused.value.details)))

    made = len(company.simulator.calls)
    assert made <= 20
    assert len(answers) == 1
    assert here(company) == unheard


def test_what_cannot_be_an_id_is_not_asked_for(company: Company) -> None:
    for guess in ("", "../x", "wm x", "w" * 65, "客户"):
        with pytest.raises(NotInSight):
            on_demand.fetch(company.runtime, viewer(company), guess)
    assert calls(company, GET) == 0


@pytest.mark.both
def test_without_an_answer_the_rep_may_try_again_at_once(company: Company) -> None:
    customer = unheard_of(company, "zhang")
    company.simulator.faults.add(GET, "errcode", errcode=-1, times=3)
    who = viewer(company)
    for _ in range(3):
        with pytest.raises(WeComError):
            on_demand.load(company.runtime, who, customer)

    assert on_demand.load(company.runtime, who, customer).header.name == "林晓芸"


def test_guesses_without_an_answer_come_to_an_end(company: Company) -> None:
    company.simulator.faults.add(GET, "errcode", errcode=-1)
    guesser = viewer(company)
    for number in range(50):
        with pytest.raises((NotInSight, WeComError)):
            on_demand.fetch(company.runtime, guesser, f"wm_guess_{number}")

    assert calls(company, GET) <= 10


def test_a_library_out_of_reach_delays_tags_but_not_the_profile(company: Company) -> None:
    company.simulator.act("admin", "tag_create", group="意向", names=["高意向"], silent=True)
    customer = unheard_of(company, "zhang")
    company.simulator.act(
        "zhang", "mark", external_userid=customer, add=[{"group": "意向", "tag": "高意向"}], silent=True
    )
    company.simulator.faults.add(TAGS, "errcode", errcode=-1, times=1)

    profile = on_demand.load(company.runtime, viewer(company), customer)
    assert (profile.header.name, "高意向" in names(profile)) == ("林晓芸", False)

    company.settle_later(60, step=30)
    assert "高意向" in names(on_demand.load(company.runtime, viewer(company), customer))
