"""The authorisation matrix: every route of the application × everybody × every kind of customer, against a table
written by hand; and what follows from it for whoever guesses.
"""

import re
import shutil
from collections.abc import Callable, Iterator, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

import pytest
from flask import Flask
from werkzeug.test import TestResponse

from tests.conftest import START
from tests.flows.company import Company, open_company
from tests.services.shop import Shop
from tests.web.authorisation_rules import (
    ANONYMOUS,
    CUSTOMERS,
    HIDDEN,
    IN,
    KEYS,
    LOGIN,
    MISSING,
    PEOPLE,
    REFUSED,
    RULES,
)
from tests.web.authorisation_table import BODIES, ROUTES
from tests.web.browsing import HTML, JSON, Browser, local_admin, member
from wecom_app.clock import ManualClock
from wecom_app.domain.access import WHOLE_COMPANY, Role
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import SourceKind
from wecom_app.models import Department, DepartmentMember, FollowUp
from wecom_app.services import accounts, staff
from wecom_app.services.history import Act
from wecom_app.services.tagging import TagChange
from wecom_app.web import create_web

HEAD, SALES, SHOP, BACK = 1, 2, 3, 4
API = "/api/v1"
ABOUT_A_CUSTOMER = "<external_userid>"
NO_SUCH_ID = 999_999
PLACES = {"zhang": SHOP, "chen": SHOP, "wang": BACK, "boss": SALES, "chief": BACK, "both": BACK, "nobody": BACK}
LEADERS = ("boss", "chief")
GIVEN: Mapping[str, tuple[tuple[Role, ...], tuple[int, ...]]] = {
    "both": ((Role.LEADER,), (SHOP,)),
    "service here": ((Role.SERVICE,), (SALES,)),
    "service there": ((Role.SERVICE,), (BACK,)),
    "service everywhere": ((Role.SERVICE,), (WHOLE_COMPANY,)),
    "scope alone": ((), (WHOLE_COMPANY,)),
    "auditor": ((Role.AUDITOR,), ()),
    "ops": ((Role.OPS,), ()),
    "admin": ((Role.ADMIN,), ()),
}


@dataclass
class Stage:
    """A company with everybody in it, signed in."""

    company: Company
    shop: Shop
    browsers: dict[str, Browser] = field(default_factory=dict)
    keys: dict[str, str] = field(default_factory=dict)
    customers: dict[str, int] = field(default_factory=dict)
    tag_key: str = ""
    tag_id: int = 0
    hidden: bytes = b""
    """What is answered of a customer who does not exist."""


@pytest.fixture(scope="module")
def stage(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Stage]:
    path = tmp_path_factory.mktemp("matrix") / "test.db"
    shutil.copy(sqlite_template, path)
    clock = ManualClock(START)
    company = open_company(f"sqlite:///{path}", clock)
    made = Stage(company, Shop(company.runtime, clock))
    _place_staff(made)
    _place_customers(made)
    _sign_in(made)
    made.hidden = made.browsers["admin"].client.get("/sidebar/customers/wm_nobody", headers=JSON).get_data()
    assert b"not_found" in made.hidden
    yield made
    company.close()


def _place_staff(stage: Stage) -> None:
    with stage.shop.store.write() as session:
        tree = ((HEAD, 0), (SALES, HEAD), (SHOP, SALES), (BACK, HEAD))
        session.add_all(Department(id=number, name=str(number), parent_id=above) for number, above in tree)
        ids = staff.ensure(session, list(PLACES), START)
        session.add_all(
            DepartmentMember(department_id=place, staff_id=ids[userid], is_leader=userid in LEADERS)
            for userid, place in PLACES.items()
        )


def _place_customers(stage: Stage) -> None:
    shop = stage.shop
    (stage.tag_id,) = shop.tags("vip")
    friends = {"li": ("zhang", "wang"), "mei": ("chen",), "hua": ("wang",), "gone": ("zhang",), "ho": ()}
    for name, userids in friends.items():
        stage.customers[name] = shop.customer(*userids, name=f"wm_{name}")
        shop.add(stage.customers[name], stage.tag_id)
    shop.part(shop.befriend(stage.customers["li"], "wang"))
    shop.part(shop.befriend(stage.customers["gone"], "zhang"))
    shop.befriend(stage.customers["ho"], "zhang", half=True)
    stage.tag_key = stage.company.get("/customers/wm_li")["tags"][0]["key"]


def _sign_in(stage: Stage) -> None:
    company = stage.company
    for name in PEOPLE:
        roles, departments = GIVEN.get(name, ((), ()))
        userid = name.replace(" ", "_")
        stage.browsers[name] = (
            local_admin(company) if name == "local admin" else member(company, userid, *roles, departments=departments)
        )
    stage.browsers[ANONYMOUS] = Browser(company)
    with company.runtime.write() as session:
        now = company.clock.now()
        for name in KEYS[1:]:
            scope = name.removesuffix(" key").replace("revoked", "read")
            stage.keys[name] = accounts.create_key(session, name, [scope], now)
        session.flush()
        accounts.revoke_key(session, "revoked", now)


def routes(app: Flask) -> set[str]:
    """Return `METHOD rule` of everything that the application answers."""
    return {
        f"{method} {rule.rule}"
        for rule in app.url_map.iter_rules()
        for method in (rule.methods or set()) - {"HEAD", "OPTIONS"}
    }


def test_every_route_has_a_line_in_the_table(stage: Stage) -> None:
    demo = stage.company.settings.model_copy(update={"demo_mode": True})
    normal = routes(stage.company.web)
    given, stage.company.runtime.settings = stage.company.runtime.settings, demo
    in_demo_mode = routes(create_web(stage.company.runtime))
    stage.company.runtime.settings = given

    missing = sorted((normal | in_demo_mode) - set(ROUTES))
    assert not missing, f"say in tests/web/authorisation_table.py who may have: {missing}"
    assert not sorted(set(ROUTES) - normal - in_demo_mode), "the table names routes that are not there"
    assert {route for route, rule in ROUTES.items() if rule == "not here"} == in_demo_mode - normal


@pytest.mark.parametrize("route", ROUTES)
def test_a_route_lets_in_whom_the_table_names_and_nobody_else(stage: Stage, route: str) -> None:
    rule = RULES[ROUTES[route]]
    actors = KEYS if API in route else (ANONYMOUS, *PEOPLE)
    customers = CUSTOMERS if ABOUT_A_CUSTOMER in route else ("li",)
    wrong = {
        (actor, customer): (came, rule(actor, customer))
        for actor in actors
        for customer in customers
        if (came := outcome(stage, route, actor, customer)) != rule(actor, customer)
    }
    assert not wrong, f"{route}: (who, which customer): (what came, what the table says) {wrong}"


def test_the_matrix_is_as_large_as_was_promised() -> None:
    cells = sum(
        len(KEYS if API in route else (ANONYMOUS, *PEOPLE)) * (len(CUSTOMERS) if ABOUT_A_CUSTOMER in route else 1)
        for route in ROUTES
    )
    assert cells >= 1500


def outcome(stage: Stage, route: str, actor: str, customer: str) -> str:
    """Send one request and say in the table's words what came of it."""
    with _sent(stage, route, actor, customer) as answer:
        if answer.status_code == 401:
            return LOGIN
        if answer.status_code == 403:
            # The log-in and the callback say no for reasons of their own, in words of their own.
            return IN if ROUTES[route] == "open" and answer.mimetype != "application/json" else REFUSED
        if answer.status_code != 404:
            return IN
        if answer.get_data() == stage.hidden:
            return HIDDEN
        return MISSING if ROUTES[route] in ("own note", "own act", "not here") else IN


def _sent(stage: Stage, route: str, actor: str, customer: str) -> TestResponse:
    method, rule = route.split(" ")
    path = re.sub(r"<(?:\w+:)?(\w+)>", lambda found: _part(stage, found[1], customer, rule), rule)
    body = BODIES.get(route, {} if method != "GET" else None)
    if API in route:
        # An administrator's cookie must not stand in for a key.
        headers = {"Authorization": f"Bearer {stage.keys[actor]}"} if actor in stage.keys else {}
        return stage.browsers["admin"].send(method, path, body, **headers)
    # Log-out must not end the session that the next cell needs.
    browser = Browser(stage.company) if route == "POST /auth/sign-out" else stage.browsers[actor]
    stage.company.clock.advance(0.01)
    return browser.send(method, path, body) if method != "GET" else browser.client.get(path, headers=JSON)


def _part(stage: Stage, name: str, customer: str, rule: str) -> str:
    makers: Mapping[str, Callable[[], object]] = {
        "external_userid": lambda: f"wm_{customer}",
        # Elsewhere no key that is there, so that an archived tag does not spoil the next cell.
        "key": lambda: stage.tag_key if ABOUT_A_CUSTOMER in rule else "no_such_key",
        "follow_up_id": lambda: _note(stage),
        "change_set_id": lambda: _act(stage),
        "filename": lambda: "css/app.css",
        "sha256": lambda: "0" * 64,
    }
    return str(makers.get(name, lambda: NO_SUCH_ID)())


def _note(stage: Stage) -> int:
    """Let zhang write a note on li, and return its id."""
    with stage.shop.store.write() as session:
        author = staff.ensure(session, ["zhang"], START)["zhang"]
        note = FollowUp(customer_id=stage.customers["li"], staff_id=author, text="回访", created_at=START)
        session.add(note)
        session.flush()
        return note.id


def _act(stage: Stage) -> int:
    """Let zhang take li's tag off, and return the change set."""
    by = Source(SourceKind.MANUAL, "", "zhang")
    li, act = stage.customers["li"], Act("staff", actor_ref="zhang")
    stage.shop.apply(TagChange(li, stage.tag_id, True, by), act=act)
    found = stage.shop.apply(TagChange(li, stage.tag_id, False, by), act=act).change_set_id
    assert found is not None
    return found


def test_not_mine_and_unknown_are_the_same_answer_to_the_byte(stage: Stage) -> None:
    for actor in ("zhang", "service here", "ops"):
        for headers in (JSON, HTML):
            answers = [
                stage.browsers[actor].client.get(f"/sidebar/customers/wm_{name}", headers=headers)
                for name in ("hua", "gone", "unknown", "x" * 64, "li'--", "%E2%80%AE")
            ]
            assert {answer.status_code for answer in answers} == {404}
            assert len({answer.get_data() for answer in answers}) == 1
            assert len({str(sorted(answer.headers)) for answer in answers}) == 1


def test_a_thousand_guesses_cost_hardly_any_call_to_wecom(stage: Stage) -> None:
    company = stage.company
    company.runtime.run_until_idle()  # what other tests have left to do costs calls too
    before = len(company.simulator.calls)
    client = stage.browsers["zhang"].client
    for number in range(1000):
        answer: Any = client.get(f"/sidebar/customers/wm_guess_{number}", headers=JSON)
        assert answer.status_code in (404, 429)
    company.runtime.run_until_idle()
    assert len(company.simulator.calls) - before <= 20
