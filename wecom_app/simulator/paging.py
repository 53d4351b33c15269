"""Which page of its lists the simulator's page shows, and the links to the pages beside it."""

from collections.abc import Mapping
from dataclasses import asdict, dataclass, replace
from typing import Any
from urllib.parse import urlencode

LAST_PAGE = 100_000
LONGEST_NAME = 64


@dataclass(frozen=True)
class View:
    """What somebody looks at: a page of the codes, a page of the customers, and part of a name."""

    codes: int = 1
    customers: int = 1
    name: str = ""

    def link(self, **changes: Any) -> str:
        """Return the address of another page, without what goes without saying."""
        other = asdict(replace(self, **changes))
        told = {name: value for name, value in other.items() if value != getattr(View, name)}
        return f"/?{urlencode(told)}"


def view_of(query: Mapping[str, str]) -> View:
    """Read an address; what makes no sense counts as not given."""
    return View(_number(query.get("codes")), _number(query.get("customers")), query.get("name", "")[:LONGEST_NAME])


@dataclass(frozen=True)
class Page:
    """One page of a list: how far it skips, and the links that lead on; `anchor` is the list's place on the page."""

    view: View
    anchor: str
    size: int
    count: int

    @property
    def pages(self) -> int:
        return max(1, -(-self.count // self.size))

    @property
    def number(self) -> int:
        """The page that is shown: the last one where the one asked for is beyond it."""
        asked: int = getattr(self.view, self.anchor)
        return min(asked, self.pages)

    @property
    def skip(self) -> int:
        return (self.number - 1) * self.size

    @property
    def newer(self) -> str | None:
        return self._link(self.number - 1)

    @property
    def older(self) -> str | None:
        return self._link(self.number + 1)

    def _link(self, number: int) -> str | None:
        if not 1 <= number <= self.pages:
            return None
        return f"{self.view.link(**{self.anchor: number})}#{self.anchor}"


def _number(text: str | None) -> int:
    number = int(text) if text and text.isascii() and text.isdigit() and len(text) < 7 else 1
    return min(max(1, number), LAST_PAGE)
