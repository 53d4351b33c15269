"""The sidebar's view of one customer, from the local database: profile, why a tag stands, timeline.

Only for a customer whom we do not know yet is WeCom asked, for two seconds at most.
"""

from flask import Blueprint, render_template, request

from wecom_app.services import on_demand, rep_profile
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.sidebar import content
from wecom_app.web.sidebar.paths import CUSTOMER
from wecom_app.web.state import runtime


def register(blueprint: Blueprint) -> None:
    """Add the fragments."""
    blueprint.add_url_rule(CUSTOMER, "profile", profile)
    blueprint.add_url_rule(f"{CUSTOMER}/tags/<key>", "why", why)
    blueprint.add_url_rule(f"{CUSTOMER}/timeline", "timeline", timeline)


@signed_in()
def profile(external_userid: str) -> str:
    """The customer as the viewer may see him; 404, always the same, where he may not."""
    viewer = current_viewer()
    found = on_demand.load(runtime(), viewer, external_userid)
    with runtime().read() as session:
        suggested = content.suggested(session, viewer, found)
    return render_template("sidebar/profile.html", profile=found, suggested=suggested)


@signed_in()
def why(external_userid: str, key: str) -> str:
    """Why the customer has a tag, and what taking it off means."""
    with runtime().read() as session:
        found = rep_profile.why(session, current_viewer(), external_userid, key, runtime().clock.now())
    return render_template("sidebar/why.html", why=found)


@signed_in()
def timeline(external_userid: str) -> str:
    """A further page of the timeline."""
    with runtime().read() as session:
        before, now = request.args.get("before"), runtime().clock.now()
        found = rep_profile.timeline(session, current_viewer(), external_userid, before, now)
    return render_template("sidebar/timeline.html", page=found)
