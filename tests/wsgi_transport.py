"""Runs `requests` calls against a WSGI application in this process: no sockets, no threads.

Mounted on a session for the simulator's address. It tells the application how long the caller waits,
and turns the simulator's broken connections into what `requests` raises for real ones.
"""

import io
from collections.abc import Callable, Iterable, Mapping
from typing import Any
from urllib.parse import unquote, urlsplit

import requests
from requests.adapters import BaseAdapter
from urllib3 import HTTPHeaderDict, HTTPResponse

from wecom_app.simulator.faults import LostReply, TimedOut

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]


class WsgiAdapter(BaseAdapter):
    """A transport of `requests` that calls a WSGI application."""

    def __init__(self, application: Application, remote_addr: str = "127.0.0.1") -> None:
        super().__init__()
        self._application = application
        self._remote_addr = remote_addr

    def send(
        self,
        request: requests.PreparedRequest,
        stream: bool = False,
        timeout: float | tuple[float | None, float | None] | None = None,
        verify: bool | str = True,
        cert: Any = None,
        proxies: Mapping[str, str] | None = None,
    ) -> requests.Response:
        """Run the request and return what the application answers."""
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], exc_info: Any = None) -> None:
            started[:] = [status, headers]

        try:
            answer = self._application(self._environ(request, timeout), start_response)
            body = _drained(answer)
        except LostReply as error:
            raise requests.ConnectionError("connection aborted without response", request=request) from error
        except TimedOut as error:
            raise requests.ReadTimeout("read timed out", request=request) from error
        return self._response(request, started[0], started[1], body)

    def close(self) -> None:
        """Nothing is held open."""

    def _environ(self, request: requests.PreparedRequest, timeout: Any) -> dict[str, Any]:
        url = urlsplit(request.url or "")
        body = _bytes(request.body)
        environ: dict[str, Any] = {
            "REQUEST_METHOD": request.method or "GET",
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(url.path or "/", "latin-1"),
            "QUERY_STRING": url.query,
            "REMOTE_ADDR": self._remote_addr,
            "SERVER_NAME": url.hostname or "127.0.0.1",
            "SERVER_PORT": str(url.port or 80),
            "SERVER_PROTOCOL": "HTTP/1.1",
            "HTTP_HOST": url.netloc,
            "CONTENT_LENGTH": str(len(body)),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": url.scheme,
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
            "simulator.in_process": True,
            "simulator.read_timeout_s": timeout[1] if isinstance(timeout, tuple) else timeout,
        }
        for name, value in request.headers.items():
            key = name.upper().replace("-", "_")
            environ[key if key in {"CONTENT_TYPE", "CONTENT_LENGTH"} else f"HTTP_{key}"] = _text(value)
        return environ

    def _response(
        self, request: requests.PreparedRequest, status: str, headers: list[tuple[str, str]], body: bytes
    ) -> requests.Response:
        code, _, reason = status.partition(" ")
        raw = HTTPResponse(
            body=io.BytesIO(body),
            headers=HTTPHeaderDict(headers),
            status=int(code),
            reason=reason,
            preload_content=False,
        )
        response = requests.Response()
        response.status_code = int(code)
        response.reason = reason
        response.headers.update(headers)
        response.encoding = requests.utils.get_encoding_from_headers(response.headers)
        response.raw = raw
        response.url = request.url or ""
        response.request = request
        return response


def _drained(answer: Iterable[bytes]) -> bytes:
    """Return the whole answer, and close it as a WSGI server must."""
    try:
        return b"".join(answer)
    finally:
        close = getattr(answer, "close", None)
        if close is not None:
            close()


def _bytes(body: Any) -> bytes:
    if body is None:
        return b""
    if isinstance(body, str):
        return body.encode()
    return body if isinstance(body, bytes) else b"".join(body)


def _text(value: str | bytes) -> str:
    return value.decode("latin-1") if isinstance(value, bytes) else value
