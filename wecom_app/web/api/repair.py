"""`/api/v1/inbox` and `/api/v1/jobs`: what came in, what is to be done, and what failed."""

from pydantic import BaseModel

from wecom_app.errors import InvalidInput
from wecom_app.services import inbox
from wecom_app.services.accounts import KeyScope
from wecom_app.services.inbox import EventView
from wecom_app.services.ports import JobView
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import InboxOut, JobOut, Page, StateQuery

EVENT_STATES = ("waiting", "done", "ignored", "failed")
JOB_STATES = ("waiting", "running", "retrying", "done", "dead")


def list_inbox(call: Call) -> BaseModel:
    _check_state(call.query.state, EVENT_STATES)
    with call.runtime.read() as session:
        found = inbox.list_events(
            session, state=call.query.state, before_id=call.query.cursor, limit=call.query.limit + 1
        )
    return Page[InboxOut](**page_of(found, call.query.limit, lambda view: view.id, inbox_out))


def list_jobs(call: Call) -> BaseModel:
    _check_state(call.query.state, JOB_STATES)
    with call.runtime.read() as session:
        found = call.runtime.queue.list_jobs(
            session, state=call.query.state, before_id=call.query.cursor, limit=call.query.limit
        )
    following = None if found.next_cursor is None else str(found.next_cursor)
    return Page[JobOut](items=[job_out(view) for view in found.items], next_cursor=following)


def _check_state(state: str | None, known: tuple[str, ...]) -> None:
    if state is not None and state not in known:
        raise InvalidInput(f"state 只能是：{'、'.join(known)}", details={"state": list(known)})


def inbox_out(view: EventView) -> InboxOut:
    return InboxOut.model_validate(view, from_attributes=True)


def job_out(view: JobView) -> JobOut:
    return JobOut.model_validate(view, from_attributes=True)


ENDPOINTS = (
    Endpoint("GET", "/inbox", KeyScope.READ, "收到的回调事件", list_inbox, Page[InboxOut], StateQuery),
    Endpoint("GET", "/jobs", KeyScope.READ, "任务", list_jobs, Page[JobOut], StateQuery),
)
