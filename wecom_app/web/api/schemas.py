"""The API's shapes, in and out, as docs/guide and OpenAPI show them; additive changes only."""

from datetime import UTC, datetime
from typing import Annotated, Any, Generic, Literal, TypeVar

from pydantic import BaseModel, ConfigDict, Field, PlainSerializer, field_validator

from wecom_app.domain.definitions import Policy
from wecom_app.domain.vocabulary import Colour, EditableBy, Lifecycle, Mirror, Scope, Selection


def _utc(value: datetime) -> str:
    text = value.astimezone(UTC).isoformat(timespec="milliseconds")
    return text.replace("+00:00", "Z")


Moment = Annotated[datetime, PlainSerializer(_utc, return_type=str)]
"""A time, in UTC with a trailing Z."""
Item = TypeVar("Item", bound=BaseModel)


class Given(BaseModel):
    """Parent of all bodies: a field that we do not know is an error, not silently dropped."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    @field_validator("*")
    @classmethod
    def without_nul(cls, value: Any) -> Any:
        """Refuse the one character that PostgreSQL keeps in no text."""
        for text in value if isinstance(value, list) else [value]:
            if isinstance(text, str) and "\0" in text:
                raise ValueError("不能含有 NUL 字符")
        return value


def _without_defaults(schema: dict[str, Any]) -> None:
    for described in schema["properties"].values():
        described.pop("default", None)


class Patch(Given):
    """Parent of bodies that change what they name; what stands in for the rest is no default."""

    model_config = ConfigDict(json_schema_extra=_without_defaults)


class PageQuery(BaseModel):
    """Paging: `cursor` is what the last page's `next_cursor` said."""

    model_config = ConfigDict(extra="forbid")

    cursor: Annotated[int, Field(ge=1, lt=2**63)] | None = None
    limit: Annotated[int, Field(ge=1, le=200)] = 50


class StateQuery(PageQuery):
    state: Annotated[str, Field(max_length=32)] | None = None


class Page(BaseModel, Generic[Item]):
    items: list[Item]
    next_cursor: str | None


class Sync(BaseModel):
    """Agreement with WeCom; `local` means that nothing is to be agreed on."""

    state: Literal["synced", "pending", "failed", "local"]
    reason: str | None = None


class LibrarySync(BaseModel):
    """How a group or tag stands with WeCom.

    pending: to be told; asking: both sides changed it and a person decides; failed: refused, or not seen there after
    several tries; blocked: no more tags may be made; deleting: to be deleted there; gone: deleted there.
    """

    state: Literal["synced", "pending", "asking", "failed", "blocked", "deleting", "gone", "local"]
    reason: str | None = None


class Source(BaseModel):
    """Who or what set the tag."""

    kind: str
    ref: str | None
    actor: str | None


class ChannelName(BaseModel):
    id: int
    name: str


class RelationOut(BaseModel):
    userid: str
    add_way: int | None
    state: str | None
    channel: ChannelName | None
    created_at: Moment
    lost_at: Moment | None
    lost_by: Literal["customer", "staff", "transfer"] | None


class CustomerTagOut(BaseModel):
    key: str
    name: str
    group: str
    dimension: str
    scope: Scope
    relations: list[str]
    source: Source
    set_at: Moment
    expires_at: Moment | None
    evidence: dict[str, Any]
    sync: Sync


class Removing(BaseModel):
    key: str
    reason: str | None


class CustomerOut(BaseModel):
    external_userid: str
    name: str
    type: Literal["wechat", "wecom"]
    state: Literal["active", "lost"]
    version: int
    relations: list[RelationOut]
    tags: list[CustomerTagOut]
    removing: list[Removing]


class HistoryOut(BaseModel):
    id: int
    at: Moment
    op: Literal["add", "remove", "expire"]
    key: str
    userid: str | None
    source: Source
    evidence: dict[str, Any]
    change_set_id: int


Key = Annotated[str, Field(min_length=1, max_length=200)]
Userid = Annotated[str, Field(min_length=1, max_length=64)]


class TagEdit(Given):
    """Tags to add and to remove, by key; `userid` names the relation for tags of scope `relation`."""

    add: Annotated[list[Key], Field(max_length=200)] = []
    remove: Annotated[list[Key], Field(max_length=200)] = []
    userid: Userid | None = None
    reason: Annotated[str, Field(max_length=300)] | None = None


class SkippedTag(BaseModel):
    key: str
    reason: Literal["outranked", "absent", "present"]


class TagEditOut(BaseModel):
    change_set_id: int | None
    tags: list[CustomerTagOut]
    skipped: list[SkippedTag]


Name = Annotated[str, Field(min_length=1, max_length=30)]
Description = Annotated[str, Field(max_length=300)]
Definition = Annotated[str, Field(max_length=500)]
TtlDays = Annotated[int, Field(ge=1, le=3650)]


class TagName(Given):
    name: Name
    key: Key | None = None


class GroupIn(Given):
    name: Name
    dimension: Annotated[str, Field(min_length=1, max_length=64)]
    tags: Annotated[list[TagName], Field(max_length=500)] = []
    key: Key | None = None
    selection: Selection = Selection.MULTI
    scope: Scope = Scope.CUSTOMER
    mirror: Mirror = Mirror.TWO_WAY
    sensitive: bool = False
    colour: Colour | None = None
    editable_by: EditableBy = EditableBy.EVERYBODY
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    description: Description = ""
    definition: Definition = ""
    maintainer: Userid | None = None
    ttl_days: TtlDays | None = None
    conflict_policy: Policy = Policy.WECOM


class TagIn(Given):
    """A tag for a group; `group` is the group's key."""

    name: Name
    group: Key
    key: Key | None = None


class TagOut(BaseModel):
    key: str
    name: str
    group: str
    dimension: str
    wecom_tag_id: str | None
    owner: Literal["ours", "foreign"]
    sync: LibrarySync
    description: str
    definition: str
    maintainer: str | None
    lifecycle: Lifecycle
    ttl_days: int | None
    version: int
    archived: bool
    aliases: list[str]
    replaced_by: str | None
    merged_into: str | None


class GroupOut(BaseModel):
    key: str
    name: str
    dimension: str
    selection: Selection
    scope: Scope
    mirror: Mirror
    owner: Literal["ours", "foreign"]
    wecom_group_id: str | None
    sensitive: bool
    colour: Colour | None
    editable_by: EditableBy
    conflict_policy: Policy
    aliases: list[str]
    sync: LibrarySync
    description: str
    definition: str
    maintainer: str | None
    lifecycle: Lifecycle
    ttl_days: int | None
    version: int
    archived: bool
    tags: list[TagOut]


class InboxOut(BaseModel):
    id: int
    event: str
    change_type: str
    subject: str
    state: str
    deliveries: int
    occurred_at: Moment | None
    received_at: Moment
    handled_at: Moment | None
    error: str | None


class JobOut(BaseModel):
    id: int
    kind: str
    lane: str
    state: str
    key: str | None
    args: dict[str, Any]
    attempts: int
    priority: int
    run_at: Moment
    last_error: str | None
    created_at: Moment
    finished_at: Moment | None
