"""YAML as plain data that knows the line of each field and item: no references, no types of its own, no field twice.

Called by `services.library_reading`. References could make a small file endless, and of two equal fields one would
be dropped without a word.
"""

from typing import Any, ClassVar

import yaml

MAP, SEQUENCE, MERGE, TEXT = (f"tag:yaml.org,2002:{kind}" for kind in ("map", "seq", "merge", "str"))
LINE = "line"
"""The field in which each mapping bears its line."""
WORDS = (
    ("found character '\\t'", "不能用制表符缩进，请改用空格"),
    ("mapping values are not allowed", "这里不能有冒号；值里有冒号时请加引号"),
    ("another document", "一个文件只能有一份，请去掉 ---"),
    ("unexpected end of stream", "引号没有成对"),
)
"""What people are told for what the library says, by how that begins or what it holds."""
OTHERWISE = "看不懂这里，请检查缩进、冒号和引号"


class Unreadable(Exception):
    """Text that is no YAML of this kind."""

    def __init__(self, line: int, words: str) -> None:
        super().__init__(words)
        self.line, self.words = line, f"YAML 格式有误：{words}"


class Lines:
    """Parent of what was read: the line of each field or item."""

    lines: dict[Any, int]


class Fields(dict[str, Any], Lines):
    """A mapping."""


class Items(list[Any], Lines):
    """A list."""


def plain_data(text: str) -> Any:
    """Return what a YAML text says; raise Unreadable with the line that is wrong."""
    try:
        return yaml.load(text, Loader=_Loader)  # noqa: S506  a SafeLoader
    except yaml.MarkedYAMLError as error:
        line = error.problem_mark.line + 1 if error.problem_mark else 0
        told = error.problem or ""
        raise Unreadable(line, next((words for mark, words in WORDS if mark in told), OTHERWISE)) from error
    except yaml.reader.ReaderError as error:
        raise Unreadable(text.count("\n", 0, error.position) + 1, "这里有不能用的控制字符") from error
    except (yaml.YAMLError, RecursionError) as error:
        raise Unreadable(0, OTHERWISE) from error


def _mapping(loader: Any, node: Any) -> Fields:
    lines: dict[str, int] = {}
    for key, _ in node.value:
        line = key.start_mark.line + 1
        if key.tag == MERGE:
            raise Unreadable(line, "不支持合并（<<）")
        if key.tag != TEXT:
            raise Unreadable(line, "字段名要是文字")
        if key.value in lines or key.value == LINE:
            raise Unreadable(line, f"「{key.value}」写了两次" if key.value in lines else f"不认识 {LINE}")
        lines[key.value] = line
    found = Fields(loader.construct_mapping(node, deep=True))
    found.lines, found[LINE] = lines, node.start_mark.line + 1
    return found


def _sequence(loader: Any, node: Any) -> Items:
    found = Items(loader.construct_sequence(node, deep=True))
    found.lines = {place: item.start_mark.line + 1 for place, item in enumerate(node.value)}
    return found


def _next_event(loader: Any) -> Any:
    """Return what comes next; the library tells no types."""
    return loader.peek_event()


class _Loader(yaml.SafeLoader):
    yaml_constructors: ClassVar[Any] = {**yaml.SafeLoader.yaml_constructors, MAP: _mapping, SEQUENCE: _sequence}

    def compose_node(self, parent: Any, index: Any) -> Any:
        event = _next_event(self)
        line = event.start_mark.line + 1
        if getattr(event, "anchor", None):
            raise Unreadable(line, "不支持锚点和引用（& 和 *）")
        if getattr(event, "tag", None):
            raise Unreadable(line, f"不支持指定类型（{event.tag}）")
        return super().compose_node(parent, index)

    def construct_object(self, node: Any, deep: bool = False) -> Any:
        try:
            return super().construct_object(node, deep=deep)
        except ValueError as error:
            # A day that there is not, a number without end.
            raise Unreadable(node.start_mark.line + 1, "这个值看不懂，请加引号") from error
