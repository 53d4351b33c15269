"""Taking in what WeCom tells of a customer: details, relations that appeared, tags, and the source tag.

Called by `services.sync` with every answer of `externalcontact/get`, in one transaction.
"""

from collections.abc import Collection, Mapping
from dataclasses import dataclass

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import HANDED_OVER
from wecom_app.models import CustomerTag, Deployment, Relation
from wecom_app.services import (
    cells,
    customers,
    intention_cards,
    library,
    looks,
    relations,
    remarks,
    sequence,
    sources,
    staff,
)
from wecom_app.services.context import Context
from wecom_app.services.library import NOBODY_ASKED, Fate
from wecom_app.services.ports import ContactDetails, FollowUser

UNNAMED = "企业微信没有列出这个好友关系，等下一次全量同步核实"


@dataclass
class Seen:
    """What the answer brought about, over all relations."""

    look_again: bool = False
    """Something changed after the question was asked."""
    unknown_tags: bool = False
    """The answer shows tags that our library has not got; nothing was written until the library has been read."""
    suspects: frozenset[int] = frozenset()


def take_in(
    session: Session,
    context: Context,
    customer_id: int,
    details: ContactDetails,
    seq: int,
    generations: Mapping[int, int],
    *,
    fate: Fate = NOBODY_ASKED,
) -> Seen:
    """Write down the answer; `seq` was drawn, and `generations` (relation → dirt) noted, before asking.

    A relation that the answer does not name stays as it is, unless a completed pull of its member had not shown it
    either: no relation is closed by one answer. Nothing is taken in while the library does not know what the answer
    shows, unless `fate` says that it was read: what stood there before an act here would pass for put on after it.
    """
    if not fate.library_read and not library.knows(session, details):
        return Seen(unknown_tags=True)
    customers.lock(session, [customer_id])
    customers.update_details(session, customer_id, details, context.now)
    staff_ids = staff.ensure(session, [follower.userid for follower in details.follow_users], context.now)
    seen, named = Seen(), set[int]()
    for follower in details.follow_users:
        relation = _relation(session, context, customer_id, staff_ids[follower.userid], follower, seq)
        if relation is not None:
            named.add(relation.id)
            remarks.take_in(session, context, relation, follower, details.name, seq)
        if relation is None or relation.life_seq > seq:
            seen.look_again = seen.look_again or relation is not None
            continue
        outcome = looks.apply_look(
            session,
            relation,
            follower.tag_ids,
            seq,
            queue=context.queue,
            now=context.now,
            fate=fate,
        )
        seen.look_again = seen.look_again or outcome.stale
        seen.suspects = seen.suspects | outcome.suspects
        if outcome.suspects:
            continue
        relation.pulled_gen = max(relation.pulled_gen, generations.get(relation.id, 0))
        if not relation.source_known and not relation.linked:
            _tag_source(session, context, relation)
    unnamed = generations.keys() - named
    if unnamed:
        end_absent(session, context, customer_id, seq, staff_ids.values())
        cells.note_reason(session, unnamed, UNNAMED)
    return seen


def end_absent(session: Session, context: Context, customer_id: int, seq: int, named: Collection[int] = ()) -> None:
    """End the relations that a completed pull had not shown and that a single look taken later does not name either.

    `named` holds the staff ids that the look did name; WeCom does not say who ended the friendship.
    """
    for relation in customers.live_relations(session, customer_id):
        is_doubted = relation.absent_seq > max(relation.seen_seq, relation.life_seq)
        if relation.staff_id not in named and is_doubted and seq > relation.absent_seq:
            relations.close_epoch(session, relation, None, context.now, context.now, event_id=context.event_id)


def _relation(
    session: Session, context: Context, customer_id: int, staff_id: int, follower: FollowUser, seq: int
) -> Relation | None:
    """Return the live relation behind a follower, opened or reopened if an event was missed; None if lost."""
    relation = customers.find_relation(session, customer_id, staff_id)
    if relation is None:
        relation = customers.new_relation(session, customer_id, staff_id, context.now)
        _begin(session, context, relation, follower)
    elif relation.lost_at is not None:
        if relations.is_over(relation, follower.createtime, seq):
            return None
        _begin_again(session, context, relation, follower)
    elif relation.epoch_at is not None and relation.epoch_at != follower.createtime:
        relations.close_epoch(
            session, relation, "customer", follower.createtime, context.now, event_id=context.event_id
        )
        _begin(session, context, relation, follower)
    elif relation.half:
        relations.confirm_half(session, relation, context.now)
        intention_cards.plan(session, context, relation)
    elif relation.linked and relation.epoch_at is None:
        relation.linked = _is_linked(session, context, follower)
    relation.epoch_at = follower.createtime
    relation.add_way = follower.add_way
    if relation.state is None and follower.state:
        _take_state(session, context, relation, follower.state)
    return relation


def _begin(session: Session, context: Context, relation: Relation, follower: FollowUser) -> None:
    relations.open_epoch(session, relation, context.now, began_at=follower.createtime)
    relation.linked = _is_linked(session, context, follower)
    relation.epoch_at = follower.createtime


def _begin_again(session: Session, context: Context, relation: Relation, follower: FollowUser) -> None:
    if relations.is_same(relation, follower.createtime):
        relations.take_back_end(session, relation, context.now)
    else:
        _begin(session, context, relation, follower)


def _take_state(session: Session, context: Context, relation: Relation, state: str) -> None:
    channel = relations.set_state(session, relation, state)
    if channel is not None and not relation.source_known and not relation.linked:
        sources.tag_by_channel(session, context, relation, channel)


def _tag_source(session: Session, context: Context, relation: Relation) -> None:
    """Tag the source, and count the look just taken as one of its cell: it was made in the same breath.

    A customer whom a colleague handed over came from nowhere new.
    """
    if relation.add_way in HANDED_OVER and _has_other_relations(session, relation):
        relation.source_known = True
        return
    tag_id = sources.tag_by_add_way(session, context, relation)
    seen = sequence.draw(session)
    session.execute(
        update(CustomerTag)
        .where(
            CustomerTag.customer_id == relation.customer_id,
            CustomerTag.relation_id == relation.id,
            CustomerTag.tag_id == tag_id,
            CustomerTag.base.is_(False),
        )
        .values(seen_seq=seen, touched_seq=seen)
    )


def _has_other_relations(session: Session, relation: Relation) -> bool:
    others = select(Relation.id).where(Relation.customer_id == relation.customer_id, Relation.id != relation.id)
    return session.execute(others.limit(1)).first() is not None


def _is_linked(session: Session, context: Context, follower: FollowUser) -> bool:
    """Return whether a relation is older than this deployment, and so of the first link."""
    began = session.execute(select(Deployment.created_at)).scalar_one_or_none()
    return follower.createtime < (began or context.now)
