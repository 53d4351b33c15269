"""`/playground`, in demo mode only: who came through which code, what he was tagged with and why."""

from flask import Blueprint, render_template

from wecom_app.services import profiles
from wecom_app.web.state import runtime

blueprint = Blueprint("playground", __name__)
SHOWN = 50


@blueprint.get("/playground")
def overview() -> str:
    """The latest customers with their tags."""
    with runtime().read() as session:
        found = profiles.list_profiles(session, runtime().clock.now(), limit=SHOWN)
    return render_template("playground/overview.html", customers=found)


@blueprint.get("/playground/customers/<external_userid>")
def customer(external_userid: str) -> str:
    """One customer: every tag with its reason, and the history."""
    with runtime().read() as session:
        found = profiles.get(session, external_userid, runtime().clock.now())
        history = profiles.history(session, external_userid)
    return render_template("playground/customer.html", customer=found, history=history)
