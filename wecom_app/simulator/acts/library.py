"""Acts of an administrator on the corp's tag library in the console."""

from wecom_app.errors import InvalidInput, NameTaken
from wecom_app.simulator.acts.act import Act, Handler
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.events import tag_event
from wecom_app.simulator.tags import CONSOLE, Tag, TagGroup, check_name


def tag_create(act: Act) -> Json:
    """Make tags in a group, which is made if it is new: several events within one second."""
    library, now = act.world.tags, act.world.unix_now()
    names = [str(name) for name in act.items("names") or [act.text("name")]]
    group = library.group_named(act.text("group"))
    if group is not None and any(group.tag_named(name) for name in names):
        raise NameTaken("该标签组里已有同名标签")
    if group is None:
        group = library.make_group(_name(act.text("group")), made_by=CONSOLE, now=now)
        act.emit(tag_event("create", group.id, "tag_group"))
    order = int(act.parts.get("order", 0))
    made = [
        library.make_tag(group, _name(name), made_by=CONSOLE, now=now, order=order) for name in dict.fromkeys(names)
    ]
    for tag in made:
        act.emit(tag_event("create", tag.id, "tag"))
    return {"group_id": group.id, "tag_ids": [tag.id for tag in made]}


def group_create(act: Act) -> Json:
    """Make a group; WeCom has no empty ones, so `names` gives at least one tag."""
    if act.world.tags.group_named(act.text("group")) is not None:
        raise NameTaken("已有同名标签组")
    return tag_create(act)


def tag_rename(act: Act) -> Json:
    """Rename a tag, or change its `order`."""
    tag = _named_tag(act)
    _change(act, tag)
    act.emit(tag_event("update", tag.id, "tag"))
    return {"id": tag.id}


def group_rename(act: Act) -> Json:
    """Rename a group, or change its `order`."""
    group = act.group()
    _change(act, group)
    act.emit(tag_event("update", group.id, "tag_group"))
    return {"id": group.id}


def tag_delete(act: Act) -> Json:
    """Delete a tag; its group goes with the last one."""
    tag = _named_tag(act)
    emptied = act.world.tags.delete_tag(tag)
    act.emit(tag_event("delete", tag.id, "tag"))
    if emptied is not None:
        act.emit(tag_event("delete", emptied.id, "tag_group"))
    return {"id": tag.id}


def group_delete(act: Act) -> Json:
    """Delete a group with its tags: one event, for the group alone."""
    group = act.group()
    act.world.tags.delete_group(group)
    act.emit(tag_event("delete", group.id, "tag_group"))
    return {"id": group.id}


def shuffle(act: Act) -> Json:
    """Put tags of a group, or the groups, into another order: one event without TagType."""
    inside = "group" in act.parts or "group_id" in act.parts
    group = act.group() if inside else None
    found: list[Tag] | list[TagGroup] = group.live_tags() if group else act.world.tags.live_groups()
    by_id: dict[str, Tag | TagGroup] = {item.id: item for item in found}
    wanted = [str(item) for item in act.items("ids")] or list(reversed(by_id))
    for order, item_id in enumerate(reversed(wanted), start=1):
        if item_id not in by_id:
            raise InvalidInput("ids 里有不在此处的标签", details={"id": item_id})
        by_id[item_id].order = order
    act.emit(tag_event("shuffle", group.id if group else "", None))
    return {"ids": wanted}


def _named_tag(act: Act) -> Tag:
    if "tag_id" in act.parts:
        return act.tag(act.parts["tag_id"])
    return act.tag({"group": act.text("group"), "tag": act.text("tag")})


def _change(act: Act, item: Tag | TagGroup) -> None:
    if "name" in act.parts:
        try:
            act.world.tags.rename(item, _name(act.text("name")))
        except ApiError as error:
            raise NameTaken("名称已被使用") from error
    if "order" in act.parts:
        item.order = int(act.parts["order"])


def _name(name: str) -> str:
    try:
        return check_name(name)
    except ApiError as error:
        raise InvalidInput("标签名称为空或超过 30 个字") from error


HANDLERS: dict[str, Handler] = {
    "tag_create": tag_create,
    "group_create": group_create,
    "tag_rename": tag_rename,
    "group_rename": group_rename,
    "tag_delete": tag_delete,
    "group_delete": group_delete,
    "shuffle": shuffle,
}
