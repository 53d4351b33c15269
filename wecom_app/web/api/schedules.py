"""`/api/v1/schedules`: what is done by the clock: made, changed, run now, stopped, and what came of it."""

from pydantic import BaseModel

from wecom_app.domain import cron
from wecom_app.domain.cron_words import describe
from wecom_app.services import schedule_runs, schedule_times, schedules
from wecom_app.services.accounts import KeyScope
from wecom_app.services.runtime import Store
from wecom_app.services.schedule_kinds import KINDS
from wecom_app.services.schedule_runs import RunView
from wecom_app.services.schedules import ScheduleDraft, ScheduleEdit, ScheduleView
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page, PageQuery
from wecom_app.web.api.schemas_schedules import (
    CronOut,
    CronQuery,
    ItemErrorOut,
    RemovedOut,
    ScheduleEditIn,
    ScheduleIn,
    ScheduleKindOut,
    ScheduleKindsOut,
    ScheduleOut,
    ScheduleRunOut,
    SchedulesOut,
)


def list_schedules(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = schedules.list_schedules(session, call.runtime.queue, call.runtime.clock.now())
    return SchedulesOut(items=[schedule_out(view) for view in found])


def list_schedule_kinds(_call: Call) -> BaseModel:
    items = [
        ScheduleKindOut(key=key, name=kind.words, help=kind.help, cron=kind.cron, words=describe(cron.parse(kind.cron)))
        for key, kind in KINDS.items()
    ]
    return ScheduleKindsOut(items=items)


def preview_cron(call: Call) -> BaseModel:
    zone = call.query.time_zone or call.runtime.settings.time_zone
    found = schedule_times.preview(call.query.cron, zone, call.runtime.clock.now())
    return CronOut(words=found.words, upcoming=list(found.upcoming))


def get_schedule(call: Call) -> BaseModel:
    return read_out(call.runtime, call.path["schedule_id"])


def create_schedule(call: Call) -> BaseModel:
    given: ScheduleIn = call.body
    values = {**given.model_dump(), "time_zone": given.time_zone or call.runtime.settings.time_zone}
    with call.runtime.write() as session:
        made = schedules.create(session, ScheduleDraft(**values), call.caller.name, call.runtime.clock.now())
    return read_out(call.runtime, made.id)


def edit_schedule(call: Call) -> BaseModel:
    given: ScheduleEditIn = call.body
    changes = ScheduleEdit(**given.model_dump(exclude={"version"}))
    now = call.runtime.clock.now()
    with call.runtime.write() as session:
        schedules.edit(session, call.path["schedule_id"], changes, call.caller.name, now, version=given.version)
    return get_schedule(call)


def pause_schedule(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        schedules.pause(session, call.path["schedule_id"], call.caller.name, call.runtime.clock.now())
    return get_schedule(call)


def resume_schedule(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        schedules.resume(session, call.path["schedule_id"], call.caller.name, call.runtime.clock.now())
    return get_schedule(call)


def run_schedule(call: Call) -> BaseModel:
    runtime = call.runtime
    with runtime.write() as session:
        schedules.run_now(session, runtime.queue, call.path["schedule_id"], call.caller.name, runtime.clock.now())
    return get_schedule(call)


def stop_schedule(call: Call) -> BaseModel:
    runtime = call.runtime
    with runtime.write() as session:
        schedule = schedules.get(session, call.path["schedule_id"], lock=True)
        schedule_runs.stop(session, runtime.queue, schedule.id, runtime.clock.now())
    return get_schedule(call)


def remove_schedule(call: Call) -> BaseModel:
    runtime, schedule_id = call.runtime, call.path["schedule_id"]
    with runtime.write() as session:
        schedules.remove(session, runtime.queue, schedule_id, call.caller.name, runtime.clock.now())
    return RemovedOut(id=schedule_id)


def restore_schedule(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        schedules.restore(session, call.path["schedule_id"], call.caller.name, call.runtime.clock.now())
    return get_schedule(call)


def list_schedule_runs(call: Call) -> BaseModel:
    limit = call.query.limit
    with call.runtime.read() as session:
        schedule = schedules.get(session, call.path["schedule_id"])
        found = schedule_runs.list_runs(
            session, call.runtime.queue, schedule.id, before_id=call.query.cursor, limit=limit + 1
        )
    return Page[ScheduleRunOut](**page_of(found, limit, lambda view: view.id, run_out))


def read_out(store: Store, schedule_id: int) -> ScheduleOut:
    """Return one schedule as it stands; raise NotFound."""
    with store.read() as session:
        schedule = schedules.get(session, schedule_id)
        return schedule_out(schedules.view(session, store.queue, schedule, store.clock.now()))


def schedule_out(view: ScheduleView) -> ScheduleOut:
    last_run = None if view.last_run is None else run_out(view.last_run)
    fields = {name: getattr(view, name) for name in ScheduleOut.model_fields if name != "last_run"}
    return ScheduleOut(**fields, last_run=last_run)


def run_out(view: RunView) -> ScheduleRunOut:
    errors = [ItemErrorOut(item=item, reason=reason) for item, reason in view.errors]
    fields = {name: getattr(view, name) for name in ScheduleRunOut.model_fields if name != "errors"}
    return ScheduleRunOut(**fields, errors=errors)


READ, WRITE = KeyScope.READ, KeyScope.WRITE
ONE = "/schedules/<int:schedule_id>"
ENDPOINTS = (
    Endpoint(
        "GET", "/schedules", READ, "计划：何时做什么，接下来五次的时间与最近一次的结果", list_schedules, SchedulesOut
    ),
    Endpoint(
        "POST", "/schedules", WRITE, "新建计划，立即生效", create_schedule, ScheduleOut, body=ScheduleIn, status=201
    ),
    Endpoint("GET", "/schedules/kinds", READ, "可以定时做的事", list_schedule_kinds, ScheduleKindsOut),
    Endpoint("GET", "/schedules/preview", READ, "一个 cron 的意思与接下来五次的时间", preview_cron, CronOut, CronQuery),
    Endpoint("GET", ONE, READ, "一个计划", get_schedule, ScheduleOut),
    Endpoint("PATCH", ONE, WRITE, "修改计划，各进程立即生效", edit_schedule, ScheduleOut, body=ScheduleEditIn),
    Endpoint(
        "GET", f"{ONE}/runs", READ, "一个计划的执行记录，新的在前", list_schedule_runs, Page[ScheduleRunOut], PageQuery
    ),
    Endpoint("POST", f"{ONE}/run", WRITE, "立即执行一次，不影响下一次的时间", run_schedule, ScheduleOut),
    Endpoint("POST", f"{ONE}/stop", WRITE, "停止正在执行的一次，做过的部分保留", stop_schedule, ScheduleOut),
    Endpoint("POST", f"{ONE}/pause", WRITE, "暂停计划，正在执行的不受影响", pause_schedule, ScheduleOut),
    Endpoint("POST", f"{ONE}/resume", WRITE, "继续计划，从现在算起", resume_schedule, ScheduleOut),
    Endpoint("POST", f"{ONE}/remove", WRITE, "删除计划；正在执行时要先停止", remove_schedule, RemovedOut),
    Endpoint("POST", f"{ONE}/restore", WRITE, "恢复删除的计划", restore_schedule, ScheduleOut),
)
