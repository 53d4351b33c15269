"""The profile in the toolbar of a customer-service chat: read-only, and every look at it is written down."""

from flask import Blueprint, render_template, request

from wecom_app.services import customer_service
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.sidebar import content
from wecom_app.web.sidebar.paths import SERVED
from wecom_app.web.state import runtime


def register(blueprint: Blueprint) -> None:
    """Add the fragments."""
    blueprint.add_url_rule(SERVED, "served_profile", profile)
    blueprint.add_url_rule(f"{SERVED}/tags/<key>", "served_why", why)
    blueprint.add_url_rule(f"{SERVED}/timeline", "served_timeline", timeline)


@signed_in()
def profile(external_userid: str) -> str:
    """The customer, as usual for his own members; for customer service without anything that changes him."""
    viewer = current_viewer()
    found = customer_service.load(runtime(), viewer, external_userid)
    with runtime().read() as session:
        suggested = content.suggested(session, viewer, found)
    return render_template("sidebar/profile.html", profile=found, suggested=suggested)


@signed_in()
def why(external_userid: str, key: str) -> str:
    """Why the customer has a tag."""
    return render_template(
        "sidebar/why.html", why=customer_service.why(runtime(), current_viewer(), external_userid, key)
    )


@signed_in()
def timeline(external_userid: str) -> str:
    """A further page of the timeline."""
    found = customer_service.timeline(runtime(), current_viewer(), external_userid, request.args.get("before"))
    return render_template("sidebar/timeline.html", page=found, served=True)
