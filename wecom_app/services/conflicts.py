"""Reading what the two sides disagreed on: `sync_conflict` rows in the words of the API. Called by the API."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import Customer, Relation, Staff, SyncConflict, Tag
from wecom_app.services import customers

STATES = ("open", "settled")


@dataclass(frozen=True)
class ConflictView:
    """A disagreement; `ours` are the tags that we wanted, `theirs` those that WeCom showed, by key."""

    id: int
    kind: str
    state: str
    external_userid: str
    userid: str
    key: str
    name: str
    ours: tuple[str, ...]
    theirs: tuple[str, ...]
    created_at: datetime


def list_conflicts(
    session: Session,
    *,
    state: str | None = None,
    external_userid: str | None = None,
    before_id: int | None = None,
    limit: int = 50,
) -> list[ConflictView]:
    """Return conflicts, newest first, of one customer if he is named; raise NotFound for one we do not know."""
    query = (
        select(SyncConflict, Customer.external_userid, Staff.userid, Tag.key, Tag.name)
        .join(Customer, Customer.id == SyncConflict.customer_id)
        .join(Relation, Relation.id == SyncConflict.relation_id)
        .join(Staff, Staff.id == Relation.staff_id)
        .join(Tag, Tag.id == SyncConflict.tag_id)
        .order_by(SyncConflict.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(SyncConflict.state == state)
    if external_userid is not None:
        query = query.where(SyncConflict.customer_id == customers.find(session, external_userid).id)
    if before_id is not None:
        query = query.where(SyncConflict.id < before_id)
    rows = session.execute(query).all()
    keys = _keys(session, [row.SyncConflict for row in rows])
    return [_view(*row, keys) for row in rows]


def _keys(session: Session, found: Iterable[SyncConflict]) -> Mapping[int, str]:
    ids = {tag_id for conflict in found for tag_id in (*_wanted(conflict), *_observed(conflict))}
    return {row.id: row.key for row in session.execute(select(Tag.id, Tag.key).where(Tag.id.in_(ids)))}


def _view(
    conflict: SyncConflict, external_userid: str, userid: str, key: str, name: str, keys: Mapping[int, str]
) -> ConflictView:
    return ConflictView(
        id=conflict.id,
        kind=conflict.kind,
        state=conflict.state,
        external_userid=external_userid,
        userid=userid,
        key=key,
        name=name,
        ours=_named(_wanted(conflict), keys),
        theirs=_named(_observed(conflict), keys),
        created_at=conflict.created_at,
    )


def _wanted(conflict: SyncConflict) -> Sequence[int]:
    return list(conflict.ours.get("wanted", ()))


def _observed(conflict: SyncConflict) -> Sequence[int]:
    return list(conflict.theirs.get("observed", ()))


def _named(tag_ids: Sequence[int], keys: Mapping[int, str]) -> tuple[str, ...]:
    return tuple(keys[tag_id] for tag_id in tag_ids if tag_id in keys)
