"""The tag library on our side: groups and tags made, found and listed; `services.library` carries them to WeCom."""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Policy, canonical
from wecom_app.domain.keys import MAX_KEY_LENGTH, is_key, make_key, stem
from wecom_app.domain.names import fault
from wecom_app.domain.vocabulary import (
    PUSHED,
    SOURCE_DIMENSION,
    SOURCE_GROUP_KEY,
    SOURCE_GROUP_NAME,
    Colour,
    EditableBy,
    Lifecycle,
    Mirror,
    Owner,
    Scope,
    Selection,
)
from wecom_app.errors import InvalidInput, NameTaken, NotFound
from wecom_app.models import Tag, TagDimension, TagGroup
from wecom_app.services import successors
from wecom_app.services.context import Context
from wecom_app.services.ports import JobQueue

MAX_NAME = 30
"""add_corp_tag: tag and group names, in characters."""
PUSH_KIND = "library.push"
PULL_KIND = "library.pull"


@dataclass(frozen=True)
class TagDraft:
    """A tag to make; `key` is made from the name where it is None."""

    name: str
    key: str | None = None


@dataclass(frozen=True)
class GroupDraft:
    """A group to make, with its tags; `key` is made from the name where it is None."""

    name: str
    dimension: str
    tags: tuple[TagDraft, ...] = ()
    key: str | None = None
    selection: Selection = Selection.MULTI
    scope: Scope = Scope.CUSTOMER
    mirror: Mirror = Mirror.TWO_WAY
    sensitive: bool = False
    colour: Colour | None = None
    editable_by: EditableBy = EditableBy.EVERYBODY
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    description: str = ""
    definition: str = ""
    maintainer: str | None = None
    ttl_days: int | None = None
    conflict_policy: Policy = Policy.WECOM


def create_group(session: Session, context: Context, draft: GroupDraft) -> TagGroup:
    """Make a group and its tags; raise NameTaken or InvalidInput. Creation at WeCom is asked for."""
    dimension = session.get(TagDimension, draft.dimension)
    if dimension is None or dimension.archived_at is not None:
        raise InvalidInput(f"没有维度「{draft.dimension}」", details={"dimension": "未知的维度"})
    name = clean_name(draft.name)
    free_group_name(session, name)
    key = _group_key(session, context, draft, name)
    group = TagGroup(
        key=key,
        name=name,
        dimension=draft.dimension,
        selection=draft.selection.value,
        scope=draft.scope.value,
        mirror=draft.mirror.value,
        owner=Owner.OURS.value,
        sensitive=draft.sensitive,
        colour=draft.colour.value if draft.colour is not None else None,
        editable_by=draft.editable_by.value,
        lifecycle=draft.lifecycle.value,
        description=draft.description,
        definition=draft.definition,
        maintainer=draft.maintainer,
        ttl_days=draft.ttl_days,
        conflict_policy=draft.conflict_policy.value,
        created_at=context.now,
    )
    session.add(group)
    session.flush()
    add_tags(session, context, group, draft.tags)
    return group


def add_tags(
    session: Session,
    context: Context,
    group: TagGroup,
    drafts: Sequence[TagDraft],
    *,
    push: bool = True,
    behind: int = 0,
) -> list[Tag]:
    """Make tags in a group, at WeCom too with `push`; raise NameTaken where a name stands in it already.

    They stand before as many that are made later as are `behind` them.
    """
    names = [clean_name(draft.name) for draft in drafts]
    if len(set(names)) < len(names):
        raise InvalidInput("同一个标签组里的标签名不能重复")
    _free_tag_names(session, group, names)
    keys = _tag_keys(session, context, group, names, [draft.key for draft in drafts])
    tags = [
        Tag(
            key=key,
            group_id=group.id,
            name=name,
            owner=Owner.OURS.value,
            position=behind + len(names) - position,
            created_at=context.now,
        )
        for position, (name, key) in enumerate(zip(names, keys, strict=True))
    ]
    session.add_all(tags)
    session.flush()
    if push and tags and group.mirror in PUSHED and group.lifecycle != Lifecycle.DRAFT:
        request_push(session, context, group.id)
    return tags


def check_tag(session: Session, group: TagGroup, draft: TagDraft) -> None:
    """Raise what `add_tags` would raise for this tag alone."""
    free_tag_name(session, group, clean_name(draft.name))
    if draft.key is not None:
        _given_key(session, Tag, draft.key)


def request_push(session: Session, context: Context, group_id: int) -> None:
    """Have WeCom told what it lacks of the group, and what has changed here."""
    enqueue_push(session, context.queue, group_id)


def enqueue_push(session: Session, queue: JobQueue, group_id: int) -> None:
    """Have WeCom told about a group; jobs of the library run one at a time."""
    queue.enqueue(
        session,
        PUSH_KIND,
        {"group_id": group_id},
        lane="push",
        key="library",
        unique=str(group_id),
        priority=10,
    )


def enqueue_pull(session: Session, queue: JobQueue) -> None:
    """Have WeCom's whole library read."""
    queue.enqueue(session, PULL_KIND, {}, lane="push", key="library", unique="all")


def ensure_source_tag(session: Session, context: Context, name: str, *, push: bool = True) -> int:
    """Return the tag of this name in the group 获客来源, both made on first use; with `push` at WeCom too.

    One that was archived, since nobody had it, is in use again.
    """
    group = find_group(session, SOURCE_GROUP_KEY)
    if group is None:
        group = _adopt_source_group(session, context)
    of_name = select(Tag).where(
        Tag.group_id == group.id, Tag.name == name, Tag.gone_at.is_(None), Tag.merged_into.is_(None)
    )
    # Where several were archived, the one that WeCom still has.
    of_name = of_name.order_by(Tag.archived_at.is_not(None), Tag.wecom_tag_id.is_(None), Tag.id)
    tag = session.scalars(of_name.limit(1)).one_or_none()
    if tag is not None and tag.archived_at is not None:
        tag.archived_at = None
        tag.version += 1
        session.flush()
        if push:
            request_push(session, context, group.id)
    if tag is None:
        tag = add_tags(session, context, group, [TagDraft(name)], push=push)[0]
    return tag.id


def _adopt_source_group(session: Session, context: Context) -> TagGroup:
    """Make the group; one of that name that came from WeCom serves as it is."""
    standing = session.execute(
        select(TagGroup).where(
            TagGroup.name == SOURCE_GROUP_NAME, TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None)
        )
    ).scalar_one_or_none()
    if standing is not None:
        return standing
    draft = GroupDraft(SOURCE_GROUP_NAME, SOURCE_DIMENSION, key=SOURCE_GROUP_KEY)
    return create_group(session, context, draft)


def find_group(session: Session, key: str) -> TagGroup | None:
    """Return the live group with this key."""
    return session.execute(
        select(TagGroup).where(TagGroup.key == key, TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
    ).scalar_one_or_none()


def get_group(session: Session, key: str) -> TagGroup:
    """Return the live group with this key; raise NotFound."""
    group = find_group(session, key)
    if group is None:
        raise NotFound(f"没有标签组「{key}」")
    return group


def list_groups(
    session: Session, *, after_id: int | None = None, limit: int = 50, archived: bool = False
) -> list[TagGroup]:
    """Return the live groups, or the archived ones, oldest first."""
    here = TagGroup.archived_at.is_not(None) if archived else TagGroup.archived_at.is_(None)
    query = select(TagGroup).where(here, TagGroup.gone_at.is_(None))
    if after_id is not None:
        query = query.where(TagGroup.id > after_id)
    return list(session.execute(query.order_by(TagGroup.id).limit(limit)).scalars())


def groups_of(session: Session, dimension: str) -> list[TagGroup]:
    """Return the live groups of a dimension, in their order."""
    query = select(TagGroup).where(
        TagGroup.dimension == dimension, TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None)
    )
    return list(session.execute(query.order_by(TagGroup.position.desc(), TagGroup.id)).scalars())


def tags_of(session: Session, group_ids: Sequence[int]) -> dict[int, list[Tag]]:
    """Return the live tags of groups, by group, in their order."""
    query = select(Tag).where(Tag.group_id.in_(group_ids), Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    found: dict[int, list[Tag]] = {}
    for tag in session.execute(query.order_by(Tag.position.desc(), Tag.id)).scalars():
        found.setdefault(tag.group_id, []).append(tag)
    return found


def list_tags(
    session: Session, *, after_id: int | None = None, limit: int = 50, archived: bool = False
) -> list[tuple[Tag, TagGroup]]:
    """Return the live tags, or the archived ones, with their groups, oldest first."""
    here = Tag.archived_at.is_not(None) if archived else Tag.archived_at.is_(None)
    query = select(Tag, TagGroup).join(TagGroup, TagGroup.id == Tag.group_id).where(here, Tag.gone_at.is_(None))
    if after_id is not None:
        query = query.where(Tag.id > after_id)
    return [(tag, group) for tag, group in session.execute(query.order_by(Tag.id).limit(limit))]


def find_tags(session: Session, keys: Sequence[str]) -> dict[str, Tag]:
    """Return the live tags with these keys, by key; raise InvalidInput naming those that are not there."""
    rows = session.execute(
        select(Tag).where(Tag.key.in_(keys), Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    ).scalars()
    found = {tag.key: tag for tag in rows}
    missing = sorted(set(keys) - set(found))
    if missing:
        instead = successors.instead_of(session, missing)
        told = [f"{key}（已合并，请改用 {instead[key]}）" if key in instead else key for key in missing]
        raise InvalidInput(f"没有这些标签：{'、'.join(told)}", details={"tags": missing})
    return found


def clean_name(name: str) -> str:
    """Return the name in one spelling, without outer space; raise InvalidInput if it is empty or too long for WeCom."""
    cleaned = canonical(name)
    if not cleaned or len(cleaned) > MAX_NAME:
        which = f"，「{cleaned[:12]}…」有 {len(cleaned)} 个" if cleaned else ""
        raise InvalidInput(f"名称需为 1 到 {MAX_NAME} 个字{which}")
    wrong = fault(cleaned)
    if wrong:
        raise InvalidInput(wrong)
    return cleaned


def taken_keys(session: Session, table: type[Tag] | type[TagGroup], prefix: str) -> set[str]:
    """Return all keys ever used that a key made of `prefix` could meet."""
    query = select(table.key).where(table.key.startswith(stem(prefix), autoescape=True))
    return set(session.execute(query).scalars())


def free_group_name(session: Session, name: str) -> None:
    """Raise NameTaken where a group has this name: a live one, or an archived one that WeCom still has."""
    query = select(TagGroup.key, TagGroup.archived_at).where(TagGroup.name == name, _holds_name(TagGroup))
    standing = session.execute(query).first()
    if standing is not None:
        hint = "" if standing.archived_at is None else "（已归档，请恢复它）"
        raise NameTaken(f"已有同名标签组「{name}」{hint}", details={"key": standing.key})


def free_tag_name(session: Session, group: TagGroup, name: str) -> None:
    """Raise NameTaken where a tag of the group has this name: a live one, or an archived one that WeCom still has."""
    _free_tag_names(session, group, [name])


def _free_tag_names(session: Session, group: TagGroup, names: Sequence[str]) -> None:
    query = select(Tag.key, Tag.name, Tag.archived_at).where(
        Tag.group_id == group.id, Tag.name.in_(names), _holds_name(Tag)
    )
    standing = session.execute(query.order_by(Tag.id)).first()
    if standing is not None:
        hint = "" if standing.archived_at is None else "（已归档，请恢复它）"
        raise NameTaken(f"标签组「{group.name}」里已有标签「{standing.name}」{hint}", details={"key": standing.key})


def _holds_name(table: type[Tag] | type[TagGroup]) -> ColumnElement[bool]:
    """Return the condition under which a row's name cannot be given again: WeCom knows a name once."""
    at_wecom = TagGroup.wecom_group_id if table is TagGroup else Tag.wecom_tag_id
    return and_(table.gone_at.is_(None), or_(table.archived_at.is_(None), at_wecom.is_not(None)))


def _group_key(session: Session, context: Context, draft: GroupDraft, name: str) -> str:
    if draft.key is None:
        taken = taken_keys(session, TagGroup, draft.dimension)
        return make_key(draft.dimension, context.slugify(name), taken)
    return _given_key(session, TagGroup, draft.key)


def _tag_keys(
    session: Session, context: Context, group: TagGroup, names: Sequence[str], given: Sequence[str | None]
) -> list[str]:
    """Return a key for each name: the given one, or one that is made of it."""
    keys = [None if key is None else _given_key(session, Tag, key) for key in given]
    wanted = [key for key in keys if key is not None]
    if len(set(wanted)) < len(wanted):
        twice = next(key for key in wanted if wanted.count(key) > 1)
        raise NameTaken(f"key「{twice}」给了两个标签", details={"key": twice})
    taken = {*wanted, *(taken_keys(session, Tag, group.key) if None in keys else ())}
    made = []
    for name, key in zip(names, keys, strict=True):
        made.append(key or make_key(group.key, context.slugify(name), taken))
        taken.add(made[-1])
    return made


def _given_key(session: Session, table: type[Tag] | type[TagGroup], key: str) -> str:
    if not is_key(key):
        raise InvalidInput(
            f"key 以小写字母开头，只能由小写字母、数字、下划线组成，最多四段，以点分隔，最长 {MAX_KEY_LENGTH} 个字符",
            details={"key": key},
        )
    if session.execute(select(table.id).where(table.key == key)).first() is not None:
        raise NameTaken(f"key「{key}」已被使用过，不能重复", details={"key": key})
    return key
