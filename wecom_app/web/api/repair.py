"""`/api/v1/inbox`, `/jobs` and `/wecom/budget`: what came in, what is to be done, what failed, and what is left."""

from pydantic import BaseModel

from wecom_app.services import inbox, repair, traffic
from wecom_app.services.accounts import KeyScope
from wecom_app.services.inbox import EventView
from wecom_app.services.ports import JobView
from wecom_app.services.traffic import Traffic
from wecom_app.services.wecom_status import ApiBudget
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import check_state, page_of
from wecom_app.web.api.schemas import InboxOut, JobOut, Page, StateQuery
from wecom_app.web.api.schemas_repair import (
    ApiBudgetOut,
    BudgetOut,
    InboxDetailOut,
    InboxReplayOut,
    JobsQuery,
    ReplayJobsIn,
    ReplayJobsOut,
    ReserveOut,
    TokenOut,
    WindowOut,
)


def list_inbox(call: Call) -> BaseModel:
    check_state(call.query.state, repair.EVENT_STATES)
    with call.runtime.read() as session:
        found = inbox.list_events(
            session, state=call.query.state, before_id=call.query.cursor, limit=call.query.limit + 1
        )
    return Page[InboxOut](**page_of(found, call.query.limit, lambda view: view.id, inbox_out))


def get_inbox_event(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = repair.get_event(session, call.path["event_id"])
    return InboxDetailOut.model_validate(found, from_attributes=True)


def replay_inbox_event(call: Call) -> BaseModel:
    event_id = call.path["event_id"]
    with call.runtime.write() as session:
        job_id = repair.replay_event(session, call.runtime.queue, event_id)
        found = repair.get_event(session, event_id)
    shape = InboxDetailOut.model_validate(found, from_attributes=True)
    return InboxReplayOut(**dict(shape), job_id=job_id)


def list_jobs(call: Call) -> BaseModel:
    check_state(call.query.state, repair.JOB_STATES)
    with call.runtime.read() as session:
        found = call.runtime.queue.list_jobs(
            session,
            state=call.query.state,
            kind=call.query.kind,
            error=call.query.error,
            before_id=call.query.cursor,
            limit=call.query.limit,
        )
    return Page[JobOut](items=[job_out(view) for view in found.items], next_cursor=_cursor(found.next_cursor))


def get_job(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return job_out(repair.get_job(session, call.runtime.queue, call.path["job_id"]))


def replay_job(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return job_out(repair.replay_job(session, call.runtime.queue, call.path["job_id"]))


def cancel_job(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return job_out(repair.cancel_job(session, call.runtime.queue, call.path["job_id"]))


def replay_jobs(call: Call) -> BaseModel:
    given: ReplayJobsIn = call.body
    done = repair.replay_dead_jobs(call.runtime, kind=given.kind, error=given.error, before_id=given.cursor)
    return ReplayJobsOut(replayed=done.replayed, skipped=done.skipped, next_cursor=_cursor(done.next_cursor))


def get_budget(call: Call) -> BaseModel:
    return budget_out(traffic.look(call.runtime))


def _cursor(value: int | None) -> str | None:
    return None if value is None else str(value)


def inbox_out(view: EventView) -> InboxOut:
    return InboxOut.model_validate(view, from_attributes=True)


def job_out(view: JobView) -> JobOut:
    return JobOut.model_validate(view, from_attributes=True)


def budget_out(found: Traffic) -> BudgetOut:
    return BudgetOut(
        apis=[_api_out(budget) for budget in found.apis],
        token=TokenOut(
            fetched_at=found.token.fetched_at,
            expires_at=found.token.expires_at,
            refusals=found.token.refusals,
            circuit_open=found.circuit_open,
            circuit_open_until=found.token.blocked_until if found.circuit_open else None,
            last_error=found.token.last_error,
        ),
        waiting=dict(found.waiting),
        operations=found.operations,
        eta_seconds=found.eta_seconds,
    )


def _api_out(budget: ApiBudget) -> ApiBudgetOut:
    return ApiBudgetOut(
        api=budget.api,
        minute=WindowOut(used=budget.used_this_minute, left=budget.left_this_minute, limit=budget.minute_limit),
        hour=WindowOut(used=budget.used_this_hour, left=budget.left_this_hour, limit=budget.hour_limit),
        reserved=ReserveOut(minute=budget.minute_reserve, hour=budget.hour_reserve),
        blocked_until=budget.blocked_until,
    )


READ, WRITE = KeyScope.READ, KeyScope.WRITE
ENDPOINTS = (
    Endpoint("GET", "/inbox", READ, "收到的回调事件，新的在前", list_inbox, Page[InboxOut], StateQuery),
    Endpoint("GET", "/inbox/<int:event_id>", READ, "一条回调事件及其内容", get_inbox_event, InboxDetailOut),
    Endpoint(
        "POST",
        "/inbox/<int:event_id>/replay",
        WRITE,
        "重新处理一条回调；重复多次，效果只有一次",
        replay_inbox_event,
        InboxReplayOut,
    ),
    Endpoint("GET", "/jobs", READ, "任务，新的在前；state=dead 是处理失败的", list_jobs, Page[JobOut], JobsQuery),
    Endpoint("GET", "/jobs/<int:job_id>", READ, "一个任务", get_job, JobOut),
    Endpoint("POST", "/jobs/<int:job_id>/replay", WRITE, "重新执行一个处理失败的任务", replay_job, JobOut),
    Endpoint("POST", "/jobs/<int:job_id>/cancel", WRITE, "取消一个还没开始执行的任务", cancel_job, JobOut),
    Endpoint(
        "POST",
        "/jobs/replay",
        WRITE,
        "重新执行处理失败的任务，每次最多 1000 个；不含人为取消的",
        replay_jobs,
        ReplayJobsOut,
        body=ReplayJobsIn,
    ),
    Endpoint(
        "GET",
        "/wecom/budget",
        READ,
        "企业微信接口的调用额度、访问令牌、等待中的任务与预计用时",
        get_budget,
        BudgetOut,
    ),
)
