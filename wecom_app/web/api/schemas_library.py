"""The API's shapes for managing the tag library: dimensions, edits, orders, and who uses a tag."""

from datetime import datetime
from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wecom_app.domain.definitions import Policy
from wecom_app.domain.vocabulary import Colour, EditableBy, Lifecycle, Mirror, Scope, Selection
from wecom_app.web.api.schemas import (
    Definition,
    Description,
    Given,
    Key,
    Name,
    PageQuery,
    TtlDays,
    Userid,
)

Version = Annotated[int, Field(ge=1, lt=2**31)]
DimensionName = Annotated[str, Field(min_length=1, max_length=12)]
DimensionKey = Annotated[str, Field(min_length=1, max_length=40)]


class LibraryQuery(PageQuery):
    """`archived=true` lists what is out of use."""

    archived: bool = False


class DimensionQuery(BaseModel):
    archived: bool = False


class DimensionIn(Given):
    name: DimensionName
    key: DimensionKey | None = None


class DimensionEdit(Given):
    name: DimensionName
    version: Version | None = None


class DimensionOut(BaseModel):
    key: str
    name: str
    version: int
    archived: bool


class DimensionsOut(BaseModel):
    items: list[DimensionOut]


class KeyOrder(Given):
    """Every key, once, in the order wanted."""

    keys: Annotated[list[Key], Field(max_length=10_000)]


class GroupOrder(KeyOrder):
    dimension: DimensionKey


class GroupEdit(Given):
    """What changes about a group; what is not named stays. `version` is the one that the edit was made on."""

    name: Name | None = None
    dimension: DimensionKey | None = None
    description: Description | None = None
    definition: Definition | None = None
    maintainer: Userid | None = None
    lifecycle: Lifecycle | None = None
    ttl_days: TtlDays | None = None
    sensitive: bool | None = None
    colour: Colour | None = None
    editable_by: EditableBy | None = None
    selection: Selection | None = None
    scope: Scope | None = None
    mirror: Mirror | None = None
    conflict_policy: Policy | None = None
    aliases: Annotated[list[Name], Field(max_length=20)] | None = None
    version: Version | None = None


class TagEditIn(Given):
    """What changes about a tag; what is not named stays. `version` is the one that the edit was made on."""

    name: Name | None = None
    description: Description | None = None
    definition: Definition | None = None
    maintainer: Userid | None = None
    lifecycle: Lifecycle | None = None
    ttl_days: TtlDays | None = None
    aliases: Annotated[list[Name], Field(max_length=20)] | None = None
    replaced_by: Key | None = None
    version: Version | None = None


class ArchiveIn(Given):
    """With `cascade` whatever uses it goes on without it, as `uses` says."""

    cascade: bool = False


class TagUseOut(BaseModel):
    kind: Literal["channel", "content", "bot"]
    id: int
    name: str
    otherwise: str


class TagUsesOut(BaseModel):
    """How many customers have the tag, and what else uses it."""

    customers: int
    uses: list[TagUseOut]


class DeletionOut(BaseModel):
    """What deleting at WeCom would cost: friendships and customers that lose a tag, and what else uses it.

    `refusal` says why it cannot be deleted from here; null where it can.
    """

    tags: int
    customers: int
    relations: int
    uses: list[TagUseOut]
    refusal: str | None


class RetriedOut(BaseModel):
    """How many groups and tags are tried again."""

    retried: int


class ExportQuery(BaseModel):
    format: Literal["yaml", "csv"] = "yaml"


class ImportIn(Given):
    """A file's content; with `only_add` what is there already stays as it is."""

    content: Annotated[str, Field(min_length=1, max_length=4 * 1024 * 1024)]
    format: Literal["yaml", "csv"] = "yaml"
    dry_run: bool = True
    only_add: bool = False


class ImportStep(BaseModel):
    line: int
    action: Literal["create", "change", "restore"]
    kind: Literal["dimension", "group", "tag"]
    name: str
    details: str


class ImportProblem(BaseModel):
    line: int
    words: str


class ImportOut(BaseModel):
    """What was done, or with `dry_run` would be; with problems of the trial nothing is.

    `state`: tried, done, or running where the rest goes on without the caller, see `/tags/imports/{import_id}`.
    """

    dry_run: bool
    state: Literal["tried", "running", "done"]
    import_id: int | None
    steps: list[ImportStep]
    problems: list[ImportProblem]


class ImportRunOut(BaseModel):
    """An import on the record; `problems` are rows that had become wrong meanwhile and were left out."""

    id: int
    state: Literal["running", "done"]
    only_add: bool
    done: int
    total: int
    counts: dict[str, int]
    problems: list[ImportProblem]
    asked_by: str
    created_at: datetime
    finished_at: datetime | None


class FindingOut(BaseModel):
    """One line of the hygiene report; `advice` says what to do."""

    code: str
    kind: Literal["group", "tag"]
    key: str
    name: str
    words: str
    advice: str


class ReportOut(BaseModel):
    items: list[FindingOut]
