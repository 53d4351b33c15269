"""`/admin/conflicts`: what the two sides disagreed on, and a person's word on it, one by one or many at once."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.errors import Conflict
from wecom_app.services import audit, conflict_lines, conflict_undo, conflicts, run_history
from wecom_app.services.conflict_lines import KIND_WORDS, RESOLUTION_WORDS
from wecom_app.web.admin import notices, paging
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR)
"""Not the operators: who sees the tags of a customer must be somebody who may see the customer."""
PAGE = 30
MOST_AT_ONCE = 100
STATES = [("open", "待处理"), ("settled", "已处理")]
SUBJECTS = {"mark": "客户的标签", "library": "标签库"}


def register(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("/conflicts", "conflicts", list_all)
    blueprint.add_url_rule("/conflicts", "conflicts_settle", settle, methods=["POST"])
    blueprint.add_url_rule("/conflicts/<int:conflict_id>/undo", "conflicts_undo", undo, methods=["POST"])


@signed_in(*READ)
def list_all() -> str:
    """The list."""
    state = "settled" if request.args.get("state") == "settled" else "open"
    now = runtime().clock.now()
    about, q, before = request.args.get("about", ""), request.args.get("q", "").strip()[:64], paging.before()
    with runtime().read() as session:
        views = conflicts.list_conflicts(
            session,
            now,
            state=state,
            subject=about if about in SUBJECTS else None,
            kind=about if about in KIND_WORDS else None,
            q=q,
            before_id=before,
            limit=PAGE + 1,
        )
        lines = conflict_lines.lines(session, views[:PAGE])
        count = conflict_lines.count_open(session)
        people = run_history.names_of(session, [view.settled_by for view in views])
    chosen: dict[str, Any] = {name: value for name, value in (("state", state), ("about", about), ("q", q)) if value}
    return render_template(
        "admin/conflicts/list.html",
        lines=lines,
        count=count,
        state=state,
        states=STATES,
        about=about,
        abouts=[("", "全部"), *SUBJECTS.items(), *KIND_WORDS.items()],
        q=q,
        is_filtered=bool(about or q),
        chosen=chosen,
        first=url_for("admin.conflicts", **chosen) if before else None,
        next=url_for("admin.conflicts", **chosen, before=views[PAGE - 1].id) if len(views) > PAGE else None,
        people=people,
        kind_words=KIND_WORDS,
        resolution_words=RESOLUTION_WORDS,
        may_act=current_viewer().may(Role.ADMIN),
    )


@signed_in(Role.ADMIN)
def settle() -> Response:
    """Settle one, by the button beside it, or all that are ticked."""
    keep, ids = _wanted()
    given = {name: request.form.get(name, "")[:64] for name in ("about", "q")}
    chosen: dict[str, Any] = {name: value for name, value in given.items() if value}
    if not ids or keep not in ("ours", "theirs"):
        return notices.back_to("admin.conflicts", "conflicts.none", **chosen)
    viewer, now = current_viewer(), runtime().clock.now()
    by = viewer.userid or viewer.name
    with runtime().write() as session:
        done = conflicts.settle(session, runtime().queue, ids, take_theirs=keep == "theirs", by=by, now=now)
        details = {"keep": keep, "settled": done.settled, "left": len(done.left), "change_set": done.change_set_id}
        audit.record(session, viewer, "conflict.settle", f"conflict:{ids[0]}", details, now=now)
    if not done.left:
        return notices.back_to("admin.conflicts", f"conflicts.{keep}", ids[0] if len(ids) == 1 else None, **chosen)
    return notices.back_to("admin.conflicts", f"conflicts.left_{done.left[0].reason}", **chosen)


@signed_in(Role.ADMIN)
def undo(conflict_id: int) -> Response:
    """Take a person's word back; where that cannot be, the list says why."""
    viewer, now = current_viewer(), runtime().clock.now()
    try:
        with runtime().write() as session:
            by = viewer.userid or viewer.name
            conflict_undo.take_back(session, runtime().queue, conflict_id, by=by, now=now)
            audit.record(session, viewer, "conflict.undo", f"conflict:{conflict_id}", now=now)
    except Conflict:
        return notices.back_to("admin.conflicts", "conflicts.kept", state="settled")
    return notices.back_to("admin.conflicts", "conflicts.undone")


def _wanted() -> tuple[str, list[int]]:
    """Return whose value is to hold, and for which."""
    keep, _, only = request.form.get("keep", "")[:40].partition(":")
    texts = [only] if only else request.form.getlist("ids")[:MOST_AT_ONCE]
    return keep, [found for text in texts if (found := paging.row_id(text[:20])) is not None]
