"""`/admin/profile-fields`: what members note of customers beside tags: defined, put in order, taken out of use."""

from collections.abc import Callable
from dataclasses import dataclass

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.domain.field_kinds import KIND_WORDS, Kind
from wecom_app.errors import Conflict, InvalidInput, NotFound
from wecom_app.models import ProfileField
from wecom_app.services import audit, library, profile_fields
from wecom_app.services.profile_fields import FieldDraft, FieldEdit
from wecom_app.web.admin import notices
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR)
FLAGS = ("required", "repeated", "sensitive")
STEPS = {"up": -1, "down": 1}


@dataclass(frozen=True)
class Typed:
    """What the form shows: a field as it is saved, or as somebody has just written it."""

    name: str = ""
    kind: str = Kind.TEXT.value
    help: str = ""
    options: str = ""
    required: bool = False
    repeated: bool = False
    sensitive: bool = False

    @property
    def option_list(self) -> list[str]:
        return [line for line in self.options.splitlines() if line.strip()]


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/profile-fields", "profile_fields", fields)
    add("/profile-fields/new", "profile_fields_new", new)
    add("/profile-fields/new", "profile_fields_create", create, methods=["POST"])
    add("/profile-fields/<key>", "profile_fields_field", field)
    add("/profile-fields/<key>", "profile_fields_save", save, methods=["POST"])
    add("/profile-fields/<key>/move", "profile_fields_move", move, methods=["POST"])
    add("/profile-fields/<key>/archive", "profile_fields_archive", archive, methods=["POST"])
    add("/profile-fields/<key>/restore", "profile_fields_restore", restore, methods=["POST"])


@signed_in(*READ)
def fields() -> str:
    """The fields in use, in their order, and those that are not any more."""
    with runtime().read() as session:
        used, archived = profile_fields.list_fields(session), profile_fields.list_fields(session, archived=True)
    return render_template("admin/profile_fields/list.html", used=used, archived=archived, kind_words=KIND_WORDS)


@signed_in(Role.ADMIN)
def new() -> str:
    """The form of a field that is yet to be made."""
    return _form(None, Typed(), {})


@signed_in(Role.ADMIN)
def create() -> str | Response | tuple[str, int]:
    """Make a field from the form, or show the form again with what is wrong."""
    typed = _typed(request.form.get("kind", ""))

    def act(session: Session) -> str:
        if typed.kind not in list(Kind):
            raise InvalidInput("请选择字段的类型", details={"kind": "请选择字段的类型"})
        draft = FieldDraft(
            typed.name,
            Kind(typed.kind),
            help=typed.help,
            required=typed.required,
            repeated=typed.repeated,
            sensitive=typed.sensitive,
            options=typed.option_list,
        )
        return profile_fields.create(session, library.context(runtime()), draft).key

    return _carry(None, typed, act, "profile_field.create", "field.created")


@signed_in(*READ)
def field(key: str) -> str:
    """The form of a field in use."""
    with runtime().read() as session:
        found = profile_fields.get(session, key)
    shown = {name: getattr(found, name) for name in FLAGS}
    return _form(found, Typed(found.name, found.kind, found.help or "", "\n".join(found.options), **shown), {})


@signed_in(Role.ADMIN)
def save(key: str) -> str | Response | tuple[str, int]:
    """Change a field by the form; its kind stays, so that what was filled in keeps its meaning."""
    with runtime().read() as session:
        found = profile_fields.get(session, key)
    typed = _typed(found.kind)

    def act(session: Session) -> str:
        edit = FieldEdit(
            name=typed.name,
            help=typed.help,
            required=typed.required,
            repeated=typed.repeated,
            sensitive=typed.sensitive,
            options=typed.option_list if found.kind == Kind.CHOICE else None,
        )
        return profile_fields.update(session, key, edit).key

    return _carry(found, typed, act, "profile_field.edit", "field.saved")


@signed_in(Role.ADMIN)
def move(key: str) -> Response:
    """Put a field one place up or down; the first and the last stay."""
    step = STEPS.get(request.form.get("to", ""), 0)
    with runtime().write() as session:
        keys = [one.key for one in profile_fields.list_fields(session)]
        if key not in keys:
            raise NotFound("这个字段已停用，请刷新")
        place = keys.index(key)
        target = min(max(place + step, 0), len(keys) - 1)
        keys.insert(target, keys.pop(place))
        profile_fields.reorder(session, keys)
        _record(session, "profile_field.move", key)
    return notices.back_to("admin.profile_fields", "field.moved")


@signed_in(Role.ADMIN)
def archive(key: str) -> Response:
    """Take a field out of use; the list offers the way back."""
    with runtime().write() as session:
        profile_fields.archive(session, library.context(runtime()), key)
        _record(session, "profile_field.archive", key)
    return notices.back_to("admin.profile_fields", "field.archived", key)


@signed_in(Role.ADMIN)
def restore(key: str) -> Response:
    """Bring a field back."""
    with runtime().write() as session:
        profile_fields.restore(session, key)
        _record(session, "profile_field.restore", key)
    return notices.back_to("admin.profile_fields", "field.restored")


def _carry(
    found: ProfileField | None, typed: Typed, act: Callable[[Session], str], action: str, notice: str
) -> str | Response | tuple[str, int]:
    try:
        with runtime().write() as session:
            _record(session, action, act(session))
    except (InvalidInput, Conflict) as error:
        named = {name: str(words) for name, words in (error.details or {}).items()}
        return _form(found, typed, named or {"form": error.message}), error.http_status
    return notices.back_to("admin.profile_fields", notice)


def _form(found: ProfileField | None, typed: Typed, problems: dict[str, str]) -> str:
    return render_template(
        "admin/profile_fields/form.html",
        field=found,
        typed=typed,
        problems=problems,
        kind_words=KIND_WORDS,
        may_edit=current_viewer().may(Role.ADMIN),
    )


def _typed(kind: str) -> Typed:
    form = request.form
    flags = {name: name in form for name in FLAGS}
    return Typed(form.get("name", ""), kind, form.get("help", "").strip()[:200], form.get("options", ""), **flags)


def _record(session: Session, action: str, key: str) -> None:
    audit.record(session, current_viewer(), action, f"profile_field:{key}", now=runtime().clock.now())
