"""`/api/v1/tag-groups` and `/api/v1/tags`: the tag library."""

from collections.abc import Sequence
from typing import Any, cast

from pydantic import BaseModel
from sqlalchemy.orm import Session

from wecom_app.models import Tag, TagGroup
from wecom_app.services import (
    library,
    library_edits,
    library_orders,
    library_restoring,
    library_states,
    tag_users,
    taxonomy,
)
from wecom_app.services.accounts import KeyScope
from wecom_app.services.taxonomy import GroupDraft, TagDraft
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Given, GroupIn, GroupOut, LibrarySync, Page, TagIn, TagOut
from wecom_app.web.api.schemas_library import (
    ArchiveIn,
    GroupEdit,
    GroupOrder,
    KeyOrder,
    LibraryQuery,
    TagEditIn,
    TagUseOut,
    TagUsesOut,
)

NULLABLE = frozenset({"maintainer", "ttl_days", "replaced_by", "colour"})
"""Fields that an edit may empty; elsewhere null says the same as nothing."""


def list_tag_groups(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        query: LibraryQuery = call.query
        found = taxonomy.list_groups(session, after_id=query.cursor, limit=query.limit + 1, archived=query.archived)
        tags = taxonomy.tags_of(session, [group.id for group in found])
    return Page[GroupOut](
        **page_of(
            found,
            call.query.limit,
            lambda group: group.id,
            lambda group: group_out(group, tags.get(group.id, [])),
        )
    )


def create_tag_group(call: Call) -> BaseModel:
    given: GroupIn = call.body
    draft = GroupDraft(
        name=given.name,
        dimension=given.dimension,
        tags=tuple(TagDraft(tag.name, tag.key) for tag in given.tags),
        key=given.key,
        selection=given.selection,
        scope=given.scope,
        mirror=given.mirror,
        sensitive=given.sensitive,
        colour=given.colour,
        editable_by=given.editable_by,
        lifecycle=given.lifecycle,
        description=given.description,
        definition=given.definition,
        maintainer=given.maintainer,
        ttl_days=given.ttl_days,
        conflict_policy=given.conflict_policy,
    )
    with call.runtime.write() as session:
        group = taxonomy.create_group(session, library.context(call.runtime), draft)
        return group_out(group, taxonomy.tags_of(session, [group.id]).get(group.id, []))


def update_tag_group(call: Call) -> BaseModel:
    given: GroupEdit = call.body
    key, changes = call.path["key"], cast("library_edits.GroupChanges", _named(given))
    with call.runtime.read() as session:
        seen = library_edits.look_ahead(session, key, changes, given.version)
    with call.runtime.write() as session:
        group = library_edits.edit_group(session, library.context(call.runtime), key, changes, given.version, seen=seen)
    return as_it_stands(call, group)


def order_tag_groups(call: Call) -> BaseModel:
    given: GroupOrder = call.body
    with call.runtime.write() as session:
        library_orders.order_groups(session, call.runtime.queue, given.dimension, given.keys)
        found = taxonomy.groups_of(session, given.dimension)
        tags = taxonomy.tags_of(session, [group.id for group in found])
        return Page[GroupOut](items=[group_out(group, tags.get(group.id, [])) for group in found], next_cursor=None)


def order_tags(call: Call) -> BaseModel:
    given: KeyOrder = call.body
    with call.runtime.write() as session:
        library_orders.order_tags(session, call.runtime.queue, call.path["key"], given.keys)
        group = taxonomy.get_group(session, call.path["key"])
    return as_it_stands(call, group)


def archive_tag_group(call: Call) -> BaseModel:
    given: ArchiveIn = call.body
    with call.runtime.write() as session:
        context = library.context(call.runtime)
        group = library_edits.archive_group(
            session, context, call.path["key"], cascade=given.cascade, actor=call.caller.name
        )
    return as_it_stands(call, group)


def restore_tag_group(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        group = library_restoring.restore_group(session, library.context(call.runtime), call.path["key"])
    return as_it_stands(call, group)


def tag_group_uses(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        group = library_edits.find_group(session, call.path["key"])
        return _uses_out(session, taxonomy.tags_of(session, [group.id]).get(group.id, []))


def update_tag(call: Call) -> BaseModel:
    given: TagEditIn = call.body
    key = call.path["key"]
    with call.runtime.write() as session:
        changes = cast("library_edits.TagChanges", _named(given))
        tag = library_edits.edit_tag(session, library.context(call.runtime), key, changes, given.version)
        return whole_tag(session, tag)


def archive_tag(call: Call) -> BaseModel:
    given: ArchiveIn = call.body
    with call.runtime.write() as session:
        context = library.context(call.runtime)
        tag = library_edits.archive_tag(
            session, context, call.path["key"], cascade=given.cascade, actor=call.caller.name
        )
        return whole_tag(session, tag)


def restore_tag(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        tag = library_restoring.restore_tag(session, library.context(call.runtime), call.path["key"])
        return whole_tag(session, tag)


def tag_uses(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        tag, _ = library_edits.find_tag(session, call.path["key"])
        return _uses_out(session, [tag])


def list_tags(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        query: LibraryQuery = call.query
        found = taxonomy.list_tags(session, after_id=query.cursor, limit=query.limit + 1, archived=query.archived)
    return Page[TagOut](**page_of(found, call.query.limit, lambda row: row[0].id, lambda row: tag_out(*row)))


def create_tag(call: Call) -> BaseModel:
    given: TagIn = call.body
    with call.runtime.write() as session:
        group = taxonomy.get_group(session, given.group)
        made = taxonomy.add_tags(session, library.context(call.runtime), group, [TagDraft(given.name, given.key)])
        return tag_out(made[0], group)


def _named(given: Given) -> dict[str, Any]:
    """Return what an edit names, with its version left out."""
    values = given.model_dump(exclude_unset=True, exclude={"version"})
    return {name: value for name, value in values.items() if value is not None or name in NULLABLE}


def as_it_stands(call: Call, group: TagGroup) -> GroupOut:
    """Return a group that was just written as the API shows it; its tags may be too many to be read while writing."""
    with call.runtime.read() as session:
        return group_out(group, taxonomy.tags_of(session, [group.id]).get(group.id, []))


def whole_tag(session: Session, tag: Tag) -> TagOut:
    """Return a tag as the API shows it, its group looked up."""
    return tag_out(tag, session.get_one(TagGroup, tag.group_id))


def _uses_out(session: Session, tags: Sequence[Tag]) -> TagUsesOut:
    return TagUsesOut(
        customers=tag_users.customers_with(session, [tag.id for tag in tags]),
        uses=[TagUseOut.model_validate(use, from_attributes=True) for use in tag_users.uses_of(session, tags)],
    )


def tag_out(tag: Tag, group: TagGroup) -> TagOut:
    """Return a tag as the API shows it."""
    return TagOut.model_validate(
        {
            "key": tag.key,
            "name": tag.name,
            "group": group.key,
            "dimension": group.dimension,
            "wecom_tag_id": tag.wecom_tag_id,
            "owner": tag.owner,
            "sync": _sync(tag, group),
            **_governed(tag),
            "aliases": tag.aliases,
            "replaced_by": tag.replaced_by,
            "merged_into": tag.merged_into,
        }
    )


def _governed(one: Tag | TagGroup) -> dict[str, Any]:
    names = ("description", "definition", "maintainer", "lifecycle", "ttl_days", "version")
    return {**{name: getattr(one, name) for name in names}, "archived": one.archived_at is not None}


def _sync(one: Tag | TagGroup, group: TagGroup) -> LibrarySync:
    found = library_states.state_of(one, group)
    return LibrarySync.model_validate({"state": found.state, "reason": found.reason})


def group_out(group: TagGroup, tags: Sequence[Tag]) -> GroupOut:
    """Return a group with its tags as the API shows it."""
    return GroupOut.model_validate(
        {
            "key": group.key,
            "name": group.name,
            "dimension": group.dimension,
            "selection": group.selection,
            "scope": group.scope,
            "mirror": group.mirror,
            "owner": group.owner,
            "wecom_group_id": group.wecom_group_id,
            "sensitive": group.sensitive,
            "colour": group.colour,
            "editable_by": group.editable_by,
            "conflict_policy": group.conflict_policy,
            "aliases": group.aliases,
            "sync": _sync(group, group),
            **_governed(group),
            "tags": [tag_out(tag, group) for tag in tags],
        }
    )


ENDPOINTS = (
    Endpoint("GET", "/tag-groups", KeyScope.READ, "标签组及其标签", list_tag_groups, Page[GroupOut], LibraryQuery),
    Endpoint(
        "POST",
        "/tag-groups",
        KeyScope.WRITE,
        "新建标签组；企业微信已有同名标签时关联，没有时创建",
        create_tag_group,
        GroupOut,
        body=GroupIn,
        status=201,
    ),
    Endpoint(
        "PATCH",
        "/tag-groups/<key>",
        KeyScope.WRITE,
        "修改标签组；改名由任务推送到企业微信，单选/多选、范围和同步方式只在没有客户打过时能改",
        update_tag_group,
        GroupOut,
        body=GroupEdit,
    ),
    Endpoint(
        "PUT",
        "/tag-groups/order",
        KeyScope.WRITE,
        "排列一个维度下的标签组",
        order_tag_groups,
        Page[GroupOut],
        body=GroupOrder,
    ),
    Endpoint(
        "PUT", "/tag-groups/<key>/order", KeyScope.WRITE, "排列标签组里的标签", order_tags, GroupOut, body=KeyOrder
    ),
    Endpoint("GET", "/tag-groups/<key>/uses", KeyScope.READ, "谁在使用这组标签", tag_group_uses, TagUsesOut),
    Endpoint(
        "POST",
        "/tag-groups/<key>/archive",
        KeyScope.WRITE,
        "归档标签组及其标签；还有使用者时拒绝，cascade 一并处理",
        archive_tag_group,
        GroupOut,
        body=ArchiveIn,
        body_optional=True,
    ),
    Endpoint(
        "POST", "/tag-groups/<key>/restore", KeyScope.WRITE, "恢复标签组和一同归档的标签", restore_tag_group, GroupOut
    ),
    Endpoint("GET", "/tags", KeyScope.READ, "标签列表", list_tags, Page[TagOut], LibraryQuery),
    Endpoint("POST", "/tags", KeyScope.WRITE, "新建标签", create_tag, TagOut, body=TagIn, status=201),
    Endpoint(
        "PATCH", "/tags/<key>", KeyScope.WRITE, "修改标签；改名由任务推送到企业微信", update_tag, TagOut, body=TagEditIn
    ),
    Endpoint("GET", "/tags/<key>/uses", KeyScope.READ, "谁在使用这个标签", tag_uses, TagUsesOut),
    Endpoint(
        "POST",
        "/tags/<key>/archive",
        KeyScope.WRITE,
        "归档标签；还有使用者时拒绝，cascade 一并处理",
        archive_tag,
        TagOut,
        body=ArchiveIn,
        body_optional=True,
    ),
    Endpoint("POST", "/tags/<key>/restore", KeyScope.WRITE, "恢复标签", restore_tag, TagOut),
)
