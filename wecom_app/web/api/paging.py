"""Cursor paging of the API's lists: the cursor is the id of the last item of the page before."""

from collections.abc import Callable, Sequence
from typing import Any, TypeVar

View = TypeVar("View")


def page_of(
    found: Sequence[View], limit: int, id_of: Callable[[View], int], shape: Callable[[View], Any]
) -> dict[str, Any]:
    """Return the page's fields from `limit + 1` rows read: the one too many only tells that there is more."""
    shown = found[:limit]
    more = len(found) > limit
    return {
        "items": [shape(view) for view in shown],
        "next_cursor": str(id_of(shown[-1])) if more else None,
    }
