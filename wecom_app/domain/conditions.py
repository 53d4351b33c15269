"""The condition language of rules, segments and content: read from JSON, asked of a customer, said in words.

A condition is `all`, `any`, `not` or `atleast` of others, or a leaf of `domain.condition_leaves`; its documents are
those of `cond` in rule.schema.json. Nothing here knows a database: `services.condition_queries` counts customers.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

from wecom_app.domain.condition_leaves import LEAVES, Answer, Facts, HeldTag, Leaf, Reading, TagLeaf
from wecom_app.errors import InvalidInput

MAX_DEPTH = 6
MAX_NODES = 200
MAX_BRANCHES = 50
FORMS = "all（同时满足）、any（满足任一）、not（排除）、atleast（至少满足几项）"


@dataclass(frozen=True)
class All:
    """Holds where every one of its parts does."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class AnyOf:
    """Holds where one of its parts does."""

    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class AtLeast:
    """Holds where `count` or more of its parts do."""

    count: int
    parts: tuple["Condition", ...]


@dataclass(frozen=True)
class Not:
    """Holds where its part does not."""

    part: "Condition"


Condition = All | AnyOf | AtLeast | Not | Leaf


def parse(document: Any) -> Condition:
    """Return the condition that a document says.

    Raises InvalidInput, whose `details` say what to change at each path (such as `/all/0/tags`).
    """
    reader = _Reader()
    found = reader.read(document, "", 1)
    if found is None or reader.reading.problems:
        problems = reader.reading.problems
        told = "；".join(f"{path}：{message}" for path, message in list(problems.items())[:3])
        raise InvalidInput(f"条件有误：{told}", details=dict(problems))
    return found


def to_json(condition: Condition) -> dict[str, Any]:
    """Return the document of a condition: what `parse` would read back."""
    match condition:
        case All(parts):
            return {"all": [to_json(part) for part in parts]}
        case AnyOf(parts):
            return {"any": [to_json(part) for part in parts]}
        case AtLeast(count, parts):
            return {"atleast": count, "of": [to_json(part) for part in parts]}
        case Not(part):
            return {"not": to_json(part)}
        case _:
            return condition.to_json()


def ask(condition: Condition, facts: Facts) -> Answer:
    """Return whether the condition holds, and the tags that made it hold."""
    match condition:
        case Not(part):
            return Answer(not ask(part, facts).holds)
        case All(parts):
            return _joined(parts, facts, len(parts))
        case AnyOf(parts):
            return _joined(parts, facts, 1)
        case AtLeast(count, parts):
            return _joined(parts, facts, count)
        case _:
            return condition.ask(facts)


def _joined(parts: Sequence[Condition], facts: Facts, needed: int) -> Answer:
    answers = [answer for answer in (ask(part, facts) for part in parts) if answer.holds]
    if len(answers) < needed:
        return Answer(holds=False)
    because: dict[str, HeldTag] = {}
    for answer in answers:
        for tag in answer.because:
            because.setdefault(tag.key, tag)
    return Answer(holds=True, because=tuple(because.values()))


def with_tag_replaced(condition: Condition, old: str, new: str) -> Condition:
    """Return the condition asking for another tag in a tag's place; where it names both, once."""
    match condition:
        case All(parts):
            return All(tuple(with_tag_replaced(part, old, new) for part in parts))
        case AnyOf(parts):
            return AnyOf(tuple(with_tag_replaced(part, old, new) for part in parts))
        case AtLeast(count, parts):
            return AtLeast(count, tuple(with_tag_replaced(part, old, new) for part in parts))
        case Not(part):
            return Not(with_tag_replaced(part, old, new))
        case TagLeaf():
            tags = (new if key == old else key for key in condition.tags)
            return replace(condition, tags=tuple(dict.fromkeys(tags)))
        case _:
            return condition


def failing(condition: Condition, facts: Facts) -> list[Condition]:
    """Return the parts of a condition that keep it from holding; of anything but `all`, the condition itself."""
    if ask(condition, facts).holds:
        return []
    if isinstance(condition, All):
        return [found for part in condition.parts for found in failing(part, facts)]
    return [condition]


def words(condition: Condition, names: Mapping[str, str]) -> str:
    """Say in Chinese what a condition asks; `names` are those of tags by key."""
    match condition:
        case All(parts):
            return "，并且".join(_enclosed(part, names) for part in parts)
        case AnyOf(parts):
            return "，或者".join(_enclosed(part, names) for part in parts)
        case AtLeast(count, parts):
            listed = "；".join(_enclosed(part, names) for part in parts)
            return f"以下 {len(parts)} 项中至少满足 {count} 项：{listed}"
        case Not(part):
            return f"不满足{_enclosed(part, names, always=True)}"
        case _:
            return condition.words(names)


def _enclosed(part: Condition, names: Mapping[str, str], *, always: bool = False) -> str:
    text = words(part, names)
    compound = isinstance(part, All | AnyOf | AtLeast) and len(part.parts) > 1
    return f"（{text}）" if compound or always else text


def needed_tags(condition: Condition) -> frozenset[str] | None:
    """Return tags one of which a customer must have for the condition to hold; None where it may hold without any."""
    match condition:
        case Not():
            return None
        case All(parts):
            found = [needed for part in parts if (needed := needed_tags(part)) is not None]
            return min(found, key=len, default=None)
        case AnyOf(parts) | AtLeast(_, parts):
            each = [needed_tags(part) for part in parts]
            known = [needed for needed in each if needed is not None]
            return frozenset().union(*known) if len(known) == len(each) else None
        case _:
            return condition.needed_tags()


def leaves(condition: Condition) -> list[Leaf]:
    """Return the questions that a condition is made of, in its order."""
    match condition:
        case All(parts) | AnyOf(parts) | AtLeast(_, parts):
            return [leaf for part in parts for leaf in leaves(part)]
        case Not(part):
            return leaves(part)
        case _:
            return [condition]


class _Reader:
    """Reads one document; deep or large ones are given up early."""

    def __init__(self) -> None:
        self.reading = Reading()
        self._nodes = 0

    def read(self, document: Any, path: str, depth: int) -> Condition | None:
        self._nodes += 1
        if depth > MAX_DEPTH:
            self.reading.wrong(path, f"嵌套太深：最多 {MAX_DEPTH} 层，请拆开或合并")
        elif self._nodes > MAX_NODES:
            self.reading.wrong("", f"条件太大：最多 {MAX_NODES} 项，请拆成几条")
        elif not isinstance(document, dict):
            self.reading.wrong(path, "这里应是一个条件对象，用花括号写")
        else:
            return self._read_object(document, path, depth)
        return None

    def _read_object(self, document: Mapping[Any, Any], path: str, depth: int) -> Condition | None:
        forms = {"all": self._all, "any": self._any, "not": self._not, "atleast": self._at_least, "on": self._leaf}
        for name, read in forms.items():
            if name in document:
                return read(document, path, depth)
        self.reading.wrong(path, f"缺少条件：请写 {FORMS}，或以 on 开头的条件")
        return None

    def _all(self, document: Mapping[Any, Any], path: str, depth: int) -> Condition | None:
        self.reading.only(document, path, ("all",))
        parts = self._parts(document["all"], f"{path}/all", depth, fewest=1)
        return All(parts) if parts else None

    def _any(self, document: Mapping[Any, Any], path: str, depth: int) -> Condition | None:
        self.reading.only(document, path, ("any",))
        parts = self._parts(document["any"], f"{path}/any", depth, fewest=1)
        return AnyOf(parts) if parts else None

    def _not(self, document: Mapping[Any, Any], path: str, depth: int) -> Condition | None:
        self.reading.only(document, path, ("not",))
        part = self.read(document["not"], f"{path}/not", depth + 1)
        return Not(part) if part is not None else None

    def _at_least(self, document: Mapping[Any, Any], path: str, depth: int) -> Condition | None:
        self.reading.only(document, path, ("atleast", "of"))
        count = document["atleast"]
        # JSON knows one kind of number: 2.0 is the integer 2.
        whole = (isinstance(count, int) and not isinstance(count, bool)) or (
            isinstance(count, float) and count.is_integer()
        )
        if not whole or count < 1:
            self.reading.wrong(f"{path}/atleast", "atleast 请填大于 0 的整数")
            return None
        parts = self._parts(document.get("of"), f"{path}/of", depth, fewest=2)
        return AtLeast(int(count), parts) if parts else None

    def _leaf(self, document: Mapping[Any, Any], path: str, _depth: int) -> Condition | None:
        on = document["on"]
        read = LEAVES.get(on) if isinstance(on, str) else None
        if read is None:
            self.reading.wrong(f"{path}/on", f"on 目前可用的是 {'、'.join(LEAVES)}")
            return None
        return read(document, path, self.reading)

    def _parts(self, value: Any, path: str, depth: int, *, fewest: int) -> tuple[Condition, ...]:
        if not isinstance(value, list) or not fewest <= len(value) <= MAX_BRANCHES:
            self.reading.wrong(path, f"这里应是 {fewest} 到 {MAX_BRANCHES} 个条件的列表")
            return ()
        read = [self.read(item, f"{path}/{index}", depth + 1) for index, item in enumerate(value)]
        return tuple(part for part in read if part is not None)
