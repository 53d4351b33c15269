"""Tags to choose from, by dimension and group, found by what people type; used wherever the console picks tags."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.keys import Slugify
from wecom_app.domain.spelling import spellings, typed
from wecom_app.models import Tag, TagDimension, TagGroup

MOST = 80
"""Tags shown at once; whoever looks for another types more of it."""


@dataclass(frozen=True)
class PickTag:
    key: str
    name: str
    group: str
    tone: str


@dataclass(frozen=True)
class PickGroup:
    """The tags of one group that were found."""

    name: str
    dimension_name: str
    tags: tuple[PickTag, ...]


@dataclass(frozen=True)
class Found:
    groups: tuple[PickGroup, ...]
    has_more: bool


def find(session: Session, slugify: Slugify, q: str) -> Found:
    """Return the tags whose name, its pinyin or initials, or whose group has what was typed; all where nothing was."""
    wanted = typed(q)
    groups: dict[int, tuple[TagGroup, str, list[PickTag]]] = {}
    count = 0
    for tag, group, dimension_name in session.execute(_IN_ORDER):
        if wanted and not _matches(tag, group, slugify, wanted):
            continue
        count += 1
        if count > MOST:
            break
        pick = PickTag(tag.key, tag.name, group.name, group.tone)
        groups.setdefault(group.id, (group, dimension_name, []))[2].append(pick)
    found = tuple(PickGroup(group.name, name, tuple(tags)) for group, name, tags in groups.values())
    return Found(found, has_more=count > MOST)


def by_keys(session: Session, keys: Sequence[str]) -> dict[str, PickTag]:
    """Return the tags with these keys, archived or not, by key."""
    query = select(Tag, TagGroup).join(TagGroup, TagGroup.id == Tag.group_id).where(Tag.key.in_(keys))
    return {tag.key: PickTag(tag.key, tag.name, group.name, group.tone) for tag, group in session.execute(query)}


def _matches(tag: Tag, group: TagGroup, slugify: Slugify, wanted: str) -> bool:
    return wanted in spellings(tag.name, slugify) or wanted in typed(group.name)


_IN_ORDER = (
    select(Tag, TagGroup, TagDimension.name)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .join(TagDimension, TagDimension.key == TagGroup.dimension)
    .where(Tag.archived_at.is_(None), Tag.gone_at.is_(None), TagGroup.archived_at.is_(None))
    .order_by(TagDimension.position, TagGroup.position.desc(), TagGroup.id, Tag.position.desc(), Tag.id)
)
