"""`/admin`: what needs a person, and the figures of the day."""

from flask import Blueprint, render_template

from wecom_app.services import overview
from wecom_app.web.admin.navigation import CONSOLE
from wecom_app.web.session import signed_in
from wecom_app.web.state import runtime


def register(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("", "home", home)


@signed_in(*CONSOLE)
def home() -> str:
    """The first page after signing in."""
    now = runtime().clock.now()
    with runtime().read() as session:
        attention = overview.attention(session, runtime().queue, now)
        today = overview.today(session, now, runtime().settings.time_zone)
    return render_template("admin/home.html", attention=attention, today=today)
