"""The life of a relation: opened by an event or a look, closed by an event, reopened as a new epoch."""

from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.models import Channel, Relation
from wecom_app.prepared import Prepared
from wecom_app.services import cells, customers, sequence, tagging
from wecom_app.services.history import Act

ENDED = "好友关系已解除"
MAX_STATE = 64
"""customer_channel of an acquisition link, in bytes; whatever is longer was made by nobody we know."""

CHANNEL = Prepared(
    select(
        Channel.id,
        Channel.name,
        Channel.source,
        Channel.state,
        Channel.welcome_text,
        Channel.welcome_fallback_text,
        Channel.attachments,
        Channel.remark_rule,
    ).where(Channel.state == bindparam("state"))
)


@dataclass(frozen=True)
class Origin:
    """The channel by which somebody came: what it says, and what it gives."""

    id: int
    name: str
    source: str
    state: str
    welcome_text: str | None
    welcome_fallback_text: str | None
    attachments: list[Any]
    remark_rule: str | None


def open_epoch(
    session: Session, relation: Relation, now: datetime, *, half: bool = False, began_at: datetime | None = None
) -> None:
    """Begin a new epoch of a relation; a full one gets a cell for every tag the customer has."""
    relation.life_seq = sequence.draw(session)
    relation.seen_seq = relation.seen_seq if relation.lost_at is not None else 0
    relation.half = half
    relation.opened_at = began_at or now
    relation.linked = False
    relation.lost_at = None
    relation.lost_by = None
    relation.epoch_at = None
    relation.source_known = False
    relation.channel_id = None
    relation.state = None
    relation.add_way = None
    session.flush()
    if not half:
        cells.open_relation(session, relation, now)


def confirm_half(session: Session, relation: Relation, now: datetime) -> None:
    """The member has accepted: the relation is a full one from now on."""
    relation.half = False
    session.flush()
    cells.open_relation(session, relation, now)


def close_epoch(
    session: Session,
    relation: Relation,
    lost_by: str | None,
    lost_at: datetime,
    now: datetime,
    *,
    event_id: int | None = None,
) -> None:
    """End the relation; what was to be pushed to it is void, its own tags go, those of the customer stay.

    `lost_by` is None where WeCom does not say who ended it.
    """
    session.flush()
    act = Act("system", reason=ENDED, event_id=event_id)
    evidence = {"relation_id": relation.id, "lost_by": lost_by, "reason": ENDED}
    tagging.end_relation(session, relation.customer_id, relation.id, act, evidence, now)
    cells.close_relation(session, relation, now, reason=ENDED)
    relation.lost_at = lost_at
    relation.lost_by = lost_by
    relation.life_seq = sequence.draw(session)
    session.flush()


def is_over(relation: Relation, createtime: datetime, seq: int) -> bool:
    """Return whether a look may not bring a lost relation back: what it shows is the friendship that has ended.

    An end that nobody told of was only inferred from answers that did not name it. A later look that does name it
    takes that back.
    """
    return relation.lost_at is not None and createtime <= relation.lost_at and not _is_inferred(relation, seq)


def is_same(relation: Relation, createtime: datetime) -> bool:
    """Return whether this is the friendship that was taken for ended."""
    return relation.lost_by is None and relation.epoch_at == createtime


def take_back_end(session: Session, relation: Relation, now: datetime) -> None:
    """Let the epoch go on that was taken for ended; what it holds at WeCom is looked at as for the first time."""
    relation.life_seq = sequence.draw(session)
    relation.lost_at = None
    session.flush()
    cells.open_relation(session, relation, now)


def _is_inferred(relation: Relation, seq: int) -> bool:
    return relation.lost_by is None and seq > relation.life_seq


def find_channel(session: Session, state: str | None) -> Origin | None:
    """Return the channel that WeCom's State names; None if it is not ours, or there is none."""
    found = CHANNEL.row(session, {"state": state}) if state else None
    return None if found is None else Origin(*found)


def note_beginning(relation: Relation, began_at: datetime | None) -> None:
    """Note a beginning of a relation that is live: it has ended and begun again, and word of the end is on its way."""
    if began_at is not None and began_at > relation.opened_at:
        relation.opened_at = began_at


def confirm_loss(relation: Relation, lost_by: str, lost_at: datetime) -> None:
    """Note a later end of a relation that has ended already: the beginning in between is still on its way."""
    if relation.lost_at is not None and lost_at > relation.lost_at:
        relation.lost_at, relation.lost_by = lost_at, lost_by


def set_state(session: Session, relation: Relation, state: str | None) -> Origin | None:
    """Note WeCom's State on the relation and return the channel it names, None if it is not ours."""
    if not state:
        return None
    channel = find_channel(session, state)
    relation.state = state[:MAX_STATE]
    relation.channel_id = channel.id if channel else None
    return channel


def find_or_create(session: Session, customer_id: int, staff_id: int, now: datetime) -> tuple[Relation, bool]:
    """Return the relation and whether it was made just now."""
    relation = customers.find_relation(session, customer_id, staff_id)
    if relation is not None:
        return relation, False
    return customers.new_relation(session, customer_id, staff_id, now), True
