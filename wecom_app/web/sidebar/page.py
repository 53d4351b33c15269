"""`/sidebar` itself: the shell, the same for every chat."""

from flask import Blueprint, render_template, request

from wecom_app.web import jssdk
from wecom_app.web.looks import looks
from wecom_app.web.session import confirm_identity, signed_in
from wecom_app.web.state import runtime

CHAT = "playground"
"""In demo mode: whose chat the page is opened in, for a script that stands in for WeCom's client."""


def register(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("", "page", page)


@signed_in()
def page() -> str:
    """The page that WeCom opens; its script finds out whose chat it is."""
    confirm_identity()
    in_playground = runtime().settings.demo_mode and CHAT in request.args
    return render_template("sidebar/page.html", setup=jssdk.setup().fields, in_playground=in_playground, **looks())
