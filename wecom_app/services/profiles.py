"""Reading a customer: relations, tags with their reasons and their agreement with WeCom, and history."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import public_source
from wecom_app.models import (
    Channel,
    Customer,
    CustomerTag,
    Relation,
    Staff,
    Tag,
    TagDimension,
    TagEvent,
    TagGroup,
    Welcome,
)
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import customers
from wecom_app.services.agreement import Agreement


@dataclass(frozen=True)
class RelationView:
    id: int
    userid: str
    staff_name: str
    add_way: int | None
    state: str | None
    channel_id: int | None
    channel_name: str | None
    created_at: datetime
    lost_at: datetime | None
    lost_by: str | None
    half: bool


@dataclass(frozen=True)
class TagView:
    """A tag that the customer has; `sync` is (state, reason)."""

    key: str
    name: str
    group: str
    group_name: str
    dimension: str
    tone: str
    scope: str
    userids: tuple[str, ...]
    source_kind: str
    source_ref: str | None
    actor: str | None
    set_at: datetime
    expires_at: datetime | None
    evidence: Mapping[str, Any]
    sync: tuple[str, str | None]


@dataclass(frozen=True)
class ProfileView:
    id: int
    external_userid: str
    name: str
    type: str
    version: int
    created_at: datetime
    relations: tuple[RelationView, ...]
    tags: tuple[TagView, ...]
    removing: tuple[tuple[str, str | None], ...]
    """(key, reason) of tags taken off here that still stand at WeCom."""

    @property
    def is_active(self) -> bool:
        return any(relation.lost_at is None for relation in self.relations)


@dataclass(frozen=True)
class HistoryView:
    id: int
    at: datetime
    op: str
    key: str
    name: str
    tone: str
    userid: str | None
    source_kind: str
    source_ref: str | None
    actor: str | None
    evidence: Mapping[str, Any]
    change_set_id: int


def get(session: Session, external_userid: str, now: datetime) -> ProfileView:
    """Return one customer; raise NotFound."""
    return views(session, [customers.find(session, external_userid)], now)[0]


@dataclass(frozen=True)
class WelcomeView:
    """What became of the last welcome message of a relation; `took_s` runs from the callback's receipt."""

    status: str
    reason: str | None
    took_s: float | None


def list_profiles(
    session: Session, now: datetime, *, name: str = "", before_id: int | None = None, limit: int = 50
) -> list[ProfileView]:
    """Return customers, newest first; with `name` only those whose name contains it."""
    query = select(Customer).order_by(Customer.id.desc()).limit(limit)
    if name:
        query = query.where(Customer.name.contains(name, autoescape=True))
    if before_id is not None:
        query = query.where(Customer.id < before_id)
    return views(session, list(session.execute(query).scalars()), now)


def count(session: Session, *, name: str = "") -> int:
    """Return how many customers there are; with `name` only those whose name contains it."""
    query = select(func.count()).select_from(Customer)
    if name:
        query = query.where(Customer.name.contains(name, autoescape=True))
    return session.execute(query).scalar_one()


def welcomes(session: Session, external_userids: Sequence[str]) -> dict[tuple[str, str], WelcomeView]:
    """Return the last welcome message of each relation, by external_userid and lower-case userid."""
    query = select(Welcome).where(Welcome.external_userid.in_(external_userids)).order_by(Welcome.id)
    return {
        (welcome.external_userid, welcome.userid.lower()): WelcomeView(
            status=welcome.status,
            reason=welcome.reason,
            took_s=(welcome.finished_at - welcome.received_at).total_seconds() if welcome.finished_at else None,
        )
        for welcome in session.execute(query).scalars()
    }


def dimensions(session: Session) -> list[tuple[str, str]]:
    """Return the views that tags are sorted by, as (key, name) in their order."""
    rows = session.execute(select(TagDimension.key, TagDimension.name).order_by(TagDimension.position))
    return [(row.key, row.name) for row in rows]


def history(
    session: Session, external_userid: str, *, before_id: int | None = None, limit: int = 50
) -> list[HistoryView]:
    """Return a customer's tag changes, newest first; raise NotFound."""
    customer = customers.find(session, external_userid)
    query = (
        select(TagEvent, Tag, TagGroup.tone, Staff.userid)
        .join(Tag, Tag.id == TagEvent.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .outerjoin(Relation, Relation.id == TagEvent.relation_id)
        .outerjoin(Staff, Staff.id == Relation.staff_id)
        .where(TagEvent.customer_id == customer.id)
        .order_by(TagEvent.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(TagEvent.id < before_id)
    return [_history(*row) for row in session.execute(query)]


def _history(event: TagEvent, tag: Tag, tone: str, userid: str | None) -> HistoryView:
    after = event.after or {}
    return HistoryView(
        id=event.id,
        at=event.at,
        op=event.op,
        key=tag.key,
        name=tag.name,
        tone=tone,
        userid=userid,
        source_kind=public_source(after.get("source_kind", "api")),
        source_ref=after.get("source_ref"),
        actor=after.get("actor"),
        evidence=after.get("evidence") or {},
        change_set_id=event.change_set_id,
    )


def views(session: Session, found: Sequence[Customer], now: datetime) -> list[ProfileView]:
    """Return customers as lists show them, in the order given, in a fixed number of queries."""
    ids = [customer.id for customer in found]
    relations = _relations(session, ids)
    tags = _TagRows(session, ids)
    return [
        ProfileView(
            id=customer.id,
            external_userid=customer.external_userid,
            name=customer.name,
            type=customer.type,
            version=customer.version,
            created_at=customer.created_at,
            relations=tuple(relations.get(customer.id, ())),
            tags=tuple(tags.views(customer.id, relations.get(customer.id, []), now)),
            removing=tuple(tags.removing(customer.id)),
        )
        for customer in found
    ]


def _relations(session: Session, customer_ids: Sequence[int]) -> dict[int, list[RelationView]]:
    query = (
        select(Relation, Staff.userid, Staff.name, Channel.name)
        .join(Staff, Staff.id == Relation.staff_id)
        .outerjoin(Channel, Channel.id == Relation.channel_id)
        .where(Relation.customer_id.in_(customer_ids))
        .order_by(Relation.id)
    )
    found: dict[int, list[RelationView]] = {}
    for relation, userid, staff_name, channel_name in session.execute(query):
        view = RelationView(
            id=relation.id,
            userid=userid,
            staff_name=staff_name or userid,
            add_way=relation.add_way,
            state=relation.state,
            channel_id=relation.channel_id,
            channel_name=channel_name,
            created_at=relation.epoch_at or relation.opened_at,
            lost_at=relation.lost_at,
            lost_by=relation.lost_by,
            half=relation.half,
        )
        found.setdefault(relation.customer_id, []).append(view)
    return found


class _TagRows:
    """The tag rows of some customers and their agreement with WeCom, read in two queries."""

    def __init__(self, session: Session, customer_ids: Sequence[int]) -> None:
        query = (
            select(CustomerTag, Tag, TagGroup)
            .join(Tag, Tag.id == CustomerTag.tag_id)
            .join(TagGroup, TagGroup.id == Tag.group_id)
            .where(CustomerTag.customer_id.in_(customer_ids))
            .order_by(TagGroup.dimension, TagGroup.position.desc(), Tag.position.desc(), Tag.id)
        )
        self._rows: dict[int, list[tuple[CustomerTag, Tag, TagGroup]]] = {}
        for row, tag, group in session.execute(query):
            self._rows.setdefault(row.customer_id, []).append((row, tag, group))
        self._agreement = Agreement(session, customer_ids)

    def views(self, customer_id: int, relations: Sequence[RelationView], now: datetime) -> list[TagView]:
        """Return one view per tag that the customer has."""
        live = {relation.id: relation.userid for relation in relations if relation.lost_at is None}
        views: dict[int, TagView] = {}
        for row, tag, group in self._rows.get(customer_id, ()):
            if not self._holds(row, group, live, now):
                continue
            userids = [live[row.relation_id]] if group.scope == "relation" else list(live.values())
            if tag.id in views:
                userids = [*views[tag.id].userids, *userids]
            views[tag.id] = self._view(row, tag, group, tuple(userids))
        return list(views.values())

    @staticmethod
    def _holds(row: CustomerTag, group: TagGroup, live: Mapping[int, str], now: datetime) -> bool:
        expired = row.expires_at is not None and row.expires_at <= now
        if not row.wanted or expired:
            return False
        return row.relation_id in live if group.scope == "relation" else row.relation_id == CUSTOMER_LEVEL

    def _view(self, row: CustomerTag, tag: Tag, group: TagGroup, userids: tuple[str, ...]) -> TagView:
        return TagView(
            key=tag.key,
            name=tag.name,
            group=group.key,
            group_name=group.name,
            dimension=group.dimension,
            tone=group.tone,
            scope=group.scope,
            userids=userids,
            source_kind=public_source(row.source_kind),
            source_ref=row.source_ref,
            actor=row.actor,
            set_at=row.set_at,
            expires_at=row.expires_at,
            evidence=row.evidence,
            sync=self._agreement.state(
                row.customer_id, tag.id, mirror=group.mirror, gone_at=tag.gone_at, blocked=tag.blocked
            ),
        )

    def removing(self, customer_id: int) -> list[tuple[str, str | None]]:
        """Return the tags that are taken off here but not yet at WeCom."""
        return [(tag.key, tag.reason) for tag in self._agreement.removing(customer_id)]
