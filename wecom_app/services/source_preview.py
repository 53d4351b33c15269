"""What a back-fill of source tags would do, counted before anybody says yes. Called by console, API and command."""

from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from math import ceil

from sqlalchemy import ColumnElement, Select, and_, func, or_, select, true
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import SOURCE_DIMENSION
from wecom_app.models import Channel, Relation, Tag, TagGroup
from wecom_app.services import back_tagging, source_origins, sources
from wecom_app.services.back_tagging import Plan
from wecom_app.services.run_lines import TagName
from wecom_app.services.source_origins import BEFORE_GO_LIVE, CHANNEL_ID, HAS_STATE, IS_HANDED_OVER, UNREAD, WAY, Origin
from wecom_app.services.wecom_status import Pace, push_time_s

Place = tuple[bool, int]
"""Whether there is a state, and the way of adding."""


@dataclass(frozen=True)
class Share:
    """What one origin comes to: `kind` is channel, add_way or unknown; `customers` would get a tag they have not."""

    kind: str
    name: str
    chips: tuple[TagName, ...]
    relations: int
    customers: int
    calls: int

    @property
    def tags(self) -> tuple[str, ...]:
        return tuple(tag.name for tag in self.chips)


@dataclass(frozen=True)
class Preview:
    """What a run would do now. A customer of two origins counts with each; `calls` go to WeCom, one a relation.

    `unread` relations have never been looked at, `handed_over` ones came from a colleague: both get nothing.
    """

    shares: tuple[Share, ...]
    relations: int
    unread: int
    handed_over: int
    customers: int
    calls: int
    seconds: int


def preview(session: Session, pace: Pace) -> Preview:
    """Count what a run would do; `pace` is that at which tags are pushed."""
    places: dict[Origin, Counter[Place]] = {}
    query = source_origins.known(select(CHANNEL_ID, HAS_STATE, WAY, func.count()).select_from(Relation))
    for channel_id, has_state, way, number in session.execute(query.group_by(CHANNEL_ID, HAS_STATE, WAY)):
        origin = source_origins.origin_of(channel_id, has_state=bool(has_state), way=way)
        places.setdefault(origin, Counter())[bool(has_state), way] += number
    found = [_share(session, origin, numbers) for origin, numbers in places.items()]
    unread, handed_over = _count(session, UNREAD), _count(session, IS_HANDED_OVER)
    calls = sum(share.calls for share in found)
    return Preview(
        shares=tuple(sorted(found, key=lambda share: (-share.customers, share.name))),
        relations=unread + handed_over + sum(share.relations for share in found),
        unread=unread,
        handed_over=handed_over,
        customers=sum(share.customers for share in found),
        calls=calls,
        seconds=ceil(push_time_s(pace, calls)),
    )


def _count(session: Session, condition: ColumnElement[bool]) -> int:
    query = select(func.count()).select_from(Relation).where(*BEFORE_GO_LIVE, condition)
    return session.execute(query).scalar_one()


def _share(session: Session, origin: Origin, places: Counter[Place]) -> Share:
    name, kind, tag_ids = _named(session, origin)
    given = back_tagging.plan(session, tag_ids)
    tags = _tags(session, tag_ids)
    if not tags and kind != "channel":
        tags = [TagName(name, SOURCE_DIMENSION)]
    customers, calls = 0, 0
    # A source tag is made on first use: until then everybody of that origin wants it.
    wanting = [and_(*back_tagging.wanting(given, tag_id)) for tag_id in tag_ids]
    if wanting or kind != "channel":
        people = source_origins.known(select(Relation.customer_id).distinct())
        people = people.where(_is_of(origin, places), or_(*wanting) if wanting else true())
        customers = session.execute(select(func.count()).select_from(people.subquery())).scalar_one()
        calls = _calls(session, given, people)
    return Share(kind, name, tuple(tags), places.total(), customers, calls)


def _tags(session: Session, tag_ids: Sequence[int]) -> list[TagName]:
    query = select(Tag.name, TagGroup.tone).join(TagGroup, TagGroup.id == Tag.group_id).where(Tag.id.in_(tag_ids))
    return [TagName(row.name, row.tone) for row in session.execute(query.order_by(Tag.id))]


def _named(session: Session, origin: Origin) -> tuple[str, str, Sequence[int]]:
    """Return the origin's name, its kind, and the tags that it gives now."""
    if origin.channel_id is not None:
        channel = session.get_one(Channel, origin.channel_id)
        return channel.name, "channel", sources.live_tag_ids(session, channel.id)
    tag = sources.find_source_tag(session, origin.name)
    return origin.name, "unknown" if origin.is_unknown else "add_way", [tag.id] if tag else []


def _is_of(origin: Origin, places: Counter[Place]) -> ColumnElement[bool]:
    if origin.channel_id is not None:
        return CHANNEL_ID.in_([origin.channel_id])
    ways = {has_state: [way for stated, way in places if stated is has_state] for has_state in (True, False)}
    by_way = or_(and_(HAS_STATE, WAY.in_(ways[True])), and_(~HAS_STATE, WAY.in_(ways[False])))
    return and_(CHANNEL_ID.is_(None), by_way)


def _calls(session: Session, given: Plan, people: Select[int]) -> int:
    """Return how many relations of these customers are written to WeCom: each takes one call."""
    if given.tag_ids and not any(given.facts.tags[tag_id].is_pushed for tag_id in given.tag_ids):
        return 0
    live = (Relation.lost_at.is_(None), Relation.half.is_(False))
    query = select(func.count()).select_from(Relation).where(*live, Relation.customer_id.in_(people))
    return session.execute(query).scalar_one()
