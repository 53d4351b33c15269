"""Numbers of rows that addresses and forms of the console carry; anything else counts as not given."""

from flask import request

LARGEST_ID = 2**63 - 1


def row_id(text: str) -> int | None:
    """Return the row's number; None for a text that is none."""
    return int(text) if text.isascii() and text.isdigit() and 0 < int(text) <= LARGEST_ID else None


def before() -> int | None:
    """Return the last row of the page before; None shows the first page."""
    return row_id(request.args.get("before", "")[:20])
