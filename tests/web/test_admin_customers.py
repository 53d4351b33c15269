"""The console's customers: found by what people know of them, in reach only, with reasons and the way back."""

import pytest

from tests.flows.company import Company
from tests.web.browsing import local_admin, member
from wecom_app.domain.access import Role
from wecom_app.models import Department, DepartmentMember, Relation


@pytest.fixture
def people(company: Company) -> dict[str, str]:
    """林晓芸 with 护肤 is zhang's and has a remark, 王子涵 with 母婴 is wang's."""
    skin, baby = company.make_tags("护肤", "母婴")
    found = {}
    for name, tag, userid in (("林晓芸", skin, "zhang"), ("王子涵", baby, "wang")):
        channel = company.make_channel(tags=[tag], staff=[userid])
        found[name] = company.simulator.scan(channel["config_id"], name=name)["external_userid"]
        company.settle()
    with company.runtime.write() as session:
        session.query(Relation).filter_by(id=1).update({"remark": "老客 100%"})
    return {**found, "skin": skin, "baby": baby}


def names(page: str) -> set[str]:
    return {name for name in ("林晓芸", "王子涵") if f">{name}</a>" in page}


@pytest.mark.parametrize(
    ("query", "expected"),
    [
        ("", {"林晓芸", "王子涵"}),
        ("q=晓芸", {"林晓芸"}),
        ("q=100%25", {"林晓芸"}),
        ("q=%25%25", set()),
        ("tag={baby}", {"王子涵"}),
        ("tag=no.such", set()),
        ("userid=WANG", {"王子涵"}),
        ("userid=zhang&tag={baby}", set()),
    ],
)
def test_customers_are_found_by_name_remark_tag_and_member(
    company: Company, people: dict[str, str], query: str, expected: set[str]
) -> None:
    page = local_admin(company).get(f"/admin/customers?{query.format(**people)}").get_data(as_text=True)
    assert names(page) == expected
    assert f"{len(expected)} 位客户" in page


def test_a_leader_finds_only_the_customers_of_his_departments(company: Company, people: dict[str, str]) -> None:
    with company.runtime.write() as session:
        session.add(Department(id=5, name="门店", parent_id=1))
        session.flush()
        session.add(DepartmentMember(department_id=5, staff_id=1))
    leader = member(company, "chen", Role.LEADER, departments=(5,))
    assert names(leader.get("/admin/customers").get_data(as_text=True)) == {"林晓芸"}
    assert leader.get(f"/admin/customers/{people['林晓芸']}").status_code == 200
    not_his, unknown = (leader.get(f"/admin/customers/{who}") for who in (people["王子涵"], "wm_nobody"))
    assert (not_his.status_code, not_his.data) == (404, unknown.data)


def test_a_profile_says_why_and_an_admin_takes_a_change_back(company: Company, people: dict[str, str]) -> None:
    admin, who = local_admin(company), people["林晓芸"]
    why = admin.get(f"/admin/customers/{who}/tags/{people['skin']}").get_data(as_text=True)
    assert "渠道活码" in why
    change = company.get(f"/customers/{who}/history")["items"][0]["change_set_id"]
    path = f"/admin/customers/{who}/change-sets/{change}/undo"
    assert f'action="{path}"' in admin.get(f"/admin/customers/{who}").get_data(as_text=True)
    assert member(company, "chen", Role.AUDITOR).send("POST", path).status_code == 403
    undone = admin.send("POST", path)
    assert undone.status_code == 303
    assert undone.location.endswith(f"/admin/customers/{who}?notice=undo.all")
    assert company.tags_here(who) == set()
