"""`/playground`, in demo mode only: a customer's phone, his rep's chat with our sidebar, and what happens in between.

Whoever opens it plays everybody, without a log-in of his own; demo mode is refused with any WeCom but a simulator
on this machine (`config`).
"""

from flask import Blueprint, Flask

from wecom_app.web.playground import acts, customers, page, sign_in
from wecom_app.web.playground.corp import EXTENSION, Corp
from wecom_app.web.state import runtime


def install(app: Flask, origin: str) -> None:
    """Add the playground to an application whose WeCom is the simulator at `origin`."""
    app.extensions[EXTENSION] = Corp(origin)
    blueprint = Blueprint("playground", __name__, url_prefix="/playground")
    blueprint.context_processor(lambda: {"simulator_url": runtime().settings.wecom_api_base_url})
    for routes in (page, acts, sign_in, customers):
        routes.register(blueprint)
    app.register_blueprint(blueprint)
