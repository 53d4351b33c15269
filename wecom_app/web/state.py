"""How a view gets at the runtime of the application that serves it."""

from typing import cast

from flask import current_app

from wecom_app.services.runtime import Runtime

RUNTIME = "wecom_app.runtime"


def runtime() -> Runtime:
    """Return the runtime of the present application."""
    return cast("Runtime", current_app.extensions[RUNTIME])
