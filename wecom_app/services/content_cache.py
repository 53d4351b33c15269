"""The items in use, read once and kept by each process until the number in `content_revision` changes.

One `ContentCache` hangs on the runtime; `services.recommendations` asks it.
"""

import threading
from collections.abc import Iterable
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.domain.conditions import Condition
from wecom_app.models import ContentItem
from wecom_app.services import condition_queries

STALE = timedelta(minutes=10)
"""Tags that were renamed or archived do not raise the revision: after this long all is read again."""


@dataclass(frozen=True)
class ActiveItem:
    """An item that may be suggested; `asks` is its condition in words."""

    id: int
    kind: str
    title: str
    spellings: str
    text: str
    link: str | None
    priority: int
    valid_from: datetime | None
    valid_until: datetime | None
    departments: frozenset[int]
    rest: timedelta
    condition: Condition | None
    asks: str

    def is_valid(self, now: datetime) -> bool:
        return (self.valid_from is None or self.valid_from <= now) and (
            self.valid_until is None or now < self.valid_until
        )


class ActiveItems:
    """The items of one revision, found by the tags that their conditions cannot do without."""

    def __init__(self, revision: int, read_at: datetime, items: Iterable[ActiveItem]) -> None:
        self.revision, self.read_at = revision, read_at
        self.all = tuple(items)
        self._for_anybody: list[ActiveItem] = []
        self._by_tag: dict[str, list[ActiveItem]] = {}
        for item in self.all:
            needed = conditions.needed_tags(item.condition) if item.condition is not None else None
            if needed is None:
                self._for_anybody.append(item)
            for key in needed or ():
                self._by_tag.setdefault(key, []).append(item)

    def candidates(self, keys: Iterable[str]) -> list[ActiveItem]:
        """Return the items that could fit somebody with these tags, each once; all others cannot."""
        found = {item.id: item for item in self._for_anybody}
        for key in keys:
            found |= {item.id: item for item in self._by_tag.get(key, ())}
        return list(found.values())


class ContentCache:
    """Shared by a process's threads. Ask it in a reading session only: what a writer rolls back must not be kept."""

    def __init__(self) -> None:
        self._lock = threading.Lock()
        self._items: ActiveItems | None = None

    def at(self, session: Session, revision: int, now: datetime) -> ActiveItems:
        """Return the items as of the revision that the session's snapshot shows."""
        kept = self._items
        if kept is not None and kept.revision == revision and now - kept.read_at < STALE:
            return kept
        with self._lock:
            kept = self._items
            if kept is None or kept.revision != revision or now - kept.read_at >= STALE:
                kept = ActiveItems(revision, now, _read(session))
                self._items = kept
            return kept


def _read(session: Session) -> list[ActiveItem]:
    query = select(ContentItem).where(ContentItem.status == "active", ContentItem.archived_at.is_(None))
    rows = session.execute(query.order_by(ContentItem.id)).scalars().all()
    parsed = {row.id: conditions.parse(row.condition) for row in rows if row.condition is not None}
    keys = {key for condition in parsed.values() for key in condition_queries.keys_in(condition)}
    names = {key: tag.name for key, tag in condition_queries.known_tags(session, keys).items()}
    return [_item(row, parsed.get(row.id), names) for row in rows]


def _item(row: ContentItem, condition: Condition | None, names: dict[str, str]) -> ActiveItem:
    return ActiveItem(
        id=row.id,
        kind=row.kind,
        title=row.title,
        spellings=row.spellings,
        text=row.text,
        link=row.link,
        priority=row.priority,
        valid_from=row.valid_from,
        valid_until=row.valid_until,
        departments=frozenset(row.departments),
        rest=timedelta(days=row.rest_days),
        condition=condition,
        asks=conditions.words(condition, names) if condition is not None else "",
    )
