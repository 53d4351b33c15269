"""WeCom's side of a benchmark as a bare server in a process of its own: it answers late, and counts what it was asked.

The simulator would spend more time on a world of this size than the application does on reading it.
"""

import json
import multiprocessing
import threading
import time
from collections import Counter, deque
from collections.abc import Iterator
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any, ClassVar
from urllib.parse import parse_qsl, urlsplit

import requests

PER_MINUTE, IN_FLIGHT = 10_000, 40
"""What it takes of one API before it answers 45009, and 45033 (a number of our own: Tencent does not tell its)."""
PAGE = 100
CALLS = "/_calls"


class Ledger:
    """Calls by API: how many, how many within a minute, how many at once, and how many were refused."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._recent: dict[str, deque[float]] = {}
        self._under_way, self.calls = Counter[str](), Counter[str]()
        self.most_a_minute, self.most_at_once, self.refused = Counter[str](), Counter[str](), Counter[str]()

    @contextmanager
    def call(self, api: str) -> Iterator[int]:
        """Count a call while it is answered; the errcode that it meets is 0, 45009 or 45033."""
        with self._lock:
            now, recent = time.monotonic(), self._recent.setdefault(api, deque())
            while recent and now - recent[0] > 60:
                recent.popleft()
            recent.append(now)
            self._under_way[api] += 1
            self.calls[api] += 1
            self.most_a_minute[api] = max(self.most_a_minute[api], len(recent))
            self.most_at_once[api] = max(self.most_at_once[api], self._under_way[api])
            errcode = 45009 if len(recent) > PER_MINUTE else 45033 if self._under_way[api] > IN_FLIGHT else 0
            self.refused[api] += errcode != 0
        try:
            yield errcode
        finally:
            with self._lock:
                self._under_way[api] -= 1

    def read(self) -> dict[str, dict[str, int]]:
        names = ("calls", "most_a_minute", "most_at_once", "refused")
        return {api: {name: getattr(self, name)[api] for name in names} for api in self.calls}


class Far(BaseHTTPRequestHandler):
    """Answers what every benchmark asks for; a subclass has a method for each API of its world, named as its last part.

    `latencies` are seconds by API's path.
    """

    protocol_version = "HTTP/1.1"
    disable_nagle_algorithm = True
    ledger: ClassVar[Ledger] = Ledger()
    latencies: ClassVar[dict[str, float]] = {}

    def log_message(self, *_arguments: Any) -> None:
        pass

    def do_GET(self) -> None:
        if self.path == CALLS:
            self._send(self.ledger.read())
            return
        self._answer(dict(parse_qsl(urlsplit(self.path).query)))

    def do_POST(self) -> None:
        self._answer(json.loads(self.rfile.read(int(self.headers.get("Content-Length", 0))) or b"{}"))

    def gettoken(self, _body: Any) -> dict[str, Any]:
        return {"access_token": "token", "expires_in": 7200}

    def _answer(self, body: dict[str, Any]) -> None:
        path = urlsplit(self.path).path.removeprefix("/cgi-bin/")
        answer = getattr(self, path.split("/")[-1], None)
        with self.ledger.call(path) as errcode:
            time.sleep(self.latencies.get(path, 0.0))
            found = answer(body) if answer is not None else {"department": [], "userlist": []}
            self._send({"errcode": errcode, "errmsg": "ok", **(found if errcode == 0 else {})})

    def _send(self, found: dict[str, Any]) -> None:
        # As WeCom does: UTF-8, and nothing escaped.
        content = json.dumps(found, ensure_ascii=False).encode()
        self.send_response(200)
        self.send_header("Content-Type", "application/json")
        self.send_header("Content-Length", str(len(content)))
        self.end_headers()
        self.wfile.write(content)


@contextmanager
def running(kind: type[Far], **world: Any) -> Iterator[int]:
    """Let a process answer as `kind`, whose class attributes are set to `world`; return its port."""
    address: Any = multiprocessing.Queue()
    process = multiprocessing.Process(target=_serve, args=(address, kind, world), daemon=True)
    process.start()
    try:
        yield address.get(timeout=30)
    finally:
        process.terminate()
        process.join()


def calls(port: int) -> dict[str, dict[str, int]]:
    """Return what was counted so far, by API."""
    answer: dict[str, dict[str, int]] = requests.get(f"http://127.0.0.1:{port}{CALLS}", timeout=10).json()
    return answer


def page_of(total: int, cursor: str | None) -> tuple[range, str]:
    """Return the places of a page in a list of so many, and the cursor of the next."""
    start = int(cursor or 0)
    places = range(start, min(start + PAGE, total))
    return places, str(places.stop) if places.stop < total else ""


def _serve(address: Any, kind: type[Far], world: dict[str, Any]) -> None:
    for name, value in world.items():
        setattr(kind, name, value)
    server = ThreadingHTTPServer(("127.0.0.1", 0), kind)
    server.daemon_threads = True
    address.put(server.server_address[1])
    server.serve_forever()
