"""Our own address as browsers know it; what the guard, the cookies, the log-in and the JS-SDK's signatures go by."""

from urllib.parse import urlsplit

from flask import request

from wecom_app.domain.links import is_loopback, origin_of
from wecom_app.web.state import runtime


def own_origin() -> str | None:
    """Return PUBLIC_BASE_URL, else the request's own origin if that is this machine.

    None where neither is known: a Host header alone proves nothing.
    """
    configured = runtime().settings.public_base_url
    if configured is not None:
        return configured
    try:
        host = urlsplit(request.host_url).hostname
    except ValueError:
        return None
    return origin_of(request.host_url) if is_loopback(host or "") else None


def is_https() -> bool:
    """Return whether browsers reach us by https."""
    return (own_origin() or request.host_url).startswith("https:")
