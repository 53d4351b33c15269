"""The HTTP session towards WeCom, a call's deadline, and the filter that keeps tokens out of the logs."""

import logging
import os
import re
from http.cookiejar import DefaultCookiePolicy
from typing import Any

import requests
from requests.adapters import HTTPAdapter
from requests.utils import get_environ_proxies

from wecom_app.clock import Clock

CALLS = "/cgi-bin/"
"""Below it lie all calls of an origin."""
CONNECT_S = 3.0
READ_S = 10.0
POOL_SIZE = 48
"""More than the threads that call WeCom (lanes and HTTP), so that none waits for a connection."""
SECRET_PARAMETER = re.compile(r"((?:access_token|corpsecret|suite_access_token|key)=)[^&\s\"'>]+")
TRANSPORT_LOGGERS = ("urllib3.connectionpool", "urllib3.util.retry")


class Deadline:
    """How long a call may still take, its waiting and its retry included."""

    def __init__(self, clock: Clock, seconds: float) -> None:
        self._clock = clock
        self._end = clock.monotonic() + seconds

    def remaining(self) -> float:
        """Return the seconds left, never less than 0."""
        return max(0.0, self._end - self._clock.monotonic())

    def has_passed(self) -> bool:
        return self.remaining() <= 0


class SecretFilter(logging.Filter):
    """Blanks tokens and secrets in log records; urllib3 writes every URL with its query at DEBUG."""

    def filter(self, record: logging.LogRecord) -> bool:
        text = record.getMessage()
        clean = scrub(text)
        if clean != text:
            record.msg, record.args = clean, None
        return True


SECRET_FILTER = SecretFilter()


def scrub(text: str) -> str:
    """Return the text with the values of secret query parameters blanked."""
    return SECRET_PARAMETER.sub(r"\1***", text)


class OneOrigin(HTTPAdapter):
    """Carries requests to one origin: what requests works out anew for each address is worked out once."""

    _pool: Any = None

    def get_connection_with_tls_context(self, request: Any, verify: Any, proxies: Any = None, cert: Any = None) -> Any:
        """Return the pool of connections; there is one, since origin, certificates and proxy never change."""
        if self._pool is None:
            pool = super().get_connection_with_tls_context(request, verify, proxies, cert)
            super().cert_verify(pool, request.url, verify, cert)  # type: ignore[no-untyped-call]
            self._pool = pool
        return self._pool

    def cert_verify(self, conn: Any, url: Any, verify: Any, cert: Any) -> None:
        """Nothing: told to the pool when it was made."""

    def build_response(self, req: Any, resp: Any) -> requests.Response:
        """Return status, headers and body; cookies are not kept, and nobody asks for the rest."""
        response = requests.Response()
        response.status_code, response.headers = resp.status, resp.headers
        response.raw = resp
        response.url = req.url
        response.request = req
        return response


def build_session(origin: str, pool_size: int = POOL_SIZE) -> requests.Session:
    """Return a session towards `origin` for all threads, which never retries, redirects or keeps cookies.

    Retries are the wire's: urllib3 would log the URL, token and all, as a warning.
    """
    for name in TRANSPORT_LOGGERS:
        logging.getLogger(name).addFilter(SECRET_FILTER)
    session = requests.Session()
    # The environment is read once; requests would search it anew for each call.
    session.proxies = get_environ_proxies(origin)
    session.verify = os.environ.get("REQUESTS_CA_BUNDLE") or os.environ.get("CURL_CA_BUNDLE") or True
    session.trust_env = False
    session.cookies.set_policy(DefaultCookiePolicy(allowed_domains=[]))
    pools: dict[str, Any] = {"pool_connections": 4, "pool_maxsize": pool_size, "pool_block": True, "max_retries": 0}
    session.mount("https://", HTTPAdapter(**pools))
    session.mount("http://", HTTPAdapter(**pools))
    session.mount(f"{origin}{CALLS}", OneOrigin(**pools))
    return session
