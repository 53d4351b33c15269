"""Who holds several tags of a group at once: asked before a multi-choice group turns single-choice, and meanwhile."""

from collections import Counter

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import SOURCE_GROUP_NAME, Scope
from wecom_app.errors import Conflict
from wecom_app.models import CustomerTag, Tag, TagEvent, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL


def check_may_be_single(group: TagGroup) -> None:
    """Raise Conflict for the group of sources: a customer who comes through two channels has both."""
    if group.name == SOURCE_GROUP_NAME:
        raise Conflict("「获客来源」由系统自动使用，必须是多选")


def of_group(group: TagGroup) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on rows that say what is truly held of a group, retired tags included."""
    at_customer: ColumnElement[bool] = CustomerTag.relation_id == CUSTOMER_LEVEL
    return (
        CustomerTag.tag_id.in_(select(Tag.id).where(Tag.group_id == group.id)),
        at_customer if group.scope == Scope.CUSTOMER else ~at_customer,
        CustomerTag.wanted.is_(True),
    )


def holding_several(group: TagGroup) -> Select[int, int]:
    """Return the customers (or relations) that hold more than one tag of a group, in order."""
    return (
        select(CustomerTag.customer_id, CustomerTag.relation_id)
        .where(*of_group(group))
        .group_by(CustomerTag.customer_id, CustomerTag.relation_id)
        .having(func.count() > 1)
        .order_by(CustomerTag.customer_id, CustomerTag.relation_id)
    )


def count_holding_several(session: Session, group: TagGroup) -> int:
    """Return how many customers hold more than one tag of a group; it takes long where many hold one."""
    several = holding_several(group).order_by(None).subquery()
    return session.execute(select(func.count(several.c.customer_id.distinct()))).scalar_one()


def last_event(session: Session) -> int:
    """Return the number of the last change of a tag, by which `count_since` knows what a count has not seen."""
    return session.execute(select(func.max(TagEvent.id))).scalar_one() or 0


def count_since(session: Session, group: TagGroup, event_id: int) -> int:
    """Return how many of the customers whose tags have changed since hold more than one tag of a group."""
    # Not told apart in SQL: SQLite would go by the index of customers for it, and read the whole history.
    changed = set(session.scalars(select(TagEvent.customer_id).where(TagEvent.id > event_id)))
    *_, at_level, is_held = of_group(group)
    # By customer and not by group as well: SQLite would go by the group, and read everybody who has a tag of it.
    query = select(CustomerTag.customer_id, CustomerTag.relation_id, CustomerTag.tag_id)
    rows = session.execute(query.where(CustomerTag.customer_id.in_(changed), at_level, is_held)).all()
    tag_ids = set(session.scalars(select(Tag.id).where(Tag.group_id == group.id)))
    held = Counter((row.customer_id, row.relation_id) for row in rows if row.tag_id in tag_ids)
    return len({customer_id for (customer_id, _), number in held.items() if number > 1})
