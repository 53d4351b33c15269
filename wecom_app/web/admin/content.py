"""`/admin/content`: what reps can send to customers: found, written, tried out, archived."""

from collections.abc import Callable
from typing import Any, cast

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain import contents
from wecom_app.domain.access import Role
from wecom_app.errors import InvalidInput, StaleEdit
from wecom_app.models import Department
from wecom_app.services import audit, content, content_preview, content_use, library, tag_picker
from wecom_app.services.content import ContentView, Filter
from wecom_app.services.content_drafts import ContentChanges, ContentDraft
from wecom_app.services.content_use import Use
from wecom_app.web.admin import content_forms, content_parts, notices, paging
from wecom_app.web.admin.content_forms import ConditionInput, Read
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

VIEW = (Role.ADMIN, Role.AUDITOR)
PAGE = 30
KIND_OPTIONS = [(kind.value, words) for kind, words in contents.KIND_WORDS.items()]
STATE_OPTIONS = [("", "未归档"), *contents.STATE_WORDS.items()]


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/content", "content", items)
    add("/content/new", "content_new", new)
    add("/content/new", "content_create", create, methods=["POST"])
    add("/content/<int:item_id>", "content_item", item)
    add("/content/<int:item_id>", "content_save", save, methods=["POST"])
    add("/content/<int:item_id>/copy", "content_copy", copy, methods=["POST"])
    add("/content/<int:item_id>/archive", "content_archive", archive, methods=["POST"])
    add("/content/<int:item_id>/restore", "content_restore", restore, methods=["POST"])


@signed_in(*VIEW)
def items() -> str:
    """The list."""
    wanted = _filter()
    before = paging.before()
    now = runtime().clock.now()
    with runtime().read() as session:
        found = content.list_items(session, wanted, now, before_id=before, limit=PAGE + 1)
        shown = found[:PAGE]
        asks = content_preview.words_of(session, [view.draft.condition for view in shown])
        use = content_use.figures(session, [view.id for view in shown], now)
    filters: dict[str, Any] = {
        name: value for name, value in (("q", wanted.q), ("kind", wanted.kind), ("state", wanted.state)) if value
    }
    more = len(found) > PAGE
    return render_template(
        "admin/content/list.html",
        rows=list(zip(shown, asks, strict=True)),
        use=use,
        most_sent=max((one.sent for one in use.values()), default=0),
        wanted=wanted,
        is_filtered=bool(filters),
        first=url_for("admin.content", **filters) if before else None,
        next=url_for("admin.content", **filters, before=shown[-1].id) if more else None,
        kind_options=[("", "全部"), *KIND_OPTIONS],
        state_options=STATE_OPTIONS,
        words=contents,
        as_of=now,
    )


@signed_in(Role.ADMIN)
def new() -> str:
    """The form of an item that is yet to be made."""
    kind = request.args.get("kind", contents.Kind.SCRIPT.value)
    return _form(None, Read(ContentDraft(kind=kind, title="", status="active"), ConditionInput(), {}))


@signed_in(Role.ADMIN)
def create() -> str | Response | tuple[str, int]:
    """Make an item from the form, or show the form again with what is wrong."""
    read = content_forms.read(request.form, runtime().settings.time_zone)

    def act(session: Session) -> ContentView:
        return content.create(session, library.context(runtime()), read.draft, _actor())

    return _carry(None, read, act, "content.create", "content.created")


@signed_in(*VIEW)
def item(item_id: int) -> str:
    """The form of an item."""
    with runtime().read() as session:
        view = content.get(session, item_id, runtime().clock.now())
    return _form(view, Read(view.draft, content_forms.condition_of(view.draft.condition), {}))


@signed_in(Role.ADMIN)
def save(item_id: int) -> str | Response | tuple[str, int]:
    """Change an item by the form, or show the form again with what is wrong."""
    read = content_forms.read(request.form, runtime().settings.time_zone)
    with runtime().read() as session:
        view = content.get(session, item_id, runtime().clock.now())
    version = _version_sent() or 0

    def act(session: Session) -> ContentView:
        changes = cast("ContentChanges", vars(read.draft))
        return content.edit(session, library.context(runtime()), item_id, changes, version=version, actor=_actor())

    return _carry(view, read, act, "content.edit", "content.saved")


@signed_in(Role.ADMIN)
def copy(item_id: int) -> Response:
    """Copy an item as a draft, and open it."""
    with runtime().write() as session:
        made = content.copy(session, library.context(runtime()), item_id, _actor())
        _record(session, "content.copy", made.id)
    return notices.back_to("admin.content_item", "content.copied", item_id=made.id)


@signed_in(Role.ADMIN)
def archive(item_id: int) -> Response:
    """Archive an item; the list offers the way back."""
    with runtime().write() as session:
        content.archive(session, library.context(runtime()), item_id, _actor())
        _record(session, "content.archive", item_id)
    return notices.back_to("admin.content", "content.archived", item_id)


@signed_in(Role.ADMIN)
def restore(item_id: int) -> Response:
    """Put an archived item back."""
    with runtime().write() as session:
        content.restore(session, library.context(runtime()), item_id, _actor())
        _record(session, "content.restore", item_id)
    return notices.back_to("admin.content", "content.restored")


def _carry(
    view: ContentView | None, read: Read, act: Callable[[Session], ContentView], action: str, notice: str
) -> str | Response | tuple[str, int]:
    if read.problems:
        return _form(view, read), 422
    try:
        with runtime().write() as session:
            made = act(session)
            _record(session, action, made.id)
    except StaleEdit:
        return _form(view, read, is_stale=True), 409
    except InvalidInput as error:
        problems = {name: str(words) for name, words in (error.details or {"form": error.message}).items()}
        return _form(view, Read(read.draft, read.condition, problems)), 422
    return notices.back_to("admin.content", notice)


def _form(view: ContentView | None, read: Read, *, is_stale: bool = False) -> str:
    now, time_zone = runtime().clock.now(), runtime().settings.time_zone
    with runtime().read() as session:
        departments = session.execute(select(Department.id, Department.name).order_by(Department.id)).all()
        used = content_use.figures(session, [view.id], now).get(view.id, Use()) if view else None
        staff = content_use.by_staff(session, view.id, now) if view else []
        keys = (*read.condition.choice.all, *read.condition.choice.any, *read.condition.choice.none)
        chosen = tag_picker.by_keys(session, keys)
    draft = read.draft
    return render_template(
        "admin/content/form.html",
        view=view,
        # A form shown again keeps the version that it was made from: it is not to be saved over a newer one.
        version=_version_sent() or (view.version if view else None),
        draft=draft,
        condition=read.condition,
        chosen=chosen,
        problems=read.problems,
        is_stale=is_stale,
        may_edit=current_viewer().may(Role.ADMIN) and (view is None or view.archived_at is None),
        departments=departments,
        use=used,
        staff=staff,
        kind_options=KIND_OPTIONS,
        words=contents,
        valid_from=content_forms.local_value(draft.valid_from, time_zone),
        valid_until=content_forms.local_value(draft.valid_until, time_zone),
        **content_parts.counted(read.condition),
        **content_parts.phone(draft),
    )


def _version_sent() -> int | None:
    return paging.row_id(request.form.get("version", "")[:20])


def _filter() -> Filter:
    kind, state = request.args.get("kind"), request.args.get("state")
    return Filter(
        request.args.get("q", "").strip()[:64],
        kind if kind in list(contents.Kind) else None,
        state if state in contents.STATE_WORDS else None,
    )


def _actor() -> str:
    viewer = current_viewer()
    return viewer.userid or viewer.name


def _record(session: Session, action: str, item_id: int) -> None:
    audit.record(session, current_viewer(), action, f"content:{item_id}", now=runtime().clock.now())
