"""Reading a tag library from a file that people wrote or a spreadsheet saved: YAML or CSV, each fault by its line.

Called by the console, the API, the command line and `services.starters`; `services.library_import` carries in
what is read.
"""

import csv
import io
from collections.abc import Iterator, Mapping, Sequence
from typing import Any

from pydantic import ValidationError

from wecom_app.domain.definitions import canonical
from wecom_app.errors import InvalidInput
from wecom_app.services.library_files import COLUMNS, FORMAT, FORMULA, LibraryFile
from wecom_app.services.library_yaml import Fields, Items, Lines, Unreadable, plain_data

LARGEST = 4 * 1024 * 1024
"""Bytes of a file: 10,000 tags with long descriptions need less."""
SEPARATORS = ",;\t"
"""Of cells: where a comma is in a number, spreadsheets take a semicolon."""
NEEDED = ("dimension", "group_name", "name")
CHOSEN = frozenset(
    f"{prefix}{name}"
    for prefix in ("", "group_")
    for name in ("key", "lifecycle", "selection", "scope", "mirror", "sensitive", "editable_by", "conflict_policy")
)
"""Columns whose empty cell says nothing rather than empties the field."""
BY_HEADING = {**{words: name for name, words in COLUMNS.items()}, **{name: name for name in COLUMNS}}
ZIP = b"PK\x03\x04"
"""What an Excel workbook begins with."""
YES_OR_NO = {"是": "true", "否": "false"}
WORDS: Mapping[str, str] = {
    "missing": "缺少 {field}",
    "extra_forbidden": "不认识 {field}",
    "enum": "{field} 只能是 {expected}",
    "string_too_long": "{field} 太长，最多 {max_length} 个字",
    "string_too_short": "{field} 不能为空",
    "string_type": "{field} 要是文字；数字、日期、true 和 false 请加引号",
    "int_type": "{field} 要是整数",
    "int_parsing": "{field} 要是整数",
    "int_from_float": "{field} 要是整数",
    "bool_type": "{field} 只能是 true 或 false（表格里是或否）",
    "bool_parsing": "{field} 只能是 true 或 false（表格里是或否）",
    "list_type": "{field} 要是列表",
    "model_type": "{field} 要写成「字段: 值」",
}
"""What is wrong with a field, by pydantic's name for it."""


class Faulty(InvalidInput):
    """A file that cannot be read as a library; `problems` holds (line, words)."""

    def __init__(self, problems: Sequence[tuple[int, str]]) -> None:
        self.problems = tuple(problems)
        shown = "；".join(f"第 {line} 行：{words}" if line else words for line, words in self.problems[:5])
        super().__init__(shown, details={"problems": [{"line": line, "words": words} for line, words in problems]})


def read(content: bytes, filename: str = "") -> LibraryFile:
    """Return what a file says, YAML or by its name CSV; raise Faulty with the lines that are wrong."""
    if len(content) > LARGEST:
        raise Faulty([(0, f"文件太大，最多 {LARGEST // 1024 // 1024} MB")])
    text = decoded(content)
    return _from_csv(text) if filename.lower().endswith(".csv") else _from_yaml(text)


def decoded(content: bytes) -> str:
    """Return a file's text: UTF-8 with or without BOM, or what Excel in China writes; raise Faulty."""
    if content.startswith(ZIP):
        raise Faulty([(0, "这是 Excel 工作簿，请在表格软件里另存为 CSV 再上传")])
    for encoding in ("utf-8-sig", "gb18030"):
        try:
            text = content.decode(encoding)
        except UnicodeDecodeError:
            continue
        if "\0" not in text:
            return text
    raise Faulty([(0, "看不懂文件的编码，请另存为 UTF-8")])


def _from_yaml(text: str) -> LibraryFile:
    try:
        document = plain_data(text)
    except Unreadable as error:
        raise Faulty([(error.line, error.words)]) from None
    if not isinstance(document, Fields) or document.get("format") != FORMAT:
        raise Faulty([(1, f"不是标签库文件：第一行应为 format: {FORMAT}；表格的文件名要以 .csv 结尾")])
    known = Fields({name: document.pop(name, None) or [] for name in ("dimensions", "groups")})
    known.lines = document.lines
    unknown = [(document.lines[name], f"不认识 {name}") for name in document if name not in ("format", "line")]
    if unknown:
        raise Faulty(unknown)
    for group in known["groups"] if isinstance(known["groups"], Items) else ():
        tags = group.get("tags") if isinstance(group, Fields) else None
        if isinstance(tags, Items):
            group["tags"] = [_named(tag, tags.lines[place]) for place, tag in enumerate(tags)]
    return _validated(known)


def _named(tag: Any, line: int) -> Any:
    """Return a tag that is written as its name alone with its line."""
    return {"name": tag, "line": line} if not isinstance(tag, dict | list) else tag


def _from_csv(text: str) -> LibraryFile:
    # Cells may hold line breaks, headings do not.
    separator = max(SEPARATORS, key=text.partition("\n")[0].count)
    reader = csv.reader(io.StringIO(text, newline=""), delimiter=separator, strict=True)
    table = _Table()
    try:
        columns = _columns(next(reader, []))
        line = reader.line_num + 1
        for cells in reader:
            row = {name: _text(cell) for name, cell in zip(columns, cells, strict=False) if name}
            if any(row.values()):
                table.take(row, line)
            line = reader.line_num + 1
    except csv.Error as error:
        raise Faulty([(reader.line_num, "CSV 格式有误，请检查引号")]) from error
    if table.problems:
        raise Faulty(table.problems)
    return _validated({"dimensions": [*table.dimensions.values()], "groups": [*table.groups.values()]}, _heading)


def _columns(head: Sequence[str]) -> list[str | None]:
    names = [name.strip() for name in head]
    if not any(names):
        raise Faulty([(1, "第一行要是列名，可以先导出 CSV，照着它填")])
    columns = [BY_HEADING.get(name) for name in names]
    known = [column for column in columns if column]
    problems = {
        "缺少这些列": [COLUMNS[name] for name in NEEDED if name not in known],
        "不认识这些列": [name for name, column in zip(names, columns, strict=True) if name and not column],
        "这些列写了两次": [COLUMNS[name] for name in dict.fromkeys(known) if known.count(name) > 1],
    }
    found = [(1, f"{words}：{'、'.join(wrong)}") for words, wrong in problems.items() if wrong]
    if found:
        raise Faulty([*found, (0, "可以先导出 CSV，照着它的列名填")])
    return columns


class _Table:
    """What the lines of a CSV say so far; a group stands on each line of its tags, everywhere the same."""

    def __init__(self) -> None:
        self.groups: dict[str, dict[str, Any]] = {}
        self.dimensions: dict[str, dict[str, Any]] = {}
        self.problems: list[tuple[int, str]] = []

    def take(self, row: Mapping[str, str], line: int) -> None:
        """Take one line in."""
        said = {name: cell for name, cell in row.items() if cell or name not in CHOSEN}
        name = said.pop("dimension_name", "")
        if name:
            dimension = said.get("dimension", "")
            self.dimensions.setdefault(dimension, {"key": dimension, "name": name, "line": line})
        if "group_sensitive" in said:
            said["group_sensitive"] = YES_OR_NO.get(said["group_sensitive"], said["group_sensitive"])
        of_group = {field: said.pop(field) for field in list(said) if field.startswith("group_")}
        group = self._group({**of_group, "dimension": said.pop("dimension", "")}, line)
        if said.get("name"):
            group["tags"].append({**said, "line": line})

    def _group(self, said: Mapping[str, str], line: int) -> dict[str, Any]:
        values = {field.removeprefix("group_"): cell for field, cell in said.items()}
        mark = values.get("key") or values.get("name", "")
        group = self.groups.setdefault(mark, {**values, "line": line, "tags": []})
        for field, cell in said.items():
            first = group.get(field.removeprefix("group_"), "")
            if cell and cell != first:
                words = (
                    f"标签组「{group.get('name', '')}」的{COLUMNS[field]}与第 {group['line']} 行写的不同，请写成一样"
                )
                self.problems.append((line, words))
        return group


def _text(cell: str) -> str:
    if cell.startswith("'") and cell[1:].startswith(tuple(FORMULA)):
        return cell[1:]
    return cell


def _heading(place: Sequence[Any]) -> str:
    """Return the column in which a field of a row stands."""
    field = _field(place)
    of_group = place[0] == "groups" and "tags" not in place
    return COLUMNS.get(f"group_{field}" if of_group else field) or COLUMNS.get(field, field)


def _field(place: Sequence[Any]) -> str:
    return next((str(step) for step in reversed(place) if isinstance(step, str)), "")


def _validated(document: Mapping[str, Any], name_of: Any = _field) -> LibraryFile:
    try:
        file = LibraryFile.model_validate(document)
    except ValidationError as error:
        problems = [
            (_line_of(document, found["loc"]), _words_of(found, name_of(found["loc"]))) for found in error.errors()
        ]
        raise Faulty(sorted(problems)) from error
    problems = sorted(_twice(file))
    if problems:
        raise Faulty(problems)
    return file


def _line_of(document: Any, place: Sequence[Any]) -> int:
    line = 0
    for step in place:
        if isinstance(document, Lines):
            line = document.lines.get(step, line)
        elif isinstance(document, Mapping):
            line = document.get("line", line)
        try:
            document = document[step]
        except (KeyError, IndexError, TypeError):
            return line
    return document.get("line", line) if isinstance(document, Mapping) else line


def _words_of(found: Any, field: str) -> str:
    context = found.get("ctx", {})
    expected = str(context.get("expected", "")).replace(" or ", "、").replace(", ", "、").replace("'", "")
    return WORDS.get(found["type"], "{field} 填写有误").format(**{**context, "field": field, "expected": expected})


def _twice(file: LibraryFile) -> Iterator[tuple[int, str]]:
    """Yield what stands twice where it may stand once."""
    seen: dict[tuple[str, str, str], int] = {}
    for place, group in enumerate(file.groups):
        marks = [("标签组", "", canonical(group.name), group.line), ("标签组 key", "", group.key, group.line)]
        for tag in group.tags:
            line = tag.line or group.line
            marks += [("标签", str(place), canonical(tag.name), line), ("标签 key", "", tag.key, line)]
        for words, where, value, line in marks:
            if value is None:
                continue
            if (words, where, value) in seen:
                yield line, f"{words}「{value}」写了两次，前一次在第 {seen[words, where, value]} 行"
            else:
                seen[words, where, value] = line
