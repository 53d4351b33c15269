"""The Flask application beside the API: the control side, WeCom's log-in pages and the page for people."""

from ipaddress import ip_address
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit

from flask import Flask, Response, jsonify, request
from flask.json.provider import DefaultJSONProvider
from werkzeug.exceptions import HTTPException

from wecom_app.errors import AppError, NotAllowed
from wecom_app.simulator.context import Context
from wecom_app.simulator.control import make_control
from wecom_app.simulator.login_pages import make_login_pages
from wecom_app.simulator.pages import make_pages

PACKAGE = Path(__file__).resolve().parent.parent
POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; "
    "connect-src 'self'; form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
OPEN_PATHS = ("/connect/", "/wwlogin/", "/wwhead/", "/wwpic/", "/static/")
"""What a phone or another machine may open; the rest is for whoever sits at this one."""


def folder(name: str) -> Path:
    """Return the product's `templates` or `static`: inside an installed package, else beside it."""
    installed = PACKAGE / f"_{name}"
    return installed if installed.is_dir() else PACKAGE.parent / name


class _Json(DefaultJSONProvider):
    ensure_ascii = False
    sort_keys = False


def make_web(context: Context, *, templates: Path | None = None, static: Path | None = None) -> Flask:
    """Return the application."""
    app = Flask(
        "wecom_app.simulator",
        template_folder=str(templates or folder("templates")),
        static_folder=str(static or folder("static")),
        static_url_path="/static",
    )
    app.json = _Json(app)
    app.register_blueprint(make_control(context))
    app.register_blueprint(make_login_pages(context))
    app.register_blueprint(make_pages(context))
    app.register_error_handler(AppError, _refused)
    app.register_error_handler(HTTPException, _http_error)

    @app.before_request
    def guard() -> None:
        if not request.path.startswith(OPEN_PATHS):
            _check_caller(context)

    app.after_request(_with_policy)
    return app


def _check_caller(context: Context) -> None:
    """Refuse other machines, and pages of other origins in a browser on this one."""
    if not context.config.control_from_anywhere and not _is_loopback(request.remote_addr):
        raise NotAllowed("模拟企业微信的控制接口只对本机开放")
    origin = request.headers.get("Origin")
    if request.method != "GET" and origin and urlsplit(origin).netloc != request.host:
        raise NotAllowed("请求来自别的网站")


def _is_loopback(address: str | None) -> bool:
    try:
        return ip_address(address or "").is_loopback
    except ValueError:
        return False


def _with_policy(response: Response) -> Response:
    response.headers.setdefault("Content-Security-Policy", POLICY)
    response.headers.setdefault("X-Content-Type-Options", "nosniff")
    response.headers.setdefault("Referrer-Policy", "same-origin")
    return response


def _refused(error: AppError) -> tuple[Response, int]:
    body: dict[str, Any] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    return jsonify(body), error.http_status


def _http_error(error: HTTPException) -> tuple[Response, int]:
    # WeCom answers unknown paths with an empty 404, and so does everything else here.
    return Response(), error.code or 500
