"""The condition that the console's three fieldsets can say, and back: all of these, any of those, none of these."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any

from wecom_app.domain import conditions
from wecom_app.domain.condition_leaves import TagLeaf
from wecom_app.domain.conditions import All, Condition, Not

OPERATORS = {"all": "has_all", "any": "has_any", "none": "has_none"}


@dataclass(frozen=True)
class Choice:
    """Keys of tags: a customer has all of the first, any of the second, none of the third."""

    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()


def to_document(choice: Choice) -> dict[str, Any] | None:
    """Return the condition's document; None where nothing is chosen, which means everybody."""
    parts = [
        {"on": "tag", "op": operator, "tags": list(keys)}
        for name, operator in OPERATORS.items()
        if (keys := getattr(choice, name))
    ]
    if not parts:
        return None
    return parts[0] if len(parts) == 1 else {"all": parts}


def from_document(document: Mapping[str, Any] | None) -> Choice | None:
    """Return what the fieldsets show of a condition; None where they cannot say it. Raises InvalidInput."""
    if document is None:
        return Choice()
    condition = conditions.parse(document)
    parts: tuple[Condition, ...] = condition.parts if isinstance(condition, All) else (condition,)
    chosen: dict[str, tuple[str, ...]] = {}
    names = {operator: name for name, operator in OPERATORS.items()}
    for part in map(_positive, parts):
        if not isinstance(part, TagLeaf) or part != TagLeaf(part.op, part.tags) or names[part.op] in chosen:
            return None
        chosen[names[part.op]] = tuple(dict.fromkeys(part.tags))
    return Choice(**chosen)


def _positive(part: Condition) -> Condition:
    """Return "not any of these" as "none of these"."""
    if isinstance(part, Not) and isinstance(part.part, TagLeaf) and part.part.op == "has_any":
        return replace(part.part, op="has_none")
    return part
