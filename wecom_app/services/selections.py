"""Who holds several tags of a group at once: asked before a multi-choice group turns single-choice, and meanwhile."""

from sqlalchemy import ColumnElement, Select, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Scope
from wecom_app.models import CustomerTag, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL


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
    """Return how many customers hold more than one tag of a group."""
    several = holding_several(group).order_by(None).subquery()
    return session.execute(select(func.count(several.c.customer_id.distinct()))).scalar_one()
