"""Who is behind a browser's request, and whether one of our own pages sent it.

Views take `current_viewer()` or stand under `@signed_in(…)`; `guard`, called before every request, refuses what
could have been forged. `/wecom/callback` and `/api/v1` read no cookie and are outside of all this.
"""

import hashlib
import hmac
import secrets
from collections.abc import Callable
from datetime import datetime, timedelta
from functools import wraps
from typing import ParamSpec, TypeVar

import structlog
from flask import Flask, Response, g, request

from wecom_app.domain.access import Role
from wecom_app.errors import ConfirmIdentity, Forged, NoSession, NotAllowed, Unavailable
from wecom_app.services import sessions
from wecom_app.services.access import Viewer
from wecom_app.services.sessions import Present
from wecom_app.web.origins import is_https, own_origin
from wecom_app.web.state import runtime

P = ParamSpec("P")
R = TypeVar("R")

SAFE = frozenset({"GET", "HEAD", "OPTIONS"})
COOKIELESS = ("/wecom/callback", "/api/v1/", "/csp-report")
"""Addresses that act on no cookie, so that a browser's cookies cannot be abused there."""
CONTENT_TYPES = frozenset({"", "application/json", "application/x-www-form-urlencoded", "multipart/form-data"})
SALT_LENGTH = 16
HEADER, FIELD = "X-CSRF-Token", "csrf_token"
VISIT_S = 3600
"""How long a browser that is not signed in is known again: the time for a log-in."""

log = structlog.get_logger(__name__)


def install(app: Flask) -> None:
    """Put the guard in front of every view, and the cookies on every answer."""
    app.before_request(guard)
    app.after_request(_set_cookies)
    app.jinja_env.globals[FIELD] = csrf_token


def current_viewer() -> Viewer:
    """Return who is signed in; raise NoSession where nobody is."""
    present = current_session()
    if present is None:
        raise NoSession
    return present.viewer


def current_session() -> Present | None:
    """Return the session behind the request's cookie, looked up once a request."""
    if "session" not in g:
        g.session = _look_up(session_token())
    found: Present | None = g.session
    return found


def signed_in(*roles: Role) -> Callable[[Callable[P, R]], Callable[P, R]]:
    """Let only signed-in viewers have the view; with roles, only those who have one of them.

    Raises NoSession or NotAllowed. The view carries its roles as `needs`, which the authorisation matrix reads.
    """

    def wrap(view: Callable[P, R]) -> Callable[P, R]:
        @wraps(view)
        def run(*args: P.args, **kwargs: P.kwargs) -> R:
            viewer = current_viewer()
            if roles and not viewer.may(*roles):
                raise NotAllowed
            return view(*args, **kwargs)

        run.needs = frozenset(roles)  # type: ignore[attr-defined]
        return run

    return wrap


def csrf_token() -> str:
    """Return the proof that a page of ours sent a request: bound to this browser's session, or to its visit before.

    Another one each time: answers are compressed, and the length of many of them would give away what stands the
    same in each (BREACH).
    """
    salt = secrets.token_hex(SALT_LENGTH // 2)
    return salt + _proof(salt)


def guard() -> None:
    """Refuse a request that changes something and that our own pages cannot be shown to have sent."""
    if request.method in SAFE or request.url_rule is None or request.path.startswith(COOKIELESS):
        return
    origin = own_origin()
    if origin is None or request.headers.get("Origin") != origin or request.mimetype not in CONTENT_TYPES:
        raise Forged
    given = request.headers.get(HEADER) or request.form.get(FIELD, "")
    if not hmac.compare_digest(given[SALT_LENGTH:].encode(), _proof(given[:SALT_LENGTH]).encode()):
        raise Forged


def session_token() -> str:
    """Return the cookie's value as the browser sent it; empty where there is none."""
    return request.cookies.get(_name("session"), "")


def visitor_token() -> str:
    """Return what a browser that is not signed in is known by, made new where it has none yet."""
    if "visitor" not in g:
        g.visitor = request.cookies.get(_name("visitor")) or secrets.token_hex(32)
    found: str = g.visitor
    return found


def confirm_identity() -> None:
    """Have WeCom say again who holds the client, where it last said so too long ago; raise ConfirmIdentity for that.

    For pages that are opened afresh inside the client: its webview on a computer keeps cookies after somebody has
    logged out of WeCom and another in. Takes no click; outside the client nothing is asked.
    """
    present = current_session()
    if present is None:
        raise NoSession
    age = runtime().clock.now() - present.confirmed_at
    if is_in_client() and age > timedelta(minutes=runtime().settings.sign_in_confirm_minutes):
        raise ConfirmIdentity


def is_in_client() -> bool:
    """Return whether the browser is WeCom's own (`wxwork/4.1.36` in its User-Agent)."""
    return "wxwork/" in request.headers.get("User-Agent", "").lower()


def sign_in(token: str) -> None:
    """Hand the browser a new session; what it was known by before is void."""
    g.new_session = token


def sign_out() -> None:
    """Take the session's cookie away; ending the session itself is the caller's."""
    g.new_session = ""


def _proof(salt: str) -> str:
    bound = session_token() or visitor_token()
    key = runtime().settings.require_secret_key().encode()
    return hmac.new(key, f"csrf\0{salt}\0{bound}".encode(), hashlib.sha256).hexdigest()


def _look_up(token: str) -> Present | None:
    if not token:
        return None
    now = runtime().clock.now()
    with runtime().read() as session:
        found = sessions.find(session, token, now)
    if found is not None and found.is_due:
        _touch(found, now)
    return found


def _touch(found: Present, now: datetime) -> None:
    assert found.viewer.session_id is not None
    try:
        with runtime().write() as session:
            sessions.touch(session, found.viewer.session_id, now)
    except Unavailable:
        # The session holds all the same; the next request tries again.
        log.warning("session.not_touched")


def _set_cookies(response: Response) -> Response:
    if "new_session" in g:
        _put(response, "session", g.new_session)
        _put(response, "visitor", "")
    elif "visitor" in g and request.cookies.get(_name("visitor")) != g.visitor:
        _put(response, "visitor", g.visitor, VISIT_S)
    return response


def _put(response: Response, name: str, value: str, max_age: int | None = None) -> None:
    response.set_cookie(
        _name(name),
        value,
        max_age=max_age if value else 0,
        path="/",
        secure=is_https(),
        httponly=True,
        samesite="Lax",
    )


def _name(name: str) -> str:
    """Browsers take a `__Host-` cookie only by https and from the very host: no sibling sub-domain can plant one."""
    return f"__Host-{name}" if is_https() else name
