"""可以这样聊: the few items worth sending to a customer now, each with its reason. Called by the sidebar and the bot.

Two statements and the process's cache of items; the same customer gets the same answer until something changes.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from itertools import groupby
from typing import Any

from sqlalchemy import CompoundSelect, bindparam, func, literal, select, union_all
from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.domain.condition_leaves import Answer, Facts, HeldTag, facts_of
from wecom_app.domain.spelling import typed
from wecom_app.models import ContentEvent, ContentRevision, Department, DepartmentMember
from wecom_app.services.access import Viewer
from wecom_app.services.content_cache import ActiveItem, ContentCache

MOST = 3
SENT_REST = timedelta(days=7)
"""What was sent to a customer is not suggested for him again so soon."""
LONGEST_REST = timedelta(days=366)
FOR_EVERYBODY = "适合所有客户"


@dataclass(frozen=True)
class Recommendation:
    """An item for one customer; `tags` are those that made it fit, `reason` says so in words."""

    item: ActiveItem
    reason: str
    tags: tuple[HeldTag, ...]


def for_customer(
    session: Session,
    cache: ContentCache,
    held: Sequence[HeldTag],
    now: datetime,
    *,
    customer_id: int,
    viewer: Viewer,
    limit: int = MOST,
) -> list[Recommendation]:
    """Return at most `limit` items that fit the customer's tags and that the viewer may use, the best first.

    Left out is what was dismissed for the customer and still rests, and what was sent to him in the last week.
    The session must be a reading one.
    """
    revision, departments = _revision_and_departments(session, viewer)
    items = cache.at(session, revision, now).candidates({tag.key for tag in held})
    last = _last_events(session, customer_id, now)
    usable = [
        item
        for item in items
        if item.is_valid(now) and _may_use(item, viewer, departments) and not _rests(item, last, now)
    ]
    best = _best(usable, facts_of(held, now), limit)
    return [Recommendation(item, reason(item.asks, answer), answer.because) for item, answer in best]


def _best(items: Sequence[ActiveItem], facts: Facts, limit: int) -> list[tuple[ActiveItem, Answer]]:
    """Return the items that fit: by priority, then by how many tags made them fit, then the newest.

    Conditions are asked from the highest priority down, and no further once there are enough.
    """
    found: list[tuple[ActiveItem, Answer]] = []
    ordered = sorted(items, key=lambda item: (-item.priority, -item.id))
    for _, alike in groupby(ordered, key=lambda item: item.priority):
        if len(found) >= limit:
            break
        fitting = [(item, answer) for item in alike if (answer := _ask(item, facts)).holds]
        found += sorted(fitting, key=lambda one: -len(one[1].because))
    return found[:limit]


def search(
    session: Session, cache: ContentCache, viewer: Viewer, q: str, now: datetime, *, limit: int = 50
) -> list[ActiveItem]:
    """Return the items that the viewer may send now and that have what was typed: in the title first, then in the text.

    The session must be a reading one.
    """
    revision, departments = _revision_and_departments(session, viewer)
    wanted, text = typed(q), q.strip().lower()
    found = [
        (wanted not in item.spellings, -item.priority, -item.id, item)
        for item in cache.at(session, revision, now).all
        if (wanted in item.spellings or text in item.text.lower())
        and item.is_valid(now)
        and _may_use(item, viewer, departments)
    ]
    return [item for *_, item in sorted(found, key=lambda one: one[:3])[:limit]]


def reason(asks: str, answer: Answer) -> str:
    """Say why an item fits: by the tags that made it, else by what its condition asks."""
    if answer.because:
        return f"标签 {'、'.join(tag.name for tag in answer.because)}"
    return asks or FOR_EVERYBODY


def _ask(item: ActiveItem, facts: Facts) -> Answer:
    return Answer(holds=True) if item.condition is None else conditions.ask(item.condition, facts)


def _may_use(item: ActiveItem, viewer: Viewer, departments: frozenset[int]) -> bool:
    return not item.departments or viewer.staff_id is None or not item.departments.isdisjoint(departments)


def _rests(item: ActiveItem, last: Mapping[tuple[int, str], datetime], now: datetime) -> bool:
    dismissed, sent = last.get((item.id, "dismissed")), last.get((item.id, "sent"))
    return (dismissed is not None and now - dismissed < item.rest) or (sent is not None and now - sent < SENT_REST)


def _last_events(session: Session, customer_id: int, now: datetime) -> dict[tuple[int, str], datetime]:
    """Return when each item was last dismissed for the customer and sent to him."""
    rows = session.execute(_LAST_EVENTS, {"customer_id": customer_id, "since": now - LONGEST_REST})
    return {(row.item_id, row.result): row.at for row in rows}


def _revision_and_departments(session: Session, viewer: Viewer) -> tuple[int, frozenset[int]]:
    """Return the items' revision, and the viewer's departments with all above them, in one statement."""
    rows = session.execute(_REVISION_AND_DEPARTMENTS, {"staff_id": viewer.staff_id}).all()
    number = next((row.value for row in rows if row.is_revision), 0)
    return number, frozenset(row.value for row in rows if not row.is_revision)


def _revision_and_departments_query() -> CompoundSelect[Any]:
    own = select(DepartmentMember.department_id.label("id")).where(DepartmentMember.staff_id == bindparam("staff_id"))
    above = own.cte("above", recursive=True)
    parents = select(Department.parent_id).join(above, Department.id == above.c.id)
    # UNION keeps each department once: a tree told in pieces may for a moment hold a ring.
    above = above.union(parents)
    revision = select(literal(True).label("is_revision"), ContentRevision.number.label("value"))
    return union_all(revision, select(literal(False), above.c.id))


# Made once: building these costs more than running them.
_REVISION_AND_DEPARTMENTS = _revision_and_departments_query()
_LAST_EVENTS = (
    select(ContentEvent.item_id, ContentEvent.result, func.max(ContentEvent.at).label("at"))
    .where(
        ContentEvent.customer_id == bindparam("customer_id"),
        ContentEvent.at > bindparam("since"),
        ContentEvent.result.in_(("dismissed", "sent")),
    )
    .group_by(ContentEvent.item_id, ContentEvent.result)
)
