"""Reminders of follow-ups: one message of the app on their day, never two, whatever crashes or fails."""

from datetime import timedelta

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.talking import ask, texts_to
from tests.flows.test_channels import crash, once
from wecom_app.models import FollowUp, Staff
from wecom_app.services import access, follow_ups, reminders
from wecom_app.services.access import Viewer
from wecom_app.services.runtime import SimulatedCrash

pytestmark = pytest.mark.both

SEND = "message/send"


@pytest.fixture
def customer(company: Company) -> str:
    channel = company.make_channel(staff=["zhang"])
    found: str = company.simulator.scan(channel["config_id"], name="林晓芸")["external_userid"]
    company.settle()
    with company.runtime.write() as session:
        for number in range(2):
            at = company.clock.now() + timedelta(hours=1 + number)
            follow_ups.add(session, viewer(company), found, f"问尺码 {number}", at, company.clock.now())
    return found


def viewer(company: Company) -> Viewer:
    with company.runtime.read() as session:
        return access.staff_viewer(session, session.scalars(select(Staff).where(Staff.userid == "zhang")).one())


def pass_hours(company: Company, hours: float) -> None:
    company.clock.advance(hours * 3600)
    reminders.request(company.runtime)
    company.settle()


def told(company: Company) -> list[str]:
    return [str(message) for message in company.wecom_state()["messages"]]


def note(company: Company, place: int = 0) -> tuple[str | None, str | None]:
    with company.runtime.read() as session:
        row = session.scalars(select(FollowUp).order_by(FollowUp.id)).all()[place]
        return row.remind_state, row.remind_reason


def test_each_is_sent_once_on_its_time(company: Company, customer: str) -> None:
    pass_hours(company, 0.5)
    assert told(company) == []

    pass_hours(company, 0.6)
    pass_hours(company, 0.1)

    (message,) = told(company)
    assert "zhang" in message
    assert "林晓芸" in message
    assert "问尺码 0" in message
    pass_hours(company, 5)
    assert len(told(company)) == 2
    assert (note(company), note(company, 1)) == (("sent", None), ("sent", None))


@pytest.mark.parametrize(("point", "sent"), [("reminder.before_call", 0), ("reminder.after_call", 1)])
def test_a_crash_sends_none_twice_and_says_that_one_may_be_missing(
    company: Company, customer: str, point: str, sent: int
) -> None:
    company.crash_hook = once(point, crash)
    company.clock.advance(1.1 * 3600)
    reminders.request(company.runtime)
    with pytest.raises(SimulatedCrash):
        company.settle()
    company.restart()
    for _ in range(20):
        pass_hours(company, 0.01)

    assert len(told(company)) == sent
    with company.runtime.read() as session:
        (due,) = follow_ups.due(session, viewer(company), company.clock.now())
    assert due.remind_reason == follow_ups.UNCERTAIN


def test_a_limit_puts_it_off_and_an_unknown_outcome_ends_it(company: Company, customer: str) -> None:
    company.simulator.faults.add(SEND, "errcode", errcode=45009, times=1)
    pass_hours(company, 1.1)
    assert (told(company), note(company)[0]) == ([], "waiting")
    company.settle_later(300, step=60)
    assert (len(told(company)), note(company)[0]) == (1, "sent")

    company.simulator.faults.add(SEND, "errcode", errcode=-1, times=1)
    pass_hours(company, 2)
    pass_hours(company, 1)
    assert (len(told(company)), note(company, 1)) == (1, ("failed", follow_ups.UNCERTAIN))


def test_nobody_is_reminded_of_what_is_done_or_of_a_customer_who_is_gone(company: Company, customer: str) -> None:
    with company.runtime.write() as session:
        first = session.scalars(select(FollowUp.id).order_by(FollowUp.id)).first()
        follow_ups.edit(session, viewer(company), first or 0, follow_ups.FollowUpEdit(done=True), company.clock.now())
    company.simulator.act("zhang", "delete_customer", external_userid=customer)
    company.settle()

    pass_hours(company, 5)

    assert (told(company), note(company)[0], note(company, 1)[0]) == ([], None, "failed")


def test_off_duty_they_wait_and_come_as_one_list_when_work_begins(company: Company, customer: str) -> None:
    del customer
    ask(company, "zhang", "下班")
    pass_hours(company, 3)
    assert len(texts_to(company, "zhang")) == 1
    told_at_once = ask(company, "zhang", "上班")
    assert "下班期间有 2 条提醒" in told_at_once
    assert told_at_once.index("问尺码 0") < told_at_once.index("问尺码 1")
    assert [note(company, place)[0] for place in range(2)] == ["sent", "sent"]
    pass_hours(company, 1)
    assert len(texts_to(company, "zhang")) == 2
