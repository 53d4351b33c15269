"""The Flask application: builds it from a runtime, and maps every error to one JSON shape in one place.

{"error": code, "message": for people, "details"?: …, "request_id": …}
"""

import secrets
from pathlib import Path

import structlog
from flask import Flask, Response, g, jsonify, request
from werkzeug.exceptions import HTTPException

from wecom_app.errors import AppError, NotInSight
from wecom_app.services.runtime import Runtime
from wecom_app.web import admin, assets, callback, diag, jssdk, operations, pictures, playground, session, sidebar
from wecom_app.web.api import make_blueprint
from wecom_app.web.state import RUNTIME

log = structlog.get_logger(__name__)

MAX_BODY = 1024 * 1024
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: https://*.qpic.cn https://*.qlogo.cn; font-src 'self'; connect-src 'self'; "
    "form-action 'self'; base-uri 'none'; frame-ancestors 'none'"
)
HEADERS = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
}
HTTP_WORDS = {
    400: ("bad_request", "请求格式有误"),
    404: ("not_found", "没有这个地址"),
    405: ("method_not_allowed", "这个地址不支持该请求方法"),
    413: ("too_large", "内容过大"),
    415: ("unsupported_media_type", "请以 application/json 提交"),
}


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
    app.register_blueprint(admin.make_blueprint())
    app.register_blueprint(pictures.blueprint)
    app.register_blueprint(sidebar.make_blueprint())
    app.register_blueprint(jssdk.blueprint)
    app.register_blueprint(diag.blueprint)
    if runtime.settings.demo_mode:
        app.register_blueprint(playground.blueprint)
    assets.install(app)
    app.before_request(_name_request)
    app.after_request(_finish)
    session.install(app)
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(HTTPException, _http_error)
    # Must be last: whatever nobody foresaw gets a fixed text and an id to find it in the log.
    app.register_error_handler(Exception, _unexpected)
    return app


def _folder(name: str) -> str:
    """Return the folder in an installed wheel, else in the source tree."""
    package = Path(__file__).resolve().parent.parent
    installed = package / f"_{name}"
    return str(installed if installed.is_dir() else package.parent / name)


def _name_request() -> None:
    g.request_id = secrets.token_hex(8)
    structlog.contextvars.bind_contextvars(request_id=g.request_id)


def _finish(response: Response) -> Response:
    structlog.contextvars.clear_contextvars()
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    return response


def _app_error(error: AppError) -> tuple[Response, int]:
    status = error.http_status
    if status >= 500:
        log.warning("web.error", code=error.code, path=request.path)
    body: dict[str, object] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    if not isinstance(error, NotInSight):
        body["request_id"] = g.get("request_id", "")
    response = jsonify(body)
    if status in (429, 503):
        response.headers["Retry-After"] = str(int(error.retry_after_s or 2))
    return response, status


def _http_error(error: HTTPException) -> tuple[Response, int]:
    status = error.code or 500
    code, message = HTTP_WORDS.get(status, ("http_error", error.name))
    response = jsonify({"error": code, "message": message, "request_id": g.get("request_id", "")})
    if status == 405:
        response.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return response, status


def _unexpected(_error: Exception) -> tuple[Response, int]:
    log.exception("web.unexpected", path=request.path)
    return _app_error(AppError())
