"""The tag library as a file that people keep, in YAML and CSV: its rows, and how they are written.

`services.library_reading` reads such a file, `services.library_import` carries it in.
"""

import csv
import io
from collections.abc import Sequence
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, field_validator, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Policy
from wecom_app.domain.vocabulary import Colour, EditableBy, Lifecycle, Mirror, Scope, Selection
from wecom_app.models import Tag, TagDimension, TagGroup
from wecom_app.services import taxonomy

FORMAT = "wecom-tags/1"
FORMULA = "=+-@\t\r'"
"""A spreadsheet may run a cell that begins so; it gets an apostrophe in front, which reading takes away again."""
SEPARATOR = "、"
Text = Annotated[str, Field(max_length=500)]
Filled = Annotated[str, Field(min_length=1)]


class Row(BaseModel):
    """Parent of what a file holds: a field that it does not name stays as it is in the library."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    line: int = 0


class DimensionRow(Row):
    key: Filled
    name: Filled


class Described(Row):
    key: str | None = None
    name: Filled
    description: Text = ""
    definition: Text = ""
    maintainer: str | None = None
    lifecycle: Lifecycle = Lifecycle.ACTIVE
    ttl_days: int | None = None
    aliases: list[str] = []

    @field_validator("description", "definition")
    @classmethod
    def one_newline(cls, value: str) -> str:
        """Programs differ in how a line ends."""
        return value.replace("\r\n", "\n")

    @field_validator("key", "maintainer", "ttl_days", "colour", mode="before", check_fields=False)
    @classmethod
    def empty_is_nothing(cls, value: Any) -> Any:
        """A cell cannot say None."""
        return None if value == "" else value

    @field_validator("aliases", mode="before")
    @classmethod
    def from_one_cell(cls, value: Any) -> Any:
        """Several aliases stand in one cell."""
        if value is None:
            return []
        return [part for part in value.split(SEPARATOR) if part.strip()] if isinstance(value, str) else value

    def named(self, *skip: str) -> dict[str, Any]:
        """Return the fields that the file names."""
        return {name: getattr(self, name) for name in self.model_fields_set if name not in ("line", "key", *skip)}


class TagRow(Described):
    replaced_by: str | None = None

    @model_validator(mode="before")
    @classmethod
    def from_a_name(cls, value: Any) -> Any:
        """A tag may be written as its name alone."""
        return {"name": value} if isinstance(value, str) else value

    @field_validator("replaced_by", mode="before")
    @classmethod
    def no_replacement(cls, value: Any) -> Any:
        """A cell cannot say None."""
        return None if value == "" else value


class GroupRow(Described):
    dimension: Filled
    selection: Selection = Selection.MULTI
    scope: Scope = Scope.CUSTOMER
    mirror: Mirror = Mirror.TWO_WAY
    sensitive: bool = False
    colour: Colour | None = None
    editable_by: EditableBy = EditableBy.EVERYBODY
    conflict_policy: Policy = Policy.WECOM
    tags: list[TagRow] = []

    @field_validator("tags", mode="before")
    @classmethod
    def none_yet(cls, value: Any) -> Any:
        """The word alone, with nothing behind it."""
        return [] if value is None else value


class LibraryFile(BaseModel):
    """What a file says of the library; rows know the line that they come from."""

    dimensions: list[DimensionRow] = []
    groups: list[GroupRow] = []


def export(session: Session) -> LibraryFile:
    """Return the live library."""
    dimensions = session.scalars(
        select(TagDimension).where(TagDimension.archived_at.is_(None)).order_by(TagDimension.position, TagDimension.key)
    ).all()
    places = {one.key: place for place, one in enumerate(dimensions)}
    groups = list(session.scalars(select(TagGroup).where(TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))))
    groups.sort(key=lambda group: (places.get(group.dimension, len(places)), -group.position, group.id))
    tags = taxonomy.tags_of(session, [group.id for group in groups])
    return LibraryFile(
        dimensions=[DimensionRow(key=one.key, name=one.name) for one in dimensions],
        groups=[_group_row(group, tags.get(group.id, [])) for group in groups],
    )


def to_yaml(file: LibraryFile) -> str:
    """Return the file as YAML, every key and choice written out, empty texts left out."""
    document = {
        "format": FORMAT,
        "dimensions": [_plain(row) for row in file.dimensions],
        "groups": [{**_plain(row), "tags": [_plain(tag) for tag in row.tags]} for row in file.groups],
    }
    return str(yaml.safe_dump(document, allow_unicode=True, sort_keys=False, width=120))


def to_csv(file: LibraryFile) -> str:
    """Return the file as CSV for a spreadsheet, with BOM; a line for each tag, and one for each group without any."""
    out = io.StringIO()
    writer = csv.writer(out, lineterminator="\r\n")
    writer.writerow(COLUMNS.values())
    names = {row.key: row.name for row in file.dimensions}
    for group in file.groups:
        of_group = {f"group_{name}": getattr(group, name) for name in GROUP_FIELDS}
        rows: list[TagRow | None] = [*group.tags]
        for tag in rows or [None]:
            of_tag = {name: getattr(tag, name) for name in TAG_FIELDS} if tag else {}
            whole = {**of_group, **of_tag, "dimension": group.dimension, "dimension_name": names.get(group.dimension)}
            writer.writerow([_cell(whole.get(column)) for column in COLUMNS])
    return "\ufeff" + out.getvalue()


def _group_row(group: TagGroup, tags: Sequence[Tag]) -> GroupRow:
    values = {name: getattr(group, name) for name in GROUP_FIELDS}
    rows = [TagRow(**{name: getattr(tag, name) for name in TAG_FIELDS}) for tag in tags]
    return GroupRow(**values, dimension=group.dimension, tags=rows)


def _plain(row: Row) -> dict[str, Any]:
    values = row.model_dump(mode="json", exclude={"line", "tags"})
    return {name: value for name, value in values.items() if value not in ("", None, [])}


def _cell(value: Any) -> str:
    if isinstance(value, bool):
        return "是" if value else "否"
    text = SEPARATOR.join(value) if isinstance(value, list) else str("" if value is None else value)
    return f"'{text}" if text.startswith(tuple(FORMULA)) else text


COMMON = ("key", "name", "description", "definition", "maintainer", "lifecycle", "ttl_days")
TAG_FIELDS = (*COMMON, "aliases", "replaced_by")
GROUP_FIELDS = (
    *COMMON,
    "aliases",
    "selection",
    "scope",
    "mirror",
    "sensitive",
    "colour",
    "editable_by",
    "conflict_policy",
)
COLUMNS = {
    "dimension": "维度 key",
    "dimension_name": "维度",
    "group_key": "标签组 key",
    "group_name": "标签组",
    "group_selection": "单选或多选",
    "group_scope": "打在谁身上",
    "group_mirror": "与企业微信",
    "group_sensitive": "敏感",
    "group_colour": "颜色",
    "group_editable_by": "谁可以打",
    "group_conflict_policy": "两边都改时",
    "group_aliases": "标签组别名",
    "group_lifecycle": "标签组状态",
    "group_description": "标签组说明",
    "group_definition": "标签组口径",
    "group_maintainer": "标签组负责人",
    "group_ttl_days": "标签组有效期（天）",
    "key": "标签 key",
    "name": "标签",
    "aliases": "别名",
    "lifecycle": "状态",
    "replaced_by": "改用",
    "description": "说明",
    "definition": "口径",
    "maintainer": "负责人",
    "ttl_days": "有效期（天）",
}
