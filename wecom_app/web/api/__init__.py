"""`/api/v1`: for programs, with a bearer key; reads no cookie."""

from functools import partial

from flask import Blueprint, Response, jsonify

from wecom_app.web.api import (
    bot,
    change_sets,
    channels,
    content,
    customer_fields,
    customers,
    dimensions,
    library_changes,
    library_files,
    openapi,
    profile_fields,
    repair,
    schedules,
    sync,
    sync_runs,
    tag_sync,
    tags,
)
from wecom_app.web.api.endpoint import PREFIX, serve

ENDPOINTS = (
    *customers.ENDPOINTS,
    *change_sets.ENDPOINTS,
    *profile_fields.ENDPOINTS,
    *customer_fields.ENDPOINTS,
    *dimensions.ENDPOINTS,
    *tag_sync.ENDPOINTS,
    *tags.ENDPOINTS,
    *library_changes.ENDPOINTS,
    *library_files.ENDPOINTS,
    *channels.ENDPOINTS,
    *content.ENDPOINTS,
    *repair.ENDPOINTS,
    *sync.ENDPOINTS,
    *sync_runs.ENDPOINTS,
    *schedules.ENDPOINTS,
    *bot.ENDPOINTS,
)


def make_blueprint() -> Blueprint:
    """Return the API's routes, made from its endpoints."""
    blueprint = Blueprint("api", __name__, url_prefix=PREFIX)
    for endpoint in ENDPOINTS:
        view = partial(serve, endpoint)
        blueprint.add_url_rule(endpoint.path, endpoint.name, view, methods=[endpoint.method])
    blueprint.add_url_rule("/openapi.json", "openapi", describe)
    return blueprint


def describe() -> Response:
    """The API's description; needs no key."""
    return jsonify(openapi.document(ENDPOINTS))
