"""`/sidebar`: the page in WeCom's chat toolbar. A shell without a customer's data, and fragments that fill it."""

from flask import Blueprint

from wecom_app.web.sidebar import page, profile, words


def make_blueprint() -> Blueprint:
    """Return the sidebar's pages."""
    blueprint = Blueprint("sidebar", __name__, url_prefix="/sidebar")
    blueprint.context_processor(words.for_templates)
    for routes in (page, profile):
        routes.register(blueprint)
    return blueprint
