"""Static files with addresses that change when they change, and answers in gzip; set up by `create_web`.

A compressed answer gives away, by its length, how alike its parts are: an answer that holds a secret of ours next to
something a stranger can choose must not be compressed (BREACH). `keep_plain()` says that of the answer under way.
"""

import gzip
import hashlib
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, g, request, url_for

VENDOR = "vendor/"
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
COMPRESSIBLE = frozenset(
    {"text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml"}
)
LEAST_SIZE = 800
"""Below this a compressed answer saves no packet."""
QUICK, THOROUGH = 4, 9
"""Compression levels: for an answer made for one request, and for a file that is packed once."""
PLAIN = "keep_plain"


@dataclass(frozen=True)
class Packed:
    """One file as it stood at a moment: the hash that its address carries, and its bytes in gzip."""

    modified_ns: int
    digest: str
    content: bytes


class Assets:
    """The folder of static files. Each file is read and packed once, and again after it has changed."""

    def __init__(self, folder: str) -> None:
        self._folder = Path(folder)
        self._packed: dict[str, Packed] = {}

    def address(self, name: str) -> str:
        """Return the address of a static file; the template global `asset`. Raises FileNotFoundError."""
        if name.startswith(VENDOR):
            return url_for("static", filename=name)
        return url_for("static", filename=name, v=self.packed(name).digest)

    def packed(self, name: str) -> Packed:
        """Return a file's present state; raise FileNotFoundError."""
        path = self._folder / name
        modified_ns = path.stat().st_mtime_ns
        known = self._packed.get(name)
        if known is None or known.modified_ns != modified_ns:
            content = path.read_bytes()
            digest = hashlib.sha256(content).hexdigest()[:12]
            known = Packed(modified_ns, digest, gzip.compress(content, THOROUGH, mtime=0))
            self._packed[name] = known
        return known

    def serve(self, response: Response, name: str) -> None:
        """Say how long a file may be kept, and pack it where the caller takes that."""
        packed = self.packed(name)
        unchanging = name.startswith(VENDOR) or request.args.get("v") == packed.digest
        response.headers["Cache-Control"] = FOR_EVER if unchanging else ASK_AGAIN
        if may_pack(response):
            response.close()
            response.direct_passthrough = False
            _pack(response, packed.content)


def install(app: Flask) -> None:
    """Let the application's templates, static files and answers go through here."""
    assert app.static_folder
    assets = Assets(app.static_folder)
    app.jinja_env.globals["asset"] = assets.address
    app.after_request(_finisher(assets))


def keep_plain() -> None:
    """Leave the present request's answer uncompressed, since it holds a secret."""
    setattr(g, PLAIN, True)


def _finisher(assets: Assets) -> Callable[[Response], Response]:
    def finish(response: Response) -> Response:
        if request.endpoint == "static" and response.status_code == 200:
            assert request.view_args
            assets.serve(response, request.view_args["filename"])
        elif may_pack(response) and not response.is_streamed and not g.get(PLAIN):
            content = response.get_data()
            if len(content) >= LEAST_SIZE:
                _pack(response, gzip.compress(content, QUICK))
        return response

    return finish


def may_pack(response: Response) -> bool:
    """Return whether the answer is whole text and its reader takes gzip; say that the answer depends on that."""
    if response.mimetype not in COMPRESSIBLE or response.status_code in (204, 206, 304):
        return False
    response.vary.add("Accept-Encoding")
    accepts = request.accept_encodings
    return "Content-Encoding" not in response.headers and accepts.quality("gzip") > 0


def _pack(response: Response, content: bytes) -> None:
    response.set_data(content)
    response.headers["Content-Encoding"] = "gzip"
    etag, _ = response.get_etag()
    if etag is not None:
        response.set_etag(etag, weak=True)
