"""What each kind of callback means: a table from (event, change type) to a function; run by the job `event.handle`.

A handler works in one transaction with its event's end state, so that running it again changes nothing.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

import structlog
from sqlalchemy.orm import Session

from wecom_app.domain.messages import is_hint, text
from wecom_app.models import Relation
from wecom_app.services import (
    bot,
    card_presses,
    cells,
    customers,
    directory,
    inbox,
    intention_cards,
    relations,
    remarks,
    sources,
    staff,
    taxonomy,
)
from wecom_app.services.context import Context
from wecom_app.services.inbox import Message
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime

HALF_KIND = "relation.check_half"
HALF_CHECKS = (timedelta(minutes=1), timedelta(minutes=10), timedelta(hours=1), timedelta(days=1))
"""When to look whether a member has accepted a customer, counted from the look before."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Subject:
    """Whom a customer event is about, as rows of ours."""

    customer_id: int
    staff_id: int
    relation: Relation
    is_new: bool


Handler = Callable[[Session, Context, Message], None]


def handle(runtime: Runtime, args: JobArgs) -> None:
    """Carry out one stored callback; an unknown kind is kept, counted and left alone.

    A failure stands on the event for people to see until a later try succeeds.
    """
    event_id = int(args["event_id"])
    try:
        _carry_out(runtime, event_id)
    except Exception as error:
        with runtime.write() as session:
            inbox.mark_failed(session, event_id, f"{type(error).__name__}: {error}")
        raise


def _carry_out(runtime: Runtime, event_id: int) -> None:
    with runtime.write() as session:
        event = inbox.get_message(session, event_id)
        if event.state == "done" and not is_hint(event.event, event.change_type):
            return
        handler = HANDLERS.get((event.event, event.change_type)) or HANDLERS.get((event.event, ANY))
        now = runtime.clock.now()
        context = Context(runtime.queue, runtime.slugify, now, event.id, event.occurred_at)
        if handler is not None:
            handler(session, context, event)
        session.flush()
        state = "ignored" if handler is None else "done"
        inbox.mark_handled(session, event.id, state, now)
        runtime.crash_point("event.before_commit")
    runtime.crash_point("event.after_commit")
    known = event.event if any(event.event == key[0] for key in HANDLERS) else "other"
    runtime.metrics.events.labels(known, state).inc()


def _added(session: Session, context: Context, event: Message) -> None:
    """A customer and a member are friends: open the relation, tag by State, have WeCom looked at."""
    _open(session, context, event, half=False)


def _half_added(session: Session, context: Context, event: Message) -> None:
    """The customer has added the member, who has not accepted: known, tagged here, not yet pushed."""
    _open(session, context, event, half=True)


def _open(session: Session, context: Context, event: Message, *, half: bool) -> None:
    subject = _subject(session, context, event)
    if subject is None:
        return
    relation = subject.relation
    _begin(session, context, subject, half=half)
    if relation.lost_at is not None:
        return
    state = text(event.fields, "State") or None
    if state and not relation.source_known:
        channel = relations.set_state(session, relation, state)
        if channel is None:
            sources.tag_by_add_way(session, context, relation)
        else:
            sources.tag_by_channel(session, context, relation, channel)
    if relation.half:
        _watch_half(session, context, relation)
    else:
        intention_cards.plan(session, context, relation)
    _look(session, context, relation)


def _begin(session: Session, context: Context, subject: Subject, *, half: bool) -> None:
    """Open the relation, or note what the event adds to what is known of a live one."""
    relation = subject.relation
    if subject.is_new or _is_re_add(relation, context.occurred_at):
        relations.open_epoch(session, relation, context.now, half=half, began_at=context.occurred_at)
    elif relation.lost_at is None:
        relations.note_beginning(relation, context.occurred_at)
        if relation.half and not half:
            relations.confirm_half(session, relation, context.now)


def _is_re_add(relation: Relation, occurred_at: datetime | None) -> bool:
    """Return whether an add event means a new epoch: it must be no older than the loss."""
    if relation.lost_at is None:
        return False
    return occurred_at is None or occurred_at >= relation.lost_at


def _deleted_by_staff(session: Session, context: Context, event: Message) -> None:
    by_transfer = text(event.fields, "Source") == "DELETE_BY_TRANSFER"
    _close(session, context, event, "transfer" if by_transfer else "staff")


def _deleted_by_customer(session: Session, context: Context, event: Message) -> None:
    _close(session, context, event, "customer")


def _close(session: Session, context: Context, event: Message, lost_by: str) -> None:
    """End the relation, unless the event is older than the epoch that stands: then only look again."""
    subject = _subject(session, context, event)
    if subject is None:
        return
    relation = subject.relation
    lost_at = event.occurred_at or context.now
    if not subject.is_new and relation.lost_at is not None:
        relations.confirm_loss(relation, lost_by, lost_at)
        return
    if not subject.is_new and _began(relation) > lost_at:
        _look(session, context, relation)
        return
    relations.close_epoch(session, relation, lost_by, lost_at, context.now, event_id=context.event_id)


def _began(relation: Relation) -> datetime:
    """Return the last beginning that we know of, by WeCom's createtime or by an event, cut to its seconds.

    Not the time of handling: the callback that ends the relation may be waiting already.
    """
    return max(relation.epoch_at or relation.opened_at, relation.opened_at).replace(microsecond=0)


def _edited(session: Session, context: Context, event: Message) -> None:
    """Somebody changed remark or tags in WeCom: the event does not say what, so read the relation again."""
    subject = _subject(session, context, event)
    if subject is None:
        return
    if subject.is_new:
        relations.open_epoch(session, subject.relation, context.now, began_at=context.occurred_at)
        # The two may have been friends for years; the first look tells.
        subject.relation.linked = True
    remarks.challenge(session, subject.relation, context.occurred_at)
    _look(session, context, subject.relation)


def _look(session: Session, context: Context, relation: Relation) -> None:
    relation.dirty_gen += 1
    cells.request_sync(session, context.queue, relation.customer_id)


def _transfer_failed(session: Session, context: Context, event: Message) -> None:
    """WeCom could not hand the customer over: he stays with whom he has, and the reason stays to be seen.

    The event names one member, giver or taker; a taker has no relation with the customer, and gets none.
    """
    fields = event.fields
    customer_id = customers.find_id(session, text(fields, "ExternalUserID"))
    if customer_id is None:
        return
    for relation in customers.live_relations(session, customer_id):
        relation.transfer_failure = text(fields, "FailReason")[:32] or None
        _look(session, context, relation)


def _acquisition_chat(session: Session, context: Context, event: Message) -> None:
    """A customer of an acquisition link wrote for the first time: a missed add event would show now."""
    fields = event.fields
    if text(fields, "UserID") and text(fields, "ExternalUserID"):
        _edited(session, context, event)


def _acquisition_alert(_session: Session, _context: Context, event: Message) -> None:
    """Quota or link trouble: nothing of ours changes, people must know."""
    log.warning("acquisition.alert", event_id=event.id, change_type=event.change_type)


def _member_changed(session: Session, context: Context, event: Message) -> None:
    fields = event.fields
    userid, new_userid = text(fields, "UserID"), text(fields, "NewUserID") or text(fields, "NewUserId")
    if userid and new_userid:
        directory.rename(session, userid, new_userid)
    if new_userid or userid:
        staff.request_reading(session, context.queue, new_userid or userid)


def _member_left(session: Session, context: Context, event: Message) -> None:
    directory.leave(session, context, text(event.fields, "UserID"))


def _departments_changed(session: Session, context: Context, _event: Message) -> None:
    directory.request_pull(session, context.queue)


def _watch_half(session: Session, context: Context, relation: Relation, attempt: int = 0) -> None:
    """Look again later whether the member has accepted: the event that says so may be lost."""
    if attempt < len(HALF_CHECKS):
        context.queue.enqueue(
            session,
            HALF_KIND,
            {"relation_id": relation.id, "life_seq": relation.life_seq, "attempt": attempt},
            lane="local",
            run_at=context.now + HALF_CHECKS[attempt],
        )


def check_half(runtime: Runtime, args: JobArgs) -> None:
    """Look at a relation that was half made; ask again later while it still is."""
    with runtime.write() as session:
        relation = session.get_one(Relation, int(args["relation_id"]))
        if not relation.half or relation.lost_at is not None or relation.life_seq != args["life_seq"]:
            return
        context = Context(runtime.queue, runtime.slugify, runtime.clock.now())
        _watch_half(session, context, relation, int(args["attempt"]) + 1)
        _look(session, context, relation)


def _library_changed(session: Session, context: Context, _event: Message) -> None:
    taxonomy.enqueue_pull(session, context.queue)


def _subject(session: Session, context: Context, event: Message) -> Subject | None:
    """Return customer, member and relation, made where new; None if the callback does not name both."""
    fields = event.fields
    external_userid, userid = text(fields, "ExternalUserID"), text(fields, "UserID")
    if not external_userid or not userid or len(external_userid) > 64 or len(userid) > 64:
        return None
    customer_id = customers.ensure(session, external_userid, context.now)
    staff_id = staff.ensure(session, [userid], context.now)[userid]
    relation, is_new = relations.find_or_create(session, customer_id, staff_id, context.now)
    return Subject(customer_id, staff_id, relation, is_new)


ANY = "*"
HANDLERS: Mapping[tuple[str, str], Handler] = {
    ("change_external_contact", "add_external_contact"): _added,
    ("change_external_contact", "add_half_external_contact"): _half_added,
    ("change_external_contact", "del_external_contact"): _deleted_by_staff,
    ("change_external_contact", "del_follow_user"): _deleted_by_customer,
    ("change_external_contact", "edit_external_contact"): _edited,
    ("change_external_contact", "transfer_fail"): _transfer_failed,
    ("change_external_tag", ANY): _library_changed,
    ("customer_acquisition", "customer_start_chat"): _acquisition_chat,
    ("customer_acquisition", "balance_low"): _acquisition_alert,
    ("customer_acquisition", "balance_exhausted"): _acquisition_alert,
    ("customer_acquisition", "quota_expire_soon"): _acquisition_alert,
    ("customer_acquisition", "link_unavailable"): _acquisition_alert,
    ("customer_acquisition", "delete_link"): _acquisition_alert,
    ("text", ANY): bot.hear,
    ("image", ANY): bot.hear,
    ("voice", ANY): bot.hear,
    ("video", ANY): bot.hear,
    ("location", ANY): bot.hear,
    ("link", ANY): bot.hear,
    ("click", ANY): bot.hear,
    ("enter_agent", ANY): bot.enter,
    ("template_card_event", ANY): card_presses.hear,
    ("change_contact", "create_user"): _member_changed,
    ("change_contact", "update_user"): _member_changed,
    ("change_contact", "delete_user"): _member_left,
    ("change_contact", "create_party"): _departments_changed,
    ("change_contact", "update_party"): _departments_changed,
    ("change_contact", "delete_party"): _departments_changed,
}
