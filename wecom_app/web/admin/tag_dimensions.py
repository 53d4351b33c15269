"""`/admin/tags/dimensions`: the views that tag groups are sorted by: made, renamed, ordered, archived."""

from collections.abc import Callable

from flask import Blueprint, render_template, request
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.errors import Conflict, InvalidInput, NotFound, StaleEdit
from wecom_app.services import audit, dimensions, library
from wecom_app.web.admin import notices
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR)
STEPS = {"up": -1, "down": 1}
STALE = "保存前已被他人修改，下面是现在的样子，请再改一次"
Answer = Response | tuple[str, int]


def register(blueprint: Blueprint) -> None:
    """Add the page and its acts."""
    add = blueprint.add_url_rule
    add("/tags/dimensions", "tags_dimensions", list_all)
    add("/tags/dimensions", "tags_dimension_create", create, methods=["POST"])
    add("/tags/dimensions/<key>", "tags_dimension_save", rename, methods=["POST"])
    add("/tags/dimensions/<key>/move", "tags_dimension_move", move, methods=["POST"])
    add("/tags/dimensions/<key>/archive", "tags_dimension_archive", archive, methods=["POST"])
    add("/tags/dimensions/<key>/restore", "tags_dimension_restore", restore, methods=["POST"])


@signed_in(*READ)
def list_all() -> str:
    """The dimensions in their order, and those out of use."""
    return _page({})


@signed_in(Role.ADMIN)
def create() -> Answer:
    """Make a dimension, at the end."""

    def act(session: Session) -> str:
        return dimensions.create(session, library.context(runtime()), request.form.get("name", "")).key

    return _carry(act, "dimension.create", "tags.dimension_created")


@signed_in(Role.ADMIN)
def rename(key: str) -> Answer:
    """Rename a dimension; its key stays."""
    text = request.form.get("version", "")[:9]
    version = int(text) if text.isascii() and text.isdigit() else None

    def act(session: Session) -> str:
        return dimensions.rename(session, key, request.form.get("name", ""), version).key

    return _carry(act, "dimension.edit", "tags.saved")


@signed_in(Role.ADMIN)
def move(key: str) -> Answer:
    """Put a dimension one place up or down; the first and the last stay."""

    def act(session: Session) -> str:
        keys = [one.key for one in dimensions.list_dimensions(session)]
        if key not in keys:
            raise NotFound("这个维度已归档，请刷新")
        place = keys.index(key)
        target = min(max(place + STEPS.get(request.form.get("to", ""), 0), 0), len(keys) - 1)
        keys.insert(target, keys.pop(place))
        dimensions.reorder(session, keys)
        return key

    return _carry(act, "dimension.move", "tags.moved")


@signed_in(Role.ADMIN)
def archive(key: str) -> Answer:
    """Take an empty dimension out of use."""
    return _carry(
        lambda session: dimensions.archive(session, library.context(runtime()), key).key,
        "dimension.archive",
        "tags.dimension_archived",
        of=key,
    )


@signed_in(Role.ADMIN)
def restore(key: str) -> Answer:
    """Bring a dimension back."""
    return _carry(lambda session: dimensions.restore(session, key).key, "dimension.restore", "tags.restored")


def _carry(act: Callable[[Session], str], action: str, notice: str, of: str | None = None) -> Answer:
    try:
        with runtime().write() as session:
            key = act(session)
            audit.record(session, current_viewer(), action, f"dimension:{key}", now=runtime().clock.now())
    except (InvalidInput, Conflict) as error:
        return _page({"name": STALE if isinstance(error, StaleEdit) else error.message}), error.http_status
    return notices.back_to("admin.tags_dimensions", notice, of)


def _page(problems: dict[str, str]) -> str:
    with runtime().read() as session:
        used, archived = dimensions.list_dimensions(session), dimensions.list_dimensions(session, archived=True)
        counts = dimensions.count_groups(session)
    return render_template(
        "admin/tags/dimensions.html",
        used=used,
        archived=archived,
        counts=counts,
        problems=problems,
        typed=request.form.get("name", "") if problems else "",
    )
