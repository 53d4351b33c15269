"""The tag library as a file that people keep: YAML and CSV, written and read; see `services.library_import`."""

import csv
import io
from collections.abc import Mapping, Sequence
from typing import Annotated, Any

import yaml
from pydantic import BaseModel, ConfigDict, Field, ValidationError, field_validator, model_validator
from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Policy
from wecom_app.domain.vocabulary import Colour, EditableBy, Lifecycle, Mirror, Scope, Selection
from wecom_app.errors import InvalidInput
from wecom_app.models import Tag, TagDimension, TagGroup
from wecom_app.services import taxonomy

FORMAT = "wecom-tags/1"
LARGEST = 4 * 1024 * 1024
"""Bytes of a file: 10,000 tags with long descriptions need less."""
FORMULA = "=+-@\t\r'"
"""A spreadsheet may run a cell that begins so; it gets an apostrophe in front, which reading takes away again."""
SEPARATOR = "、"
Text = Annotated[str, Field(max_length=500)]


class Row(BaseModel):
    """Parent of what a file holds: a field that it does not name stays as it is in the library."""

    model_config = ConfigDict(extra="forbid", str_strip_whitespace=True)

    line: int = 0


class DimensionRow(Row):
    key: str
    name: str


class Described(Row):
    key: str | None = None
    name: str
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
    dimension: str
    selection: Selection = Selection.MULTI
    scope: Scope = Scope.CUSTOMER
    mirror: Mirror = Mirror.TWO_WAY
    sensitive: bool = False
    colour: Colour | None = None
    editable_by: EditableBy = EditableBy.EVERYBODY
    conflict_policy: Policy = Policy.WECOM
    tags: list[TagRow] = []


class LibraryFile(BaseModel):
    """What a file says of the library; rows know the line that they come from."""

    dimensions: list[DimensionRow] = []
    groups: list[GroupRow] = []


class Faulty(InvalidInput):
    """A file that cannot be read as a library; `problems` holds (line, words)."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        shown = "；".join(f"第 {line} 行：{words}" if line else words for line, words in self.problems[:5])
        super().__init__(shown, details={"problems": [{"line": line, "words": words} for line, words in problems]})


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


def read(content: bytes, filename: str = "") -> LibraryFile:
    """Return what a file says, YAML or by its name CSV; raise Faulty with the lines that are wrong."""
    if len(content) > LARGEST:
        raise Faulty([(0, f"文件太大，最多 {LARGEST // 1024 // 1024} MB")])
    text = decoded(content)
    return _from_csv(text) if filename.lower().endswith(".csv") else _from_yaml(text)


def decoded(content: bytes) -> str:
    """Return a file's text: UTF-8 with or without BOM, or what Excel in China writes; raise Faulty."""
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Faulty([(0, "看不懂文件的编码，请另存为 UTF-8")])


def _mark_of(loader: Any) -> Any:
    """Return where the loader stands; the library tells no types."""
    return loader.peek_event().start_mark


class _Loader(yaml.SafeLoader):
    """Notes the line of every mapping; takes no references, which could make a small file endless."""

    def compose_node(self, parent: Any, index: Any) -> Any:
        if self.check_event(yaml.AliasEvent):
            raise yaml.MarkedYAMLError(problem="不支持引用（*）", problem_mark=_mark_of(self))
        return super().compose_node(parent, index)

    def construct_mapping(self, node: Any, deep: bool = False) -> dict[Any, Any]:
        found = super().construct_mapping(node, deep=deep)
        return {**found, "line": node.start_mark.line + 1}


def _from_yaml(text: str) -> LibraryFile:
    try:
        document = yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        raise Faulty([(line, f"YAML 格式有误：{error.problem}")]) from error
    except (yaml.YAMLError, RecursionError, ValueError) as error:
        raise Faulty([(0, "YAML 格式有误，请检查缩进和冒号")]) from error
    if not isinstance(document, dict) or document.get("format") != FORMAT:
        raise Faulty([(1, f"不是标签库文件：第一行应为 format: {FORMAT}")])
    known = {name: document.get(name) or [] for name in ("dimensions", "groups")}
    return _validated(known)


def _from_csv(text: str) -> LibraryFile:
    reader = csv.reader(io.StringIO(text, newline=""))
    try:
        head = [name.strip() for name in next(reader, [])]
        columns = [BY_HEADING.get(name) for name in head]
        missing = [COLUMNS[name] for name in ("dimension", "group_name", "name") if name not in columns]
        if missing:
            raise Faulty([(1, f"缺少这些列：{'、'.join(missing)}")])
        groups: dict[str, dict[str, Any]] = {}
        dimensions: dict[str, dict[str, Any]] = {}
        line = reader.line_num + 1
        for cells in reader:
            row = {name: _text(cell) for name, cell in zip(columns, cells, strict=False) if name}
            if any(row.values()):
                _take_line(row, line, groups, dimensions)
            line = reader.line_num + 1
    except csv.Error as error:
        raise Faulty([(reader.line_num, "CSV 格式有误，请检查引号")]) from error
    return _validated({"dimensions": list(dimensions.values()), "groups": list(groups.values())})


def _take_line(row: dict[str, str], line: int, groups: dict[str, Any], dimensions: dict[str, Any]) -> None:
    row = {name: cell for name, cell in row.items() if cell or name not in CHOSEN}
    name = row.pop("dimension_name", "")
    if name:
        dimensions.setdefault(row.get("dimension", ""), {"key": row.get("dimension", ""), "name": name, "line": line})
    if "group_sensitive" in row:
        row["group_sensitive"] = {"是": "true", "否": "false"}.get(row["group_sensitive"], row["group_sensitive"])
    of_group = {field.removeprefix("group_"): row.pop(field) for field in list(row) if field.startswith("group_")}
    mark = of_group.get("key") or of_group.get("name", "")
    group = groups.setdefault(mark, {**of_group, "dimension": row.pop("dimension", ""), "line": line, "tags": []})
    row.pop("dimension", None)
    if row.get("name"):
        group["tags"].append({**row, "line": line})


def _validated(document: Mapping[str, Any]) -> LibraryFile:
    try:
        return LibraryFile.model_validate(document)
    except ValidationError as error:
        problems = [(_line_of(document, found["loc"]), _words_of(found)) for found in error.errors()]
        raise Faulty(sorted(problems)) from error


def _line_of(document: Any, place: Sequence[Any]) -> int:
    line = 0
    for step in place:
        if isinstance(document, Mapping):
            line = document.get("line", line)
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            break
    return document.get("line", line) if isinstance(document, Mapping) else line


def _words_of(found: Any) -> str:
    field = next((str(step) for step in reversed(found["loc"]) if isinstance(step, str)), "")
    kinds = {
        "missing": f"缺少 {field}",
        "extra_forbidden": f"不认识 {field}",
        "enum": f"{field} 只能是 {found.get('ctx', {}).get('expected', '')}".replace(" or ", "、"),
        "string_too_long": f"{field} 太长",
    }
    return kinds.get(found["type"], f"{field} 填写有误")


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


def _text(cell: str) -> str:
    if cell.startswith("'") and cell[1:].startswith(tuple(FORMULA)):
        return cell[1:]
    return cell


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
CHOSEN = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "group_")
    for name in ("key", "lifecycle", "selection", "scope", "mirror", "sensitive", "editable_by", "conflict_policy")
)
"""Columns whose empty cell says nothing rather than empties the field."""
BY_HEADING = {**{words: name for name, words in COLUMNS.items()}, **{name: name for name in COLUMNS}}
