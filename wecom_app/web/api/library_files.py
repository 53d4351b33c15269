"""`/api/v1/tags/export`, `/tags/import`, `/tags/imports` and `/tags/report`: the library as a file, and its hygiene."""

import hashlib
from typing import Any, Literal, cast

from pydantic import BaseModel

from wecom_app.models import LibraryImport
from wecom_app.services import library, library_files, library_imports, library_reading, library_trial, tag_lint
from wecom_app.services.accounts import KeyScope
from wecom_app.services.library_import import Outcome
from wecom_app.web.api.endpoint import Binary, Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page, PageQuery
from wecom_app.web.api.schemas_library import (
    ExportQuery,
    FindingOut,
    ImportIn,
    ImportOut,
    ImportProblem,
    ImportRunOut,
    ImportStep,
    ReportOut,
)

MIMETYPES = {"yaml": "application/yaml", "csv": "text/csv"}
PATIENCE_S = 20.0
"""After which a caller is answered, and the rest of an import is left to its job."""
MAX_BODY = 2 * library_reading.LARGEST


def export_tags(call: Call) -> Binary:
    kind = call.query.format
    with call.runtime.read() as session:
        file = library_files.export(session)
    content = (library_files.to_csv(file) if kind == "csv" else library_files.to_yaml(file)).encode()
    return Binary(content, MIMETYPES[kind], f"tags.{kind}", hashlib.sha256(content).hexdigest())


def import_tags(call: Call) -> BaseModel:
    given: ImportIn = call.body
    file = library_reading.read(given.content.encode(), f"tags.{given.format}")
    context = library.context(call.runtime)
    if given.dry_run:
        tried = library_trial.preview(call.runtime, context, file, only_add=given.only_add)
        return ImportOut(dry_run=True, state="tried", import_id=None, **_told(tried))
    done = library_imports.carry_in(
        call.runtime, context, file, by=call.caller.name, only_add=given.only_add, patience_s=PATIENCE_S
    )
    state: Literal["running", "done"] = "done" if done.is_done else "running"
    return ImportOut(dry_run=False, state=state, import_id=done.import_id, **_told(done))


def list_imports(call: Call) -> BaseModel:
    query: PageQuery = call.query
    with call.runtime.read() as session:
        found = library_imports.list_imports(session, before_id=query.cursor, limit=query.limit + 1)
        return Page[ImportRunOut](**page_of(found, query.limit, lambda one: one.id, _run_out))


def get_import(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return _run_out(library_imports.find(session, int(call.path["import_id"])))


def _told(outcome: Outcome) -> dict[str, Any]:
    return {
        "steps": [ImportStep.model_validate(step, from_attributes=True) for step in outcome.steps],
        "problems": [ImportProblem(line=line, words=words) for line, words in outcome.problems],
    }


def _run_out(row: LibraryImport) -> ImportRunOut:
    return ImportRunOut(
        id=row.id,
        state=cast("Literal['running', 'done']", row.state),
        only_add=row.only_add,
        done=row.cursor,
        total=row.total,
        counts=row.counts,
        problems=[ImportProblem(line=line, words=words) for line, words in row.problems],
        asked_by=row.asked_by,
        created_at=row.created_at,
        finished_at=row.finished_at,
    )


def report_tags(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = tag_lint.lint(session, call.runtime.slugify, call.runtime.clock.now())
    return ReportOut(items=[FindingOut.model_validate(one, from_attributes=True) for one in found])


ENDPOINTS = (
    Endpoint("GET", "/tags/report", KeyScope.READ, "标签库体检：发现什么、怎么办", report_tags, ReportOut),
    Endpoint("GET", "/tags/export", KeyScope.READ, "导出标签库，YAML 或 CSV", export_tags, Binary, ExportQuery),
    Endpoint(
        "GET", "/tags/imports", KeyScope.READ, "标签库的导入，新的在前", list_imports, Page[ImportRunOut], PageQuery
    ),
    Endpoint(
        "GET",
        "/tags/imports/<int:import_id>",
        KeyScope.READ,
        "一次导入：做到哪里，做了什么，哪几行没有导入",
        get_import,
        ImportRunOut,
    ),
    Endpoint(
        "POST",
        "/tags/import",
        KeyScope.WRITE,
        "导入标签库；默认只试算，有一行不对就全部不导入；大文件没有做完时 state 是 running，随后在后台做完",
        import_tags,
        ImportOut,
        body=ImportIn,
        max_body=MAX_BODY,
    ),
)
