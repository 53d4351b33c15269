"""Conditions asked of the tables: which customers fit, how many, and what one customer holds.

`domain.conditions` asks one customer in memory; `matching` says the same in SQL, and a test holds the two together.
"""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, and_, case, exists, false, func, literal, not_, or_, select, true
from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.domain.condition_leaves import HeldTag, Leaf, TagLeaf
from wecom_app.domain.conditions import All, AnyOf, AtLeast, Condition, Not
from wecom_app.domain.vocabulary import SourceKind, public_source
from wecom_app.errors import InvalidInput
from wecom_app.models import Customer, CustomerTag, Relation, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL

KINDS_OF_SOURCE: Mapping[str, list[str]] = {
    word: [kind.value for kind in SourceKind if public_source(kind) == word]
    for word in {public_source(kind) for kind in SourceKind}
}
"""The source kinds behind each public word."""


@dataclass(frozen=True)
class KnownTag:
    id: int
    name: str
    scope: str


@dataclass(frozen=True)
class Count:
    """How many of our present customers fit, each once, and how many there are."""

    fitting: int
    customers: int


LIVE = exists().where(Relation.customer_id == Customer.id, Relation.lost_at.is_(None))
"""Customers who are somebody's friend at present."""


def keys_in(condition: Condition) -> set[str]:
    """Return the keys of the tags that a condition names."""
    return {key for leaf in conditions.leaves(condition) if isinstance(leaf, TagLeaf) for key in leaf.tags}


def known_tags(session: Session, keys: set[str]) -> dict[str, KnownTag]:
    """Return the tags with these keys that were not archived or deleted, by key."""
    query = (
        select(Tag.key, Tag.id, Tag.name, TagGroup.scope)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.key.in_(keys), Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    )
    return {row.key: KnownTag(row.id, row.name, row.scope) for row in session.execute(query)}


def check_tags(session: Session, condition: Condition) -> dict[str, KnownTag]:
    """Return the tags that a condition names; raise InvalidInput for those that are not there."""
    keys = keys_in(condition)
    known = known_tags(session, keys)
    missing = sorted(keys - set(known))
    if missing:
        raise InvalidInput(
            f"条件里有标签库没有的标签：{'、'.join(missing)}，请改选", details={"condition": f"没有标签 {missing[0]}"}
        )
    return known


def count(session: Session, condition: Condition | None, now: datetime) -> Count:
    """Return how many present customers fit now; raise InvalidInput for tags that are not there."""
    everybody = session.execute(select(func.count()).select_from(Customer).where(LIVE)).scalar_one()
    if condition is None:
        return Count(everybody, everybody)
    fits = matching(condition, check_tags(session, condition), now)
    query = select(func.count()).select_from(Customer).where(LIVE, fits)
    return Count(session.execute(query).scalar_one(), everybody)


def matching(condition: Condition, tags: Mapping[str, KnownTag], now: datetime) -> ColumnElement[bool]:
    """Return the condition on `customer` that holds for those who fit; a tag that is not there is held by nobody."""
    match condition:
        case All(parts):
            return and_(true(), *(matching(part, tags, now) for part in parts))
        case AnyOf(parts):
            return or_(false(), *(matching(part, tags, now) for part in parts))
        case Not(part):
            return not_(matching(part, tags, now))
        case AtLeast(needed, parts):
            each = (case((matching(part, tags, now), 1), else_=0) for part in parts)
            total: ColumnElement[Any] = sum(each, start=literal(0))
            return total >= needed
        case _:
            return LEAF_QUERIES[type(condition)](condition, tags, now)


def held_tags(session: Session, customer_id: int, now: datetime) -> list[HeldTag]:
    """Return the tags that a customer has now, as conditions see them."""
    query = (
        select(Tag.key, Tag.name, CustomerTag.source_kind, CustomerTag.set_at)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            CustomerTag.customer_id == customer_id,
            _holds(now),
            or_(
                and_(TagGroup.scope != "relation", CustomerTag.relation_id == CUSTOMER_LEVEL),
                and_(TagGroup.scope == "relation", _on_live_relation()),
            ),
        )
        .order_by(Tag.id, CustomerTag.relation_id)
    )
    return [HeldTag(row.key, row.name, public_source(row.source_kind), row.set_at) for row in session.execute(query)]


def _tag_leaf(leaf: Leaf, tags: Mapping[str, KnownTag], now: datetime) -> ColumnElement[bool]:
    assert isinstance(leaf, TagLeaf)
    if leaf.op == "has_all":
        return and_(true(), *(_has_any(leaf, [key], tags, now) for key in dict.fromkeys(leaf.tags)))
    having = _has_any(leaf, leaf.tags, tags, now)
    return not_(having) if leaf.op == "has_none" else having


def _has_any(leaf: TagLeaf, keys: Sequence[str], tags: Mapping[str, KnownTag], now: datetime) -> ColumnElement[bool]:
    known = [tags[key] for key in keys if key in tags]
    own = [tag.id for tag in known if tag.scope != "relation"]
    of_relations = [tag.id for tag in known if tag.scope == "relation"]
    limits = [_holds(now)]
    if leaf.source is not None:
        kinds = [kind for word in leaf.source for kind in KINDS_OF_SOURCE.get(word, ())]
        limits.append(CustomerTag.source_kind.in_(kinds))
    if leaf.held_for is not None:
        limits.append(CustomerTag.set_at <= leaf.held_for.before(now))
    # Whatever stands in the table is certain: min_confidence leaves nobody out until models set tags.
    found = select(CustomerTag.customer_id).where(*limits)
    ways = []
    if own:
        ways.append(found.where(CustomerTag.tag_id.in_(own), CustomerTag.relation_id == CUSTOMER_LEVEL))
    if of_relations:
        ways.append(found.where(CustomerTag.tag_id.in_(of_relations), _on_live_relation()))
    return or_(false(), *(Customer.id.in_(way) for way in ways))


def _holds(now: datetime) -> ColumnElement[bool]:
    return and_(CustomerTag.wanted, or_(CustomerTag.expires_at.is_(None), CustomerTag.expires_at > now))


def _on_live_relation() -> ColumnElement[bool]:
    return exists().where(Relation.id == CustomerTag.relation_id, Relation.lost_at.is_(None))


LeafQuery = Callable[[Leaf, Mapping[str, KnownTag], datetime], ColumnElement[bool]]
LEAF_QUERIES: Mapping[type, LeafQuery] = {TagLeaf: _tag_leaf}
"""What each leaf of the condition language is in SQL."""
