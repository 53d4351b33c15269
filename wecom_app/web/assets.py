"""Static files with addresses that change when they change, and answers in gzip; set up by `create_web`."""

import gzip
import hashlib
import mimetypes
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from flask import Flask, Response, request, send_from_directory, url_for

VENDOR = "vendor/"
BUNDLES: Mapping[str, tuple[str, ...]] = {
    "css/sidebar.css": (
        "css/tokens.css",
        "css/app.css",
        "css/sidebar/page.css",
        "css/sidebar/layers.css",
        "css/sidebar/looks.css",
    ),
    "js/diag.js": ("js/sidebar/client.js", "js/sidebar/talk.js", "js/sidebar/diag.js"),
    "js/sidebar.js": (
        "js/sidebar/client.js",
        "js/sidebar/talk.js",
        "js/sidebar/layers.js",
        "js/sidebar/profile.js",
        "js/sidebar/tags.js",
        "js/sidebar/notes.js",
        "js/sidebar/content.js",
        "js/mine/chat.js",
        "js/sidebar/start.js",
    ),
    "js/mine.js": (
        "js/sidebar/client.js",
        "js/sidebar/talk.js",
        "js/sidebar/layers.js",
        "js/sidebar/tags.js",
        "js/mine/chat.js",
        "js/mine/list.js",
        "js/mine/deck.js",
        "js/mine/home.js",
        "js/sidebar/start.js",
    ),
}
"""Files that are served as one, in this order: a first visit over a phone's network pays for every request."""
FOR_EVER = "public, max-age=31536000, immutable"
ASK_AGAIN = "no-cache"
COMPRESSIBLE = frozenset(
    {"text/html", "text/css", "text/javascript", "application/javascript", "application/json", "image/svg+xml"}
)
LEAST_SIZE = 800
"""Below this a compressed answer saves no packet."""
QUICK, THOROUGH = 4, 9
"""Compression levels: for an answer made for one request, and for a file that is packed once."""


@dataclass(frozen=True)
class Packed:
    """One file as it stood at a moment: the hash that its address carries, and its bytes in gzip."""

    modified_ns: tuple[int, ...]
    digest: str
    content: bytes


class Assets:
    """The folder of static files. Each file is read and packed once, and again after it has changed."""

    def __init__(self, folder: str, bundles: Mapping[str, tuple[str, ...]]) -> None:
        self._folder = Path(folder)
        self._bundles = bundles
        self._packed: dict[str, Packed] = {}

    def address(self, name: str) -> str:
        """Return the address of a static file; the template global `asset`. Raises FileNotFoundError."""
        if name.startswith(VENDOR):
            return url_for("static", filename=name)
        return url_for("static", filename=name, v=self.packed(name).digest)

    def packed(self, name: str) -> Packed:
        """Return a file's present state; raise FileNotFoundError."""
        paths = [self._folder / part for part in self._bundles.get(name, (name,))]
        modified_ns = tuple(path.stat().st_mtime_ns for path in paths)
        known = self._packed.get(name)
        if known is None or known.modified_ns != modified_ns:
            content = b"".join(path.read_bytes() for path in paths)
            digest = hashlib.sha256(content).hexdigest()[:12]
            known = Packed(modified_ns, digest, gzip.compress(content, THOROUGH, mtime=0))
            self._packed[name] = known
        return known

    def view(self, filename: str) -> Response:
        """Answer with a static file or a bundle, and say how long it may be kept."""
        response = self._bundle(filename) if filename in self._bundles else send_from_directory(self._folder, filename)
        if response.status_code != 200:
            return response
        packed = self.packed(filename)
        unchanging = filename.startswith(VENDOR) or request.args.get("v") == packed.digest
        response.headers["Cache-Control"] = FOR_EVER if unchanging else ASK_AGAIN
        if may_pack(response):
            response.close()
            response.direct_passthrough = False
            _pack(response, packed.content)
        return response

    def _bundle(self, name: str) -> Response:
        packed = self.packed(name)
        response = Response(gzip.decompress(packed.content), mimetype=mimetypes.guess_type(name)[0])
        response.set_etag(packed.digest)
        return response.make_conditional(request)  # type: ignore[return-value]


def install(app: Flask, bundles: Mapping[str, tuple[str, ...]] = BUNDLES) -> None:
    """Let the application's templates, static files and answers go through here."""
    assert app.static_folder
    assets = Assets(app.static_folder, bundles)
    app.jinja_env.globals["asset"] = assets.address
    app.view_functions["static"] = assets.view
    app.after_request(_packed_answer)


def _packed_answer(response: Response) -> Response:
    if may_pack(response) and not response.is_streamed:
        content = response.get_data()
        if len(content) >= LEAST_SIZE:
            _pack(response, gzip.compress(content, QUICK))
    return response


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
