"""`/admin`: the console for marketing admins, auditors and operators; pages rendered here, refined by htmx."""

from functools import partial
from typing import Any

from flask import Blueprint

from wecom_app.services.access import Viewer
from wecom_app.web.admin import (
    conflicts,
    content,
    content_parts,
    customers,
    home,
    navigation,
    notices,
    profile_fields,
    roles,
    schedules,
    sync,
    tag_changes,
    tag_dimensions,
    tag_imports,
    tag_sync,
    tags,
    words,
)
from wecom_app.web.session import current_session
from wecom_app.web.state import runtime


def make_blueprint() -> Blueprint:
    """Return the console's pages."""
    blueprint = Blueprint("admin", __name__, url_prefix="/admin")
    blueprint.context_processor(_surroundings)
    for name, filter_ in words.FILTERS.items():
        blueprint.add_app_template_filter(filter_, name)
    for pages in (
        home,
        customers,
        profile_fields,
        content,
        content_parts,
        schedules,
        sync,
        conflicts,
        roles,
        tags,
        tag_dimensions,
        tag_imports,
        tag_changes,
        tag_sync,
    ):
        pages.register(blueprint)
    return blueprint


def _surroundings() -> dict[str, Any]:
    """What every page's frame shows; the navigation counts, so a fragment without a frame does not ask for it."""
    present = current_session()
    if present is None:
        return {}
    return {
        "navigation": partial(_navigation, present.viewer),
        "viewer": present.viewer,
        "console_roles": navigation.CONSOLE,
        "notice": notices.current(),
    }


def _navigation(viewer: Viewer) -> list[navigation.ShownGroup]:
    with runtime().read() as session:
        return navigation.shown(session, runtime(), viewer)
