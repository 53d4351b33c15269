"""One act and how its handler reads it."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from wecom_app.errors import InvalidInput, NotFound
from wecom_app.simulator.context import Context
from wecom_app.simulator.customers import Customer, Relation
from wecom_app.simulator.errcodes import Json
from wecom_app.simulator.members import Member
from wecom_app.simulator.tags import Tag, TagGroup
from wecom_app.simulator.world import World


@dataclass(frozen=True)
class Act:
    """Somebody does something; `actor` is a userid, an external_userid, `admin` or `system`."""

    context: Context
    actor: str
    kind: str
    parts: Json

    @property
    def world(self) -> World:
        return self.context.world

    def text(self, name: str) -> str:
        """Return a text that must be given."""
        value = self.parts.get(name)
        if not isinstance(value, str) or not value:
            raise InvalidInput(f"缺少 {name}", details={"kind": self.kind, "missing": name})
        return value

    def items(self, name: str) -> list[Any]:
        """Return a list, empty if not given."""
        value = self.parts.get(name)
        if value is None:
            return []
        if not isinstance(value, list):
            raise InvalidInput(f"{name} 应是列表", details={"kind": self.kind})
        return value

    def flag(self, name: str) -> bool | None:
        """Return a switch, None if not given."""
        value = self.parts.get(name)
        return None if value is None else bool(value)

    def emit(self, fields: Mapping[str, object], **envelope: str) -> None:
        """Push an event, unless the act says `silent`."""
        if not self.parts.get("silent"):
            self.context.callbacks.emit(fields, **envelope)

    def member(self, userid: str | None = None) -> Member:
        """Return a member, the actor unless one is named."""
        member = self.world.members.find(userid or self.actor)
        if member is None:
            raise NotFound(f"没有成员 {userid or self.actor}")
        return member

    def customer(self, external_userid: str) -> Customer:
        """Return a customer."""
        customer = self.world.customers.find(external_userid)
        if customer is None:
            raise NotFound(f"没有客户 {external_userid}")
        return customer

    def relation(self) -> Relation:
        """Return the relation of the act; whichever of the two is not named is the actor."""
        userid = str(self.parts.get("userid") or self.actor)
        external_userid = str(self.parts.get("external_userid") or self.actor)
        relation = self.world.customers.relation(userid, external_userid)
        if relation is None:
            raise NotFound(f"{userid} 与 {external_userid} 不是好友")
        return relation

    def tag(self, name: Any) -> Tag:
        """Return a tag by its id or as {"group", "tag"}."""
        tags = self.world.tags
        if isinstance(name, Mapping):
            tag = tags.tag_at(str(name.get("group")), str(name.get("tag")))
        else:
            tag = tags.find_tag(str(name))
        if tag is None or tag.deleted:
            raise NotFound(f"没有标签 {name}")
        return tag

    def group(self) -> TagGroup:
        """Return a tag group by `group_id` or by its name in `group`."""
        tags = self.world.tags
        group_id = self.parts.get("group_id")
        group = tags.find_group(str(group_id)) if group_id else tags.group_named(self.text("group"))
        if group is None or group.deleted:
            raise NotFound("没有这个标签组")
        return group


Handler = Callable[[Act], Json]
