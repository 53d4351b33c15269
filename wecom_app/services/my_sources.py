"""Where a member's customers came from: channels, ways of adding, or unknown; for the filters of his list."""

from collections.abc import Callable, Mapping
from dataclasses import dataclass

from sqlalchemy import ColumnElement, and_, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import came_by
from wecom_app.errors import InvalidInput
from wecom_app.models import Channel, Relation
from wecom_app.services.access import Viewer


@dataclass(frozen=True)
class Source:
    """Where some of the member's customers came from."""

    key: str
    name: str
    customers: int


def load(session: Session, viewer: Viewer) -> list[Source]:
    """Return where the viewer's customers came from, the most frequent first."""
    query = (
        select(Relation.channel_id, Channel.name, Relation.state.is_not(None), Relation.add_way, func.count())
        .outerjoin(Channel, Channel.id == Relation.channel_id)
        .where(Relation.staff_id == viewer.staff_id, Relation.lost_at.is_(None))
        .group_by(Relation.channel_id, Channel.name, Relation.state.is_not(None), Relation.add_way)
    )
    found: dict[str, Source] = {}
    for channel_id, channel, has_state, add_way, count in session.connection().execute(query):
        key = _source_key(channel_id, has_state=has_state, add_way=add_way)
        name = came_by(channel, "state" if has_state else None, add_way)
        so_far = found[key].customers if key in found else 0
        found[key] = Source(key, name, so_far + count)
    return sorted(found.values(), key=lambda source: (-source.customers, source.name))


def is_from(key: str) -> ColumnElement[bool]:
    """Return the condition on `relation` that it began there; raise InvalidInput for a key that can be none."""
    kind, _, number = key.partition("-")
    no_channel = Relation.channel_id.is_(None)
    makers: Mapping[str, Callable[[], ColumnElement[bool]]] = {
        "channel": lambda: Relation.channel_id == int(number),
        "way": lambda: and_(no_channel, Relation.state.is_(None), func.coalesce(Relation.add_way, 0) == int(number)),
        "unknown": lambda: and_(no_channel, Relation.state.is_not(None)),
    }
    if kind not in makers or not ((number.isdecimal() and len(number) < 19) or kind == "unknown"):
        raise InvalidInput("没有这个来源", details={"source": key[:40]})
    return makers[kind]()


def _source_key(channel_id: int | None, *, has_state: bool, add_way: int | None) -> str:
    if channel_id is not None:
        return f"channel-{channel_id}"
    return "unknown" if has_state else f"way-{add_way or 0}"
