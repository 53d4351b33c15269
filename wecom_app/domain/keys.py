"""Keys of groups and tags: their shape, and how one is made from a name; used by `services.taxonomy`."""

import re
from collections.abc import Callable, Container

KEY_PATTERN = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+){0,3}")
MAX_KEY_LENGTH = 160
MAX_SLUG_LENGTH = 40
NUMBER_ROOM = 8
"""Kept free at the end of a made key for the number that tells it from others."""

Slugify = Callable[[str], str]
"""Turns a name, Chinese or not, into lower-case ASCII words joined by underscores; may return ""."""


def is_key(value: str) -> bool:
    """Return whether `value` can be a key."""
    return len(value) <= MAX_KEY_LENGTH and KEY_PATTERN.fullmatch(value) is not None


def make_key(prefix: str, slug: str, taken: Container[str]) -> str:
    """Return `prefix.slug`, made unique with `_2`, `_3` … against the keys ever used.

    A slug that is empty or starts oddly becomes `tag`; one that is too long is cut. Keys have at most four
    parts, so under a prefix of four the slug is joined with an underscore instead.
    """
    clean = re.sub(r"[^a-z0-9]+", "_", slug.lower()).strip("_")[:MAX_SLUG_LENGTH].strip("_") or "tag"
    joint = "." if prefix.count(".") < 3 else "_"
    base = _cut(f"{prefix}{joint}{clean}")
    candidate, number = base, 2
    while candidate in taken:
        candidate, number = f"{base}_{number}", number + 1
    return candidate


def stem(prefix: str) -> str:
    """Return what every key that `make_key` makes of this prefix begins with."""
    return _cut(prefix)


def _cut(key: str) -> str:
    return key[: MAX_KEY_LENGTH - NUMBER_ROOM].rstrip(".")
