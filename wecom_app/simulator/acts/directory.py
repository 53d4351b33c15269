"""Acts of an administrator on members and departments (`change_contact` events)."""

from wecom_app.errors import Conflict, NotFound
from wecom_app.simulator.acts.act import Act, Handler
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.events import directory_event
from wecom_app.simulator.members import LEFT, ROOT_DEPARTMENT, Department, Member
from wecom_app.simulator.transfers import Unassigned


def create_member(act: Act) -> Json:
    """Take a member into the corp."""
    userid = act.text("userid")
    if act.world.members.find(userid) is not None:
        raise Conflict(f"已有成员 {userid}")
    departments = [int(item) for item in act.items("department")] or None
    member = act.world.add_member(userid, act.text("name"), department=departments)
    act.emit(directory_event("create_user", UserID=member.userid, **_fields(member)))
    return {"userid": member.userid}


def update_member(act: Act) -> Json:
    """Change a member's name, departments or status, or give him a `new_userid`."""
    member = act.member(act.text("userid"))
    old_userid, new_userid = member.userid, act.parts.get("new_userid")
    member.name = str(act.parts.get("name", member.name))
    member.status = int(act.parts.get("status", member.status))
    member.department = [int(item) for item in act.items("department")] or member.department
    extra: dict[str, object] = {}
    if new_userid:
        act.world.members.rename(member, str(new_userid))
        act.world.customers.rename_member(old_userid, str(new_userid))
        extra["NewUserID"] = str(new_userid)
    act.emit(directory_event("update_user", UserID=old_userid, **extra, **_fields(member)))
    return {"userid": member.userid}


def _fields(member: Member) -> dict[str, object]:
    return {
        "Name": member.name,
        "Department": ",".join(map(str, member.department)),
        "MainDepartment": member.department[0],
        "Status": member.status,
    }


def resign(act: Act) -> Json:
    """Delete a member: his customers wait to be handed over; only the member's event is pushed."""
    member = act.member(act.text("userid"))
    now = act.world.unix_now()
    for relation in act.world.customers.of_member(member.userid):
        if relation.deleted_by is None:
            relation.deleted_by = "resigned"
            act.world.transfers.unassigned.append(Unassigned(member.userid, relation.external_userid, now))
    member.status = LEFT
    act.world.members.remove(member.userid)
    act.emit(directory_event("delete_user", UserID=member.userid))
    return {"userid": member.userid}


def create_department(act: Act) -> Json:
    """Put a department into the tree."""
    departments = act.world.members.departments
    number = int(act.parts.get("id") or max(departments) + 1)
    department = act.world.add_department(number, act.text("name"), int(act.parts.get("parentid", ROOT_DEPARTMENT)))
    act.emit(directory_event("create_party", **_described(department)))
    return {"id": department.id}


def update_department(act: Act) -> Json:
    """Rename or move a department."""
    department = _department(act)
    department.name = str(act.parts.get("name", department.name))
    department.parentid = int(act.parts.get("parentid", department.parentid))
    if "leaders" in act.parts:
        department.leaders = [str(userid) for userid in act.items("leaders")]
    act.emit(directory_event("update_party", **_described(department)))
    return {"id": department.id}


def delete_department(act: Act) -> Json:
    """Take a department out of the tree."""
    department = _department(act)
    del act.world.members.departments[department.id]
    act.emit(directory_event("delete_party", Id=department.id))
    return {"id": department.id}


def _department(act: Act) -> Department:
    department = act.world.members.departments.get(int(act.parts.get("id", 0)))
    if department is None:
        raise NotFound("没有这个部门")
    return department


def _described(department: Department) -> dict[str, object]:
    return {
        "Id": department.id,
        "Name": department.name,
        "ParentId": department.parentid,
        "Order": department.order,
    }


HANDLERS: dict[str, Handler] = {
    "create_member": create_member,
    "update_member": update_member,
    "delete_member": resign,
    "resign": resign,
    "create_department": create_department,
    "update_department": update_department,
    "delete_department": delete_department,
}
