"""Requests that another site could make a browser send: each is refused, and not a row of any table changes."""

import hashlib
import re
from collections.abc import Mapping

import pytest
from sqlalchemy import select
from werkzeug.test import TestResponse

from tests.flows.company import Company
from tests.web.asking import add_customer
from tests.web.browsing import ORIGIN, Browser, local_admin, member
from wecom_app.db import Base

JSON = {"Content-Type": "application/json"}
FORM = {"Content-Type": "application/x-www-form-urlencoded"}
ALIEN = "https://evil.example"
FORGERIES: Mapping[str, Mapping[str, str]] = {
    "a form of another site": {**FORM, "Origin": ALIEN},
    "a form without an origin": {**FORM},
    "a form with our origin and no proof": {**FORM, "Origin": ORIGIN},
    "JSON sent as plain text": {"Content-Type": "text/plain", "Origin": ALIEN},
    "JSON sent as plain text from here": {"Content-Type": "text/plain", "Origin": ORIGIN, "X-CSRF-Token": "own"},
    "JSON without an origin": {**JSON, "X-CSRF-Token": "own"},
    "the origin of a sandbox": {**JSON, "Origin": "null", "X-CSRF-Token": "own"},
    "a sibling sub-domain": {**JSON, "Origin": "http://shop.localhost", "X-CSRF-Token": "own"},
    "a parent domain": {**JSON, "Origin": "http://host", "X-CSRF-Token": "own"},
    "another port": {**JSON, "Origin": "http://localhost:8001", "X-CSRF-Token": "own"},
    "another scheme": {**JSON, "Origin": "https://localhost", "X-CSRF-Token": "own"},
    "an origin that begins like ours": {**JSON, "Origin": "http://localhost.evil.example", "X-CSRF-Token": "own"},
    "no proof": {**JSON, "Origin": ORIGIN},
    "a wrong proof": {**JSON, "Origin": ORIGIN, "X-CSRF-Token": "0" * 80},
    "half a proof": {**JSON, "Origin": ORIGIN, "X-CSRF-Token": "0"},
    "the proof of another session": {**JSON, "Origin": ORIGIN, "X-CSRF-Token": "other"},
}


def digests(company: Company) -> dict[str, str]:
    """Return a digest of all rows of every table."""
    found = {}
    with company.runtime.read() as session:
        for name, table in Base.metadata.tables.items():
            rows = session.execute(select(table).order_by(*table.primary_key.columns)).all()
            found[name] = hashlib.sha256(repr([tuple(row) for row in rows]).encode()).hexdigest()
    return found


def forge(browser: Browser, other: Browser, method: str, path: str, headers: Mapping[str, str]) -> TestResponse:
    proofs = {"own": browser.csrf(), "other": other.csrf()}
    sent = {name: proofs.get(value, value) for name, value in headers.items()}
    body = '{"add": ["vip"], "version": 0, "text": "x", "result": "shown"}'
    return browser.client.open(path, method=method, data=body, headers=sent)


@pytest.mark.parametrize("kind", ["rep", "admin"])
def test_no_forged_request_changes_a_row(company: Company, kind: str) -> None:
    external_userid = add_customer(company)
    browser, other = member(company, "zhang"), member(company, "wang")
    if kind == "admin":
        browser, other = local_admin(company, "one"), local_admin(company, "two")
    routes = [
        (method, str(rule.rule))
        for rule in company.web.url_map.iter_rules()
        for method in sorted((rule.methods or set()) - {"GET", "HEAD", "OPTIONS"})
        if not str(rule.rule).startswith(("/api/v1", "/wecom/callback", "/csp-report"))
    ]
    assert len(routes) > 10
    before = digests(company)
    for method, rule in routes:
        path = re.sub(r"<int:\w+>", "1", rule.replace("<external_userid>", external_userid))
        for words, headers in FORGERIES.items():
            answer = forge(browser, other, method, path, headers)
            assert (answer.status_code, answer.get_json()["error"]) == (403, "forged_request"), (words, method, path)
    assert digests(company) == before
