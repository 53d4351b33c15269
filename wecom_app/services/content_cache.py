"""The items in use, read once and kept by each process until the number in `content_revision` changes.

One `ContentCache` hangs on the runtime; `services.recommendations` asks it.
"""

import threading
from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.domain.conditions import Condition
from wecom_app.errors import InvalidInput
from wecom_app.models import ContentItem
from wecom_app.services import condition_queries

STALE = timedelta(minutes=10)
"""Tags that were renamed or archived do not raise the revision: after this long all is read again."""
CHUNK = 500
"""Items read by one statement."""


log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ActiveItem:
    """An item that may be suggested; `asks` is its condition in words."""

    id: int
    version: int
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

    def serves(self, revision: int, now: datetime) -> bool:
        """Return whether these are the items of that revision, read not too long ago."""
        return self.revision == revision and self.is_fresh(now)

    def is_fresh(self, now: datetime) -> bool:
        return now - self.read_at < STALE

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
        if kept is not None and kept.serves(revision, now):
            return kept
        with self._lock:
            kept = self._items
            if kept is None or not kept.serves(revision, now):
                kept = self._items = _read(session, revision, now, kept)
            return kept


def _read(session: Session, revision: int, now: datetime, before: ActiveItems | None) -> ActiveItems:
    """Return the items in use; those of `before` whose version still stands are taken over, unless it is too old."""
    if before is None or not before.is_fresh(now):
        before = ActiveItems(revision, now, ())
    in_use = (ContentItem.status == "active", ContentItem.archived_at.is_(None))
    versions = session.execute(select(ContentItem.id, ContentItem.version).where(*in_use)).all()
    known = {(item.id, item.version): item for item in before.all}
    items = {row.id: known[row.id, row.version] for row in versions if (row.id, row.version) in known}
    changed = [row.id for row in versions if row.id not in items]
    for start in range(0, len(changed), CHUNK):
        items |= {item.id: item for item in _load(session, changed[start : start + CHUNK])}
    return ActiveItems(revision, before.read_at, (items[item_id] for item_id in sorted(items)))


def _load(session: Session, ids: Sequence[int]) -> list[ActiveItem]:
    rows = session.execute(select(ContentItem).where(ContentItem.id.in_(ids))).scalars().all()
    parsed = {row.id: _parsed(row) for row in rows}
    keys = {key for found in parsed.values() if found is not None for key in condition_queries.keys_in(found)}
    names = {key: tag.name for key, tag in condition_queries.known_tags(session, keys).items()}
    readable = [row for row in rows if row.condition is None or parsed[row.id] is not None]
    return [_item(row, parsed[row.id], names) for row in readable]


def _parsed(row: ContentItem) -> Condition | None:
    """Return an item's condition; one that an older program saved and this one refuses is left out, with a warning."""
    try:
        return conditions.parse(row.condition) if row.condition is not None else None
    except InvalidInput:
        log.warning("content.condition_unreadable", item=row.id)
        return None


def _item(row: ContentItem, condition: Condition | None, names: dict[str, str]) -> ActiveItem:
    return ActiveItem(
        id=row.id,
        version=row.version,
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
