"""Names and orders of our groups and tags told to WeCom, before they change here.

Called by the console and the API ahead of the write transaction. WeCom lets an app change only what it made itself.
"""

from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import update
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import PUSHED, Owner
from wecom_app.errors import Conflict, InvalidInput
from wecom_app.models import Tag, TagGroup
from wecom_app.services import library_edits, taxonomy
from wecom_app.services.runtime import Runtime


def rename_group(runtime: Runtime, key: str, name: str, version: int | None) -> None:
    """Rename a group at WeCom if it is ours and stands there; raise what `edit_group` would raise, or WeComError."""
    with runtime.read() as session:
        group = library_edits.find_group(session, key)
        library_edits.check_version(group, version)
        cleaned = taxonomy.clean_name(name)
        if cleaned == group.name:
            return
        library_edits.check_group(session, group, {"name": cleaned})
        wecom_id = group.wecom_group_id if group.mirror in PUSHED else None
    if wecom_id is not None:
        runtime.wecom.edit_corp_tag(wecom_id, name=cleaned)


def rename_tag(runtime: Runtime, key: str, name: str, version: int | None) -> None:
    """Rename a tag at WeCom if it is ours and stands there; raise what `edit_tag` would raise, or WeComError."""
    with runtime.read() as session:
        tag, group = library_edits.find_tag(session, key)
        library_edits.check_version(tag, version)
        cleaned = taxonomy.clean_name(name)
        if cleaned == tag.name:
            return
        library_edits.check_tag(session, tag, group, {"name": cleaned})
        wecom_id = tag.wecom_tag_id if group.mirror in PUSHED else None
    if wecom_id is not None:
        runtime.wecom.edit_corp_tag(wecom_id, name=cleaned)


@dataclass(frozen=True)
class _Place:
    id: int
    wecom_id: str | None
    position: int


def order_tags(runtime: Runtime, group_key: str, keys: Sequence[str]) -> None:
    """Put a group's tags into this order, at WeCom first; raise InvalidInput unless each is named once."""
    with runtime.read() as session:
        group = library_edits.find_group(session, group_key)
        tags = {tag.key: tag for tag in taxonomy.tags_of(session, [group.id]).get(group.id, [])}
        _check_keys(keys, list(tags), "标签")
        places = _places([tags[key] for key in keys], is_pushed=group.mirror in PUSHED)
    _tell_and_keep(runtime, Tag, places)


def order_groups(runtime: Runtime, dimension: str, keys: Sequence[str]) -> None:
    """Put a dimension's groups into this order, at WeCom first; raise InvalidInput unless each is named once."""
    with runtime.read() as session:
        groups = {group.key: group for group in taxonomy.groups_of(session, dimension)}
        _check_keys(keys, list(groups), "标签组")
        places = _places([groups[key] for key in keys], is_pushed=True)
    _tell_and_keep(runtime, TagGroup, places)


def _check_keys(keys: Sequence[str], known: Sequence[str], what: str) -> None:
    if len(keys) != len(known) or set(keys) != set(known):
        raise InvalidInput(f"排序需要列出其中每个{what}，各一次", details={"keys": sorted(known)})


def _places(found: Sequence[Tag | TagGroup], *, is_pushed: bool) -> list[_Place]:
    """Return who must move where; raise Conflict where somebody else's would have to."""
    places = []
    for index, one in enumerate(found):
        position = len(found) - index
        if one.position == position:
            continue
        wecom_id = one.wecom_group_id if isinstance(one, TagGroup) else one.wecom_tag_id
        if wecom_id is not None and one.owner == Owner.FOREIGN:
            raise Conflict(f"「{one.name}」是在企业微信后台或其他应用里建的，顺序只能在企业微信里调整")
        mirrored = is_pushed if isinstance(one, Tag) else one.mirror in PUSHED
        places.append(_Place(one.id, wecom_id if mirrored else None, position))
    return places


def _tell_and_keep(runtime: Runtime, table: type[Tag] | type[TagGroup], places: Sequence[_Place]) -> None:
    """Tell WeCom one by one, and keep what it took though a later one fails."""
    told: list[_Place] = []
    try:
        for place in places:
            if place.wecom_id is not None:
                runtime.wecom.edit_corp_tag(place.wecom_id, order=place.position)
            told.append(place)
    finally:
        with runtime.write() as session:
            _keep(session, table, told)


def _keep(session: Session, table: type[Tag] | type[TagGroup], places: Sequence[_Place]) -> None:
    for place in places:
        session.execute(update(table).where(table.id == place.id).values(position=place.position))
