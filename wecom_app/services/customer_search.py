"""Customers found by name or remark, by a tag, by a member, within the viewer's reach; for the console's list."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, exists, func, or_, select, true
from sqlalchemy.orm import Session

from wecom_app.domain.condition_leaves import TagLeaf
from wecom_app.models import Customer, Relation, Staff
from wecom_app.services import condition_queries, profiles
from wecom_app.services.access import Viewer, visible_customers
from wecom_app.services.profiles import ProfileView

MOST_COUNTED = 10_000
"""Who has found so many must look for something else; counting all of them would be a scan for nothing."""


@dataclass(frozen=True)
class Wanted:
    """What is looked for: part of a name or remark, a tag's key, a member's userid."""

    q: str = ""
    tag: str = ""
    userid: str = ""


@dataclass(frozen=True)
class Count:
    """How many customers there are; `or_more` where they were not counted to the end."""

    customers: int
    or_more: bool


def find(
    session: Session, viewer: Viewer, wanted: Wanted, now: datetime, *, before_id: int | None = None, limit: int = 30
) -> list[ProfileView]:
    """Return the customers, newest first; a tag or member that is not there has none."""
    query = _narrowed(select(Customer), session, viewer, wanted, now)
    if before_id is not None:
        query = query.where(Customer.id < before_id)
    found = session.scalars(query.order_by(Customer.id.desc()).limit(limit)).all()
    return profiles.views(session, found, now)


def count(session: Session, viewer: Viewer, wanted: Wanted, now: datetime) -> Count:
    """Return how many there are, each once."""
    ids = _narrowed(select(Customer.id), session, viewer, wanted, now).limit(MOST_COUNTED + 1).subquery()
    number = session.execute(select(func.count()).select_from(ids)).scalar_one()
    return Count(min(number, MOST_COUNTED), number > MOST_COUNTED)


def _narrowed(query: Select[Any], session: Session, viewer: Viewer, wanted: Wanted, now: datetime) -> Select[Any]:
    return query.where(
        visible_customers(session, viewer),
        _named(wanted.q),
        _tagged(session, wanted.tag, now),
        _known_to(wanted.userid),
    )


def _named(q: str) -> ColumnElement[bool]:
    if not q:
        return true()
    noted = exists().where(Relation.customer_id == Customer.id, Relation.remark.icontains(q, autoescape=True))
    return or_(Customer.name.icontains(q, autoescape=True), Customer.external_userid == q, noted)


def _tagged(session: Session, key: str, now: datetime) -> ColumnElement[bool]:
    if not key:
        return true()
    tags = condition_queries.known_tags(session, {key})
    return condition_queries.matching(TagLeaf("has_any", (key,)), tags, now)


def _known_to(userid: str) -> ColumnElement[bool]:
    if not userid:
        return true()
    of_member = (
        select(Relation.customer_id)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(Staff.userid_key == userid.lower(), Relation.lost_at.is_(None))
    )
    return Customer.id.in_(of_member)
