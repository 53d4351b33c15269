"""Every error on its way out, in one place: one JSON shape for programs, a page in Chinese for people.

{"error": code, "message": for people, "details"?: …, "request_id": …}
"""

from urllib.parse import quote, urlencode

import structlog
from flask import Flask, Response, g, jsonify, redirect, render_template, request
from werkzeug.exceptions import HTTPException
from werkzeug.wrappers import Response as AnyResponse

from wecom_app.errors import AppError, ConfirmIdentity, NoSession, NotInSight
from wecom_app.web.session import is_in_client

HTTP_WORDS = {
    400: ("bad_request", "请求格式有误"),
    404: ("not_found", "没有这个地址"),
    405: ("method_not_allowed", "这个地址不支持该请求方法"),
    413: ("too_large", "内容过大"),
    415: ("unsupported_media_type", "请以 application/json 提交"),
}
PAGES_OF_CODES = {"forged_request": "expired"}
"""Refusals that need words of their own, before those of their status."""
PAGES = {403: "403", 404: "404", 429: "429", 502: "503", 503: "503"}
"""Which template says what; any other refusal is shown by 400.html, any other failure by 500.html."""
FOR_PROGRAMS = ("/api/", "/wecom/", "/csp-report", "/healthz", "/readyz", "/metrics")

log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Answer every error that a view raises."""
    app.register_error_handler(AppError, _app_error)
    app.register_error_handler(HTTPException, _http_error)
    # Must be last: whatever nobody foresaw gets a fixed text and an id to find it in the log.
    app.register_error_handler(Exception, _unexpected)


def wants_page() -> bool:
    """Return whether a person's browser asked for a page, not a script or a program for data."""
    if request.path.startswith(FOR_PROGRAMS) or "X-Requested-With" in request.headers:
        return False
    return "text/html" in request.headers.get("Accept", "")


def _app_error(error: AppError) -> AnyResponse:
    if error.http_status >= 500:
        log.warning("web.error", code=error.code, path=request.path)
    if isinstance(error, NoSession) and request.method in ("GET", "HEAD") and wants_page():
        return redirect(_log_in_first(error))
    body: dict[str, object] = {"error": error.code, "message": error.message}
    if error.details:
        body["details"] = error.details
    if not isinstance(error, NotInSight):
        body["request_id"] = g.get("request_id", "")
    response = _answer(body, error.http_status)
    if error.http_status in (429, 503):
        response.headers["Retry-After"] = str(int(error.retry_after_s or 2))
    return response


def _http_error(error: HTTPException) -> AnyResponse:
    status = error.code or 500
    code, message = HTTP_WORDS.get(status, ("http_error", error.name))
    if status == 413 and request.max_content_length:
        message = f"{message}，一次最多 {request.max_content_length // 1024} KB"
    response = _answer({"error": code, "message": message, "request_id": g.get("request_id", "")}, status)
    if status == 405:
        response.headers["Allow"] = error.get_response().headers.get("Allow", "")
    return response


def _unexpected(_error: Exception) -> AnyResponse:
    log.exception("web.unexpected", path=request.path)
    return _app_error(AppError())


def _answer(body: dict[str, object], status: int) -> Response:
    if not wants_page():
        response = jsonify(body)
    else:
        name = PAGES_OF_CODES.get(str(body["error"])) or PAGES.get(status, "400" if status < 500 else "500")
        # Only failures show the request's id: a refusal must look the same each time.
        request_id = body.get("request_id") if status >= 500 else None
        page = render_template(f"errors/{name}.html", message=body["message"], request_id=request_id)
        response = Response(page, mimetype="text/html")
    response.status_code = status
    return response


def _log_in_first(error: NoSession) -> str:
    """Return where a page without a session leads: to WeCom, or at the console to the choice of a log-in."""
    query = request.query_string.decode("latin-1")
    wanted = quote(request.path) + (f"?{query}" if query else "")
    at_console = request.path.startswith("/admin") and not is_in_client() and not isinstance(error, ConfirmIdentity)
    return f"{'/admin/login' if at_console else '/auth/wecom'}?{urlencode({'next': wanted})}"
