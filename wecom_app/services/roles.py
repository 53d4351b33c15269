"""Roles and data scopes of members: given and taken by administrators, in the console or by command.

A role says what somebody may do, his scope whose customers the roles leader and service reach. Every member is a rep,
and whoever leads a department at WeCom is its leader; neither is given here.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, delete, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.access import GIVEN_ROLES, ROLE_WORDS, SCOPED_ROLES, WHOLE_COMPANY, Role
from wecom_app.errors import InvalidInput, NotFound
from wecom_app.models import Department, DepartmentMember, Staff, StaffRole, StaffScope
from wecom_app.services import staff
from wecom_app.services.sessions import GONE
from wecom_app.services.upsert import insert_ignore

WHOLE_COMPANY_WORDS = "整个公司"
Scope = frozenset[int]
"""Ids of departments; WHOLE_COMPANY among them stands for all."""


@dataclass(frozen=True)
class Holder:
    """A member, what he was given, and what he leads at WeCom."""

    staff_id: int
    userid: str
    name: str
    status: str
    roles: tuple[Role, ...]
    scope: Scope
    leads: Scope


def grant(session: Session, userid: str, role: Role, scope: Scope, by: str, now: datetime) -> Holder:
    """Give a member a role; a scope that is given replaces the one he had, an empty one leaves it.

    A userid that was not met yet gets its row: WeCom brings the name with the next pull. Raises as `assign` does.
    """
    shown = userid.strip()
    if not 0 < len(shown) <= 64:
        raise InvalidInput("请填写成员的企业微信账号（userid）")
    found = _one(session, Staff.id == staff.ensure(session, [shown], now)[shown])
    return assign(session, found, frozenset({*found.roles, role}), scope or found.scope, by, now)


def revoke(session: Session, userid: str, role: Role, by: str, now: datetime) -> Holder:
    """Take a role away, and the scope with the last role that it served; raise NotFound where he has not got it."""
    found = find(session, userid)
    if role not in found.roles:
        raise NotFound(f"这位成员没有「{ROLE_WORDS[role]}」角色")
    return assign(session, found, frozenset(found.roles) - {role}, found.scope, by, now)


def assign(session: Session, holder: Holder, wanted: frozenset[Role], scope: Scope, by: str, now: datetime) -> Holder:
    """Give a member exactly these roles and this scope; a scope that no role of his uses is dropped.

    Raises InvalidInput for a role that cannot be given, an unknown department, a role that needs a scope and has none,
    or a member who is gone and would get more than he has.
    """
    _check(session, holder, wanted, scope)
    uses_scope = bool(wanted & SCOPED_ROLES) or bool(holder.leads)
    session.execute(delete(StaffScope).where(StaffScope.staff_id == holder.staff_id))
    if uses_scope:
        session.add_all(StaffScope(staff_id=holder.staff_id, department_id=number) for number in sorted(scope))
    gone = set(holder.roles) - wanted
    session.execute(delete(StaffRole).where(StaffRole.staff_id == holder.staff_id, StaffRole.role.in_(gone)))
    rows = [
        {"staff_id": holder.staff_id, "role": role, "granted_by": by[:64], "granted_at": now}
        for role in sorted(wanted - set(holder.roles))
    ]
    insert_ignore(session, StaffRole, rows, ["staff_id", "role"])
    session.flush()
    return _one(session, Staff.id == holder.staff_id)


def find(session: Session, userid: str) -> Holder:
    """Return a member with his roles; raise NotFound for one not known."""
    return _one(session, Staff.userid_key == userid.strip().lower())


def find_by_id(session: Session, staff_id: int) -> Holder:
    """Return a member with his roles; raise NotFound for one not known."""
    return _one(session, Staff.id == staff_id)


def list_holders(session: Session, limit: int = 1000) -> Sequence[Holder]:
    """Return the members who were given a role, by userid."""
    return _holders(session, Staff.id.in_(select(StaffRole.staff_id)), limit)


def search(session: Session, text: str, limit: int = 20) -> Sequence[Holder]:
    """Return members whose name or userid holds the text, those who have left aside."""
    needle = text.strip()
    if not needle:
        return ()
    matches = or_(
        Staff.name.contains(needle, autoescape=True), Staff.userid_key.contains(needle.lower(), autoescape=True)
    )
    return _holders(session, matches & Staff.status.not_in(GONE), limit)


@dataclass(frozen=True)
class TreeDepartment:
    """A department as a list shows the tree; `depth` is 0 at the top."""

    id: int
    name: str
    depth: int


def department_tree(session: Session) -> Sequence[TreeDepartment]:
    """Return all departments, each followed by those below it; what hangs on nothing known is shown at the top."""
    rows = session.execute(
        select(Department.id, Department.name, Department.parent_id).order_by(Department.position, Department.id)
    ).all()
    known = {row.id for row in rows}
    children: dict[int, list[Any]] = {}
    for row in rows:
        children.setdefault(row.parent_id if row.parent_id in known else WHOLE_COMPANY, []).append(row)
    found: dict[int, TreeDepartment] = {}
    waiting = [(row, 0) for row in reversed(children.get(WHOLE_COMPANY, []))]
    while waiting:
        row, depth = waiting.pop()
        if row.id not in found:
            found[row.id] = TreeDepartment(row.id, row.name, depth)
            waiting += [(child, depth + 1) for child in reversed(children.get(row.id, []))]
    # Departments in a ring have no top; they are shown all the same.
    return [*found.values(), *(TreeDepartment(row.id, row.name, 0) for row in rows if row.id not in found)]


def department_names(session: Session) -> Mapping[int, str]:
    """Return all departments, those above before those below as WeCom numbers them."""
    rows = session.execute(select(Department.id, Department.name).order_by(Department.id))
    return {row.id: row.name for row in rows}


def scope_words(scope: Iterable[int], names: Mapping[int, str]) -> str:
    """Say a scope in words; a department that is gone is named by its number."""
    numbers = sorted(scope)
    if WHOLE_COMPANY in numbers:
        return WHOLE_COMPANY_WORDS
    return "、".join(f"{names.get(number, f'部门 {number}（已不存在）')}及下级" for number in numbers)


def _check(session: Session, holder: Holder, wanted: frozenset[Role], scope: Scope) -> None:
    unfit = wanted - set(GIVEN_ROLES)
    if unfit:
        raise InvalidInput("「导购」不需要授予：每位成员都是导购")
    if holder.status in GONE and wanted - set(holder.roles):
        raise InvalidInput("这位成员已停用或已离职，不能授予角色")
    known = set(session.scalars(select(Department.id).where(Department.id.in_(scope))))
    unknown = sorted(scope - known - {WHOLE_COMPANY})
    if unknown:
        shown = "、".join(map(str, unknown))
        raise InvalidInput(
            f"没有编号为 {shown} 的部门；若是新建的部门，请等通讯录同步后再试", details={"scope": "部门不存在"}
        )
    needy = [role for role in GIVEN_ROLES if role in wanted & SCOPED_ROLES]
    if needy and not scope and not (needy == [Role.LEADER] and holder.leads):
        words = f"「{ROLE_WORDS[needy[0]]}」要指定数据范围：一个或几个部门，或整个公司"
        raise InvalidInput(words, details={"scope": words})


def _one(session: Session, condition: ColumnElement[bool]) -> Holder:
    found = _holders(session, condition, 1)
    if not found:
        raise NotFound("没有这位成员；新成员要等通讯录同步后才能看到")
    return found[0]


def _holders(session: Session, condition: ColumnElement[bool], limit: int) -> Sequence[Holder]:
    members = session.scalars(select(Staff).where(condition).order_by(Staff.userid_key).limit(limit)).all()
    ids = [member.id for member in members]
    roles = _grouped(session, select(StaffRole.staff_id, StaffRole.role).where(StaffRole.staff_id.in_(ids)))
    scopes = _grouped(
        session, select(StaffScope.staff_id, StaffScope.department_id).where(StaffScope.staff_id.in_(ids))
    )
    places = select(DepartmentMember.staff_id, DepartmentMember.department_id)
    leads = _grouped(session, places.where(DepartmentMember.staff_id.in_(ids), DepartmentMember.is_leader))
    return [
        Holder(
            staff_id=member.id,
            userid=member.userid,
            name=member.name or member.userid,
            status=member.status,
            roles=tuple(role for role in GIVEN_ROLES if role in roles.get(member.id, ())),
            scope=frozenset(scopes.get(member.id, ())),
            leads=frozenset(leads.get(member.id, ())),
        )
        for member in members
    ]


def _grouped(session: Session, query: Any) -> dict[int, set[Any]]:
    found: dict[int, set[Any]] = {}
    for staff_id, value in session.execute(query):
        found.setdefault(staff_id, set()).add(value)
    return found
