"""`/admin/tags/import`: a file or a starter tree, tried out row by row, then carried in; and the way out again."""

from flask import Blueprint, render_template, request
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.errors import InvalidInput, NotFound
from wecom_app.services import audit, library, library_files, library_imports, library_reading, library_trial, starters
from wecom_app.services.library_import import Outcome
from wecom_app.services.library_reading import Faulty
from wecom_app.web.admin import notices
from wecom_app.web.admin.tags import actor
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

MOST_BYTES = 400_000
"""Of a file that a page carries from the trial to the import; a longer one goes by command or API."""
PATIENCE_S = 5.0
"""After which a person gets his page back, and the rest of an import is left to its job."""
SHOWN = 5
"""Imports listed under the forms."""
MIMETYPES = {"yaml": "application/yaml", "csv": "text/csv"}
ACTION_WORDS = {"create": "新建", "change": "修改", "restore": "恢复"}
KIND_WORDS = {"dimension": "维度", "group": "标签组", "tag": "标签"}
Answer = str | tuple[str, int]


def register(blueprint: Blueprint) -> None:
    """Add the page and its acts."""
    add = blueprint.add_url_rule
    add("/tags/import", "tags_import", form)
    add("/tags/import", "tags_import_try", try_out, methods=["POST"])
    add("/tags/import/carry", "tags_import_carry", carry, methods=["POST"])
    add("/tags/export", "tags_export", export)


@signed_in(Role.ADMIN)
def form() -> str:
    """Where a file is chosen, or a starter tree."""
    return _page()


@signed_in(Role.ADMIN)
def try_out() -> Answer:
    """Show what the file would do; nothing is kept."""
    try:
        text, name, only_add = _given()
        file = library_reading.read(text.encode(), name)
    except (Faulty, NotFound) as error:
        return _page(problems=_problems(error)), error.http_status
    done = library_trial.preview(runtime(), library.context(runtime()), file, only_add=only_add)
    return _page(done, text=text, name=name, only_add=only_add, problems=done.problems)


@signed_in(Role.ADMIN)
def carry() -> Answer | Response:
    """Carry in what was tried out."""
    text, name = _one_newline(request.form.get("text", "")), request.form.get("name", "")[:200]
    only_add = "only_add" in request.form
    try:
        file = library_reading.read(text.encode(), name)
        done = library_imports.carry_in(
            runtime(),
            library.context(runtime()),
            file,
            by=actor(),
            only_add=only_add,
            patience_s=PATIENCE_S,
        )
    except Faulty as error:
        return _page(text=text, name=name, only_add=only_add, problems=_problems(error)), error.http_status
    with runtime().write() as session:
        details = {"steps": len(done.steps)}
        now = runtime().clock.now()
        audit.record(session, current_viewer(), "library.import", "library:all", details, now=now)
    if done.problems or not done.is_done:
        return notices.back_to("admin.tags_import", "tags.importing")
    return notices.back_to("admin.tags", "tags.imported")


@signed_in(Role.ADMIN, Role.AUDITOR)
def export() -> Response:
    """The library as a file."""
    kind = "csv" if request.args.get("format") == "csv" else "yaml"
    with runtime().read() as session:
        file = library_files.export(session)
    content = library_files.to_csv(file) if kind == "csv" else library_files.to_yaml(file)
    answer = Response(content, mimetype=MIMETYPES[kind])
    answer.headers["Content-Disposition"] = f"attachment; filename=tags.{kind}"
    return answer


def _given() -> tuple[str, str, bool]:
    """Return the text, its file's name, and whether only to add; raise Faulty or NotFound."""
    trade = request.form.get("starter", "")
    if trade:
        return starters.text(trade), f"{trade}.yaml", True
    part = request.files.get("file")
    if part is None or not part.filename:
        raise Faulty([(0, "请选择一个 YAML 或 CSV 文件")])
    text = library_reading.decoded(part.read(MOST_BYTES * 2))
    if len(text.encode()) > MOST_BYTES:
        raise Faulty([(0, f"文件超过 {MOST_BYTES // 1000} KB，请用 wecom-app tags import 导入")])
    return _one_newline(text), part.filename[:200], "only_add" in request.form


def _one_newline(text: str) -> str:
    """A form sends every line's end as two characters; what was tried out is what is carried in."""
    return text.replace("\r\n", "\n")


def _problems(error: InvalidInput | NotFound) -> list[tuple[int, str]]:
    return list(error.problems) if isinstance(error, Faulty) else [(0, error.message)]


def _page(
    done: Outcome | None = None,
    *,
    text: str = "",
    name: str = "",
    only_add: bool = False,
    problems: list[tuple[int, str]] | None = None,
) -> str:
    with runtime().read() as session:
        imports = library_imports.list_imports(session, limit=SHOWN)
    return render_template(
        "admin/tags/import.html",
        imports=imports,
        done=done,
        text=text,
        name=name,
        only_add=only_add,
        problems=problems or [],
        most_kb=MOST_BYTES // 1000,
        trades=starters.NAMES,
        actions=ACTION_WORDS,
        kinds=KIND_WORDS,
    )
