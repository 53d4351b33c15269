"""What the API's lists share: paging by a cursor, the id of the last item of the page before, and filters by state."""

from collections.abc import Callable, Collection, Sequence
from typing import Any, TypeVar

from wecom_app.errors import InvalidInput

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


def check_state(state: str | None, known: Collection[str]) -> None:
    """Raise InvalidInput, naming those there are, for a state that nothing can be in."""
    if state is not None and state not in known:
        raise InvalidInput(f"state 只能是：{'、'.join(known)}", details={"state": list(known)})
