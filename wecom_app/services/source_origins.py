"""Where the relations from before go-live came from: a channel by its state, or the way of adding in words.

Read by `source_preview` and `source_backfill`, so that both mean the same.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import TypeVarTuple

from sqlalchemy import ColumnElement, Select, and_, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import HANDED_OVER, UNKNOWN_SOURCE, source_name
from wecom_app.models import Channel, Relation

OF_CHANNEL = Channel.state == Relation.state
CHANNEL_ID: ColumnElement[int | None] = func.coalesce(Relation.channel_id, Channel.id)
WAY = func.coalesce(Relation.add_way, 0)
HAS_STATE = Relation.state.is_not(None)
BEFORE_GO_LIVE = (Relation.linked, Relation.half.is_(False))
"""Later relations get their source as they come."""
UNREAD = and_(Relation.add_way.is_(None), Relation.state.is_(None), Relation.channel_id.is_(None))
IS_HANDED_OVER = WAY.in_(HANDED_OVER)


Columns = TypeVarTuple("Columns")


@dataclass(frozen=True)
class Origin:
    """A channel, or else the name of the source tag."""

    channel_id: int | None = None
    name: str = ""

    @property
    def is_unknown(self) -> bool:
        return self.name == UNKNOWN_SOURCE


@dataclass(frozen=True)
class Placed:
    """A relation with its origin; without one it gets no source: `why` is unread or handed_over."""

    relation: Relation
    origin: Origin | None
    why: str = ""


def origin_of(channel_id: int | None, *, has_state: bool, way: int) -> Origin:
    """Return the origin. A state that no channel carries is another tool's, or a deleted code's: not recognised."""
    if channel_id is not None:
        return Origin(channel_id)
    return Origin(name=UNKNOWN_SOURCE if has_state else source_name(way))


def place(session: Session, relation_ids: Iterable[int]) -> list[Placed]:
    """Return the relations among these that are from before go-live, in order, each with its origin."""
    query = (
        select(Relation, CHANNEL_ID)
        .outerjoin(Channel, OF_CHANNEL)
        .where(Relation.id.in_(list(relation_ids)), *BEFORE_GO_LIVE)
        .order_by(Relation.id)
        .execution_options(populate_existing=True)
    )
    return [_placed(relation, channel_id) for relation, channel_id in session.execute(query)]


def _placed(relation: Relation, channel_id: int | None) -> Placed:
    if relation.add_way in HANDED_OVER:
        return Placed(relation, None, "handed_over")
    if relation.add_way is None and relation.state is None and channel_id is None:
        return Placed(relation, None, "unread")
    return Placed(relation, origin_of(channel_id, has_state=relation.state is not None, way=relation.add_way or 0))


def known(query: Select[*Columns]) -> Select[*Columns]:
    """Narrow a query on relations down to those that have an origin."""
    return query.outerjoin(Channel, OF_CHANNEL).where(*BEFORE_GO_LIVE, ~IS_HANDED_OVER, ~UNREAD)
