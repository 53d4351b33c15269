"""The leaves of the condition language: what can be asked of one customer. `LEAVES` is the table that the parser reads.

A further leaf is a class with the four methods of `Leaf`, a reader that makes it from a document, and its line in
`LEAVES`; what it asks about is a further field of `Facts`.
"""

import re
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from wecom_app.domain.durations import Duration, parse_duration
from wecom_app.domain.words import SOURCE_WORDS

KEY = re.compile(r"[a-z][a-z0-9_]*(\.[a-z0-9_]+)*")
MAX_KEY = 100
MAX_TAGS = 200
"""Tags in one leaf; more than anybody reads."""
SOURCES = ("rule", "campaign", "manual", "import", "wecom", "model", "api")
"""The sources that a condition can ask for."""


@dataclass(frozen=True)
class HeldTag:
    """A tag that a customer has; `source` is the public word of its source kind."""

    key: str
    name: str
    source: str
    set_at: datetime
    confidence: float = 1.0
    """How sure a model is; whatever a person or a rule set is certain."""


@dataclass(frozen=True)
class Facts:
    """What is known of one customer when a condition is asked."""

    now: datetime
    tags: Mapping[str, Sequence[HeldTag]] = field(default_factory=dict)
    """By key; several where the tag stands on several relations."""


def facts_of(held: Sequence[HeldTag], now: datetime) -> Facts:
    """Return the facts of a customer with these tags."""
    tags: dict[str, list[HeldTag]] = {}
    for tag in held:
        tags.setdefault(tag.key, []).append(tag)
    return Facts(now, tags)


@dataclass(frozen=True)
class Answer:
    """Whether a condition holds, and the tags that made it hold, each once, in the order of the condition."""

    holds: bool
    because: tuple[HeldTag, ...] = ()


class Leaf(Protocol):
    """One question about a customer."""

    def to_json(self) -> dict[str, Any]:
        """Return the document that it was read from."""
        ...

    def ask(self, facts: Facts) -> Answer: ...

    def words(self, names: Mapping[str, str]) -> str:
        """Say in Chinese what is asked; `names` are those of tags by key."""
        ...

    def needed_tags(self) -> frozenset[str] | None:
        """Return tags one of which a customer must have for this to hold; None where it may hold without."""
        ...


@dataclass(frozen=True)
class TagLeaf:
    """Whether the customer has any, all or none of some tags that were set so, long enough ago, surely enough."""

    op: str
    tags: tuple[str, ...]
    source: tuple[str, ...] | None = None
    held_for: Duration | None = None
    min_confidence: float | None = None

    def to_json(self) -> dict[str, Any]:
        document: dict[str, Any] = {"on": "tag", "op": self.op, "tags": list(self.tags)}
        if self.source is not None:
            document["source"] = list(self.source)
        if self.held_for is not None:
            document["held_for"] = str(self.held_for)
        if self.min_confidence is not None:
            document["min_confidence"] = self.min_confidence
        return document

    def ask(self, facts: Facts) -> Answer:
        since = self.held_for.before(facts.now) if self.held_for else None
        found = [next((tag for tag in facts.tags.get(key, ()) if self._counts(tag, since)), None) for key in self.tags]
        having = tuple(dict.fromkeys(tag for tag in found if tag is not None))
        if self.op == "has_none":
            return Answer(not having)
        holds = bool(having) if self.op == "has_any" else None not in found
        return Answer(holds, having if holds else ())

    def _counts(self, tag: HeldTag, since: datetime | None) -> bool:
        return (
            (self.source is None or tag.source in self.source)
            and (since is None or tag.set_at <= since)
            and (self.min_confidence is None or tag.confidence >= self.min_confidence)
        )

    def words(self, names: Mapping[str, str]) -> str:
        listed = "".join(f"「{names.get(key, key)}」" for key in self.tags)
        one, several = TAG_OPERATORS[self.op]
        return (one if len(self.tags) == 1 else several).format(tags=listed) + self._limits()

    def _limits(self) -> str:
        limits = []
        if self.source is not None:
            limits.append(f"来自{'或'.join(SOURCE_WORDS[source] for source in self.source) or '无'}")
        if self.held_for is not None:
            limits.append(f"已满 {self.held_for.words}")
        if self.min_confidence is not None:
            limits.append(f"置信度不低于 {self.min_confidence:g}")
        return f"（{'，'.join(limits)}）" if limits else ""

    def needed_tags(self) -> frozenset[str] | None:
        if self.op == "has_none":
            return None
        return frozenset(self.tags if self.op == "has_any" else self.tags[:1])


TAG_OPERATORS = {
    "has_any": ("有{tags}", "有{tags}中的任意一个"),
    "has_all": ("有{tags}", "同时有{tags}"),
    "has_none": ("没有{tags}", "没有{tags}中的任何一个"),
}
"""Each with its words for one tag and for several."""


class Reading:
    """A document under way: where in it we are, and what was found wrong so far."""

    def __init__(self) -> None:
        self.problems: dict[str, str] = {}

    def wrong(self, path: str, message: str) -> None:
        """Note the first thing that is wrong at a place, as a path such as `/all/0/tags`."""
        self.problems.setdefault(path or "/", message)

    def only(self, document: Mapping[Any, Any], path: str, known: Sequence[str]) -> None:
        """Note fields that do not belong there."""
        for name in document:
            if name not in known:
                self.wrong(f"{path}/{name}", f"这里没有字段「{name}」，请删去；可用的字段是 {'、'.join(known)}")


def read_tag_leaf(document: Mapping[Any, Any], path: str, reading: Reading) -> TagLeaf | None:
    """Return the leaf; None where something was wrong, which is noted."""
    before = len(reading.problems)
    reading.only(document, path, ("on", "op", "tags", "source", "held_for", "min_confidence"))
    op = document.get("op")
    if not isinstance(op, str) or op not in TAG_OPERATORS:
        reading.wrong(f"{path}/op", f"op 请填 {'、'.join(TAG_OPERATORS)} 之一")
    tags = _read_tags(document.get("tags"), f"{path}/tags", reading)
    source = _read_sources(document, f"{path}/source", reading)
    held_for = _read_held_for(document, f"{path}/held_for", reading)
    confidence = _read_confidence(document, f"{path}/min_confidence", reading)
    if len(reading.problems) > before:
        return None
    return TagLeaf(str(op), tags, source, held_for, confidence)


def _read_tags(value: Any, path: str, reading: Reading) -> tuple[str, ...]:
    if not isinstance(value, list) or not value:
        reading.wrong(path, "tags 请填至少一个标签的 key，写成列表")
        return ()
    if len(value) > MAX_TAGS:
        reading.wrong(path, f"一处最多 {MAX_TAGS} 个标签，请拆成几处")
        return ()
    for index, key in enumerate(value):
        if not isinstance(key, str) or len(key) > MAX_KEY or not KEY.fullmatch(key):
            reading.wrong(f"{path}/{index}", "这不是标签的 key：应形如 behaviour.intent.high，请从标签库复制")
    return tuple(str(key) for key in value)


def _read_sources(document: Mapping[Any, Any], path: str, reading: Reading) -> tuple[str, ...] | None:
    if "source" not in document:
        return None
    value = document["source"]
    if not isinstance(value, list) or any(not isinstance(item, str) or item not in SOURCES for item in value):
        reading.wrong(path, f"source 请填列表，可用的是 {'、'.join(SOURCES)}")
        return None
    return tuple(value)


def _read_held_for(document: Mapping[Any, Any], path: str, reading: Reading) -> Duration | None:
    if "held_for" not in document:
        return None
    value = document["held_for"]
    found = parse_duration(value) if isinstance(value, str) else None
    if found is None:
        reading.wrong(path, "held_for 请填数字加单位：h 小时、d 天、w 周、m 月、y 年，例如 30d")
    return found


def _read_confidence(document: Mapping[Any, Any], path: str, reading: Reading) -> float | None:
    if "min_confidence" not in document:
        return None
    value = document["min_confidence"]
    if isinstance(value, bool) or not isinstance(value, int | float) or not 0 <= value <= 1:
        reading.wrong(path, "min_confidence 请填 0 到 1 之间的数")
        return None
    return value


LeafReader = Callable[[Mapping[Any, Any], str, Reading], Leaf | None]
LEAVES: Mapping[str, LeafReader] = {"tag": read_tag_leaf}
"""By what a leaf's `on` says."""
