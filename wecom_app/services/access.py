"""The viewer behind a request, and the customers he may reach; every page and fragment about customers asks here.

An `external_userid` that a browser sends is no proof of anything (WeCom's JS-SDK runs in the user's hands):
`find_customer` is the only way from it to a customer.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, false, or_, select, true
from sqlalchemy.orm import Session

from wecom_app.domain.access import REACH, SCOPED_ROLES, WHOLE_COMPANY, Purpose, Role, below
from wecom_app.errors import NotInSight
from wecom_app.models import Customer, Department, DepartmentMember, LocalAdmin, Relation, Staff, StaffRole, StaffScope


@dataclass(frozen=True)
class Viewer:
    """Somebody signed in: a member, or a local administrator (`staff_id` and `userid` are None)."""

    session_id: int | None
    staff_id: int | None
    userid: str | None
    name: str
    roles: frozenset[Role]
    department_ids: frozenset[int] = field(default_factory=frozenset)
    """Departments that he leads or that were given to him, with everything below them."""
    sees_all: bool = False

    def may(self, *roles: Role) -> bool:
        """Return whether he has one of the roles."""
        return not self.roles.isdisjoint(roles)


@dataclass(frozen=True)
class Seen:
    """A customer in the viewer's reach."""

    customer: Customer
    relation: Relation | None
    """The viewer's own live relation, if that is what reaches the customer."""


def staff_viewer(session: Session, staff: Staff, session_id: int | None = None) -> Viewer:
    """Return the viewer that a member is at this moment."""
    given = set(session.scalars(select(StaffRole.role).where(StaffRole.staff_id == staff.id)))
    scope = set(session.scalars(select(StaffScope.department_id).where(StaffScope.staff_id == staff.id)))
    led = set(
        session.scalars(
            select(DepartmentMember.department_id).where(
                DepartmentMember.staff_id == staff.id, DepartmentMember.is_leader
            )
        )
    )
    roles = frozenset({Role.REP, *(Role(role) for role in given), *([Role.LEADER] if led else [])})
    whole = WHOLE_COMPANY in scope and not roles.isdisjoint(SCOPED_ROLES)
    roots = led | (scope - {WHOLE_COMPANY})
    return Viewer(
        session_id=session_id,
        staff_id=staff.id,
        userid=staff.userid,
        name=staff.name or staff.userid,
        roles=roles,
        department_ids=below(_parents(session), roots) if roots else frozenset(),
        sees_all=whole or not roles.isdisjoint(REACH[Purpose.VIEW].everywhere),
    )


def admin_viewer(admin: LocalAdmin, session_id: int | None = None) -> Viewer:
    """Return the viewer that a local administrator is."""
    return Viewer(session_id, None, None, admin.name, frozenset({Role.ADMIN}), sees_all=True)


def find_customer(session: Session, viewer: Viewer, external_userid: str, purpose: Purpose) -> Seen:
    """Return the customer, if the viewer reaches him for the purpose.

    Raises NotInSight, the same whether there is no such customer or he is not the viewer's to see: one
    statement decides both, so that neither the answer nor its time tells them apart.
    """
    mine = and_(Relation.customer_id == Customer.id, _own(viewer, purpose))
    query = (
        select(Customer, Relation)
        .outerjoin(Relation, mine)
        .where(Customer.external_userid == external_userid, _reached_one_by_one(viewer, purpose))
    )
    found = session.execute(query).one_or_none()
    if found is None:
        raise NotInSight
    return Seen(*found)


def visible_customers(_session: Session, viewer: Viewer, purpose: Purpose = Purpose.VIEW) -> ColumnElement[bool]:
    """Return the condition on `customer` that holds for those whom the viewer reaches; for lists."""
    if _reaches_all(viewer, purpose):
        return true()
    return or_(false(), *(Customer.id.in_(found) for found in _reaching(viewer, purpose)))


def _reached_one_by_one(viewer: Viewer, purpose: Purpose) -> ColumnElement[bool]:
    """Return the same condition, asked of one customer: an index is probed and no list of customers made."""
    if _reaches_all(viewer, purpose):
        return true()
    asked = (
        found.where(Relation.customer_id == Customer.id).correlate(Customer) for found in _reaching(viewer, purpose)
    )
    return or_(false(), *(exists(found) for found in asked))


def _reaches_all(viewer: Viewer, purpose: Purpose) -> bool:
    reach = REACH[purpose]
    return viewer.may(*reach.everywhere) or (viewer.sees_all and viewer.may(*reach.in_scope))


def _reaching(viewer: Viewer, purpose: Purpose) -> list[Select[Any]]:
    """Return selections of the ids of customers whom the viewer reaches, each by another way."""
    ways: list[Select[Any]] = []
    if viewer.staff_id is not None:
        ways.append(select(Relation.customer_id).where(_own(viewer, purpose)))
    if viewer.department_ids and viewer.may(*REACH[purpose].in_scope):
        ways.append(
            select(Relation.customer_id)
            .join(DepartmentMember, DepartmentMember.staff_id == Relation.staff_id)
            .where(Relation.lost_at.is_(None), DepartmentMember.department_id.in_(viewer.department_ids))
        )
    return ways


def _own(viewer: Viewer, purpose: Purpose) -> ColumnElement[bool]:
    live = and_(Relation.staff_id == viewer.staff_id, Relation.lost_at.is_(None))
    return live if REACH[purpose].half_relation else and_(live, ~Relation.half)


def _parents(session: Session) -> Mapping[int, int]:
    return {row.id: row.parent_id for row in session.execute(select(Department.id, Department.parent_id))}
