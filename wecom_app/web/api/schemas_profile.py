"""The API's shapes of what members note: undone acts, profile fields and their values."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wecom_app.domain.field_kinds import Kind
from wecom_app.web.api.schemas import Given, Moment, Source


class UndoIn(Given):
    reason: Annotated[str, Field(max_length=300)] | None = None


class KeptTag(BaseModel):
    """A tag that stays as it is; `message` says why in words."""

    external_userid: str
    key: str
    reason: Literal["changed", "gone", "expired"]
    message: str


class UndoOut(BaseModel):
    """`change_set_id` is that of the undo, null where nothing could be restored."""

    change_set_id: int | None
    restored: int
    kept: list[KeptTag]


FieldKey = Annotated[str, Field(min_length=1, max_length=40)]
FieldName = Annotated[str, Field(min_length=1, max_length=20)]
Help = Annotated[str, Field(max_length=200)]
Options = Annotated[list[Annotated[str, Field(min_length=1, max_length=30)]], Field(max_length=100)]


class ProfileFieldIn(Given):
    """A field to define; `options` belong to kind choice alone, `key` is made from the name where it is missing."""

    name: FieldName
    kind: Kind
    key: FieldKey | None = None
    help: Help | None = None
    required: bool = False
    repeated: bool = False
    sensitive: bool = False
    options: Options = Field(default_factory=list)


class ProfileFieldEdit(Given):
    """What changes about a field; its key and kind never do."""

    name: FieldName | None = None
    help: Help | None = None
    required: bool | None = None
    repeated: bool | None = None
    sensitive: bool | None = None
    options: Options | None = None


class ProfileFieldOrder(Given):
    keys: Annotated[list[FieldKey], Field(max_length=50)]


class ProfileFieldQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    archived: bool = False


class ProfileFieldOut(BaseModel):
    key: str
    name: str
    kind: Kind
    help: str | None
    required: bool
    repeated: bool
    sensitive: bool
    options: list[str]
    created_at: Moment
    archived_at: Moment | None


class ProfileFieldsOut(BaseModel):
    """All fields, in the order in which people see them."""

    items: list[ProfileFieldOut]


class FieldsIn(Given):
    """Values by field key: one value, a list for a repeated field, null to clear.

    text, choice, phone: text; number: number; date: YYYY-MM-DD, or --MM-DD without a year; region:
    {"province", "city", "district"}. Fields that are not named stay.
    """

    values: Annotated[dict[FieldKey, Any], Field(max_length=50)]


class FieldValueOut(BaseModel):
    value: Any
    source: Source
    set_at: Moment


class FieldOut(BaseModel):
    key: str
    name: str
    kind: Kind
    values: list[FieldValueOut]


class FieldsOut(BaseModel):
    """The fields that are filled in, in the order in which people see them."""

    items: list[FieldOut]


class PastValueOut(BaseModel):
    """A value that stands (`ended_at` is null) or stood."""

    id: int
    key: str
    value: Any
    source: Source
    set_at: Moment
    ended_at: Moment | None
    ended_by: str | None
