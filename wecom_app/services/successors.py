"""Which tag stands for one that was merged away, to the end of a chain of merges.

Asked by looks, and where somebody is told what to use instead.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import TypeVar

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import Tag

Name = TypeVar("Name", int, str)


@dataclass(frozen=True)
class Heir:
    """The tag at the end of a chain of merges."""

    id: int
    key: str


def of(session: Session, merged: Mapping[Name, str]) -> dict[Name, Heir]:
    """Return what stands for each of these tags; they come with the key that each was merged into.

    One whose heir is deleted at WeCom is left out: nobody can get that.
    """
    keys, found = dict(merged), dict[Name, Heir]()
    while keys:
        query = select(Tag.key, Tag.id, Tag.merged_into, Tag.gone_at).where(Tag.key.in_(set(keys.values())))
        standing = {row.key: row for row in session.execute(query)}
        further = dict[Name, str]()
        for name, key in keys.items():
            heir = standing[key]
            if heir.merged_into is not None:
                further[name] = heir.merged_into
            elif heir.gone_at is None:
                found[name] = Heir(heir.id, heir.key)
        keys = further
    return found


def instead_of(session: Session, keys: list[str]) -> dict[str, str]:
    """Return the keys to use instead of those that were merged away."""
    query = select(Tag.key, Tag.merged_into).where(Tag.key.in_(keys), Tag.merged_into.is_not(None))
    heirs = of(session, {row.key: row.merged_into for row in session.execute(query) if row.merged_into is not None})
    return {key: heir.key for key, heir in heirs.items()}
