"""Addresses that a stranger may have written: which of them stay on our own pages."""

import re
from urllib.parse import unquote, urlsplit

LONGEST_PATH = 512
OWN_PATH = re.compile(r"/(?!/)[!-\[\]-~]*")
"""One slash, then printable ASCII without space and backslash: browsers read `/\\` as `//`, and drop line breaks."""
LOOPBACK = frozenset({"127.0.0.1", "localhost", "::1"})
DEFAULT_PORTS = {"http": 80, "https": 443}


def is_own_path(path: str) -> bool:
    """Return whether a browser that is sent to `path` stays on the host it is on, however often it is decoded."""
    if len(path) > LONGEST_PATH or OWN_PATH.fullmatch(path) is None:
        return False
    once = unquote(path)
    return not any(text.startswith(("//", "/\\")) for text in (once, unquote(once)))


def origin_of(url: str) -> str | None:
    """Return an address's origin as browsers spell it: lower case, no default port; None where it has none."""
    try:
        parts = urlsplit(url)
        host, port = parts.hostname, parts.port
    except ValueError:
        return None
    if parts.scheme not in DEFAULT_PORTS or not host or "@" in parts.netloc:
        return None
    shown = f"[{host}]" if ":" in host else host
    suffix = "" if port in (None, DEFAULT_PORTS[parts.scheme]) else f":{port}"
    return f"{parts.scheme}://{shown}{suffix}"


def is_loopback(host: str) -> bool:
    """Return whether a host name or address is always this machine."""
    return host in LOOPBACK
