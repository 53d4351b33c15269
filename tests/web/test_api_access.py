"""Who may ask the API, how it says no, and how a request that comes twice is answered once."""

from collections.abc import Iterator
from datetime import timedelta

import pytest
from sqlalchemy import update

from tests.flows.company import Company
from tests.web.asking import API, ask, assert_error, make_key
from wecom_app.models import ApiKey
from wecom_app.web import create_web
from wecom_app.web.headers import HEADERS

READS = ["/tag-groups", "/tags", "/channels", "/customers", "/customers/wm_li/history", "/inbox", "/jobs"]
WRITES = ["/tag-groups", "/tags", "/channels", "/customers/wm_li/tags"]
GROUP = {"name": "意向", "dimension": "behaviour"}


@pytest.fixture(scope="module")
def company(standing_company: Company) -> Company:
    return standing_company


# Keys.


@pytest.mark.parametrize("path", READS)
def test_no_list_is_shown_without_a_key(company: Company, path: str) -> None:
    assert_error(company.client.get(API + path), 401, "not_signed_in")


@pytest.mark.parametrize("path", WRITES)
def test_nothing_is_written_without_a_key(company: Company, path: str) -> None:
    assert_error(company.client.post(API + path, json={}), 401, "not_signed_in")


NO_KEYS = {
    "no word before it": "{key}",
    "another scheme": "Basic {key}",
    "nothing after Bearer": "Bearer ",
    "no secret": "Bearer wk0123456789.",
    "no dot": "Bearer wk0123456789",
    "only the secret": "Bearer .{secret}",
    "wrong secret": "Bearer {prefix}.0000000000000000000000000000000000000000000000000000000000000000",
    "secret cut": "Bearer {short}",
    "secret in capitals": "Bearer {prefix}.{capitals}",
    "unknown prefix": "Bearer wk0000000000.{secret}",
    "two keys": "Bearer {key}, {key}",
    "letters of another alphabet": "Bearer é.é",
    "very long": "Bearer " + "a" * 10_000,
}


@pytest.mark.parametrize("form", NO_KEYS)
def test_what_is_not_a_key_opens_nothing(company: Company, form: str) -> None:
    key = company.headers["Authorization"].removeprefix("Bearer ")
    prefix, _, secret = key.partition(".")
    text = NO_KEYS[form].format(key=key, prefix=prefix, secret=secret, capitals=secret.upper(), short=key[:-1])

    assert_error(company.client.get(f"{API}/tags", headers={"Authorization": text}), 401, "not_signed_in")


@pytest.mark.parametrize("scheme", ["Bearer", "bearer", "BEARER"])
def test_the_word_bearer_may_be_spelt_in_any_case(company: Company, scheme: str) -> None:
    key = company.headers["Authorization"].removeprefix("Bearer ")

    assert company.client.get(f"{API}/tags", headers={"Authorization": f"{scheme} {key} "}).status_code == 200


def test_a_revoked_key_opens_nothing_from_then_on(company: Company) -> None:
    key = make_key(company, "read")
    headers = {"Authorization": f"Bearer {key}"}
    assert company.client.get(f"{API}/tags", headers=headers).status_code == 200

    with company.runtime.write() as session:
        session.execute(
            update(ApiKey).where(ApiKey.prefix == key.partition(".")[0]).values(revoked_at=company.clock.now())
        )

    assert_error(company.client.get(f"{API}/tags", headers=headers), 401, "not_signed_in")


@pytest.mark.parametrize("path", READS)
@pytest.mark.parametrize("scope", ["write", "ingest", "gate"])
def test_other_scopes_do_not_read(company: Company, path: str, scope: str) -> None:
    headers = {"Authorization": f"Bearer {make_key(company, scope)}"}

    assert "read" in assert_error(company.client.get(API + path, headers=headers), 403, "not_allowed")["message"]


@pytest.mark.parametrize("path", WRITES)
@pytest.mark.parametrize("scope", ["read", "ingest", "gate"])
def test_other_scopes_do_not_write(company: Company, path: str, scope: str) -> None:
    headers = {"Authorization": f"Bearer {make_key(company, scope)}"}

    assert_error(company.client.post(API + path, json={}, headers=headers), 403, "not_allowed")


def test_the_scope_admin_may_do_everything(company: Company) -> None:
    headers = {"Authorization": f"Bearer {make_key(company, 'admin')}"}

    assert company.client.get(f"{API}/tags", headers=headers).status_code == 200
    assert company.client.post(f"{API}/tag-groups", json={}, headers=headers).status_code == 422


def test_the_scope_is_asked_before_the_body_is_read(company: Company) -> None:
    headers = {"Authorization": f"Bearer {make_key(company, 'read')}"}

    assert_error(company.client.post(f"{API}/tags", data=b"{", headers=headers), 403, "not_allowed")


def test_the_api_reads_and_sets_no_cookie(company: Company) -> None:
    key = company.headers["Authorization"].removeprefix("Bearer ")
    company.client.set_cookie("session", key)

    answer = company.client.get(f"{API}/tags")

    company.client.delete_cookie("session")
    assert_error(answer, 401, "not_signed_in")
    assert "Set-Cookie" not in answer.headers


# Addresses and methods.


@pytest.mark.parametrize("path", ["/api/v1/nothing", "/api/v1/", "/api/v2/tags", "/nothing", "/api/v1/channels/x"])
def test_an_unknown_address_is_a_404_in_json(company: Company, path: str) -> None:
    assert_error(company.client.get(path, headers=company.headers), 404, "not_found")


@pytest.mark.parametrize("path", ["/customers/unknown", "/customers/unknown/history", "/channels/999", "/channels/0"])
def test_what_is_not_there_is_a_404(company: Company, path: str) -> None:
    assert_error(ask(company, "GET", path), 404, "not_found")


@pytest.mark.parametrize("number", ["9223372036854775808", "9" * 40])
def test_an_id_that_no_database_could_hold_is_a_404(company: Company, number: str) -> None:
    assert_error(ask(company, "GET", f"/channels/{number}"), 404, "not_found")


@pytest.mark.parametrize(("method", "path"), [("PUT", "/tags"), ("DELETE", "/customers"), ("POST", "/inbox")])
def test_another_method_is_a_405_that_names_the_right_ones(company: Company, method: str, path: str) -> None:
    answer = ask(company, method, path)

    assert_error(answer, 405, "method_not_allowed")
    assert "GET" in answer.headers["Allow"]


def test_every_answer_has_its_own_request_id(company: Company) -> None:
    ids = {company.client.get("/nothing").get_json()["request_id"] for _ in range(3)}

    assert len(ids) == 3


def test_what_nobody_foresaw_is_a_500_that_tells_nothing(company: Company) -> None:
    web = create_web(company.runtime)

    def fail() -> str:
        raise RuntimeError("canary: the password is 1234")

    web.add_url_rule("/fail", view_func=fail)
    answer = web.test_client().get("/fail")

    body = assert_error(answer, 500, "internal_error")
    assert "canary" not in answer.get_data(as_text=True)
    assert "编号" in body["message"]
    assert {name: answer.headers[name] for name in HEADERS} == HEADERS


@pytest.mark.parametrize(
    ("method", "path"),
    [
        ("GET", "/healthz"),
        ("GET", "/readyz"),
        ("GET", "/metrics"),
        ("GET", "/nothing"),
        ("PUT", "/api/v1/tags"),
        ("GET", "/api/v1/openapi.json"),
        ("GET", "/api/v1/tags"),
        ("GET", "/wecom/callback"),
        ("POST", "/wecom/callback"),
        ("PUT", "/wecom/callback"),
    ],
)
def test_every_answer_carries_the_security_headers(company: Company, method: str, path: str) -> None:
    headers = company.client.open(path, method=method).headers

    assert headers["X-Content-Type-Options"] == "nosniff"
    assert headers["Referrer-Policy"] == "same-origin"
    policy = dict(part.strip().split(" ", 1) for part in headers["Content-Security-Policy"].split(";"))
    assert policy["default-src"] == policy["base-uri"] == policy["frame-ancestors"] == "'none'"
    assert policy["script-src"] == policy["style-src"] == policy["connect-src"] == "'self'"


# Requests that come twice.


@pytest.fixture
def fresh(company: Company) -> Iterator[Company]:
    """The standing company, with its time moved so far that earlier Idempotency-Keys are forgotten."""
    company.clock.advance(timedelta(days=2).total_seconds())
    return company


def test_a_repeated_request_gets_its_first_answer(fresh: Company) -> None:
    body = GROUP | {"name": "甲"}

    first = ask(fresh, "POST", "/tag-groups", body, Idempotency_Key="one")
    second = ask(fresh, "POST", "/tag-groups", body, Idempotency_Key="one")

    assert (first.status_code, second.status_code) == (201, 201)
    assert first.data == second.data


def test_a_repeated_request_without_a_key_is_another_request(fresh: Company) -> None:
    body = GROUP | {"name": "乙"}
    ask(fresh, "POST", "/tag-groups", body)

    assert_error(ask(fresh, "POST", "/tag-groups", body), 409, "name_taken")


def test_a_repeated_refusal_is_the_same_refusal(fresh: Company) -> None:
    body = GROUP | {"name": "丙", "dimension": "unknown"}

    first = ask(fresh, "POST", "/tag-groups", body, Idempotency_Key="two")
    second = ask(fresh, "POST", "/tag-groups", body, Idempotency_Key="two")

    assert_error(first, 422, "invalid_input")
    assert first.get_json() == second.get_json()


@pytest.mark.parametrize(("path", "body"), [("/tag-groups", GROUP | {"name": "另"}), ("/tags", GROUP | {"name": "丁"})])
def test_a_key_of_another_request_is_refused(fresh: Company, path: str, body: dict[str, str]) -> None:
    used = f"three{path}"
    ask(fresh, "POST", "/tag-groups", GROUP | {"name": "丁"}, Idempotency_Key=used)

    if path == "/tags":
        body = {"name": "丁", "group": "behaviour.ding"}
    assert_error(ask(fresh, "POST", path, body, Idempotency_Key=used), 422, "invalid_input")


def test_two_clients_may_use_the_same_idempotency_key(fresh: Company) -> None:
    other = {"Authorization": f"Bearer {make_key(fresh, 'write')}"}
    ask(fresh, "POST", "/tag-groups", GROUP | {"name": "戊"}, Idempotency_Key="four")

    answer = ask(fresh, "POST", "/tag-groups", GROUP | {"name": "己"}, Idempotency_Key="four", **other)

    assert answer.status_code == 201


def test_after_a_day_a_key_may_be_used_again(fresh: Company) -> None:
    ask(fresh, "POST", "/tag-groups", GROUP | {"name": "庚"}, Idempotency_Key="five")
    fresh.clock.advance(timedelta(days=1, seconds=1).total_seconds())

    answer = ask(fresh, "POST", "/tag-groups", GROUP | {"name": "辛"}, Idempotency_Key="five")

    assert answer.status_code == 201


@pytest.mark.parametrize("key", ["", "k" * 129, "a\tb"], ids=["empty", "too long", "with a tab"])
def test_an_idempotency_key_that_cannot_be_kept_is_refused(fresh: Company, key: str) -> None:
    assert_error(ask(fresh, "POST", "/tag-groups", GROUP, Idempotency_Key=key), 422, "invalid_input")


def test_a_body_that_is_wrong_in_itself_does_not_use_up_the_key(fresh: Company) -> None:
    assert ask(fresh, "POST", "/tag-groups", {"name": ""}, Idempotency_Key="six").status_code == 422

    assert ask(fresh, "POST", "/tag-groups", GROUP | {"name": "壬"}, Idempotency_Key="six").status_code == 201
