"""Customer service looks at profiles in its departments: read-only, written down, and never further."""

from collections.abc import Iterator

import pytest

from tests.flows.company import Company, open_company
from tests.web.browsing import JSON, Browser, member
from wecom_app.clock import ManualClock
from wecom_app.domain.access import Role
from wecom_app.errors import Unavailable
from wecom_app.models import AuditEntry, Department, DepartmentMember
from wecom_app.services import audit, staff

SHOP, BACK = 2, 3


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()


@pytest.fixture
def key(company: Company) -> str:
    return company.make_tags("护肤")[0]


@pytest.fixture
def customer(company: Company, key: str) -> str:
    return scan(company, key)


@pytest.fixture
def chen(company: Company) -> Browser:
    """Customer service for zhang's department."""
    return member(company, "chen", Role.SERVICE, departments=(SHOP,))


def scan(company: Company, *tags: str, userid: str = "zhang") -> str:
    made = company.make_channel(tags=list(tags), staff=[userid], name=f"{userid}的码")
    found: str = company.simulator.scan(made["config_id"], name="林晓芸")["external_userid"]
    company.settle()
    _place(company)
    return found


def _place(company: Company) -> None:
    """Put zhang and wang into departments, which the simulated WeCom has none of."""
    with company.runtime.write() as session:
        ids = staff.ensure(session, ["zhang", "wang"], company.clock.now())
        for department, userid in ((SHOP, "zhang"), (BACK, "wang")):
            session.merge(Department(id=department, name=userid, parent_id=1))
            session.merge(DepartmentMember(department_id=department, staff_id=ids[userid], is_leader=False))


def served(customer: str, rest: str = "") -> str:
    return f"/sidebar/service/customers/{customer}{rest}"


def looks(company: Company) -> list[tuple[str, str]]:
    with company.runtime.read() as session:
        return [(row.actor, row.subject) for row in session.query(AuditEntry).filter_by(action="customer.serve")]


def test_the_profile_is_shown_without_anything_that_changes_it(
    company: Company, chen: Browser, customer: str, key: str
) -> None:
    page = chen.get(served(customer)).get_data(as_text=True)
    assert "林晓芸" in page
    assert 'data-served="yes"' in page
    for control in (
        "edit-tags",
        "write-follow-up",
        "edit-fields",
        "edit-remark",
        "follow-up-done",
        'data-action="undo"',
    ):
        assert control not in page
    why = chen.get(served(customer, f"/tags/{key}")).get_data(as_text=True)
    assert "扫描渠道活码" in why
    assert "remove-tag" not in why


def test_the_server_refuses_edits_of_customer_service(company: Company, chen: Browser, customer: str, key: str) -> None:
    edit = {"add": [], "remove": [key], "version": 1}
    assert chen.send("POST", f"/sidebar/customers/{customer}/tags", edit).status_code == 404
    assert chen.get(f"/sidebar/customers/{customer}").status_code == 404
    assert company.tags_here(customer) >= {"护肤"}


def test_every_look_is_written_down_once_a_minute(company: Company, chen: Browser, customer: str, key: str) -> None:
    for rest in ("", "/timeline", f"/tags/{key}", ""):
        assert chen.get(served(customer, rest)).status_code == 200
    assert looks(company) == [("chen", f"customer:{customer}")]
    company.clock.advance(61)
    chen.get(served(customer, "/timeline"))
    other = member(company, "wang", Role.SERVICE, departments=(SHOP,))
    other.get(served(customer))
    assert [actor for actor, _ in looks(company)] == ["chen", "chen", "wang"]


def test_what_cannot_be_written_down_is_not_shown(
    company: Company, chen: Browser, customer: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    def fail(*_: object, **__: object) -> None:
        raise Unavailable

    monkeypatch.setattr(audit, "record", fail)
    answer = chen.get(served(customer))
    assert answer.status_code == 503
    assert "林晓芸" not in answer.get_data(as_text=True)


def test_outside_of_his_departments_a_customer_does_not_exist(company: Company, chen: Browser, customer: str) -> None:
    others = scan(company, userid="wang")
    answers = [chen.client.get(served(each), headers=JSON) for each in (others, "wm_nobody")]
    assert {answer.status_code for answer in answers} == {404}
    assert answers[0].get_data() == answers[1].get_data()
    assert looks(company) == []


def test_who_is_the_customer_s_friend_himself_edits_as_usual(company: Company, customer: str) -> None:
    zhang = member(company, "zhang", Role.SERVICE, departments=(SHOP,))
    page = zhang.get(served(customer)).get_data(as_text=True)
    assert 'id="edit-tags"' in page
    assert "data-served" not in page
    assert looks(company) == []


def test_an_administrator_too_only_looks_from_there(company: Company, customer: str) -> None:
    admin = member(company, "chen", Role.ADMIN)
    assert "edit-tags" not in admin.get(served(customer)).get_data(as_text=True)
    assert looks(company) == [("chen", f"customer:{customer}")]
