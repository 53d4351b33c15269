"""`/sidebar`: the page in WeCom's chat toolbar. A shell without a customer's data, and fragments that fill it."""

from flask import Blueprint, request

from wecom_app.errors import NotInSight
from wecom_app.web.incoming import can_be_stored
from wecom_app.web.sidebar import content, edits, facts, mine, notes, page, profile, served, words


def make_blueprint() -> Blueprint:
    """Return the sidebar's pages."""
    blueprint = Blueprint("sidebar", __name__, url_prefix="/sidebar")
    blueprint.before_request(_check_path)
    blueprint.context_processor(words.for_templates)
    for routes in (page, profile, edits, notes, facts, content, served, mine):
        routes.register(blueprint)
    return blueprint


def _check_path() -> None:
    """Refuse what no database can hold as if it were not there."""
    if not all(can_be_stored(value) for value in (request.view_args or {}).values()):
        raise NotInSight
