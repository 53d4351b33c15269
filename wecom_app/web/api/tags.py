"""`/api/v1/tag-groups` and `/api/v1/tags`: the tag library."""

from collections.abc import Sequence

from pydantic import BaseModel

from wecom_app.domain.vocabulary import PUSHED
from wecom_app.models import Tag, TagGroup
from wecom_app.services import library, taxonomy
from wecom_app.services.accounts import KeyScope
from wecom_app.services.taxonomy import GroupDraft, TagDraft
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import GroupEdit, GroupIn, GroupOut, Page, PageQuery, Sync, TagIn, TagOut


def list_tag_groups(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = taxonomy.list_groups(session, after_id=call.query.cursor, limit=call.query.limit + 1)
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
        editable_by=given.editable_by,
    )
    with call.runtime.write() as session:
        group = taxonomy.create_group(session, library.context(call.runtime), draft)
        return group_out(group, taxonomy.tags_of(session, [group.id]).get(group.id, []))


def update_tag_group(call: Call) -> BaseModel:
    given: GroupEdit = call.body
    with call.runtime.write() as session:
        group = taxonomy.get_group(session, call.path["key"])
        taxonomy.update_group(session, group, sensitive=given.sensitive, editable_by=given.editable_by)
        return group_out(group, taxonomy.tags_of(session, [group.id]).get(group.id, []))


def list_tags(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        found = taxonomy.list_tags(session, after_id=call.query.cursor, limit=call.query.limit + 1)
    return Page[TagOut](**page_of(found, call.query.limit, lambda row: row[0].id, lambda row: tag_out(*row)))


def create_tag(call: Call) -> BaseModel:
    given: TagIn = call.body
    with call.runtime.write() as session:
        group = taxonomy.get_group(session, given.group)
        made = taxonomy.add_tags(session, library.context(call.runtime), group, [TagDraft(given.name, given.key)])
        return tag_out(made[0], group)


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
        }
    )


def _sync(tag: Tag, group: TagGroup) -> Sync:
    if group.mirror not in PUSHED:
        return Sync(state="local")
    if tag.wecom_tag_id is not None:
        return Sync(state="synced")
    return Sync(state="failed" if tag.blocked else "pending", reason=tag.blocked)


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
            "editable_by": group.editable_by,
            "tags": [tag_out(tag, group) for tag in tags],
        }
    )


ENDPOINTS = (
    Endpoint("GET", "/tag-groups", KeyScope.READ, "标签组及其标签", list_tag_groups, Page[GroupOut], PageQuery),
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
        "修改标签组：是否敏感、谁可以手动修改",
        update_tag_group,
        GroupOut,
        body=GroupEdit,
    ),
    Endpoint("GET", "/tags", KeyScope.READ, "标签列表", list_tags, Page[TagOut], PageQuery),
    Endpoint("POST", "/tags", KeyScope.WRITE, "新建标签", create_tag, TagOut, body=TagIn, status=201),
)
