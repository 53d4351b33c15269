"""Departments, their members and leaders, read from WeCom: one member after a change, everybody in a pull.

`read_member` and `pull` are jobs that callbacks about members and departments ask for; a schedule pulls every night.
Who is found to be disabled or gone is signed out in the same transaction.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime, timedelta

import structlog
from sqlalchemy import delete, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import TooMany, WeComGone, WeComRejected
from wecom_app.models import Department, DepartmentMember, Staff
from wecom_app.services import operation_voiding, rate_limits, sessions, staff
from wecom_app.services.context import Context
from wecom_app.services.ports import DepartmentDetails, JobArgs, JobQueue, MemberDetails
from wecom_app.services.progress import SILENT, Progress
from wecom_app.services.rate_limits import Limit
from wecom_app.services.runtime import Runtime, Store
from wecom_app.services.upsert import upsert

PULL_KIND = "directory.pull"
FIRST_PULLS = Limit("first-pull", 1, timedelta(hours=6))

log = structlog.get_logger(__name__)


def read_member(runtime: Runtime, args: JobArgs) -> None:
    """Write down one member as WeCom shows him; one whom the app may not see stays as he is."""
    userid = str(args["userid"])
    try:
        member = runtime.wecom.get_member(userid)
    except (WeComGone, WeComRejected) as error:
        log.info("directory.member_unseen", userid=userid, errcode=error.errcode)
        return
    with runtime.write() as session:
        _take_members(session, [member], runtime)


def pull(runtime: Runtime, _args: JobArgs, progress: Progress = SILENT) -> None:
    """Read all departments that the app sees, and their members; leaders are those either list names."""
    departments = runtime.wecom.list_departments()
    with runtime.write() as session:
        _take_departments(session, departments)
    progress.expect(len(departments))
    for department in departments:
        try:
            members = runtime.wecom.list_members(department.id)
        except (WeComGone, WeComRejected) as error:
            progress.error(f"部门「{department.name}」", error)
            progress.advance()
            continue
        with runtime.write() as session:
            ids = _take_members(session, members, runtime)
            leaders = staff.ensure(session, department.leaders, runtime.clock.now())
            _mark_leaders(session, department.id, [*leaders.values()])
            _drop_others(session, department.id, {*ids, *leaders.values()})
        progress.advance(departments=1, members=len(members))


def request_pull(session: Session, queue: JobQueue) -> None:
    """Have the whole directory read, once however often it is asked."""
    queue.enqueue(session, PULL_KIND, {}, lane="bulk", key="directory", unique="all")


def request_first(store: Store) -> None:
    """Have everything read at once where no department is known yet."""
    now = store.clock.now()
    with store.read() as session:
        if session.scalars(select(Department.id).limit(1)).first() is not None:
            return
    with store.write() as session:
        if _may_try(session, now):
            request_pull(session, store.queue)


def _may_try(session: Session, now: datetime) -> bool:
    """Return whether a pull that brought nothing so far may be asked for again: what stops it needs a person."""
    try:
        rate_limits.take(session, now, (FIRST_PULLS, ""))
    except TooMany:
        return False
    return True


def rename(session: Session, userid: str, new_userid: str) -> None:
    """A member got another userid: he stays the same person here."""
    taken = session.execute(select(Staff.id).where(Staff.userid_key == new_userid.lower())).scalar_one_or_none()
    if taken is None:
        session.execute(
            update(Staff)
            .where(Staff.userid_key == userid.lower())
            .values(userid=new_userid, userid_key=new_userid.lower())
        )


def leave(session: Session, context: Context, userid: str) -> None:
    """A member has left: what waited to be pushed to his relations is void; they end when WeCom says so."""
    staff_ids = session.scalars(select(Staff.id).where(Staff.userid_key == userid.lower())).all()
    session.execute(update(Staff).where(Staff.userid_key == userid.lower()).values(status="left"))
    sessions.end_for_staff(session, staff_ids)
    operation_voiding.begin(session, context.queue, staff_ids=staff_ids, reason="成员已离职", now=context.now)
    session.execute(
        delete(DepartmentMember)
        .where(DepartmentMember.staff_id.in_(staff_ids))
        .execution_options(synchronize_session=False)
    )


def _take_departments(session: Session, departments: Sequence[DepartmentDetails]) -> None:
    """Write the departments; a company has hundreds, so that one transaction is short enough."""
    rows = [
        {"id": item.id, "name": item.name[:128], "parent_id": item.parent_id, "position": item.order}
        for item in departments
    ]
    upsert(session, Department, rows, ["id"])
    if rows:
        gone = select(Department.id).where(Department.id.not_in([row["id"] for row in rows]))
        session.execute(
            delete(DepartmentMember)
            .where(DepartmentMember.department_id.in_(gone))
            .execution_options(synchronize_session=False)
        )
        session.execute(delete(Department).where(Department.id.not_in([row["id"] for row in rows])))


def _take_members(session: Session, members: Sequence[MemberDetails], runtime: Runtime) -> list[int]:
    """Write members with their departments; return their staff ids."""
    ids = staff.ensure(session, [member.userid for member in members], runtime.clock.now())
    for member in members:
        session.execute(
            update(Staff)
            .where(Staff.id == ids[member.userid])
            .values(userid=member.userid, name=member.name[:64], status=member.status)
        )
        _take_places(session, ids[member.userid], member)
    sessions.end_for_staff(session, [ids[member.userid] for member in members if member.status in sessions.GONE])
    return list(ids.values())


def _take_places(session: Session, staff_id: int, member: MemberDetails) -> None:
    session.execute(
        delete(DepartmentMember).where(
            DepartmentMember.staff_id == staff_id,
            DepartmentMember.department_id.not_in(list(member.departments)),
        )
    )
    rows = [
        {"department_id": department_id, "staff_id": staff_id, "is_leader": leads}
        for department_id, leads in member.departments.items()
    ]
    upsert(session, DepartmentMember, rows, ["department_id", "staff_id"])


def _mark_leaders(session: Session, department_id: int, staff_ids: Iterable[int]) -> None:
    rows = [{"department_id": department_id, "staff_id": staff_id, "is_leader": True} for staff_id in staff_ids]
    upsert(session, DepartmentMember, rows, ["department_id", "staff_id"])


def _drop_others(session: Session, department_id: int, staff_ids: set[int]) -> None:
    """Note who is in a department no more; bounded by who has left it since the last look."""
    session.execute(
        delete(DepartmentMember).where(
            DepartmentMember.department_id == department_id, DepartmentMember.staff_id.not_in(staff_ids)
        )
    )
