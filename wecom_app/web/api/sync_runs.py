"""`/api/v1/sync/runs`, `/sync/sources`, `/sync/drift` and `/sync/unlinked`: runs of sync, what they find."""

from collections.abc import Callable

from pydantic import BaseModel
from sqlalchemy.orm import Session

from wecom_app.models import SyncRun
from wecom_app.services import library_unlinked, runs, source_backfill, source_preview
from wecom_app.services.accounts import KeyScope
from wecom_app.services.library_unlinked import Unlinked
from wecom_app.services.runs import ItemView, RunView
from wecom_app.services.source_preview import Preview
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import check_state, page_of
from wecom_app.web.api.schemas import Page, PageQuery, StateQuery
from wecom_app.web.api.schemas_sync import (
    DriftReportOut,
    ItemsQuery,
    RunIn,
    RunItemOut,
    RunOut,
    SourcesOut,
    UnlinkedTagOut,
)

SAMPLES = 20


def list_runs(call: Call) -> BaseModel:
    query: StateQuery = call.query
    check_state(query.state, runs.STATES)
    now = call.runtime.clock.now()
    with call.runtime.read() as session:
        found = runs.list_runs(session, now, state=query.state, before_id=query.cursor, limit=query.limit + 1)
    return Page[RunOut](**page_of(found, query.limit, lambda view: view.id, run_out))


def get_run(call: Call) -> BaseModel:
    return _shown(call, call.path["run_id"])


def list_items(call: Call) -> BaseModel:
    query: ItemsQuery = call.query
    with call.runtime.read() as session:
        found = runs.list_items(
            session, call.path["run_id"], kind=query.kind, after_id=query.cursor, limit=query.limit + 1
        )
    return Page[RunItemOut](**page_of(found, query.limit, lambda view: view.id, item_out))


def start_run(call: Call) -> BaseModel:
    runtime = call.runtime
    return _steer(call, lambda session: runs.start_pull(session, runtime.queue, call.caller.name, runtime.clock.now()))


def approve_run(call: Call) -> BaseModel:
    return _steer(call, lambda session: runs.approve(session, call.runtime.queue, _id(call), call.caller.name))


def reject_run(call: Call) -> BaseModel:
    runtime = call.runtime
    return _steer(
        call, lambda session: runs.reject(session, runtime.queue, _id(call), call.caller.name, runtime.clock.now())
    )


def stop_run(call: Call) -> BaseModel:
    return _steer(call, lambda session: runs.stop(session, _id(call), call.caller.name, call.runtime.clock.now()))


def resume_run(call: Call) -> BaseModel:
    return _steer(call, lambda session: runs.resume(session, call.runtime.queue, _id(call), call.caller.name))


def undo_run(call: Call) -> BaseModel:
    runtime = call.runtime
    return _steer(
        call,
        lambda session: runs.start_undo(session, runtime.queue, _id(call), call.caller.name, runtime.clock.now()),
    )


def get_drift(call: Call) -> BaseModel:
    now = call.runtime.clock.now()
    with call.runtime.read() as session:
        last = runs.last_pull(session, now)
        if last is None:
            return DriftReportOut(found=0, mended=0, pending=0, run_id=None, finished_at=None, items=[])
        items = [item_out(item) for item in runs.list_items(session, last.id, limit=SAMPLES)]
    return DriftReportOut(**last.drift, run_id=last.id, finished_at=last.finished_at, items=items)


def list_unlinked(call: Call) -> BaseModel:
    query: PageQuery = call.query
    with call.runtime.read() as session:
        found = library_unlinked.list_page(session, after_id=query.cursor, limit=query.limit + 1)
    return Page[UnlinkedTagOut](**page_of(found, query.limit, lambda tag: tag.id, unlinked_out))


def preview_sources(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = source_preview.preview(session, call.runtime.wecom_status)
    return sources_out(found)


def start_sources(call: Call) -> BaseModel:
    runtime, by = call.runtime, call.caller.name
    return _steer(call, lambda session: source_backfill.start(session, runtime.queue, by, runtime.clock.now()))


def sources_out(found: Preview) -> SourcesOut:
    return SourcesOut.model_validate(found, from_attributes=True)


def run_out(view: RunView) -> RunOut:
    return RunOut.model_validate(view, from_attributes=True)


def item_out(view: ItemView) -> RunItemOut:
    return RunItemOut.model_validate(view, from_attributes=True)


def unlinked_out(tag: Unlinked) -> UnlinkedTagOut:
    return UnlinkedTagOut.model_validate(tag, from_attributes=True)


def _id(call: Call) -> int:
    return int(call.path["run_id"])


def _steer(call: Call, act: Callable[[Session], SyncRun]) -> BaseModel:
    with call.runtime.write() as session:
        run_id = act(session).id
    return _shown(call, run_id)


def _shown(call: Call, run_id: int) -> BaseModel:
    budget = call.runtime.wecom_status.budget()
    with call.runtime.read() as session:
        return run_out(runs.get_run(session, run_id, call.runtime.clock.now(), budget))


ONE = "/sync/runs/<int:run_id>"
ENDPOINTS = (
    Endpoint("GET", "/sync/runs", KeyScope.READ, "同步记录，新的在前", list_runs, Page[RunOut], StateQuery),
    Endpoint(
        "POST",
        "/sync/runs",
        KeyScope.WRITE,
        "开始一次全量同步；已有一次没结束时为 409",
        start_run,
        RunOut,
        body=RunIn,
        status=201,
        body_optional=True,
    ),
    Endpoint("GET", ONE, KeyScope.READ, "一次同步：进度、计数、待确认的内容", get_run, RunOut),
    Endpoint("GET", f"{ONE}/items", KeyScope.READ, "一次同步的明细与预览", list_items, Page[RunItemOut], ItemsQuery),
    Endpoint("POST", f"{ONE}/approve", KeyScope.WRITE, "确认：执行预览里仍然成立的内容", approve_run, RunOut),
    Endpoint("POST", f"{ONE}/reject", KeyScope.WRITE, "拒绝：待确认的内容都不执行", reject_run, RunOut),
    Endpoint("POST", f"{ONE}/stop", KeyScope.WRITE, "停止，之后可以继续", stop_run, RunOut),
    Endpoint("POST", f"{ONE}/resume", KeyScope.WRITE, "从停下的地方继续", resume_run, RunOut),
    Endpoint(
        "POST",
        f"{ONE}/undo",
        KeyScope.WRITE,
        "撤销一次全量同步或补打来源标签改动的标签，之后又有改动的保持现状；返回撤销的那次同步",
        undo_run,
        RunOut,
        status=201,
    ),
    Endpoint(
        "GET",
        "/sync/sources",
        KeyScope.READ,
        "试算补打来源标签：接入之前的客户，按渠道 state 与添加方式",
        preview_sources,
        SourcesOut,
    ),
    Endpoint(
        "POST",
        "/sync/sources",
        KeyScope.WRITE,
        "给接入之前的客户补打来源标签；返回这次同步，可以停止、继续与撤销",
        start_sources,
        RunOut,
        status=201,
    ),
    Endpoint("GET", "/sync/drift", KeyScope.READ, "最近一次全量同步发现的两边差异", get_drift, DriftReportOut),
    Endpoint(
        "GET",
        "/sync/unlinked",
        KeyScope.READ,
        "企业微信里有、标签库没有收进来的标签，和各自的原因",
        list_unlinked,
        Page[UnlinkedTagOut],
        PageQuery,
    ),
)
