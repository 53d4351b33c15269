"""Tagging the customers who came by a state before its code was adopted; run page by page by `channel.back_tag`.

Each page marks its relations as the channel's in the same transaction, so that running it again goes on where
it ended. What a person has taken off stays off.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, and_, exists, func, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import RANK, UNKNOWN_SOURCE, Scope, SourceKind, is_person
from wecom_app.models import Channel, CustomerTag, Relation
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import customers, library, push_backlog, sources, tag_units, tagging
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.runtime import Runtime
from wecom_app.services.tag_units import TagFact, TagFacts
from wecom_app.services.tagging import TagChange

BACK_TAG_KIND = "channel.back_tag"
MOST_ON_PAGE = 200
CHANGES_ON_PAGE = 120
"""Each change writes four rows: a page stays within a short write transaction."""
"""With that many pushes waiting the next page waits as well: today's scans are not to queue behind old customers."""
PERSONS = [kind.value for kind in SourceKind if is_person(kind)]
ABOVE_CHANNELS = [kind.value for kind in SourceKind if RANK[kind] > RANK[SourceKind.CHANNEL]]
UNRECOGNISED = (Relation.state.is_not(None), Relation.channel_id.is_(None))


@dataclass(frozen=True)
class Plan:
    """The tags to give, and what tagging must know of them."""

    tag_ids: tuple[int, ...]
    facts: TagFacts

    def mates(self, tag: TagFact) -> list[int]:
        """Return the other tags of a single-choice group."""
        if not tag.single:
            return []
        return [one.id for one in self.facts.tags.values() if one.group_id == tag.group_id and one.id != tag.id]


def came_by(state: str) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on relations that came by a state which was not recognised."""
    return (Relation.state == state, *UNRECOGNISED)


def plan(session: Session, tag_ids: Sequence[int]) -> Plan:
    """Return what there is to know of the tags before counting or giving them."""
    return Plan(tuple(tag_ids), tag_units.load_facts(session, tag_ids))


def count_wanting(session: Session, given: Plan, state: str, tag_id: int) -> int:
    """Return how many customers of a state would get a tag that they have not got."""
    query = select(func.count(func.distinct(Relation.customer_id))).where(*came_by(state), *wanting(given, tag_id))
    return session.execute(query).scalar_one()


def wanting(given: Plan, tag_id: int) -> tuple[ColumnElement[bool], ...]:
    """Return the conditions on relations through which a customer would get a tag that he has not got.

    He does not where it was taken off by a person, or where something of a higher rank holds its single-choice group.
    """
    tag = given.facts.tags[tag_id]
    has_it = and_(CustomerTag.tag_id == tag.id, CustomerTag.wanted)
    outranked = and_(
        CustomerTag.tag_id.in_(given.mates(tag)),
        CustomerTag.wanted,
        CustomerTag.source_kind.in_(ABOVE_CHANNELS),
    )
    return (*_reachable(tag), ~_row_exists(tag, or_(has_it, outranked, _taken_off(tag))))


def request(session: Session, context: Context, channel_id: int, change_set_id: int) -> None:
    """Have the next page tagged; it goes on by itself to the last."""
    _request(session, context.queue, {"channel_id": channel_id, "change_set_id": change_set_id})


def run(runtime: Runtime, args: JobArgs) -> None:
    """Tag one page of customers, and ask for the next."""
    is_full = push_backlog.is_full(runtime)
    with runtime.write() as session:
        context = library.context(runtime)
        if is_full:
            _request(session, context.queue, args, run_at=context.now + push_backlog.PAUSE)
            return
        channel = session.get_one(Channel, int(args["channel_id"]))
        if _tag_page(session, context, channel, int(args["change_set_id"])):
            _request(session, context.queue, args)
        runtime.crash_point("back_tag.before_commit")


def _request(session: Session, queue: JobQueue, args: JobArgs, **more: Any) -> None:
    queue.enqueue(session, BACK_TAG_KIND, args, lane="bulk", unique=str(args["channel_id"]), **more)


def _tag_page(session: Session, context: Context, channel: Channel, change_set_id: int) -> bool:
    """Tag the first relations that are not yet the channel's; return whether there were any."""
    given = plan(session, sources.live_tag_ids(session, channel.id))
    size = max(1, min(MOST_ON_PAGE, CHANGES_ON_PAGE // (len(given.tag_ids) + 1)))
    query = select(Relation.id, Relation.customer_id).where(*came_by(channel.state))
    rows = session.execute(query.order_by(Relation.id).limit(size)).all()
    if not rows:
        return False
    customers.lock(session, sorted({row.customer_id for row in rows}))
    # Read under the lock: a callback may have begun a new friendship meanwhile.
    here = Relation.id.in_([row.id for row in rows])
    page = list(session.execute(select(Relation).where(here, *came_by(channel.state))).scalars())
    changes = [*_removals(session, channel, given, page), *_additions(session, channel, given, page)]
    act = Act("channel", actor_ref=str(channel.id), reason="认领渠道后补打标签", parent_id=change_set_id)
    tagging.apply(session, changes, act, queue=context.queue, now=context.now)
    for relation in page:
        relation.channel_id = channel.id
        relation.source_known = True
    session.flush()
    return True


def _additions(session: Session, channel: Channel, given: Plan, page: Sequence[Relation]) -> Iterable[TagChange]:
    source = Source(SourceKind.CHANNEL, str(channel.id))
    ids = [relation.id for relation in page]
    for tag_id in given.tag_ids:
        tag = given.facts.tags[tag_id]
        query = select(Relation.id).where(Relation.id.in_(ids), *_reachable(tag), ~_row_exists(tag, _taken_off(tag)))
        wanting = set(session.execute(query).scalars())
        for relation in page:
            if relation.id in wanting:
                level = relation.id if tag.scope == Scope.RELATION else CUSTOMER_LEVEL
                evidence = {"adopted": True, **evidence_of(channel, relation)}
                yield TagChange(relation.customer_id, tag_id, True, source, evidence, level)


def evidence_of(channel: Channel, relation: Relation) -> dict[str, Any]:
    """Return what is kept of why a customer who came by a channel gets its tags long afterwards."""
    return {
        "channel_id": channel.id,
        "channel_name": channel.name,
        "source": channel.source,
        "state": channel.state,
        "relation_id": relation.id,
        "added_at": (relation.epoch_at or relation.opened_at).isoformat(),
    }


def _removals(session: Session, channel: Channel, given: Plan, page: Sequence[Relation]) -> list[TagChange]:
    """Take 来源未识别 off again where our own source tagging put it and nothing else of the customer is unknown."""
    unknown = sources.find_source_tag(session, UNKNOWN_SOURCE)
    if unknown is None or unknown.id in given.tag_ids:
        return []
    customer_ids = {relation.customer_id for relation in page}
    rows = session.execute(
        select(CustomerTag.customer_id, CustomerTag.source_ref).where(
            CustomerTag.customer_id.in_(customer_ids - _unknown_otherwise(session, channel, customer_ids)),
            CustomerTag.tag_id == unknown.id,
            CustomerTag.relation_id == CUSTOMER_LEVEL,
            CustomerTag.wanted,
            CustomerTag.source_kind == SourceKind.CHANNEL,
            CustomerTag.source_ref.startswith(sources.ADD_WAY_REF, autoescape=True),
        )
    )
    evidence = {"adopted": True, "channel_id": channel.id, "state": channel.state}
    return [
        TagChange(customer_id, unknown.id, False, Source(SourceKind.CHANNEL, ref or ""), dict(evidence))
        for customer_id, ref in rows
    ]


def _unknown_otherwise(session: Session, channel: Channel, customer_ids: Iterable[int]) -> set[int]:
    """Return the customers who have another relation whose source is not recognised."""
    other_code = and_(Relation.state.is_not(None), Relation.state != channel.state)
    no_way = and_(Relation.state.is_(None), func.coalesce(Relation.add_way, 0) == 0)
    query = select(Relation.customer_id).where(
        Relation.customer_id.in_(customer_ids), Relation.channel_id.is_(None), or_(other_code, no_way)
    )
    return set(session.execute(query).scalars())


def _taken_off(tag: TagFact) -> ColumnElement[bool]:
    """Return the condition of a row from which a person took the tag."""
    return and_(CustomerTag.tag_id == tag.id, CustomerTag.wanted.is_(False), CustomerTag.source_kind.in_(PERSONS))


def _row_exists(tag: TagFact, condition: ColumnElement[bool]) -> ColumnElement[bool]:
    level = Relation.id if tag.scope == Scope.RELATION else CUSTOMER_LEVEL
    return exists().where(CustomerTag.customer_id == Relation.customer_id, CustomerTag.relation_id == level, condition)


def _reachable(tag: TagFact) -> tuple[ColumnElement[bool], ...]:
    """A tag of a friendship needs one that lasts; a customer's own tag does not."""
    return (Relation.lost_at.is_(None),) if tag.scope == Scope.RELATION else ()
