"""A browser in tests: signed in as a member or a local administrator, sending what our own pages would send."""

import re
from html.parser import HTMLParser
from typing import Any

from flask.testing import FlaskClient
from werkzeug.test import TestResponse

from tests.flows.company import Company
from wecom_app.domain.access import Role
from wecom_app.models import LocalAdmin, StaffRole, StaffScope
from wecom_app.services import sessions, staff
from wecom_app.web.session import csrf_token

ORIGIN = "http://localhost"
HTML = {"Accept": "text/html,application/xhtml+xml;q=0.9,*/*;q=0.8"}
JSON = {"Accept": "application/json"}


class Browser:
    """One browser with its own cookies."""

    def __init__(self, company: Company, token: str | None = None) -> None:
        self.company = company
        self.client: FlaskClient = company.web.test_client()
        if token is not None:
            self.client.set_cookie("session", token)

    @property
    def token(self) -> str:
        """The session cookie's value; empty where there is none."""
        cookie = self.client.get_cookie("session")
        return cookie.value if cookie else ""

    def csrf(self) -> str:
        """Return the proof that a page served to this browser would carry."""
        if not self.token and self.client.get_cookie("visitor") is None:
            self.client.set_cookie("visitor", "a-visit")
        cookies = "; ".join(
            f"{name}={cookie.value}" for name in ("session", "visitor") if (cookie := self.client.get_cookie(name))
        )
        with self.company.web.test_request_context("/", headers={"Cookie": cookies}):
            return csrf_token()

    def get(self, path: str, **headers: str) -> TestResponse:
        return self.client.get(path, headers={**HTML, **headers})

    def send(self, method: str, path: str, body: Any = None, *, form: Any = None, **headers: str) -> TestResponse:
        """Send what a page of ours would send; headers given replace those."""
        proof = {"Origin": ORIGIN, "X-CSRF-Token": self.csrf(), **JSON}
        named = {name.replace("_", "-"): value for name, value in headers.items()}
        return self.client.open(path, method=method, json=body, data=form, headers={**proof, **named})


def member(company: Company, userid: str, *roles: Role, departments: tuple[int, ...] = ()) -> Browser:
    """Return the browser of a member who is signed in, with the roles and scope given."""
    now = company.clock.now()
    with company.runtime.write() as session:
        staff_id = staff.ensure(session, [userid], now)[userid]
        for role in roles:
            session.merge(StaffRole(staff_id=staff_id, role=role, granted_by="tests", granted_at=now))
        for department_id in departments:
            session.merge(StaffScope(staff_id=staff_id, department_id=department_id))
        token = sessions.start(session, now, staff_id=staff_id)
    return Browser(company, token)


def local_admin(company: Company, name: str = "root") -> Browser:
    """Return the browser of a local administrator who is signed in."""
    now = company.clock.now()
    with company.runtime.write() as session:
        admin = LocalAdmin(name=name, name_key=name, password_hash="none", created_at=now, password_set_at=now)
        session.add(admin)
        session.flush()
        token = sessions.start(session, now, admin_id=admin.id)
    return Browser(company, token)


def hidden_csrf(page: TestResponse) -> str:
    """Return the proof in a page's form."""
    found = re.search(r'name="csrf_token" value="([0-9a-f]{80})"', page.get_data(as_text=True))
    assert found, page.get_data(as_text=True)
    return found[1]


class _Fields(HTMLParser):
    """The fields of one form as a browser would send them."""

    def __init__(self, wanted: str) -> None:
        super().__init__()
        self.wanted, self.inside, self.sent = wanted, False, dict[str, str]()
        self.chosen = self.written = ""

    def handle_starttag(self, tag: str, attrs: list[tuple[str, str | None]]) -> None:
        given = {name: value or "" for name, value in attrs}
        if tag == "form":
            self.inside = given.get("id") == self.wanted
        elif self.inside and tag == "option":
            self.sent[self.chosen] = (
                given["value"] if "selected" in given else self.sent.get(self.chosen, given["value"])
            )
        elif self.inside and "name" in given:
            self.chosen = given["name"]
            if tag == "textarea":
                self.written = self.chosen
                self.sent[self.chosen] = ""
            elif tag == "input" and (given.get("type") != "checkbox" or "checked" in given):
                self.sent[self.chosen] = given.get("value", "on")

    def handle_endtag(self, tag: str) -> None:
        self.written = "" if tag == "textarea" else self.written
        self.inside = self.inside and tag != "form"

    def handle_data(self, data: str) -> None:
        if self.written:
            self.sent[self.written] += data


def form_on(page: TestResponse, form_id: str) -> dict[str, str]:
    """Return what a browser would send if the form were saved as the page shows it."""
    fields = _Fields(form_id)
    fields.feed(page.get_data(as_text=True))
    assert fields.sent, f"no form {form_id}"
    return fields.sent
