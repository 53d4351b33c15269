"""Random conditions over tags with the answer of plain set logic; a seed makes the same ones again."""

from collections.abc import Mapping, Sequence
from datetime import UTC, datetime, timedelta
from random import Random
from typing import Any

from wecom_app.domain.condition_leaves import HeldTag

NOW = datetime(2026, 3, 31, 8, 0, tzinfo=UTC)
KEYS = ("a.x", "a.y", "b.x", "b.y", "c")
SOURCES = ("rule", "manual", "wecom")
SPANS = {"1h": timedelta(hours=1), "5d": timedelta(days=5), "1m": timedelta(days=31), "1y": timedelta(days=365)}
"""From the last of March: a month before is the last of February, 31 days away."""


def some(rng: Random, values: Sequence[Any], most: int, fewest: int = 1) -> list[Any]:
    return [rng.choice(values) for _ in range(rng.randint(fewest, most))]


def leaf(rng: Random) -> dict[str, Any]:
    op = rng.choice(["has_any", "has_all", "has_none"])
    document: dict[str, Any] = {"on": "tag", "op": op, "tags": some(rng, KEYS, 3)}
    if rng.random() < 0.25:
        document["source"] = some(rng, SOURCES, 2, fewest=0)
    if rng.random() < 0.25:
        document["held_for"] = rng.choice(list(SPANS))
    if rng.random() < 0.1:
        document["min_confidence"] = rng.choice([0, 0.5, 1])
    return document


def document(rng: Random, levels: int = 3) -> dict[str, Any]:
    """Return a condition of at most `levels` + 1 levels."""
    if levels == 0 or rng.random() < 0.3:
        return leaf(rng)
    form = rng.choice(["all", "any", "not", "atleast"])
    if form == "not":
        return {"not": document(rng, levels - 1)}
    parts = [document(rng, levels - 1) for _ in range(rng.randint(2 if form == "atleast" else 1, 3))]
    return {"atleast": rng.randint(1, 4), "of": parts} if form == "atleast" else {form: parts}


def held(rng: Random) -> list[HeldTag]:
    """Return a customer's tags, each at most once."""
    return [
        HeldTag(key, f"名{key}", rng.choice(SOURCES), NOW - timedelta(days=rng.choice([0, 5, 40])))
        for key in KEYS
        if rng.random() < 0.5
    ]


def expected(condition: Mapping[str, Any], tags: Sequence[HeldTag]) -> bool:
    """Answer by sets and counting alone, without the classes under test."""
    if "all" in condition:
        return all(expected(part, tags) for part in condition["all"])
    if "any" in condition:
        return any(expected(part, tags) for part in condition["any"])
    if "not" in condition:
        return not expected(condition["not"], tags)
    if "atleast" in condition:
        return sum(expected(part, tags) for part in condition["of"]) >= condition["atleast"]
    wanted = set(condition["tags"])
    has = {
        tag.key
        for tag in tags
        if tag.source in condition.get("source", [tag.source])
        and NOW - tag.set_at >= SPANS.get(condition.get("held_for", ""), timedelta(0))
        and tag.confidence >= condition.get("min_confidence", 0)
    } & wanted
    return {"has_any": bool(has), "has_all": has == wanted, "has_none": not has}[condition["op"]]
