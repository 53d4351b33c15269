"""New friendships of a time, and whether somebody has tagged their customers; asked by the digest and the bot.

New is what an event told us of: not what the first link found, and not what a colleague handed over. The source
tag that every contact gets by itself does not count as tagged.
"""

from collections import Counter
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import ColumnElement, and_, exists, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import HANDED_OVER, SOURCE_GROUP_KEY, SOURCE_GROUP_NAME, source_name
from wecom_app.models import Channel, CustomerTag, Relation, Tag, TagGroup


@dataclass(frozen=True)
class Newcomers:
    """Customers (each once) who came in a time."""

    by_source: Mapping[str, int]
    """Names of channels or ways of adding; a customer with two new friendships counts under the first."""
    tagged: int

    @property
    def total(self) -> int:
        return sum(self.by_source.values())


def is_new(begin: datetime, end: datetime) -> ColumnElement[bool]:
    """Return the condition on `relation` that it is a live one that began in the time."""
    return and_(
        Relation.opened_at >= begin,
        Relation.opened_at < end,
        Relation.lost_at.is_(None),
        ~Relation.linked,
        or_(Relation.add_way.is_(None), Relation.add_way.not_in(HANDED_OVER)),
    )


def is_tagged(now: datetime) -> ColumnElement[bool]:
    """Return the condition that the customer of `relation` has a tag besides his source."""
    return exists(
        select(CustomerTag.customer_id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            CustomerTag.customer_id == Relation.customer_id,
            CustomerTag.wanted,
            or_(CustomerTag.expires_at.is_(None), CustomerTag.expires_at > now),
            TagGroup.key != SOURCE_GROUP_KEY,
            TagGroup.name != SOURCE_GROUP_NAME,
        )
    )


def count(session: Session, begin: datetime, end: datetime, now: datetime) -> Newcomers:
    """Count the customers who came in the time, by source, and those of them who are tagged."""
    query = (
        select(Relation.customer_id, Channel.name, Relation.add_way, is_tagged(now))
        .outerjoin(Channel, Channel.id == Relation.channel_id)
        .where(is_new(begin, end))
        .order_by(Relation.id)
    )
    sources: dict[int, str] = {}
    tagged: set[int] = set()
    for customer_id, channel, add_way, has_tags in session.execute(query):
        sources.setdefault(customer_id, channel or source_name(add_way))
        if has_tags:
            tagged.add(customer_id)
    return Newcomers(dict(Counter(sources.values()).most_common()), len(tagged))
