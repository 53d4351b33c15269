"""Content items: made, edited, copied, archived, found and listed; called by the API, the console and the sidebar."""

from collections.abc import Sequence
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.contents import ChatMessage, File, message
from wecom_app.domain.spelling import typed
from wecom_app.errors import NotFound, StaleEdit
from wecom_app.models import ContentItem, ContentRevision, Media
from wecom_app.services import content_drafts, media
from wecom_app.services.content_drafts import ContentChanges, ContentDraft
from wecom_app.services.context import Context

THE_ONE = 1
COPY_SUFFIX = "（副本）"
NO_ITEM = "没有这条内容"


@dataclass(frozen=True)
class ContentView:
    """An item as lists show it; `state` is draft, active, planned, over or archived at the moment asked for."""

    id: int
    draft: ContentDraft
    state: str
    version: int
    created_by: str
    updated_by: str
    created_at: datetime
    updated_at: datetime
    archived_at: datetime | None


@dataclass(frozen=True)
class Filter:
    """Which items to list: `q` is what somebody typed, `state` a word of `ContentView.state`."""

    q: str = ""
    kind: str | None = None
    state: str | None = None


def create(session: Session, context: Context, draft: ContentDraft, actor: str) -> ContentView:
    """Make an item; raise InvalidInput, naming each field that is wrong."""
    content_drafts.check(session, draft)
    item = ContentItem(version=1, created_by=actor, updated_by=actor, created_at=context.now, updated_at=context.now)
    content_drafts.write(session, context, item, draft)
    _raise_revision(session)
    return view(item, context.now)


def edit(
    session: Session, context: Context, item_id: int, changes: ContentChanges, *, version: int | None, actor: str
) -> ContentView:
    """Change what is named; raise StaleEdit where the version given is not the present one, InvalidInput, NotFound."""
    item = _find_locked(session, item_id)
    if version is not None and version != item.version:
        raise StaleEdit(details={"version": item.version})
    before = content_drafts.read(item)
    draft = replace(before, **changes)
    if draft == before:
        return view(item, context.now)
    content_drafts.check(session, draft, before)
    _touch(item, context, actor)
    content_drafts.write(session, context, item, draft)
    _raise_revision(session)
    return view(item, context.now)


def copy(session: Session, context: Context, item_id: int, actor: str) -> ContentView:
    """Make a draft that says the same; raise NotFound."""
    draft = content_drafts.read(_find_locked(session, item_id))
    title = draft.title[: content_drafts.MAX_TITLE - len(COPY_SUFFIX)] + COPY_SUFFIX
    made = ContentItem(version=1, created_by=actor, updated_by=actor, created_at=context.now, updated_at=context.now)
    content_drafts.write(session, context, made, replace(draft, title=title, status="draft"))
    _raise_revision(session)
    return view(made, context.now)


def archive(session: Session, context: Context, item_id: int, actor: str) -> ContentView:
    """Take an item out of use; archiving again changes nothing. Raises NotFound."""
    item = _find_locked(session, item_id)
    if item.archived_at is None:
        _touch(item, context, actor)
        item.archived_at = context.now
        session.flush()
        _raise_revision(session)
    return view(item, context.now)


def restore(session: Session, context: Context, item_id: int, actor: str) -> ContentView:
    """Put an archived item back as it was. Raises NotFound."""
    item = _find_locked(session, item_id)
    if item.archived_at is not None:
        _touch(item, context, actor)
        item.archived_at = None
        content_drafts.write(session, context, item, content_drafts.read(item))
        _raise_revision(session)
    return view(item, context.now)


def get(session: Session, item_id: int, now: datetime) -> ContentView:
    """Return an item, archived or not; raise NotFound."""
    item = session.get(ContentItem, item_id)
    if item is None:
        raise NotFound(NO_ITEM)
    return view(item, now)


def list_items(
    session: Session, wanted: Filter, now: datetime, *, before_id: int | None = None, limit: int = 50
) -> list[ContentView]:
    """Return items, newest first; archived ones only where they are asked for."""
    query = select(ContentItem).where(_in_state(wanted.state, now))
    if wanted.kind is not None:
        query = query.where(ContentItem.kind == wanted.kind)
    if before_id is not None:
        query = query.where(ContentItem.id < before_id)
    query = searched(query, wanted.q).order_by(ContentItem.id.desc()).limit(limit)
    return [view(item, now) for item in session.execute(query).scalars()]


def searched(query: Select[Any], q: str) -> Select[Any]:
    """Return the query narrowed to items whose title, its pinyin or initials, or whose text has what was typed."""
    wanted = typed(q)
    if not wanted:
        return query
    in_text = ContentItem.text.icontains(q.strip(), autoescape=True)
    return query.where(or_(ContentItem.spellings.contains(wanted, autoescape=True), in_text))


def in_use(now: datetime) -> ColumnElement[bool]:
    """Return the condition on `content_item` that holds for those that may be sent now."""
    return and_(
        ContentItem.archived_at.is_(None),
        ContentItem.status == "active",
        or_(ContentItem.valid_from.is_(None), ContentItem.valid_from <= now),
        or_(ContentItem.valid_until.is_(None), ContentItem.valid_until > now),
    )


def messages(
    session: Session, item_ids: Sequence[int], now: datetime, picture_base: str
) -> dict[int, ChatMessage | str]:
    """Return for each item what sends it from the sidebar, or in words why it cannot be sent now.

    `picture_base` is the public address under which pictures are found by their SHA-256.
    """
    query = (
        select(ContentItem, Media)
        .outerjoin(Media, Media.id == ContentItem.media_id)
        .where(ContentItem.id.in_(item_ids))
    )
    found: dict[int, ChatMessage | str] = {}
    for item, kept in session.execute(query):
        file = _file(kept, now)
        picture = f"{picture_base}{file.sha256}" if file is not None and file.kind == "image" else None
        found[item.id] = message(content_drafts.sendable(content_drafts.read(item), file), picture)
    return found


def view(item: ContentItem, now: datetime) -> ContentView:
    """Return an item as lists show it."""
    return ContentView(
        id=item.id,
        draft=content_drafts.read(item),
        state=_state(item, now),
        version=item.version,
        created_by=item.created_by,
        updated_by=item.updated_by,
        created_at=item.created_at,
        updated_at=item.updated_at,
        archived_at=item.archived_at,
    )


def _file(kept: Media | None, now: datetime) -> File | None:
    if kept is None:
        return None
    return File(kept.sha256, kept.kind, kept.filename, kept.media_id if media.is_alive(kept, now) else None)


def _state(item: ContentItem, now: datetime) -> str:
    if item.archived_at is not None:
        return "archived"
    if item.status == "draft":
        return "draft"
    if item.valid_until is not None and item.valid_until <= now:
        return "over"
    return "planned" if item.valid_from is not None and item.valid_from > now else "active"


def _in_state(state: str | None, now: datetime) -> ColumnElement[bool]:
    here, is_active = ContentItem.archived_at.is_(None), ContentItem.status == "active"
    states: dict[str | None, ColumnElement[bool]] = {
        None: here,
        "archived": ContentItem.archived_at.is_not(None),
        "draft": and_(here, ContentItem.status == "draft"),
        "over": and_(here, is_active, ContentItem.valid_until <= now),
        "planned": and_(
            here,
            is_active,
            ContentItem.valid_from > now,
            or_(ContentItem.valid_until.is_(None), ContentItem.valid_until > now),
        ),
        "active": in_use(now),
    }
    return states[state]


def _find_locked(session: Session, item_id: int) -> ContentItem:
    query = select(ContentItem).where(ContentItem.id == item_id).with_for_update()
    item = session.execute(query).scalar_one_or_none()
    if item is None:
        raise NotFound(NO_ITEM)
    return item


def _touch(item: ContentItem, context: Context, actor: str) -> None:
    item.version += 1
    item.updated_by, item.updated_at = actor, context.now


def _raise_revision(session: Session) -> None:
    """Tell every process's cache that something changed."""
    session.execute(
        update(ContentRevision).where(ContentRevision.id == THE_ONE).values(number=ContentRevision.number + 1)
    )
