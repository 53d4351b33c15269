"""Browser sessions: who is behind a request, for how long, and that nobody else's page can act in his name."""

from datetime import timedelta

import pytest
from flask import jsonify
from sqlalchemy import select, update

from tests.flows.company import Company
from tests.web.browsing import JSON, ORIGIN, Browser, local_admin, member
from wecom_app.domain.access import Role
from wecom_app.models import Deployment, LocalAdmin, Staff, WebSession
from wecom_app.services import sessions
from wecom_app.services.sessions import ABSOLUTE, IDLE, SEEN_STEP
from wecom_app.web.session import current_viewer, signed_in


@pytest.fixture(autouse=True)
def pages(company: Company) -> None:
    """Two views of which nothing but access matters."""

    @signed_in()
    def who() -> str:
        return current_viewer().name

    @signed_in(Role.ADMIN)
    def change() -> object:
        return jsonify(done=True)

    company.web.add_url_rule("/who", view_func=who)
    company.web.add_url_rule("/change", view_func=change, methods=["POST"])


def who(browser: Browser) -> int:
    return browser.client.get("/who", headers=JSON).status_code


@pytest.mark.both
def test_a_member_and_an_administrator_are_known_by_their_cookie(company: Company) -> None:
    assert member(company, "zhang").get("/who").get_data(as_text=True) == "zhang"
    assert local_admin(company, "root").get("/who").get_data(as_text=True) == "root"
    assert who(Browser(company)) == who(Browser(company, "f" * 64)) == 401


@pytest.mark.both
def test_a_session_ends_after_two_hours_without_a_request(company: Company) -> None:
    browser = member(company, "zhang")
    company.clock.advance((IDLE - timedelta(seconds=1)).total_seconds())
    assert who(browser) == 200
    company.clock.advance((IDLE - timedelta(seconds=1)).total_seconds())
    assert who(browser) == 200
    company.clock.advance(IDLE.total_seconds())
    assert who(browser) == 401


def test_a_session_ends_after_twelve_hours_however_busy(company: Company) -> None:
    browser = member(company, "zhang")
    for _ in range(11):
        company.clock.advance(3600)
        assert who(browser) == 200
    company.clock.advance((ABSOLUTE - timedelta(hours=11)).total_seconds())
    assert who(browser) == 401


def test_requests_within_a_minute_write_nothing(company: Company) -> None:
    browser = member(company, "zhang")
    company.clock.advance(SEEN_STEP.total_seconds() - 1)
    who(browser)
    with company.runtime.read() as session:
        row = session.scalars(select(WebSession)).one()
    assert row.seen_at == row.created_at


@pytest.mark.parametrize("status", ["disabled", "left"])
def test_a_member_who_is_gone_is_not_signed_in_any_more(company: Company, status: str) -> None:
    browser = member(company, "zhang")
    with company.runtime.write() as session:
        session.execute(update(Staff).values(status=status))
    assert who(browser) == 401


def test_a_disabled_administrator_is_not_signed_in_any_more(company: Company) -> None:
    browser = local_admin(company)
    with company.runtime.write() as session:
        session.execute(update(LocalAdmin).values(disabled_at=company.clock.now()))
    assert who(browser) == 401


@pytest.mark.both
@pytest.mark.parametrize("other", [{"corp_id": "ww_other"}, {"agent_id": 99}])
def test_a_session_of_another_corp_or_app_is_void(company: Company, other: dict[str, object]) -> None:
    browser = member(company, "zhang")
    with company.runtime.write() as session:
        session.execute(update(Deployment).values(**other))
    assert who(browser) == 401


def test_the_table_does_not_hold_what_the_cookie_holds(company: Company) -> None:
    browser = member(company, "zhang")
    with company.runtime.read() as session:
        row = session.scalars(select(WebSession)).one()
        values = [str(value) for value in vars(row).values()]
    assert len(browser.token) == 64
    assert all(browser.token not in value for value in values)
    assert row.token_hash == sessions.digest(browser.token)


def test_a_role_that_the_view_asks_for_is_needed(company: Company) -> None:
    assert member(company, "zhang").send("POST", "/change", {}).status_code == 403
    assert member(company, "wang", Role.ADMIN).send("POST", "/change", {}).status_code == 200
    assert local_admin(company).send("POST", "/change", {}).status_code == 200


def test_a_form_may_carry_the_proof_in_a_field(company: Company) -> None:
    browser = local_admin(company)
    answer = browser.client.post("/change", data={"csrf_token": browser.csrf()}, headers={"Origin": ORIGIN})
    assert answer.status_code == 200


@pytest.mark.parametrize(
    "headers",
    [
        {"Origin": ""},
        {"Origin": "null"},
        {"Origin": "http://evil.localhost"},
        {"Origin": "https://localhost"},
        {"Origin": "http://localhost:8001"},
        {"X-CSRF-Token": ""},
        {"X-CSRF-Token": "0" * 64},
        {"X-CSRF-Token": "密"},
        {"Content-Type": "text/plain"},
    ],
)
def test_what_our_own_pages_cannot_have_sent_is_refused(company: Company, headers: dict[str, str]) -> None:
    browser = local_admin(company)
    proof = {"Origin": ORIGIN, "X-CSRF-Token": browser.csrf(), "Content-Type": "application/json"}
    sent = {name: value for name, value in {**proof, **headers}.items() if value}
    answer = browser.client.post("/change", data="{}", headers=sent)
    assert (answer.status_code, answer.get_json()["error"]) == (403, "forged_request")


def test_the_proof_of_another_session_is_refused(company: Company) -> None:
    browser, other = local_admin(company, "one"), local_admin(company, "two")
    answer = browser.send("POST", "/change", {}, X_CSRF_Token=other.csrf())
    assert answer.status_code == 403


def test_the_proof_in_a_page_never_stands_there_twice_the_same(company: Company) -> None:
    browser = member(company, "zhang", Role.ADMIN)
    proofs = {browser.csrf() for _ in range(5)}
    assert len(proofs) == 5
    for proof in proofs:
        assert browser.send("POST", "/change", X_CSRF_Token=proof).status_code == 200


@pytest.mark.parametrize(
    "token", ["", "00", "zz" * 64, "0" * 128, "é" * 64], ids=["none", "short", "no hex", "zero", "text"]
)
def test_what_is_no_proof_is_refused(company: Company, token: str) -> None:
    browser = member(company, "zhang", Role.ADMIN)
    assert (
        browser.client.post("/change", headers={"Origin": ORIGIN, **JSON}, data={"csrf_token": token}).status_code
        == 403
    )
