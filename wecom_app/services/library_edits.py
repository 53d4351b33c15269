"""Groups and tags edited and archived, in the caller's transaction; `library_restoring` brings them back.

Called by the console, the API and the import. A name that WeCom has of ours is told there by the library's job,
which merges first what somebody there has changed meanwhile.
"""

from collections.abc import Mapping, Sequence
from enum import StrEnum
from typing import Any, TypedDict

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Policy
from wecom_app.domain.vocabulary import (
    PUSHED,
    SOURCE_GROUP_NAME,
    Colour,
    EditableBy,
    Lifecycle,
    Mirror,
    Owner,
    Scope,
    Selection,
)
from wecom_app.errors import Conflict, InvalidInput, NotFound, StaleEdit
from wecom_app.models import CustomerTag, Tag, TagGroup
from wecom_app.services import dimensions, selections, sequence, tag_users, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.tag_users import Named

MAX_DESCRIPTION, MAX_DEFINITION, MAX_ALIASES, MAX_TTL_DAYS = 300, 500, 20, 3650
BUILT_IN = "「获客来源」由系统自动使用，不能改名、归档、删除或停止新打"


class GroupChanges(TypedDict, total=False):
    """An edit of a group: only what it names changes."""

    name: str
    dimension: str
    description: str
    definition: str
    maintainer: str | None
    lifecycle: Lifecycle
    ttl_days: int | None
    sensitive: bool
    colour: Colour | None
    editable_by: EditableBy
    selection: Selection
    scope: Scope
    mirror: Mirror
    conflict_policy: Policy
    aliases: Sequence[str]


class TagChanges(TypedDict, total=False):
    """An edit of a tag: only what it names changes."""

    name: str
    description: str
    definition: str
    maintainer: str | None
    lifecycle: Lifecycle
    ttl_days: int | None
    aliases: Sequence[str]
    replaced_by: str | None


ALIAS_MARKS = "、,，"
"""What aliases are told apart by where they stand in one field."""
FIXED_ONCE_USED = ("scope", "mirror")
"""What every mark of a group rests on."""


def look_ahead(session: Session, key: str, changes: GroupChanges, version: int | None = None) -> int:
    """Raise what speaks against an edit; return the last change of a tag that it knew of, for `edit_group`.

    Asked before the write, since it counts customers.
    """
    group = find_group(session, key)
    check_version(group, version)
    check_group(session, group, _changed(group, changes))
    return selections.last_event(session)


def edit_group(
    session: Session,
    context: Context,
    key: str,
    changes: GroupChanges,
    version: int | None = None,
    *,
    seen: int | None = None,
) -> TagGroup:
    """Change a group; raise NotFound, StaleEdit, InvalidInput, NameTaken, or Conflict where marks stand in the way.

    `seen` is what `look_ahead` returned: only customers whose tags have changed since are looked at again.
    """
    group = find_group(session, key, lock=True)
    check_version(group, version)
    values = _changed(group, changes)
    if not values:
        return group
    check_group(session, group, values, seen)
    was_pushed = is_pushed(group)
    _write(session, group, values)
    if is_pushed(group) and (not was_pushed or "name" in values):
        taxonomy.request_push(session, context, group.id)
    if "mirror" in values and group.mirror != Mirror.NONE:
        taxonomy.enqueue_pull(session, context.queue)
    return group


def edit_tag(session: Session, context: Context, key: str, changes: TagChanges, version: int | None = None) -> Tag:
    """Change a tag; raise NotFound, StaleEdit, InvalidInput, NameTaken or Conflict."""
    tag, group = find_tag(session, key, lock=True)
    check_version(tag, version)
    values = _changed(tag, changes)
    if not values:
        return tag
    check_tag(session, tag, group, values)
    _write(session, tag, values)
    if tag.lifecycle == Lifecycle.ACTIVE:
        tag.replaced_by = None
    session.flush()
    if "name" in values and is_pushed(group):
        taxonomy.request_push(session, context, group.id)
    return tag


def _write(session: Session, one: Tag | TagGroup, values: Mapping[str, Any]) -> None:
    for name, value in values.items():
        setattr(one, name, value)
    one.version += 1
    if "name" in values:
        one.touched_seq = sequence.draw(session)
        forget_failure(one)
    session.flush()


def forget_failure(one: Tag | TagGroup) -> None:
    """What WeCom said of an older edit says nothing of the next; what waits for room or a person goes on waiting."""
    if one.blocked_by in ("refused", "tries"):
        one.blocked, one.blocked_by, one.tries = None, None, 0


def check_group(session: Session, group: TagGroup, values: Mapping[str, Any], seen: int | None = None) -> None:
    """Raise what speaks against an edit of a group."""
    check_texts(values)
    if "name" in values:
        _check_owner(group, group)
        taxonomy.free_group_name(session, values["name"])
    if "name" in values or values.get("lifecycle", Lifecycle.ACTIVE) != Lifecycle.ACTIVE:
        _check_built_in(group)
    if "aliases" in values:
        _check_aliases(values["aliases"])
    if "dimension" in values:
        dimensions.get(session, values["dimension"])
    if values.get("lifecycle") == Lifecycle.DRAFT and group.wecom_group_id is not None:
        raise Conflict("标签组已在企业微信中，不能改回草稿；不想再用可以改为“不再新打”")
    check_customers(session, group, values, seen)


def check_customers(session: Session, group: TagGroup, changes: Mapping[str, Any], seen: int | None = None) -> None:
    """Raise Conflict where what customers have of a group stands in the way of an edit."""
    values = {name: value for name, value in changes.items() if getattr(group, name) != value}
    if any(name in values for name in FIXED_ONCE_USED):
        _check_unused(session, group)
    if values.get("selection") == Selection.SINGLE:
        selections.check_may_be_single(group)
        _check_one_each(session, group, seen)


def check_tag(session: Session, tag: Tag, group: TagGroup, values: Mapping[str, Any]) -> None:
    """Raise what speaks against an edit of a tag."""
    check_texts(values)
    if "name" in values:
        _check_owner(tag, group)
        taxonomy.free_tag_name(session, group, values["name"])
    if "name" in values or values.get("lifecycle", Lifecycle.ACTIVE) != Lifecycle.ACTIVE:
        _check_built_in(group)
    if values.get("lifecycle") == Lifecycle.DRAFT:
        raise InvalidInput("草稿只用于整个标签组", details={"lifecycle": "标签只能是使用中或不再新打"})
    if "aliases" in values:
        _check_aliases(values["aliases"])
    replacement = values.get("replaced_by")
    if replacement is not None and (replacement == tag.key or replacement not in _live_keys(session, replacement)):
        raise InvalidInput(f"没有可以替代的标签「{replacement}」", details={"replaced_by": "请选一个使用中的其他标签"})


def archive_tag(session: Session, context: Context, key: str, *, cascade: bool = False, actor: str) -> Tag:
    """Take a tag out of use, once: who has it keeps it, and it stays at WeCom. Raises Conflict naming who uses it.

    A source tag goes only while no customer has it; it comes back as soon as one does.
    """
    tag, group = find_tag(session, key, lock=True, archived=True)
    if tag.archived_at is None:
        # Asked while writing: nobody may get it in between.
        if group.name == SOURCE_GROUP_NAME and tag_users.has_customers(session, tag.id):
            _check_built_in(group)
        _end_uses(session, context, [tag], tag.name, cascade=cascade, actor=actor)
        tag.archived_at = context.now
        tag.version += 1
        session.flush()
    return tag


def archive_group(session: Session, context: Context, key: str, *, cascade: bool = False, actor: str) -> TagGroup:
    """Take a group and its tags out of use, once. Raises Conflict naming who uses them."""
    group = find_group(session, key, lock=True, archived=True)
    if group.archived_at is None:
        _check_built_in(group)
        live = (Tag.group_id == group.id, Tag.archived_at.is_(None), Tag.gone_at.is_(None))
        # They may be thousands: no more of each than its uses are found by, and one statement for all. Loaded whole
        # and written one by one they keep the writer for most of a second.
        found = session.execute(select(Tag.id, Tag.key, Tag.group_id).where(*live))
        tags = [tag_users.Name(*row) for row in found]
        _end_uses(session, context, tags, group.name, cascade=cascade, actor=actor)
        archived = update(Tag).where(*live).values(archived_at=context.now, version=Tag.version + 1)
        session.execute(archived.execution_options(synchronize_session=False))
        group.archived_at = context.now
        group.version += 1
        session.flush()
    return group


def find_group(session: Session, key: str, *, lock: bool = False, archived: bool = False) -> TagGroup:
    """Return the group, archived ones only where they are asked for; raise NotFound."""
    query = select(TagGroup).where(TagGroup.key == key, TagGroup.gone_at.is_(None))
    group = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if group is None or (group.archived_at is not None and not archived):
        raise NotFound(f"没有标签组「{key}」")
    return group


def lock_group(session: Session, group_id: int) -> TagGroup:
    """Return the group, whatever its state, locked."""
    return session.scalars(select(TagGroup).where(TagGroup.id == group_id).with_for_update()).one()


def find_tag(session: Session, key: str, *, lock: bool = False, archived: bool = False) -> tuple[Tag, TagGroup]:
    """Return the tag and its group, archived ones only where they are asked for; raise NotFound."""
    query = select(Tag).where(Tag.key == key, Tag.gone_at.is_(None))
    tag = session.scalars(query.with_for_update() if lock else query).one_or_none()
    if tag is None or (tag.archived_at is not None and not archived):
        raise NotFound(f"没有标签「{key}」")
    return tag, session.get_one(TagGroup, tag.group_id)


def _changed(one: Tag | TagGroup, changes: Mapping[str, Any]) -> dict[str, Any]:
    """Return what really changes, cleaned."""
    values = {name: value.value if isinstance(value, StrEnum) else value for name, value in changes.items()}
    if "name" in values:
        values["name"] = taxonomy.clean_name(values["name"])
    for name in ("description", "definition"):
        if name in values:
            values[name] = values[name].strip().replace("\r\n", "\n")
    if "maintainer" in values:
        values["maintainer"] = (values["maintainer"] or "").strip() or None
    if "aliases" in values:
        values["aliases"] = list(dict.fromkeys(alias.strip() for alias in values["aliases"] if alias.strip()))
    return {name: value for name, value in values.items() if getattr(one, name) != value}


def check_version(one: Tag | TagGroup, version: int | None) -> None:
    """Raise StaleEdit where an edit was made on another version than the present one."""
    if version is not None and version != one.version:
        raise StaleEdit(details={"version": one.version})


def check_texts(values: Mapping[str, Any]) -> None:
    """Raise InvalidInput for texts that are too long, or a life that is none."""
    ttl_days = values.get("ttl_days")
    wrong = {
        "description": len(values.get("description", "")) > MAX_DESCRIPTION and f"说明不超过 {MAX_DESCRIPTION} 字",
        "definition": len(values.get("definition", "")) > MAX_DEFINITION and f"口径不超过 {MAX_DEFINITION} 字",
        "maintainer": len(values.get("maintainer") or "") > 64 and "负责人的成员账号不超过 64 个字符",
        "ttl_days": ttl_days is not None
        and not 1 <= ttl_days <= MAX_TTL_DAYS
        and f"有效期要在 1 到 {MAX_TTL_DAYS} 天之间",
    }
    found = {name: words for name, words in wrong.items() if words}
    if found:
        raise InvalidInput("；".join(str(words) for words in found.values()), details=found)


def _check_aliases(aliases: Sequence[str]) -> None:
    if len(aliases) > MAX_ALIASES:
        raise InvalidInput(f"别名最多 {MAX_ALIASES} 个", details={"aliases": f"最多 {MAX_ALIASES} 个"})
    for alias in aliases:
        if any(mark in taxonomy.clean_name(alias) for mark in ALIAS_MARKS):
            raise InvalidInput("别名里不能有逗号或顿号，它们用来分开别名", details={"aliases": "不能有逗号或顿号"})


def _check_owner(one: Tag | TagGroup, group: TagGroup) -> None:
    at_wecom = one.wecom_group_id if isinstance(one, TagGroup) else one.wecom_tag_id
    if at_wecom is not None and group.mirror == Mirror.PULL:
        raise Conflict(f"「{one.name}」所在的标签组以企业微信为准，名称请在企业微信里修改；这里可以加别名")
    if at_wecom is not None and one.owner == Owner.FOREIGN:
        raise Conflict(f"「{one.name}」是在企业微信后台或其他应用里建的，名称只能在那里修改；这里可以加别名")


def _check_built_in(group: TagGroup) -> None:
    if group.name == SOURCE_GROUP_NAME:
        raise Conflict(BUILT_IN)


def _check_unused(session: Session, group: TagGroup) -> None:
    marked = select(CustomerTag.customer_id).join(Tag, Tag.id == CustomerTag.tag_id).where(Tag.group_id == group.id)
    # Whether anybody is, is quickly known; they are counted only for the words of a refusal.
    if session.execute(marked.limit(1)).first() is None:
        return
    customers = session.execute(select(func.count()).select_from(marked.distinct().subquery())).scalar_one()
    raise Conflict(
        f"已有 {customers} 位客户打过这组标签，不能再改打在谁身上；要同步到企业微信，请先看要花多少调用",
        details={"customers": customers},
    )


def _check_one_each(session: Session, group: TagGroup, seen: int | None) -> None:
    if seen is None:
        several = selections.count_holding_several(session, group)
    else:
        several = selections.count_since(session, group, seen)
    if several:
        raise Conflict(
            f"有 {several} 位客户同时有这组的几个标签：请用“改为单选”，先看每位客户会留下哪一个",
            details={"customers": several},
        )


def _live_keys(session: Session, key: str) -> set[str]:
    query = select(Tag.key).where(
        Tag.key == key, Tag.archived_at.is_(None), Tag.gone_at.is_(None), Tag.lifecycle == Lifecycle.ACTIVE
    )
    return set(session.scalars(query))


def _end_uses(
    session: Session, context: Context, tags: Sequence[Named], name: str, *, cascade: bool, actor: str
) -> None:
    # Asked while writing: what comes to use them in between would go on with tags that are out of use. It grows with
    # channels and content, not with customers.
    uses = tag_users.uses_of(session, tags)
    if uses and not cascade:
        shown = "、".join(f"「{use.name}」" for use in uses[:5])
        raise Conflict(
            f"「{name}」还有 {len(uses)} 处在使用：{shown}；请先改掉，或选择一并处理（cascade）",
            details={"uses": [vars(use) for use in uses]},
        )
    tag_users.release(session, context, tags, actor)


def is_pushed(group: TagGroup) -> bool:
    """Return whether WeCom is to have the group."""
    return group.mirror in PUSHED and group.lifecycle != Lifecycle.DRAFT
