"""externalcontact: the corp's tag library and marking (Tencent's pages 92117 and 92118)."""

from collections.abc import Iterable
from typing import TypeVar

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.events import contact_event, tag_event
from wecom_app.simulator.tags import Tag, TagGroup, check_name

ORDER_END = 2**32
Item = TypeVar("Item", Tag, TagGroup)


def get_corp_tag_list(call: Call) -> Json:
    """Answer the library, or parts of it by id; `tag_id` is ignored when `group_id` is given."""
    group_ids, tag_ids = call.texts("group_id"), call.texts("tag_id")
    library = call.world.tags
    if group_ids:
        return {"tag_group": [_by_group_id(_known(library.find_group(item))) for item in group_ids]}
    if tag_ids:
        return {"tag_group": _by_tag_id(call, tag_ids)}
    return {"tag_group": [describe_group(group, group.live_tags()) for group in library.live_groups()]}


def _by_group_id(group: TagGroup) -> Json:
    """Return a group asked for by its id: that it is deleted shows only in this answer."""
    tags = list(group.tags.values()) if group.deleted else group.live_tags()
    return _with_deleted(describe_group(group, tags), group, tags)


def _by_tag_id(call: Call, tag_ids: Iterable[str]) -> list[Json]:
    chosen: dict[str, list[Tag]] = {}
    for tag_id in dict.fromkeys(tag_ids):
        tag = _known(call.world.tags.find_tag(tag_id))
        chosen.setdefault(tag.group_id, []).append(tag)
    found = []
    for group_id, tags in chosen.items():
        group = _known(call.world.tags.find_group(group_id))
        found.append(_with_deleted(describe_group(group, tags), group, tags))
    return found


def _known(item: Item | None) -> Item:
    if item is None:
        raise ApiError(40068)
    return item


def _with_deleted(described: Json, group: TagGroup, tags: list[Tag]) -> Json:
    described["deleted"] = group.deleted
    for shown, tag in zip(described["tag"], tags, strict=True):
        shown["deleted"] = tag.deleted
    return described


def describe_group(group: TagGroup, tags: Iterable[Tag]) -> Json:
    """Return a group with these of its tags."""
    return {
        "group_id": group.id,
        "group_name": group.name,
        "create_time": group.create_time,
        "order": group.order,
        "tag": [_described(tag) for tag in tags],
    }


def _described(tag: Tag) -> Json:
    return {"id": tag.id, "name": tag.name, "create_time": tag.create_time, "order": tag.order}


def add_corp_tag(call: Call) -> Json:
    """Make tags, and their group if needed.

    A name twice in one call makes one tag; a name that the group already has refuses the whole call.
    """
    wanted = _wanted_tags(call)
    group = _target_group(call)
    if group is not None and any(group.tag_named(name) for name in wanted):
        raise ApiError(40071)
    if call.world.tags.live_count() + len(wanted) > call.context.faults.settings.tag_limit:
        raise ApiError(40126)
    made_by, now = str(call.app.agent_id), call.world.unix_now()
    if group is None:
        name, order = str(call.body["group_name"]), _order(call.body)
        group = call.world.tags.make_group(name, made_by=made_by, now=now, order=order)
        call.echo(tag_event("create", group.id, "tag_group"))
    made = [
        call.world.tags.make_tag(group, name, made_by=made_by, now=now, order=order) for name, order in wanted.items()
    ]
    for tag in made:
        call.echo(tag_event("create", tag.id, "tag"))
    return {"tag_group": describe_group(group, made)}


def _wanted_tags(call: Call) -> dict[str, int]:
    """Return the orders by name; the first of several equal names counts."""
    items = call.body.get("tag")
    if not isinstance(items, list) or not items:
        raise ApiError(41018)
    wanted: dict[str, int] = {}
    for item in items:
        if not isinstance(item, dict):
            raise ApiError(40058)
        wanted.setdefault(check_name(item.get("name")), _order(item))
    return wanted


def _target_group(call: Call) -> TagGroup | None:
    """Return the group to add to, or None if `group_name` is to be made."""
    group_id = call.optional_text("group_id")
    if group_id:
        return call.world.tags.group(group_id)
    if not call.body.get("group_name"):
        raise ApiError(40063)
    return call.world.tags.group_named(check_name(call.body["group_name"]))


def _order(item: Json) -> int:
    order = item.get("order", 0)
    if isinstance(order, bool) or not isinstance(order, int) or not 0 <= order < ORDER_END:
        raise ApiError(40058)
    return order


def _own(call: Call, item: Item) -> Item:
    """Refuse what another app or an administrator made: an app may change only what is its own."""
    if item.made_by != str(call.app.agent_id):
        raise ApiError(81011)
    return item


def edit_corp_tag(call: Call) -> Json:
    """Rename or move a tag or a group of this app."""
    item_id = call.text("id", missing=41017)
    library = call.world.tags
    group = library.find_group(item_id)
    item: Tag | TagGroup
    item = _own(call, library.tag(item_id)) if group is None else _own(call, library.group(item_id))
    order = _order(call.body) if "order" in call.body else item.order
    if call.body.get("name") is not None:
        library.rename(item, call.body["name"])
    item.order = order
    call.echo(tag_event("update", item_id, "tag" if group is None else "tag_group"))
    return {}


def del_corp_tag(call: Call) -> Json:
    """Delete tags and groups of this app; a group goes with its last tag."""
    tag_ids, group_ids = call.texts("tag_id"), call.texts("group_id")
    if not tag_ids and not group_ids:
        raise ApiError(41017)
    library = call.world.tags
    groups = [_own(call, library.group(item)) for item in dict.fromkeys(group_ids)]
    tags = [_own(call, library.tag(item)) for item in dict.fromkeys(tag_ids)]
    for group in groups:
        library.delete_group(group)
        call.echo(tag_event("delete", group.id, "tag_group"))
    for tag in tags:
        if tag.deleted:
            continue
        emptied = library.delete_tag(tag)
        call.echo(tag_event("delete", tag.id, "tag"))
        if emptied is not None:
            call.echo(tag_event("delete", emptied.id, "tag_group"))
    return {}


def mark_tag(call: Call) -> Json:
    """Add and remove tags of one member's customer; one bad tag id refuses the whole call."""
    relation = call.relation()
    added, removed = call.texts("add_tag"), call.texts("remove_tag")
    if not added and not removed:
        raise ApiError(41017)
    for tag_id in (*added, *removed):
        call.world.tags.tag(tag_id)
    before = set(relation.tags)
    after = relation.tags | dict.fromkeys(added)
    for tag_id in removed:
        after.pop(tag_id, None)
    if len(after) > call.context.config.tags_per_relation:
        raise ApiError(40070)
    relation.tags = after
    if before != set(after):
        call.echo(contact_event("edit_external_contact", relation.userid, relation.external_userid))
    return {}


ENDPOINTS = {
    "externalcontact/get_corp_tag_list": Endpoint(
        get_corp_tag_list, {"tag_group": []}, is_customer_contact=True, answer_list="tag_group"
    ),
    "externalcontact/add_corp_tag": Endpoint(add_corp_tag, is_customer_contact=True, request_lists=("tag",)),
    "externalcontact/edit_corp_tag": Endpoint(edit_corp_tag, is_customer_contact=True),
    "externalcontact/del_corp_tag": Endpoint(
        del_corp_tag, is_customer_contact=True, request_lists=("tag_id", "group_id")
    ),
    "externalcontact/mark_tag": Endpoint(mark_tag, is_customer_contact=True, request_lists=("add_tag", "remove_tag")),
}
