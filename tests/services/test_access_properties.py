"""Whom a viewer reaches in random companies, against a second reading of the rules that shares no code with ours."""

import os
import shutil
from collections.abc import Iterator
from dataclasses import dataclass
from pathlib import Path

import pytest
from hypothesis import HealthCheck, given, settings
from hypothesis import strategies as st
from sqlalchemy import delete, insert, select

from tests.conftest import START
from wecom_app.db import Database
from wecom_app.domain.access import GIVEN_ROLES, WHOLE_COMPANY, Purpose, Role
from wecom_app.errors import NotFound
from wecom_app.models import Customer, Department, DepartmentMember, Relation, Staff, StaffRole, StaffScope
from wecom_app.services import access

EXAMPLES = int(os.environ.get("ACCESS_EXAMPLES", "100"))
"""Raise it for a longer look."""
MOST_DEPARTMENTS, MOST_MEMBERS, MOST_CUSTOMERS = 12, 50, 8
TABLES = (StaffScope, StaffRole, DepartmentMember, Relation, Staff, Customer, Department)


@dataclass(frozen=True)
class Corp:
    parents: dict[int, int]
    places: dict[tuple[int, int], bool]
    """(member, department) → leads it."""
    relations: dict[tuple[int, int], str]
    """(member, customer) → live, half or lost."""
    roles: dict[int, frozenset[Role]]
    scopes: dict[int, frozenset[int]]
    members: int
    customers: int


@st.composite
def corps(draw: st.DrawFn) -> Corp:
    departments = draw(st.integers(1, MOST_DEPARTMENTS))
    # A parent may be any department, later ones and itself too: rings happen while WeCom's news come in.
    parents = {number: draw(st.integers(0, departments)) for number in range(1, departments + 1)}
    members, customers = draw(st.integers(1, MOST_MEMBERS)), draw(st.integers(1, MOST_CUSTOMERS))
    member, department = st.integers(1, members), st.integers(1, departments)
    return Corp(
        parents=parents,
        places=draw(st.dictionaries(st.tuples(member, department), st.booleans(), max_size=2 * members)),
        relations=draw(
            st.dictionaries(
                st.tuples(member, st.integers(1, customers)), st.sampled_from(["live", "half", "lost"]), max_size=30
            )
        ),
        roles=draw(st.dictionaries(member, st.frozensets(st.sampled_from(GIVEN_ROLES), max_size=2), max_size=6)),
        scopes=draw(
            st.dictionaries(
                member, st.frozensets(st.one_of(department, st.just(WHOLE_COMPANY)), max_size=3), max_size=6
            )
        ),
        members=members,
        customers=customers,
    )


def may(corp: Corp, viewer: int, customer: int, purpose: Purpose) -> bool:
    """Say from the words of the guide whether the viewer reaches the customer."""
    mine = corp.relations.get((viewer, customer))
    if mine == "live" or (mine == "half" and purpose is not Purpose.EDIT):
        return True
    roles = set(corp.roles.get(viewer, ()))
    if Role.ADMIN in roles or (Role.AUDITOR in roles and purpose is not Purpose.EDIT):
        return True
    leads = {place for (member, place), is_leader in corp.places.items() if member == viewer and is_leader}
    looks = Role.LEADER in roles or bool(leads)
    serves = Role.SERVICE in roles and purpose is Purpose.SERVE
    if purpose is Purpose.EDIT or not (looks or serves):
        return False
    scope = set(corp.scopes.get(viewer, ()))
    if WHOLE_COMPANY in scope:
        return True
    followers = {member for (member, other), kind in corp.relations.items() if other == customer and kind != "lost"}
    return any(_is_below(corp.parents, place, leads | scope) for (member, place) in corp.places if member in followers)


def _is_below(parents: dict[int, int], place: int, tops: set[int]) -> bool:
    """Climb from the place; a ring ends the climb."""
    climbed: set[int] = set()
    while place not in climbed:
        if place in tops:
            return True
        climbed.add(place)
        place = parents.get(place, 0)
    return False


@pytest.fixture(scope="module")
def reused(sqlite_template: Path, tmp_path_factory: pytest.TempPathFactory) -> Iterator[Database]:
    path = tmp_path_factory.mktemp("corps") / "test.db"
    shutil.copy(sqlite_template, path)
    database = Database(f"sqlite:///{path}")
    yield database
    database.close()


@settings(
    max_examples=EXAMPLES, deadline=None, suppress_health_check=[HealthCheck.too_slow, HealthCheck.data_too_large]
)
@given(corp=corps(), data=st.data())
def test_whom_a_viewer_reaches_is_what_the_rules_say(reused: Database, corp: Corp, data: st.DataObject) -> None:
    _write(reused, corp)
    involved = {member for member, _ in corp.relations} | {member for member, _ in corp.places}
    chosen = sorted(involved | set(corp.roles) | set(corp.scopes) | {1})
    viewers = data.draw(st.lists(st.sampled_from(chosen), min_size=1, max_size=6, unique=True))
    with reused.read() as session:
        for number in viewers:
            viewer = access.staff_viewer(session, session.get_one(Staff, number))
            for purpose in Purpose:
                condition = access.visible_customers(session, viewer, purpose)
                listed = set(session.scalars(select(Customer.id).where(condition)))
                expected = {
                    customer for customer in range(1, corp.customers + 1) if may(corp, number, customer, purpose)
                }
                assert listed == expected, (number, purpose)
                for customer in range(1, corp.customers + 1):
                    assert _found(session, viewer, customer, purpose) == (customer in expected)


def _found(session: object, viewer: access.Viewer, customer: int, purpose: Purpose) -> bool:
    try:
        access.find_customer(session, viewer, f"wm_{customer}", purpose)
    except NotFound:
        return False
    return True


def _write(database: Database, corp: Corp) -> None:
    people = range(1, corp.members + 1)
    with database.write() as session:
        for table in TABLES:
            session.execute(delete(table))
        rows = {
            Department: [{"id": number, "name": "-", "parent_id": above} for number, above in corp.parents.items()],
            Staff: [
                {"id": number, "userid": f"u{number}", "userid_key": f"u{number}", "created_at": START}
                for number in people
            ],
            Customer: [
                {"id": number, "external_userid": f"wm_{number}", "created_at": START}
                for number in range(1, corp.customers + 1)
            ],
            DepartmentMember: [
                {"department_id": place, "staff_id": member, "is_leader": leads}
                for (member, place), leads in corp.places.items()
            ],
            Relation: [
                {
                    "customer_id": customer,
                    "staff_id": member,
                    "half": kind == "half",
                    "opened_at": START,
                    "lost_at": START if kind == "lost" else None,
                }
                for (member, customer), kind in corp.relations.items()
            ],
            StaffRole: [
                {"staff_id": member, "role": role, "granted_by": "-", "granted_at": START}
                for member, roles in corp.roles.items()
                for role in roles
            ],
            StaffScope: [
                {"staff_id": member, "department_id": place} for member, scope in corp.scopes.items() for place in scope
            ],
        }
        for table, values in rows.items():
            if values:
                session.execute(insert(table), values)
