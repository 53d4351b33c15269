"""The console's log-in by password: who gets in, what guessing costs, and that nobody is locked out for good."""

import pytest
from sqlalchemy import func, select
from werkzeug.test import TestResponse

from tests.flows.company import Company
from tests.web.browsing import HTML, ORIGIN, Browser, hidden_csrf
from wecom_app.errors import InvalidInput, NotAllowed, TooMany
from wecom_app.models import AuditEntry, RateWindow, WebSession
from wecom_app.services import administrators
from wecom_app.services.administrators import IN_ALL, WINDOW
from wecom_app.web import create_web

PASSWORD = "correct horse battery"


@pytest.fixture
def company(company: Company) -> Company:
    with company.runtime.write() as session:
        administrators.create(session, "Root", PASSWORD, company.clock.now())
    return company


@pytest.fixture
def looked_at(monkeypatch: pytest.MonkeyPatch) -> list[str]:
    """Return the list of passwords that were looked at; hashing itself is left out to save time."""
    seen: list[str] = []

    def verify(_hash: str, password: str) -> bool:
        seen.append(password)
        return password == PASSWORD

    monkeypatch.setattr(administrators, "_verify", verify)
    return seen


def log_in(
    browser: Browser, name: str = "root", password: str = PASSWORD, *, address: str = "127.0.0.1", **headers: str
) -> TestResponse:
    form = {"name": name, "password": password, "csrf_token": browser.csrf(), "next": "/account"}
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return browser.client.post(
        "/admin/login",
        data=form,
        headers={**HTML, "Origin": ORIGIN, **named},
        environ_overrides={"REMOTE_ADDR": address},
    )


@pytest.mark.both
def test_the_form_leads_into_the_console(company: Company) -> None:
    browser = Browser(company)
    asked = browser.get("/admin")
    assert asked.headers["Location"] == "/admin/login?next=%2Fadmin"
    page = browser.get(asked.headers["Location"])
    assert "用企业微信登录" in page.get_data(as_text=True)
    form = {"name": " ROOT ", "password": PASSWORD, "csrf_token": hidden_csrf(page), "next": "/admin"}
    answer = browser.client.post("/admin/login", data=form, headers={**HTML, "Origin": ORIGIN})
    assert (answer.status_code, answer.headers["Location"]) == (302, "/admin")
    assert browser.get("/admin").status_code == 200
    with company.runtime.read() as session:
        assert session.scalars(select(AuditEntry.action).order_by(AuditEntry.id.desc())).first() == "session.start"


@pytest.mark.parametrize(
    ("name", "password"), [("root", "wrong"), ("nobody", PASSWORD), ("", ""), ("root", "\0" * 200)]
)
def test_a_wrong_pair_is_told_nothing_more(company: Company, name: str, password: str) -> None:
    answer = log_in(Browser(company), name, password)
    assert answer.status_code == 403
    assert "用户名或密码不正确" in answer.get_data(as_text=True)
    with company.runtime.read() as session:
        assert session.execute(select(func.count()).select_from(WebSession)).scalar_one() == 0


def test_an_unknown_name_costs_a_look_at_a_password_too(company: Company, looked_at: list[str]) -> None:
    log_in(Browser(company), "nobody", "guess")
    assert looked_at == ["guess"]


def test_a_disabled_administrator_does_not_get_in(company: Company) -> None:
    with company.runtime.write() as session:
        administrators.disable(session, "root", company.clock.now())
    assert log_in(Browser(company)).status_code == 403


@pytest.mark.parametrize(("addresses", "names"), [(1, 1), (100, 1), (100, 50)])
def test_a_thousand_guesses_in_ten_minutes_are_hardly_looked_at(
    company: Company, looked_at: list[str], addresses: int, names: int
) -> None:
    for number in range(1000):
        company.clock.advance(0.5)
        name = "root" if number % names == 0 else f"name{number % names}"
        with pytest.raises((NotAllowed, TooMany)) as refused:
            administrators.log_in(company.runtime, name, f"guess {number}", f"10.0.0.{number % addresses}")
    assert 5 <= len(looked_at) <= 20
    assert refused.value.retry_after_s

    company.clock.advance(WINDOW.total_seconds())
    assert log_in(Browser(company)).status_code == 302


def test_an_address_that_the_caller_made_up_changes_nothing(company: Company, looked_at: list[str]) -> None:
    browser = Browser(company)
    answers = [log_in(browser, f"name{number}", "guess", X_Forwarded_For=f"1.1.1.{number}") for number in range(15)]
    assert [answer.status_code for answer in answers] == [403] * 10 + [429] * 5
    assert int(answers[-1].headers["Retry-After"]) > 0


def test_a_forged_address_is_believed_from_the_proxies_named_only(company: Company, looked_at: list[str]) -> None:
    settings = company.settings.model_copy(update={"trusted_proxies": 1})
    company.runtime.settings = settings
    company.web = create_web(company.runtime)
    browser = Browser(company)
    for number in range(12):
        log_in(browser, f"name{number}", "guess", X_Forwarded_For=f"1.1.1.{number}, 10.0.0.1")
    assert len(looked_at) == 10
    log_in(browser, "another", "guess", X_Forwarded_For="10.0.0.1, 10.0.0.2")
    assert len(looked_at) == 11


def test_the_right_password_ends_the_counting(company: Company, looked_at: list[str]) -> None:
    browser = Browser(company)
    for _ in range(3):
        for _ in range(9):
            log_in(browser, password="guess")
        company.clock.advance(WINDOW.total_seconds() / 3)
        if len(looked_at) < IN_ALL.most - 1:
            assert log_in(browser).status_code == 302
    with company.runtime.read() as session:
        stored = session.scalars(select(RateWindow.bucket)).all()
    assert not any("root" in bucket or "127.0.0.1" in bucket for bucket in stored)


def test_a_reset_lets_an_administrator_in_at_once(company: Company, looked_at: list[str]) -> None:
    browser = Browser(company)
    for _ in range(30):
        log_in(browser, password="guess", address="10.9.9.9")
    assert log_in(browser).status_code == 429
    with company.runtime.write() as session:
        administrators.reset_password(session, "root", PASSWORD, company.clock.now())
    assert log_in(browser).status_code == 302


def test_a_form_without_its_proof_logs_nobody_in(company: Company) -> None:
    answer = company.web.test_client().post(
        "/admin/login", data={"name": "root", "password": PASSWORD}, headers={"Origin": ORIGIN}
    )
    assert answer.status_code == 403
    assert "Set-Cookie" not in answer.headers or "session=" not in answer.headers["Set-Cookie"]


@pytest.mark.parametrize(
    "weak",
    [
        "",
        "short",
        "elevenchars",
        "password-is-long",
        "aaaaaaaaaaaaaaaa",
        "abababababab",
        "ＰＡＳＳＷＯＲＤ 1234",
        "my administrator 1",
        "x" * 129,
    ],
)
def test_a_weak_password_is_refused_with_the_reason(company: Company, weak: str) -> None:
    with company.runtime.write() as session, pytest.raises(InvalidInput, match="密码"):
        administrators.create(session, "administrator", weak, company.clock.now())
