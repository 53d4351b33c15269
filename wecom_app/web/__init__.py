"""The Flask application, built from a runtime: its pages, its API, and what stands around all of them."""

import secrets
from pathlib import Path

import structlog
from flask import Flask, Response, g
from werkzeug.middleware.proxy_fix import ProxyFix

from wecom_app.services.runtime import Runtime
from wecom_app.web import (
    admin,
    assets,
    callback,
    diag,
    domain_proof,
    errors,
    headers,
    jssdk,
    operations,
    pictures,
    playground,
    session,
    sidebar,
    sign_in,
)
from wecom_app.web.api import make_blueprint
from wecom_app.web.state import RUNTIME

MAX_BODY = 1024 * 1024


def create_web(runtime: Runtime) -> Flask:
    """Return the WSGI application around a runtime."""
    app = Flask("wecom_app", template_folder=_folder("templates"), static_folder=_folder("static"))
    app.config["MAX_CONTENT_LENGTH"] = MAX_BODY
    app.json.ensure_ascii = False  # type: ignore[attr-defined]
    app.json.sort_keys = False  # type: ignore[attr-defined]
    app.extensions[RUNTIME] = runtime
    app.register_blueprint(callback.blueprint)
    app.register_blueprint(operations.blueprint)
    app.register_blueprint(make_blueprint())
    app.register_blueprint(sign_in.blueprint)
    app.register_blueprint(admin.make_blueprint())
    app.register_blueprint(pictures.blueprint)
    app.register_blueprint(sidebar.make_blueprint())
    app.register_blueprint(jssdk.blueprint)
    app.register_blueprint(diag.blueprint)
    app.register_blueprint(domain_proof.blueprint)
    if runtime.settings.demo_mode:
        playground.install(app, runtime.settings.wecom_api_base_url)
    assets.install(app)
    app.before_request(_name_request)
    app.after_request(_forget_request)
    headers.install(app)
    session.install(app)
    errors.install(app)
    if runtime.settings.trusted_proxies:
        _trust_proxies(app, runtime.settings.trusted_proxies)
    return app


def _trust_proxies(app: Flask, count: int) -> None:
    """Believe so many proxies about the caller's address and scheme; everything further left is a stranger's word."""
    app.wsgi_app = ProxyFix(app.wsgi_app, x_for=count, x_proto=count, x_host=count)  # type: ignore[method-assign]


def _folder(name: str) -> str:
    """Return the folder in an installed wheel, else in the source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / f"_{name}"
    return str(installed if installed.is_dir() else package.parent / name)


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _forget_request(response: Response) -> Response:
    structlog.contextvars.clear_contextvars()
    return response
