"""The parts of the content form that follow what is typed: files, tags to choose, the count, a trial, the phone."""

from typing import Any

from flask import Blueprint, Response, render_template, request
from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain import contents
from wecom_app.domain.access import Role
from wecom_app.domain.condition_form import OPERATORS
from wecom_app.errors import InvalidInput, NotFound
from wecom_app.models import Customer
from wecom_app.services import access, content_preview, media, tag_picker
from wecom_app.services.content_drafts import ContentDraft
from wecom_app.services.content_preview import Preview
from wecom_app.services.media import MediaView
from wecom_app.web.admin import content_forms
from wecom_app.web.admin.content_forms import ConditionInput
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

VIEW = (Role.ADMIN, Role.AUDITOR)
MOST_TRIED = 5
"""Customers of one name that are tried at once."""
MAX_UPLOAD = media.LARGEST + 64 * 1024


def register(blueprint: Blueprint) -> None:
    """Add the fragments."""
    add = blueprint.add_url_rule
    add("/content/files", "content_files", upload, methods=["POST"])
    add("/content/files/<int:media_id>", "content_file", file)
    add("/content/tags", "content_tags", tags)
    add("/content/count", "content_count", count, methods=["POST"])
    add("/content/try", "content_try", try_out, methods=["POST"])
    add("/content/preview", "content_preview", preview, methods=["POST"])


@signed_in(Role.ADMIN)
def upload() -> str | tuple[str, int]:
    """Keep a file, and return the field that names it."""
    request.max_content_length = MAX_UPLOAD
    part = request.files.get("file")
    if part is None or not part.filename:
        return render_template("admin/content/_file.html", file=None)
    kind = None if request.form.get("kind") == contents.Kind.MATERIAL else "image"
    kept = media.keep(runtime(), kind, part.filename, part.read(MAX_UPLOAD))
    return render_template("admin/content/_file.html", file=kept)


@signed_in(*VIEW)
def file(media_id: int) -> Response:
    """A picture, for the form that shows it."""
    with runtime().read() as session:
        kept = media.get(session, media_id, runtime().clock.now())
        body = media.content_of(session, kept.sha256)
    answer = Response(body, mimetype=media.mimetype_of(kept.kind, body))
    answer.headers["Content-Disposition"] = "inline" if kept.kind == "image" else "attachment"
    return answer


@signed_in(*VIEW)
def tags() -> str:
    """Tags to add to one fieldset of the condition."""
    asked = request.args.get("into")
    into = asked if asked in OPERATORS else "all"
    q = request.args.get(f"q_{into}", "").strip()[:64]
    with runtime().read() as session:
        found = tag_picker.find(session, runtime().slugify, q)
    return render_template("admin/content/_tags.html", found=found, into=into, q=q)


@signed_in(*VIEW)
def count() -> str:
    """How many customers fit the condition of the form."""
    return render_template("admin/content/_count.html", **counted(content_forms.read_condition(request.form)))


@signed_in(*VIEW)
def try_out() -> str:
    """Whether the customers of a name, or with an external_userid, fit the condition of the form, and why."""
    q = request.form.get("who", "").strip()[:64]
    now = runtime().clock.now()
    try:
        document = content_forms.read_condition(request.form).document()
    except InvalidInput:
        return render_template("admin/content/_try.html", fits=None, q=q)
    with runtime().read() as session:
        reached = access.visible_customers(session, current_viewer())
        named = Customer.name.icontains(q, autoescape=True) | (Customer.external_userid == q)
        query = select(Customer).where(reached, named).order_by(Customer.id.desc()).limit(MOST_TRIED + 1)
        found = session.scalars(query).all() if q else []
        fits = [content_preview.fit(session, document, one, now) for one in found]
    return render_template("admin/content/_try.html", fits=fits[:MOST_TRIED], more=len(fits) > MOST_TRIED, q=q)


@signed_in(*VIEW)
def preview() -> str:
    """The item of the form as a customer gets it."""
    draft = content_forms.read(request.form, runtime().settings.time_zone).draft
    return render_template("admin/content/_phone.html", **phone(draft))


def counted(written: ConditionInput) -> dict[str, Any]:
    """Return what the box says of a condition: the count, or what is wrong with it."""
    try:
        with runtime().read() as session:
            found: Preview | None = content_preview.preview(session, written.document(), runtime().clock.now())
        return {"counted": found, "condition_problems": {}}
    except InvalidInput as error:
        details = {path: str(words) for path, words in (error.details or {}).items() if path.startswith("/")}
        return {"counted": None, "condition_problems": details or {"": error.message}}


def phone(draft: ContentDraft) -> dict[str, Any]:
    """Return what the phone's frame shows of a draft, and its file."""
    with runtime().read() as session:
        return {"phone": draft, "file": _kept(session, draft)}


def _kept(session: Session, draft: ContentDraft) -> MediaView | None:
    if draft.media is None:
        return None
    try:
        return media.get(session, draft.media, runtime().clock.now())
    except NotFound:
        return None
