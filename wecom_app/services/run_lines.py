"""What a run of sync found, line by line with the names that people know: customers, members, tags."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.models import Customer, CustomerTag, Relation, Staff, SyncRunItem, Tag, TagGroup

ABOUT_MEMBERS = ("unreadable", "failed")
ABOUT_TAGS = ("tag_gone", "made")


@dataclass(frozen=True)
class TagName:
    name: str
    tone: str


@dataclass(frozen=True)
class Line:
    """One line; `result` is a key of RESULT_WORDS, `customers` how many have a tag that is gone."""

    id: int
    kind: str
    result: str
    external_userid: str | None
    customer: str | None
    member: str | None
    tags: tuple[TagName, ...]
    group: str | None = None
    customers: int | None = None
    reason: str = ""


@dataclass(frozen=True)
class _Names:
    staff: Mapping[str, str]
    tags: Mapping[int, Any]
    holders: Mapping[int, int]


def count_by_kind(session: Session, run_id: int) -> dict[str, int]:
    """Return how many lines of each kind there are."""
    query = select(SyncRunItem.kind, func.count()).where(SyncRunItem.run_id == run_id).group_by(SyncRunItem.kind)
    return dict(session.execute(query.order_by(SyncRunItem.kind)).all())


def list_lines(
    session: Session, run_id: int, *, kind: str | None = None, after_id: int | None = None, limit: int = 50
) -> list[Line]:
    """Return a run's lines in order."""
    query = (
        select(SyncRunItem, Relation, Customer.external_userid, Customer.name, Staff.name, Staff.userid)
        .outerjoin(Relation, Relation.id == SyncRunItem.relation_id)
        .outerjoin(Customer, Customer.id == Relation.customer_id)
        .outerjoin(Staff, Staff.id == Relation.staff_id)
        .where(SyncRunItem.run_id == run_id)
        .order_by(SyncRunItem.id)
        .limit(limit)
    )
    if kind is not None:
        query = query.where(SyncRunItem.kind == kind)
    if after_id is not None:
        query = query.where(SyncRunItem.id > after_id)
    rows = session.execute(query).all()
    names = _names(session, [row[0] for row in rows])
    return [_line(*row, names) for row in rows]


def _names(session: Session, items: Sequence[SyncRunItem]) -> _Names:
    userids = {item.subject.lower() for item in items if item.kind in ABOUT_MEMBERS}
    staff = select(Staff.userid_key, Staff.name).where(Staff.userid_key.in_(userids))
    gone = {int(item.subject) for item in items if item.kind in ABOUT_TAGS}
    tag_ids = gone.union(*(_tag_ids(item) for item in items))
    tags = (
        select(Tag.id, Tag.name, TagGroup.name.label("group"), TagGroup.tone)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.id.in_(tag_ids))
    )
    holders = (
        select(CustomerTag.tag_id, func.count(func.distinct(CustomerTag.customer_id)))
        .where(CustomerTag.tag_id.in_(gone), CustomerTag.wanted)
        .group_by(CustomerTag.tag_id)
    )
    return _Names(
        dict(session.execute(staff).all()) if userids else {},
        {row.id: row for row in session.execute(tags)} if tag_ids else {},
        dict(session.execute(holders).all()) if gone else {},
    )


def _tag_ids(item: SyncRunItem) -> Iterable[int]:
    found: list[int] = item.detail.get("tag_ids", [])
    return found


def _line(
    item: SyncRunItem,
    relation: Relation | None,
    external_userid: str | None,
    customer: str | None,
    staff_name: str | None,
    userid: str | None,
    names: _Names,
) -> Line:
    member, group, holders = staff_name or userid, None, None
    tag_ids = list(_tag_ids(item))
    if item.kind in ABOUT_MEMBERS:
        member = names.staff.get(item.subject.lower()) or item.subject
    if item.kind in ABOUT_TAGS:
        tag_ids = [int(item.subject)]
        group = names.tags[tag_ids[0]].group if tag_ids[0] in names.tags else None
        holders = names.holders.get(tag_ids[0], 0)
    tags = [names.tags[tag_id] for tag_id in tag_ids if tag_id in names.tags]
    return Line(
        id=item.id,
        kind=item.kind,
        result=_result(item, relation),
        external_userid=external_userid,
        customer=customer,
        member=member,
        tags=tuple(TagName(tag.name, tag.tone) for tag in tags),
        group=group,
        customers=holders,
        reason=item.detail.get("reason", ""),
    )


def _result(item: SyncRunItem, relation: Relation | None) -> str:
    """Return the item's state; of one that was to be looked at singly what the look has brought."""
    if item.state != "asked" or relation is None:
        return item.state
    if relation.lost_at is not None:
        return "ended"
    return "seen" if relation.seen_seq > item.asked_seq else "asked"
