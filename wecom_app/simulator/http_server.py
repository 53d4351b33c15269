"""A small threaded HTTP/1.1 server for the simulator: it keeps connections open, and it can drop them.

Werkzeug's own closes each connection after one answer, which makes load runs measure handshakes.
"""

import io
import socket
import socketserver
from collections.abc import Callable, Iterable
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import unquote

from wecom_app.simulator.faults import LostReply, TimedOut
from wecom_app.version import __version__

Application = Callable[[dict[str, Any], Any], Iterable[bytes]]

LARGEST_BODY = 32 * 1024 * 1024
IDLE_S = 75.0
"""How long an unused connection is kept."""


class _Handler(BaseHTTPRequestHandler):
    protocol_version = "HTTP/1.1"
    server_version = f"WeComSimulator/{__version__}"
    timeout = IDLE_S
    # One write for the whole answer and no waiting for more, else each call costs 40 ms.
    wbufsize = -1
    disable_nagle_algorithm = True
    server: "SimulatorServer"

    def _serve(self) -> None:
        length = self.headers.get("Content-Length", "0")
        if not length.isdecimal() or int(length) > LARGEST_BODY or "Transfer-Encoding" in self.headers:
            self.send_error(413)
            return
        body = self.rfile.read(int(length))
        try:
            status, headers, content = self._run(body)
        except (LostReply, TimedOut):
            self._drop()
            return
        code, _, reason = status.partition(" ")
        self.send_response_only(int(code), reason)
        given = {name.lower() for name, _ in headers}
        standard = (
            ("Server", self.version_string()),
            ("Date", self.date_time_string()),
            ("Content-Length", str(len(content))),
        )
        for name, value in (*headers, *(item for item in standard if item[0].lower() not in given)):
            self.send_header(name, value)
        self.end_headers()
        if self.command != "HEAD":
            self.wfile.write(content)

    do_GET = do_POST = do_PUT = do_DELETE = do_PATCH = do_HEAD = _serve

    def _run(self, body: bytes) -> tuple[str, list[tuple[str, str]], bytes]:
        started: list[Any] = []

        def start_response(status: str, headers: list[tuple[str, str]], _: Any = None) -> None:
            started[:] = [status, headers]

        answer = self.server.application(self._environ(body), start_response)
        try:
            content = b"".join(answer)
        finally:
            close = getattr(answer, "close", None)
            if close is not None:
                close()
        return started[0], started[1], content

    def _environ(self, body: bytes) -> dict[str, Any]:
        path, _, query = self.path.partition("?")
        environ: dict[str, Any] = {
            "REQUEST_METHOD": self.command,
            "SCRIPT_NAME": "",
            "PATH_INFO": unquote(path, "latin-1"),
            "QUERY_STRING": query,
            "REMOTE_ADDR": self.client_address[0],
            "SERVER_NAME": self.server.server_address[0],
            "SERVER_PORT": str(self.server.server_address[1]),
            "SERVER_PROTOCOL": self.request_version,
            "CONTENT_LENGTH": str(len(body)),
            "CONTENT_TYPE": self.headers.get("Content-Type", ""),
            "wsgi.version": (1, 0),
            "wsgi.url_scheme": "http",
            "wsgi.input": io.BytesIO(body),
            "wsgi.errors": io.StringIO(),
            "wsgi.multithread": True,
            "wsgi.multiprocess": False,
            "wsgi.run_once": False,
        }
        for name, value in self.headers.items():
            key = name.upper().replace("-", "_")
            if key not in {"CONTENT_TYPE", "CONTENT_LENGTH"}:
                environ[f"HTTP_{key}"] = value
        return environ

    def _drop(self) -> None:
        """End the connection without a word, as a broken network does."""
        self.close_connection = True
        self.connection.shutdown(socket.SHUT_RDWR)

    def log_message(self, format: str, *args: Any) -> None:
        """Say nothing: the call log has it all, and request lines carry tokens."""


class SimulatorServer(ThreadingHTTPServer):
    """Serves a WSGI application, one thread a connection."""

    daemon_threads = True
    request_queue_size = 1024

    def __init__(self, host: str, port: int, application: Application) -> None:
        self.application = application
        super().__init__((host, port), _Handler)

    @property
    def url(self) -> str:
        """Return the address under which it serves, with the port that it got."""
        return f"http://{self.server_address[0]!s}:{self.server_address[1]}"

    def server_bind(self) -> None:
        """Bind without asking the name service who we are."""
        socketserver.TCPServer.server_bind(self)
        self.server_name, self.server_port = str(self.server_address[0]), int(self.server_address[1])

    def handle_error(self, request: Any, client_address: Any) -> None:
        """Stay quiet about callers who hang up."""
