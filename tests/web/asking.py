"""Small words for asking the API in tests."""

from typing import Any

from werkzeug.test import TestResponse

from tests.flows.company import Company
from wecom_app.services import accounts

API = "/api/v1"


def ask(
    company: Company, method: str, path: str, body: Any = None, *, data: bytes | None = None, **headers: str
) -> TestResponse:
    """Ask with the company's own key; further headers are given with underscores in their names."""
    named = {name.replace("_", "-"): value for name, value in headers.items()}
    return company.client.open(API + path, method=method, json=body, data=data, headers={**company.headers, **named})


def make_key(company: Company, *scopes: str) -> str:
    """Return a new key's bearer text."""
    with company.runtime.write() as session:
        return accounts.create_key(session, "another", scopes, company.clock.now())


def add_customer(company: Company, **scan: Any) -> str:
    """Let somebody scan a fresh code of zhang's, and return his external_userid at rest."""
    channel = company.make_channel(**scan)
    found: str = company.simulator.scan(channel["config_id"])["external_userid"]
    company.settle()
    return found


def assert_error(answer: TestResponse, status: int, code: str) -> Any:
    """Check an error's whole shape, and return its body."""
    assert answer.status_code == status, answer.get_data(as_text=True)
    body = answer.get_json()
    assert set(body) - {"details"} == {"error", "message", "request_id"}
    assert body["error"] == code
    assert body["message"]
    assert len(body["request_id"]) == 16
    assert "details" not in body or (isinstance(body["details"], dict) and body["details"])
    return body
