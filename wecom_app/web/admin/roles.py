"""`/admin/roles`: what members may do, and whose customers they may look at; given and taken here."""

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import GIVEN_ROLES, ROLE_WORDS, SCOPED_ROLES, WHOLE_COMPANY, Role
from wecom_app.errors import InvalidInput
from wecom_app.services import audit, roles
from wecom_app.services.roles import Holder, Scope
from wecom_app.web.admin import notices
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR)
ROLE_HINTS = {
    Role.LEADER: "查看数据范围内的客户；企业微信里的部门负责人不用授予",
    Role.SERVICE: "接待时查看数据范围内的客户，每次查看都有记录",
    Role.ADMIN: "查看与修改全部客户，管理后台的一切设置",
    Role.AUDITOR: "查看全部客户和后台，不能修改",
    Role.OPS: "查看任务与系统状态，不因此看到客户",
}
OWN_ROLE = "不能收回自己的管理员角色，请让另一位管理员操作"


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/roles", "roles", list_roles)
    add("/roles/<int:staff_id>", "roles_member", member)
    add("/roles/<int:staff_id>", "roles_save", save, methods=["POST"])


@signed_in(*READ)
def list_roles() -> str:
    """Who has which role; or, searched for, any member."""
    wanted = request.args.get("q", "").strip()[:64]
    with runtime().read() as session:
        found = roles.search(session, wanted) if wanted else roles.list_holders(session)
        names = roles.department_names(session)
    shown = [
        (holder, roles.scope_words(holder.scope, names), roles.scope_words(holder.leads, names)) for holder in found
    ]
    return render_template("admin/roles/list.html", found=shown, q=wanted, words=ROLE_WORDS)


@signed_in(*READ)
def member(staff_id: int) -> str:
    """One member's roles and scope."""
    with runtime().read() as session:
        holder = roles.find_by_id(session, staff_id)
        return _form(session, holder, frozenset(holder.roles), holder.scope, {})


@signed_in(Role.ADMIN)
def save(staff_id: int) -> Response | tuple[str, int]:
    """Give the member exactly what the form says."""
    wanted = frozenset(role for role in GIVEN_ROLES if role in request.form.getlist("role"))
    scope = _scope()
    try:
        _assign(staff_id, wanted, scope)
    except InvalidInput as error:
        with runtime().read() as session:
            holder = roles.find_by_id(session, staff_id)
            return _form(session, holder, wanted, scope, {"scope": error.message}), error.http_status
    return notices.back_to("admin.roles", "roles.saved")


def _assign(staff_id: int, wanted: frozenset[Role], scope: Scope) -> None:
    viewer, now = current_viewer(), runtime().clock.now()
    if staff_id == viewer.staff_id and Role.ADMIN not in wanted:
        raise InvalidInput(OWN_ROLE)
    with runtime().write() as session:
        before = roles.find_by_id(session, staff_id)
        after = roles.assign(session, before, wanted, scope, viewer.userid or viewer.name, now)
        details = {"before": _facts(before), "after": _facts(after)}
        audit.record(session, viewer, "role.assign", f"staff:{staff_id}", details, now=now)


def _scope() -> Scope:
    if request.form.get("reach") == "all":
        return frozenset({WHOLE_COMPANY})
    given = request.form.getlist("department", type=int)
    return (
        frozenset(number for number in given if 0 < number < 2**31)
        if request.form.get("reach") == "some"
        else frozenset()
    )


def _form(session: Session, holder: Holder, chosen: frozenset[Role], scope: Scope, problems: dict[str, str]) -> str:
    names = roles.department_names(session)
    return render_template(
        "admin/roles/form.html",
        holder=holder,
        leads=roles.scope_words(holder.leads, names),
        roles=[
            (role, ROLE_WORDS[role], ROLE_HINTS[role], role in chosen, role in SCOPED_ROLES) for role in GIVEN_ROLES
        ],
        reach="all" if WHOLE_COMPANY in scope else "some" if scope else "none",
        scope=scope,
        departments=roles.department_tree(session),
        problems=problems,
        may_change=current_viewer().may(Role.ADMIN),
    )


def _facts(holder: Holder) -> dict[str, object]:
    return {"roles": list(holder.roles), "scope": sorted(holder.scope)}
