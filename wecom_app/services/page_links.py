"""Friendships that a page of the first full pull finds: older than this deployment, made from what the page shows.

Called by `bulk_looks`.
"""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.models import Channel, CustomerTag, Deployment, Relation
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.prepared import Prepared
from wecom_app.services import cells, relations, remarks, sequence
from wecom_app.services.page_lines import Line, PageTags
from wecom_app.services.upsert import insert_ignore

BEGAN = Prepared(select(Deployment.created_at))
CHANNELS = select(Channel.state, Channel.id).where(Channel.state.in_(bindparam("states", expanding=True)))
TAGGED = Prepared(
    select(CustomerTag.customer_id).where(
        CustomerTag.customer_id.in_(bindparam("customer_ids", expanding=True)),
        CustomerTag.relation_id == CUSTOMER_LEVEL,
        CustomerTag.wanted,
    )
)


def find(session: Session, lines: Sequence[Line], now: datetime) -> list[Line]:
    """Return the lines of friendships that we have not heard of, and that are older than this deployment."""
    unknown = [line for line in lines if line.known is None]
    if not unknown:
        return []
    began = BEGAN.scalar(session, {}) or now
    return [line for line in unknown if line.follower.createtime < began]


def make(session: Session, lines: Sequence[Line], tags: PageTags, seq: int) -> list[Line]:
    """Make these friendships; return those that are still to be looked into.

    Where neither side has a tag the look that found a friendship is over at once. `seq` is the page's number.
    """
    if not lines:
        return []
    seen = sequence.draw(session)
    channels = _channels(session, lines)
    rest = [line for line in lines if not line.is_stranger or line.observed(tags) or line.unknown(tags)]
    looked_into = {line.place for line in rest}
    rows = [_row(line, channels, seq, 0 if line.place in looked_into else seen) for line in lines]
    insert_ignore(session, Relation, rows, ("customer_id", "staff_id"))
    return rest


def open_cells(session: Session, made: Collection[Relation], now: datetime) -> None:
    """Give the new relations of customers whom we have tagged already their cells; most of them are strangers."""
    if not made:
        return
    values = {"customer_ids": sorted({relation.customer_id for relation in made})}
    tagged = set(TAGGED.scalars(session, values))
    for relation in made:
        if relation.customer_id in tagged:
            cells.open_relation(session, relation, now)


def _channels(session: Session, lines: Sequence[Line]) -> dict[str, int]:
    states = {line.follower.state for line in lines if line.follower.state}
    if not states:
        return {}
    return {row.state: row.id for row in session.connection().execute(CHANNELS, {"states": sorted(states)})}


def _row(line: Line, channels: Mapping[str, int], seq: int, seen: int) -> dict[str, Any]:
    follower = line.follower
    return {
        "customer_id": line.customer_id,
        "staff_id": line.staff_id,
        "half": False,
        "add_way": follower.add_way,
        "state": follower.state[: relations.MAX_STATE] if follower.state else None,
        "channel_id": channels.get(follower.state or ""),
        "opened_at": follower.createtime,
        "epoch_at": follower.createtime,
        "linked": True,
        "life_seq": seq,
        "seen_seq": seen,
        "listed_seq": seq,
        "absent_seq": 0,
        "dirty_gen": 0,
        "pulled_gen": 0,
        "parted": [],
        "source_known": False,
        **remarks.columns(follower, line.contact.name),
    }
