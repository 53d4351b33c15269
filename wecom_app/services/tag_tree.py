"""The tag library as the console shows it: by dimension and group, with how many customers have each tag."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.keys import Slugify
from wecom_app.domain.spelling import spellings, typed
from wecom_app.domain.vocabulary import Lifecycle, Owner
from wecom_app.models import Tag, TagDimension, TagGroup
from wecom_app.services import library_states, tag_users


@dataclass(frozen=True)
class SyncWords:
    """How a tag or group stands with WeCom: `state` picks the mark, `words` say it."""

    state: str
    words: str


@dataclass(frozen=True)
class TreeTag:
    tag: Tag
    customers: int
    sync: SyncWords


@dataclass(frozen=True)
class TreeGroup:
    group: TagGroup
    dimension_name: str
    tags: tuple[TreeTag, ...]
    can_order: bool
    """Whether its tags can be put in order here: none of them is somebody else's at WeCom."""


@dataclass(frozen=True)
class Wanted:
    """What the page is asked for; `dimension` empty for all of them."""

    q: str = ""
    dimension: str = ""
    archived: bool = False


@dataclass(frozen=True)
class Tree:
    groups: tuple[TreeGroup, ...]
    has_more: bool


def find(session: Session, slugify: Slugify, wanted: Wanted, *, skip: int = 0, limit: int = 20) -> Tree:
    """Return the groups, in their order, whose name or tags match what was typed; with a match only those tags."""
    rows = _rows(session, wanted)
    tags = _tags(session, [group.id for group, _ in rows], wanted)
    kept = [(group, name, found) for group, name in rows if (found := _kept(group, tags, slugify, wanted)) is not None]
    shown = kept[skip : skip + limit]
    counts = tag_users.count_customers(session, [tag.id for _, _, found in shown for tag in found])
    groups = tuple(_group(group, name, found, counts) for group, name, found in shown)
    return Tree(groups, has_more=len(kept) > skip + limit)


def one_group(session: Session, group: TagGroup) -> TreeGroup:
    """Return one group with its live tags."""
    tags = _tags(session, [group.id], Wanted()).get(group.id, [])
    counts = tag_users.count_customers(session, [tag.id for tag in tags])
    return _group(group, session.get_one(TagDimension, group.dimension).name, tags, counts)


def sync_words(one: Tag | TagGroup, group: TagGroup) -> SyncWords:
    """Return in words how a group or tag stands with WeCom."""
    if group.lifecycle == Lifecycle.DRAFT:
        return SyncWords("draft", library_states.WORDS["draft"])
    found = library_states.state_of(one, group)
    return SyncWords(found.state, found.words)


def _rows(session: Session, wanted: Wanted) -> list[tuple[TagGroup, str]]:
    """Return the groups with their dimensions' names; archived: those that are, or that have a tag that is."""
    query = (
        select(TagGroup, TagDimension.name)
        .join(TagDimension, TagDimension.key == TagGroup.dimension)
        .where(TagGroup.gone_at.is_(None))
        .order_by(TagDimension.position, TagDimension.key, TagGroup.position.desc(), TagGroup.id)
    )
    if wanted.archived:
        archived_tags = select(Tag.group_id).where(Tag.archived_at.is_not(None), Tag.gone_at.is_(None))
        query = query.where(TagGroup.archived_at.is_not(None) | TagGroup.id.in_(archived_tags))
    else:
        query = query.where(TagGroup.archived_at.is_(None))
    if wanted.dimension:
        query = query.where(TagGroup.dimension == wanted.dimension)
    return [(row[0], row[1]) for row in session.execute(query)]


def _tags(session: Session, group_ids: Sequence[int], wanted: Wanted) -> Mapping[int, list[Tag]]:
    here = Tag.archived_at.is_not(None) if wanted.archived else Tag.archived_at.is_(None)
    query = select(Tag).where(Tag.group_id.in_(group_ids), here, Tag.gone_at.is_(None))
    found: dict[int, list[Tag]] = {}
    for tag in session.scalars(query.order_by(Tag.position.desc(), Tag.id)):
        found.setdefault(tag.group_id, []).append(tag)
    return found


def _kept(group: TagGroup, tags: Mapping[int, list[Tag]], slugify: Slugify, wanted: Wanted) -> list[Tag] | None:
    """Return the tags of a group that are shown; None where the group is not."""
    there = tags.get(group.id, [])
    sought = typed(wanted.q)
    if not sought or sought in spellings(group.name, slugify):
        return there
    return [tag for tag in there if _matches(tag, slugify, sought)] or None


def _matches(tag: Tag, slugify: Slugify, sought: str) -> bool:
    return any(sought in spellings(name, slugify) for name in (tag.name, *tag.aliases)) or sought in tag.key


def _group(group: TagGroup, dimension_name: str, tags: Sequence[Tag], counts: Mapping[int, int]) -> TreeGroup:
    return TreeGroup(
        group,
        dimension_name,
        tuple(TreeTag(tag, counts.get(tag.id, 0), sync_words(tag, group)) for tag in tags),
        can_order=all(tag.owner != Owner.FOREIGN or tag.wecom_tag_id is None for tag in tags),
    )
