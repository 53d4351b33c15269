"""What every answer says to the browser about our pages, and `/csp-report`, where browsers tell what they blocked."""

import json
from collections.abc import Mapping

import structlog
from flask import Blueprint, Flask, Response, request

from wecom_app.web.origins import is_https
from wecom_app.web.state import runtime

NO_FRAMES = "frame-ancestors 'none'"
CONTENT_SECURITY_POLICY = (
    "default-src 'none'; script-src 'self'; style-src 'self'; "
    "img-src 'self' data: https://*.qpic.cn https://*.qlogo.cn; font-src 'self'; connect-src 'self'; "
    f"form-action 'self'; base-uri 'none'; {NO_FRAMES}; report-uri /csp-report"
)
FRAMING_PAGES = ("/playground", "/sidebar")
"""In demo mode the first of them shows the second in a frame; no other page, and no other mode, has frames."""
FRAMING_POLICY = CONTENT_SECURITY_POLICY.replace(NO_FRAMES, "frame-src 'self'; frame-ancestors 'self'")
HEADERS: Mapping[str, str] = {
    "Content-Security-Policy": CONTENT_SECURITY_POLICY,
    "X-Content-Type-Options": "nosniff",
    "Referrer-Policy": "same-origin",
    # Nearly everything shows customers or says who is signed in; static files say otherwise themselves.
    "Cache-Control": "no-store",
}
STRICT_TRANSPORT_SECURITY = "max-age=31536000"
MAX_REPORT = 8 * 1024
DIRECTIVES = frozenset(
    {
        *("default-src", "script-src", "script-src-elem", "script-src-attr", "style-src", "style-src-elem"),
        *("style-src-attr", "img-src", "font-src", "connect-src", "form-action", "base-uri"),
        *("frame-ancestors", "frame-src"),
    }
)
OTHER = "other"
LOGGED = 20
"""Reports of one process that are written to the log in a minute; all are counted."""
MINUTE_S = 60.0

log = structlog.get_logger(__name__)


class _Reports:
    """Counts reports; only the directive is kept: addresses in a report may name a customer."""

    def __init__(self) -> None:
        self._since, self._logged = 0.0, 0

    def add(self, directive: str) -> None:
        runtime().metrics.csp_reports.labels(directive).inc()
        now = runtime().clock.monotonic()
        if now - self._since >= MINUTE_S:
            self._since, self._logged = now, 0
        # Two threads may both count the last one: a line more in the log harms nobody.
        if self._logged < LOGGED:
            self._logged += 1
            log.warning("web.csp_report", directive=directive)


def install(app: Flask) -> None:
    """Put the headers on every answer, and take reports."""
    app.after_request(_finish)
    reports = _Reports()
    blueprint = Blueprint("headers", __name__)

    @blueprint.post("/csp-report")
    def csp_report() -> tuple[str, int]:
        """Take a browser's report; whatever is sent, nothing but a count comes of it."""
        request.max_content_length = MAX_REPORT
        reports.add(_directive(request.get_data()))
        return "", 204

    app.register_blueprint(blueprint)


def _finish(response: Response) -> Response:
    if runtime().settings.demo_mode and request.path in FRAMING_PAGES:
        response.headers.setdefault("Content-Security-Policy", FRAMING_POLICY)
    for name, value in HEADERS.items():
        response.headers.setdefault(name, value)
    if is_https():
        response.headers.setdefault("Strict-Transport-Security", STRICT_TRANSPORT_SECURITY)
    return response


def _directive(body: bytes) -> str:
    """Return which rule was broken, as one of the words that we know."""
    try:
        report = json.loads(body)["csp-report"]
        found = str(report.get("effective-directive") or report.get("violated-directive", "")).split(" ")[0]
    except (ValueError, KeyError, TypeError, AttributeError, RecursionError):
        return OTHER
    return found if found in DIRECTIVES else OTHER
