"""File names as WeCom's media/upload takes them."""

import re
from pathlib import PurePosixPath

UNSAFE = re.compile(r"[\x00-\x1f\x7f\"\\/:*?<>|]")
SHOWN = frozenset({"file"})
"""Customers see the name of a file; of a picture or video they never do."""
MOST_CHARACTERS = 100


def upload_name(kind: str, filename: str) -> str:
    """Return a name that survives the multipart header; other than ASCII only where a customer sees it."""
    clean = UNSAFE.sub("_", filename).encode(errors="replace").decode().strip(". ")[-MOST_CHARACTERS:]
    if clean.isascii() or kind in SHOWN:
        return clean or kind
    suffix = PurePosixPath(clean).suffix
    return f"{kind}{suffix}" if suffix.isascii() else kind
