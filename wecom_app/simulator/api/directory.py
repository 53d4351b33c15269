"""user and department: members and the corp's tree (Tencent's pages 90196 to 90208)."""

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.members import ROOT_DEPARTMENT, Department, Member, Members

EMPTY_MEMBER: Json = {"department": [], "order": [], "is_leader_in_dept": [], "direct_leader": []}


def get_user(call: Call) -> Json:
    """Answer one member, without what apps made since 2022 may not see (avatar, mobile, e-mail)."""
    userid = call.query.get("userid", "")
    member = call.world.members.find(userid) if userid else None
    if member is None:
        raise ApiError(60111)
    if not call.context.sees(call.app, member.userid):
        raise ApiError(60011)
    return describe_member(call.world.members, member)


def describe_member(members: Members, member: Member) -> Json:
    """Return a member as user/get shows it."""
    departments = members.departments
    return {
        "userid": member.userid,
        "name": member.name,
        "department": member.department,
        "order": [0] * len(member.department),
        "position": member.position,
        "gender": "0",
        "is_leader_in_dept": [
            int(item in departments and member.userid in departments[item].leaders) for item in member.department
        ],
        "direct_leader": [],
        "alias": member.alias,
        "status": member.status,
        "isleader": 0,
        "enable": int(member.status == 1),
        "main_department": member.department[0],
        "telephone": "",
        "extattr": {"attrs": []},
    }


def simple_list(call: Call) -> Json:
    """Answer the members of one department, not of those below it."""
    return {
        "userlist": [
            {
                "userid": member.userid,
                "name": member.name,
                "department": member.department,
                "open_userid": "",
            }
            for member in _of_department(call)
        ]
    }


def full_list(call: Call) -> Json:
    """Answer the members of one department with all fields."""
    return {"userlist": [describe_member(call.world.members, member) for member in _of_department(call)]}


def _of_department(call: Call) -> list[Member]:
    department = _department(call, call.query.get("department_id"))
    seen = call.context.seen_members(call.app)
    return [member for member in seen if department.id in member.department]


def _department(call: Call, value: str | None) -> Department:
    departments = call.world.members.departments
    if value is None or not value.isdecimal() or int(value) not in departments:
        raise ApiError(60123)
    return departments[int(value)]


def _subtree(call: Call) -> list[Department]:
    start = _department(call, call.query.get("id") or str(ROOT_DEPARTMENT))
    return [call.world.members.departments[item] for item in call.world.members.with_descendants(start.id)]


def department_list(call: Call) -> Json:
    """Answer a department and all below it."""
    return {"department": [_described(item) for item in _subtree(call)]}


def department_simple_list(call: Call) -> Json:
    """Answer the ids of a department and of all below it."""
    return {
        "department_id": [{"id": item.id, "parentid": item.parentid, "order": item.order} for item in _subtree(call)]
    }


def get_department(call: Call) -> Json:
    """Answer one department."""
    return {"department": _described(_department(call, call.query.get("id")))}


def _described(department: Department) -> Json:
    return {
        "id": department.id,
        "name": department.name,
        "name_en": "",
        "department_leader": department.leaders,
        "parentid": department.parentid,
        "order": department.order,
    }


ENDPOINTS = {
    "user/get": Endpoint(get_user, EMPTY_MEMBER),
    "user/simplelist": Endpoint(simple_list, {"userlist": []}, answer_list="userlist"),
    "user/list": Endpoint(full_list, {"userlist": []}, answer_list="userlist"),
    "department/list": Endpoint(department_list, {"department": []}, answer_list="department"),
    "department/simplelist": Endpoint(department_simple_list, {"department_id": []}, answer_list="department_id"),
    "department/get": Endpoint(get_department),
}
