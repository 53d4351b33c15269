"""Trying a condition before it is saved: how many customers fit, and whether a certain one does, and why."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.domain.condition_leaves import HeldTag, facts_of
from wecom_app.models import Customer
from wecom_app.services import condition_queries, recommendations
from wecom_app.services.condition_queries import Count


@dataclass(frozen=True)
class Preview:
    """Whom a condition fits: in words, and counted as of a moment."""

    words: str
    count: Count
    as_of: datetime


@dataclass(frozen=True)
class Fit:
    """Whether a customer fits, and why; `tags` are those that make him."""

    customer: Customer
    fits: bool
    reason: str
    tags: tuple[HeldTag, ...]


def preview(session: Session, document: Mapping[str, Any] | None, now: datetime) -> Preview:
    """Return whom a condition fits now; raise InvalidInput for a wrong one, or for tags that are not there."""
    if document is None:
        return Preview(recommendations.FOR_EVERYBODY, condition_queries.count(session, None, now), now)
    condition = conditions.parse(document)
    names = {key: tag.name for key, tag in condition_queries.check_tags(session, condition).items()}
    return Preview(conditions.words(condition, names), condition_queries.count(session, condition, now), now)


def words_of(session: Session, documents: Sequence[Mapping[str, Any] | None]) -> list[str]:
    """Say in words whom saved conditions are for; tags that are archived by now are named by their keys."""
    parsed = [conditions.parse(document) if document is not None else None for document in documents]
    keys = {key for condition in parsed if condition is not None for key in condition_queries.keys_in(condition)}
    names = {key: tag.name for key, tag in condition_queries.known_tags(session, keys).items()}
    return [
        recommendations.FOR_EVERYBODY if condition is None else conditions.words(condition, names)
        for condition in parsed
    ]


def fit(session: Session, document: Mapping[str, Any] | None, customer: Customer, now: datetime) -> Fit:
    """Return whether a customer fits a condition now; raise InvalidInput for a wrong one."""
    if document is None:
        return Fit(customer, True, recommendations.FOR_EVERYBODY, ())
    condition = conditions.parse(document)
    names = {key: tag.name for key, tag in condition_queries.check_tags(session, condition).items()}
    held = condition_queries.held_tags(session, customer.id, now)
    facts = facts_of(held, now)
    answer = conditions.ask(condition, facts)
    if answer.holds:
        return Fit(customer, True, recommendations.reason(conditions.words(condition, names), answer), answer.because)
    missing = "；".join(conditions.words(part, names) for part in conditions.failing(condition, facts))
    return Fit(customer, False, f"没有满足：{missing}", ())
