"""Whom a viewer reaches: by his own relations, by departments, by role, and never by guessing."""

import pytest
from sqlalchemy import select

from tests.services.shop import Shop
from wecom_app.domain.access import WHOLE_COMPANY, Purpose, Role, below
from wecom_app.errors import NotFound
from wecom_app.models import Customer, Department, DepartmentMember, Staff, StaffRole, StaffScope
from wecom_app.services import access, staff
from wecom_app.services.access import Viewer

pytestmark = pytest.mark.both

HEAD, SALES, SHOP_1, BACK = 1, 2, 3, 4
"""BACK stands beside SALES below HEAD; SHOP_1 belongs to SALES."""


@pytest.fixture
def corp(shop: Shop) -> Shop:
    """Li is zhang's customer and was wang's; zhang works in SHOP_1, wang in BACK, boss leads SALES, chief BACK."""
    li = shop.customer("zhang", "wang", name="wm_li")
    shop.part(shop.befriend(li, "wang"))
    shop.befriend(shop.customer(name="wm_half"), "zhang", half=True)
    with shop.store.write() as session:
        session.add_all(
            Department(id=number, name=str(number), parent_id=parent)
            for number, parent in ((HEAD, 0), (SALES, HEAD), (SHOP_1, SALES), (BACK, HEAD))
        )
    place(shop, "zhang", SHOP_1)
    place(shop, "wang", BACK)
    place(shop, "boss", SALES, leads=True)
    place(shop, "chief", BACK, leads=True)
    place(shop, "nobody", BACK)
    return shop


def place(shop: Shop, userid: str, department_id: int, *, leads: bool = False) -> None:
    with shop.store.write() as session:
        staff_id = staff.ensure(session, [userid], shop.clock.now())[userid]
        session.add(DepartmentMember(department_id=department_id, staff_id=staff_id, is_leader=leads))


def viewer(shop: Shop, userid: str, *roles: Role, scope: tuple[int, ...] = ()) -> Viewer:
    with shop.store.write() as session:
        found = session.scalars(select(Staff).where(Staff.userid == userid)).one()
        session.add_all(
            StaffRole(staff_id=found.id, role=role, granted_by="tests", granted_at=shop.clock.now()) for role in roles
        )
        session.add_all(StaffScope(staff_id=found.id, department_id=number) for number in scope)
        session.flush()
        return access.staff_viewer(session, found)


def reach(shop: Shop, who: Viewer, external_userid: str = "wm_li") -> str:
    """Return the purposes for which he reaches the customer, after checking that the list says the same."""
    found = ""
    for letter, purpose in zip("VSE", (Purpose.VIEW, Purpose.SERVE, Purpose.EDIT), strict=True):
        with shop.store.read() as session:
            condition = access.visible_customers(session, who, purpose)
            listed = session.scalars(select(Customer.external_userid).where(condition)).all()
            try:
                access.find_customer(session, who, external_userid, purpose)
            except NotFound:
                assert external_userid not in listed
                continue
            assert external_userid in listed
        found += letter
    return found


@pytest.mark.parametrize(
    ("userid", "roles", "scope", "expected"),
    [
        ("zhang", (), (), "VSE"),
        ("wang", (), (), ""),
        ("nobody", (), (), ""),
        ("boss", (), (), "VS"),
        ("chief", (), (), ""),
        ("nobody", (), (SALES,), ""),
        ("nobody", (Role.SERVICE,), (), ""),
        ("nobody", (Role.SERVICE,), (SALES,), "S"),
        ("nobody", (Role.SERVICE,), (BACK,), ""),
        ("nobody", (Role.SERVICE,), (WHOLE_COMPANY,), "S"),
        ("nobody", (Role.LEADER,), (SHOP_1,), "VS"),
        ("nobody", (Role.LEADER,), (WHOLE_COMPANY,), "VS"),
        ("nobody", (Role.ADMIN,), (), "VSE"),
        ("nobody", (Role.AUDITOR,), (), "VS"),
        ("nobody", (Role.OPS,), (WHOLE_COMPANY,), ""),
    ],
)
def test_roles_scope_and_relations_decide_together(
    corp: Shop, userid: str, roles: tuple[Role, ...], scope: tuple[int, ...], expected: str
) -> None:
    assert reach(corp, viewer(corp, userid, *roles, scope=scope)) == expected


def test_a_half_relation_shows_the_customer_and_lets_nobody_edit(corp: Shop) -> None:
    assert reach(corp, viewer(corp, "zhang"), "wm_half") == "VS"


def test_the_relation_given_is_the_viewers_own(corp: Shop) -> None:
    with corp.store.read() as session:
        mine = access.find_customer(session, viewer(corp, "zhang"), "wm_li", Purpose.EDIT)
        theirs = access.find_customer(session, viewer(corp, "boss"), "wm_li", Purpose.VIEW)
    assert mine.relation is not None
    assert mine.relation.staff_id == viewer(corp, "zhang").staff_id
    assert theirs.relation is None


def test_unknown_and_not_mine_are_the_same_error(corp: Shop) -> None:
    errors = []
    for external_userid in ("wm_li", "wm_nobody", "", "wm_li' OR 1=1 --"):
        with corp.store.read() as session, pytest.raises(NotFound) as caught:
            access.find_customer(session, viewer(corp, "chief"), external_userid, Purpose.VIEW)
        errors.append((type(caught.value), caught.value.message, caught.value.details))
    assert len(set(map(str, errors))) == 1


def test_a_ring_of_departments_ends() -> None:
    assert below({1: 3, 2: 1, 3: 2, 4: 9}, [1]) == {1, 2, 3}
