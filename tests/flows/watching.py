"""A company with a group robot whose minutes pass when told to; used by the tests of alerts and digest."""

from datetime import timedelta

from tests.flows.company import Company, open_company
from wecom_app.clock import ManualClock
from wecom_app.services import watch

ROBOT = {"GROUP_ROBOT_URL": "http://127.0.0.1:8001/cgi-bin/webhook/send?key=simulator-robot"}


def open_watched(database_url: str, clock: ManualClock) -> Company:
    return open_company(database_url, clock, environment=ROBOT)


def look(company: Company) -> None:
    """Let the watch look once, and what comes of it happen."""
    watch.request(company.runtime)
    company.settle()


def pass_minutes(company: Company, minutes: int) -> None:
    """Let minutes go by, with a look in each."""
    for _ in range(minutes):
        company.clock.advance(timedelta(minutes=1).total_seconds())
        look(company)


def said(company: Company) -> list[str]:
    """Return what the group has heard, oldest first."""
    messages = company.simulator.world.mailbox.robot_messages
    return [message.body["markdown"]["content"] for message in messages]


def alerts_said(company: Company) -> list[str]:
    return [words for words in said(company) if "日报" not in words]
