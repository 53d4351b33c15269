"""`/api/v1/sync`: what could not be pushed to WeCom and another attempt at it, and what the two sides disagreed on."""

from pydantic import BaseModel

from wecom_app.services import conflict_undo, conflicts, revival
from wecom_app.services.accounts import KeyScope
from wecom_app.services.conflicts import ConflictView, Settled
from wecom_app.services.revival import Failure, Revived
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import check_state, page_of
from wecom_app.web.api.schemas import Page
from wecom_app.web.api.schemas_sync import (
    ConflictOut,
    ConflictsQuery,
    FailureOut,
    FailuresOut,
    RevivedOut,
    ReviveIn,
    SettledOut,
    SettleIn,
)


def list_conflicts(call: Call) -> BaseModel:
    query: ConflictsQuery = call.query
    check_state(query.state, conflicts.STATES)
    with call.runtime.read() as session:
        found = conflicts.list_conflicts(
            session,
            call.runtime.clock.now(),
            state=query.state,
            external_userid=query.external_userid,
            subject=query.subject,
            before_id=query.cursor,
            limit=query.limit + 1,
        )
    return Page[ConflictOut](**page_of(found, query.limit, lambda view: view.id, conflict_out))


def settle_conflicts(call: Call) -> BaseModel:
    given: SettleIn = call.body
    runtime, theirs = call.runtime, given.keep == "theirs"
    with runtime.write() as session:
        found = conflicts.settle(
            session, runtime.queue, given.ids, take_theirs=theirs, by=call.caller.name, now=runtime.clock.now()
        )
    return settled_out(found)


def undo_settlement(call: Call) -> BaseModel:
    runtime, conflict_id = call.runtime, call.path["conflict_id"]
    now = runtime.clock.now()
    with runtime.write() as session:
        conflict_undo.take_back(session, runtime.queue, conflict_id, by=call.caller.name, now=now)
        return conflict_out(conflicts.get(session, conflict_id, now))


def list_failures(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return failures_out(revival.failures(session))


def revive_all(call: Call) -> BaseModel:
    given: ReviveIn = call.body
    return revived_out(revival.revive_all(call.runtime, reason=given.reason, after_id=given.cursor))


def revive_customer(call: Call) -> BaseModel:
    return revived_out(revival.revive_customer(call.runtime, call.path["external_userid"]))


def settled_out(found: Settled) -> SettledOut:
    left = [{"id": one.id, "reason": one.reason, "message": one.words} for one in found.left]
    return SettledOut.model_validate({"settled": found.settled, "change_set_id": found.change_set_id, "left": left})


def conflict_out(view: ConflictView) -> ConflictOut:
    return ConflictOut.model_validate(view, from_attributes=True)


def failures_out(found: list[Failure]) -> FailuresOut:
    return FailuresOut(items=[FailureOut.model_validate(failure, from_attributes=True) for failure in found])


def revived_out(found: Revived) -> RevivedOut:
    following = None if found.next_cursor is None else str(found.next_cursor)
    return RevivedOut(cells=found.cells, customers=found.customers, next_cursor=following)


ENDPOINTS = (
    Endpoint(
        "GET",
        "/sync/conflicts",
        KeyScope.READ,
        "两边不一致的记录，新的在前；state 为 open 或 settled，subject 为 mark（打在客户身上的）或 library（标签库）",
        list_conflicts,
        Page[ConflictOut],
        ConflictsQuery,
    ),
    Endpoint(
        "POST",
        "/sync/conflicts/settle",
        KeyScope.WRITE,
        "处理不一致，每次最多 100 条：keep 为 ours 保留系统里的值，为 theirs 采用企业微信的值",
        settle_conflicts,
        SettledOut,
        body=SettleIn,
    ),
    Endpoint(
        "POST",
        "/sync/conflicts/<int:conflict_id>/undo",
        KeyScope.WRITE,
        "撤销对一条不一致的处理：改动恢复原样，重新等待决定；不能撤销的（见 undo_reason）返回 409",
        undo_settlement,
        ConflictOut,
    ),
    Endpoint("GET", "/sync/failures", KeyScope.READ, "推送失败的标签，按原因统计", list_failures, FailuresOut),
    Endpoint(
        "POST",
        "/sync/revive",
        KeyScope.WRITE,
        "重新推送失败的标签，每次最多 1000 位客户；reason 只限原因含此文字的",
        revive_all,
        RevivedOut,
        body=ReviveIn,
    ),
    Endpoint(
        "POST",
        "/customers/<external_userid>/revive",
        KeyScope.WRITE,
        "重新推送一位客户失败的标签",
        revive_customer,
        RevivedOut,
    ),
)
