"""`/api/v1/tags/export`, `/tags/import` and `/tags/report`: the tag library as a file, and its hygiene."""

import hashlib

from pydantic import BaseModel

from wecom_app.services import library, library_files, library_import, library_reading, tag_lint
from wecom_app.services.accounts import KeyScope
from wecom_app.web.api.endpoint import Binary, Call, Endpoint
from wecom_app.web.api.schemas_library import (
    ExportQuery,
    FindingOut,
    ImportIn,
    ImportOut,
    ImportProblem,
    ImportStep,
    ReportOut,
)

MIMETYPES = {"yaml": "application/yaml", "csv": "text/csv"}
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
    carry = library_import.preview if given.dry_run else library_import.carry_in
    done = carry(call.runtime, library.context(call.runtime), file, only_add=given.only_add)
    return ImportOut(
        dry_run=given.dry_run,
        steps=[ImportStep.model_validate(step, from_attributes=True) for step in done.steps],
        problems=[ImportProblem(line=line, words=words) for line, words in done.problems],
    )


def report_tags(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = tag_lint.lint(session, call.runtime.slugify, call.runtime.clock.now())
    return ReportOut(items=[FindingOut.model_validate(one, from_attributes=True) for one in found])


ENDPOINTS = (
    Endpoint("GET", "/tags/report", KeyScope.READ, "标签库体检：发现什么、怎么办", report_tags, ReportOut),
    Endpoint("GET", "/tags/export", KeyScope.READ, "导出标签库，YAML 或 CSV", export_tags, Binary, ExportQuery),
    Endpoint(
        "POST",
        "/tags/import",
        KeyScope.WRITE,
        "导入标签库；默认只试算，有一行不对就全部不导入",
        import_tags,
        ImportOut,
        body=ImportIn,
        max_body=MAX_BODY,
    ),
)
