"""`/admin/customers`: every customer in the viewer's reach: found, looked at with history and reasons, undone."""

from typing import Any

from flask import Blueprint, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.models import Staff
from wecom_app.services import audit, customer_search, rep_profile, tag_picker, undo
from wecom_app.services.customer_search import Wanted
from wecom_app.web.admin import notices, paging
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

VIEW = (Role.ADMIN, Role.AUDITOR, Role.LEADER)
PAGE = 30
CHIPS = 6
"""Tags shown in a line of the list."""


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/customers", "customers", customers)
    add("/customers/<external_userid>", "customers_profile", profile)
    add("/customers/<external_userid>/timeline", "customers_timeline", timeline)
    add("/customers/<external_userid>/tags/<key>", "customers_why", why)
    add(
        "/customers/<external_userid>/change-sets/<int:change_set_id>/undo",
        "customers_undo",
        undo_change,
        methods=["POST"],
    )


@signed_in(*VIEW)
def customers() -> str:
    """The list."""
    given = {name: request.args.get(name, "").strip()[:160] for name in ("q", "tag", "userid")}
    wanted, before = Wanted(**given), paging.before()
    now, viewer = runtime().clock.now(), current_viewer()
    with runtime().read() as session:
        found = customer_search.find(session, viewer, wanted, now, before_id=before, limit=PAGE + 1)
        count = customer_search.count(session, viewer, wanted, now)
        tag = tag_picker.by_keys(session, [wanted.tag]).get(wanted.tag) if wanted.tag else None
        members = _members(session)
    filters: dict[str, Any] = {name: value for name, value in given.items() if value}
    return render_template(
        "admin/customers/list.html",
        found=found[:PAGE],
        count=count,
        wanted=wanted,
        tag=tag,
        members=[("", "全部成员"), *members],
        is_filtered=bool(filters),
        first=url_for("admin.customers", **filters) if before else None,
        next=url_for("admin.customers", **filters, before=found[PAGE - 1].id) if len(found) > PAGE else None,
        most_chips=CHIPS,
        as_of=now,
    )


@signed_in(*VIEW)
def profile(external_userid: str) -> str:
    """One customer, as his rep sees him, with what may be undone."""
    with runtime().read() as session:
        found = rep_profile.load(session, current_viewer(), external_userid, runtime().clock.now())
    return render_template(
        "admin/customers/profile.html", profile=found, page=found.timeline, external_userid=external_userid
    )


@signed_in(*VIEW)
def timeline(external_userid: str) -> str:
    """A further page of the timeline."""
    before, now = request.args.get("before"), runtime().clock.now()
    with runtime().read() as session:
        page = rep_profile.timeline(session, current_viewer(), external_userid, before, now)
    return render_template("admin/customers/_timeline.html", page=page, external_userid=external_userid)


@signed_in(*VIEW)
def why(external_userid: str, key: str) -> str:
    """Why the customer has a tag."""
    with runtime().read() as session:
        found = rep_profile.why(session, current_viewer(), external_userid, key, runtime().clock.now())
    return render_template("admin/customers/_why.html", why=found)


@signed_in(Role.ADMIN)
def undo_change(external_userid: str, change_set_id: int) -> Response:
    """Take a change set back, whoever made it."""
    done = undo.by_viewer(runtime(), current_viewer(), change_set_id)
    with runtime().write() as session:
        audit.record(
            session,
            current_viewer(),
            "change_set.undo",
            f"change_set:{change_set_id}",
            {"restored": done.restored, "kept": len(done.kept)},
            now=runtime().clock.now(),
        )
    outcome = "all" if not done.kept else "some" if done.restored else "none"
    return notices.back_to("admin.customers_profile", f"undo.{outcome}", external_userid=external_userid)


def _members(session: Session) -> list[tuple[str, str]]:
    """Return the members who have not left, as (userid, name)."""
    query = select(Staff.userid, Staff.name).where(Staff.status != "left").order_by(Staff.name, Staff.id)
    return [(row.userid, row.name or row.userid) for row in session.execute(query)]
