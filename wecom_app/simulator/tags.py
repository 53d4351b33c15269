"""The corp's tag library (企业客户标签): groups, tags, and who made them."""

from collections.abc import Iterable, Iterator
from dataclasses import dataclass, field
from itertools import chain

from wecom_app.simulator.errcodes import ApiError
from wecom_app.simulator.ids import Ids

NAME_LIMIT = 30
"""Characters in the name of a tag or group made through the API (40072 beyond)."""

CONSOLE = "console"
"""Maker of the tags that an administrator made by hand; an app's tags carry its agentid."""


@dataclass(slots=True)
class Tag:
    """One tag of a group."""

    id: str
    name: str
    group_id: str
    create_time: int
    made_by: str
    order: int = 0
    deleted: bool = False


@dataclass(slots=True)
class TagGroup:
    """A group of tags; it exists as long as it has one."""

    id: str
    name: str
    create_time: int
    made_by: str
    order: int = 0
    deleted: bool = False
    tags: dict[str, Tag] = field(default_factory=dict)

    def live_tags(self) -> list[Tag]:
        """Return the tags in WeCom's order: the larger `order` first, then the older."""
        return sorted((tag for tag in self.tags.values() if not tag.deleted), key=lambda tag: -tag.order)

    def tag_named(self, name: str) -> Tag | None:
        """Return the live tag of that name."""
        return next((tag for tag in self.tags.values() if tag.name == name and not tag.deleted), None)


class TagLibrary:
    """All groups and tags, deleted ones too; call it under the world's lock."""

    def __init__(self, ids: Ids) -> None:
        self._ids = ids
        self._groups: dict[str, TagGroup] = {}
        self._tags: dict[str, Tag] = {}
        self._live = 0

    def live_groups(self) -> list[TagGroup]:
        """Return the groups in WeCom's order: the larger `order` first, then the older."""
        alive = (group for group in self._groups.values() if not group.deleted)
        return sorted(alive, key=lambda group: -group.order)

    def live_count(self) -> int:
        """Return how many tags there are."""
        return self._live

    def find_tag(self, tag_id: str) -> Tag | None:
        """Return a tag, deleted or not."""
        return self._tags.get(tag_id)

    def find_group(self, group_id: str) -> TagGroup | None:
        """Return a group, deleted or not."""
        return self._groups.get(group_id)

    def group_named(self, name: str) -> TagGroup | None:
        """Return the live group of that name."""
        alive = (group for group in self._groups.values() if not group.deleted)
        return next((group for group in alive if group.name == name), None)

    def tag_at(self, group_name: str, name: str) -> Tag | None:
        """Return the live tag by the names of its group and itself."""
        group = self.group_named(group_name)
        return group.tag_named(name) if group else None

    def tag(self, tag_id: str) -> Tag:
        """Return a live tag or refuse with 40068."""
        tag = self._tags.get(tag_id)
        if tag is None or tag.deleted:
            raise ApiError(40068)
        return tag

    def group(self, group_id: str) -> TagGroup:
        """Return a live group or refuse with 40068."""
        group = self._groups.get(group_id)
        if group is None or group.deleted:
            raise ApiError(40068)
        return group

    def live(self, tag_ids: Iterable[str]) -> Iterator[Tag]:
        """Yield those of the tags that are not deleted."""
        for tag_id in tag_ids:
            tag = self._tags.get(tag_id)
            if tag is not None and not tag.deleted:
                yield tag

    def make_group(self, name: str, *, made_by: str, now: int, order: int = 0) -> TagGroup:
        """Make a group; the caller adds at least one tag to it."""
        group = TagGroup(self._ids.prefixed("et"), name, now, made_by, order)
        self._groups[group.id] = group
        return group

    def make_tag(self, group: TagGroup, name: str, *, made_by: str, now: int, order: int = 0) -> Tag:
        """Make a tag in a group."""
        tag = Tag(self._ids.prefixed("et"), name, group.id, now, made_by, order)
        self._tags[tag.id] = group.tags[tag.id] = tag
        self._live += 1
        return tag

    def delete_tag(self, tag: Tag) -> TagGroup | None:
        """Delete a tag; returns its group if that went with it, being empty."""
        if tag.deleted:
            return None
        tag.deleted = True
        self._live -= 1
        group = self._groups[tag.group_id]
        if group.deleted or group.live_tags():
            return None
        group.deleted = True
        return group

    def delete_group(self, group: TagGroup) -> None:
        """Delete a group and all its tags."""
        group.deleted = True
        for tag in group.tags.values():
            self.delete_tag(tag)

    def rename(self, item: Tag | TagGroup, name: str) -> None:
        """Change a name; 40071 if it is taken among the item's neighbours, 40072 if too long."""
        check_name(name)
        if isinstance(item, Tag):
            taken: Tag | TagGroup | None = self._groups[item.group_id].tag_named(name)
        else:
            taken = self.group_named(name)
        if taken is not None and taken is not item:
            raise ApiError(40071)
        item.name = name

    def every_id(self) -> Iterator[str]:
        """Yield the ids of all live groups and tags."""
        alive = self.live_groups()
        return chain((group.id for group in alive), (tag.id for group in alive for tag in group.live_tags()))


def check_name(name: object) -> str:
    """Return the name of a tag or group, or refuse it: 41018 when missing, 40072 when too long."""
    if not isinstance(name, str) or not name.strip():
        raise ApiError(41018)
    if len(name) > NAME_LIMIT:
        raise ApiError(40072)
    return name
