"""The console's page of roles: found, given with a scope, taken, and what follows at once."""

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.web.browsing import HTML, ORIGIN, Browser, local_admin, member
from wecom_app.domain.access import Role
from wecom_app.models import AuditEntry, Department, Staff
from wecom_app.services import directory, roles


@pytest.fixture
def company(company: Company) -> Company:
    company.simulator.act("admin", "create_department", id=7, name="华东区")
    company.simulator.act("admin", "create_department", id=8, name="门店一部", parentid=7)
    directory.request_first(company.runtime)
    company.settle()
    return company


def staff_id(company: Company, userid: str) -> int:
    with company.runtime.read() as session:
        return session.scalars(select(Staff.id).where(Staff.userid == userid)).one()


def save(browser: Browser, of: int, *given: str, reach: str = "none", departments: tuple[int, ...] = ()) -> int:
    form = {"role": list(given), "reach": reach, "department": list(departments), "csrf_token": browser.csrf()}
    answer = browser.client.post(f"/admin/roles/{of}", data=form, headers={**HTML, "Origin": ORIGIN})
    return answer.status_code


def test_a_member_is_found_and_given_a_role_that_holds_at_once(company: Company) -> None:
    admin, wang = local_admin(company), member(company, "wang")
    assert "还没有授予" in admin.get("/admin/roles").get_data(as_text=True)
    assert "王芳" in admin.get("/admin/roles?q=王").get_data(as_text=True)
    assert "没有找到" in admin.get("/admin/roles?q=nobody").get_data(as_text=True)
    of = staff_id(company, "wang")
    page = admin.get(f"/admin/roles/{of}").get_data(as_text=True)
    assert page.index("华东区") < page.index("门店一部")

    assert wang.get("/admin/customers").status_code == 403
    assert save(admin, of, "leader", reach="some", departments=(7,)) == 303
    assert "华东区及下级" in admin.get("/admin/roles").get_data(as_text=True)
    assert wang.get("/admin/customers").status_code == 200
    assert "华东区及下级" in wang.get("/account").get_data(as_text=True)
    assert save(admin, of) == 303
    assert wang.get("/admin/customers").status_code == 403
    with company.runtime.read() as session:
        found = session.scalars(
            select(AuditEntry).where(AuditEntry.action == "role.assign").order_by(AuditEntry.id)
        ).all()
        assert roles.find(session, "wang").scope == frozenset()
    assert found[0].details == {"before": {"roles": [], "scope": []}, "after": {"roles": ["leader"], "scope": [7]}}


@pytest.mark.parametrize(
    ("given", "reach", "departments"),
    [
        (("service",), "none", ()),
        (("service",), "some", ()),
        (("leader",), "some", (99,)),
        (("admin", "leader"), "none", ()),
    ],
)
def test_a_role_without_a_scope_that_it_needs_is_refused_and_nothing_changes(
    company: Company, given: tuple[str, ...], reach: str, departments: tuple[int, ...]
) -> None:
    assert save(local_admin(company), staff_id(company, "wang"), *given, reach=reach, departments=departments) == 422
    with company.runtime.read() as session:
        assert roles.find(session, "wang").roles == ()


def test_an_administrator_does_not_shut_himself_out(company: Company) -> None:
    admin = member(company, "zhang", Role.ADMIN)
    assert save(admin, staff_id(company, "zhang")) == 422
    assert save(admin, staff_id(company, "zhang"), "admin", "ops") == 303


def test_an_auditor_sees_the_form_and_cannot_use_it(company: Company) -> None:
    auditor = member(company, "zhang", Role.AUDITOR)
    assert "disabled" in auditor.get(f"/admin/roles/{staff_id(company, 'wang')}").get_data(as_text=True)
    assert save(auditor, staff_id(company, "wang"), "ops") == 403


def test_departments_in_a_ring_are_shown_all_the_same(company: Company) -> None:
    with company.runtime.write() as session:
        session.get_one(Department, 7).parent_id = 8
    with company.runtime.read() as session:
        assert {item.id for item in roles.department_tree(session)} >= {7, 8}
