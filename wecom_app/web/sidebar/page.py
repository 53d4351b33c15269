"""`/sidebar` itself: the shell, the same for every chat."""

from flask import Blueprint, render_template

from wecom_app.web import jssdk
from wecom_app.web.looks import looks
from wecom_app.web.session import confirm_identity, signed_in


def register(blueprint: Blueprint) -> None:
    """Add the page."""
    blueprint.add_url_rule("", "page", page)


@signed_in()
def page() -> str:
    """The page that WeCom opens; its script finds out whose chat it is."""
    confirm_identity()
    return render_template("sidebar/page.html", setup=jssdk.setup().fields, **looks())
