"""One customer's agreement with WeCom: push what is safe, look, merge, push the rest, look again.

`run` is the job `customer.sync`, one at a time per customer; events, intents and the API ask for it through
`cells.request_sync`. Each transaction takes in the last answer and plans the next calls.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.errors import (
    AppError,
    WeComError,
    WeComGone,
    WeComMemberBarred,
    WeComMisconfigured,
    WeComRejected,
    WeComTagGone,
    WeComThrottled,
    WeComUnavailable,
)
from wecom_app.models import Customer, Relation
from wecom_app.prepared import Prepared
from wecom_app.services import cells, customers, library, pushes, sequence, sightings
from wecom_app.services.library import NOBODY_ASKED, Fate
from wecom_app.services.ports import ContactDetails, JobArgs
from wecom_app.services.pushes import Answer, Push
from wecom_app.services.runtime import Runtime
from wecom_app.services.sightings import Seen

NOT_A_CONTACT = 84061
MAX_ROUNDS = 4
"""Looks in one run; what is still open then is left to the next run."""

LOOKED_AT = Prepared(
    select(Customer.external_userid, Relation.id, Relation.dirty_gen)
    .join(Relation, Relation.customer_id == Customer.id)
    .where(Customer.id == bindparam("customer_id"), Relation.lost_at.is_(None))
)

Answered = Sequence[tuple[Push, Answer]]
Barred = dict[int, WeComMemberBarred]
"""Relations whose member lacks a right: they are not pushed again in this run."""


@dataclass(frozen=True)
class Question:
    """A look that is about to be taken: the number drawn before it, and each relation's dirt noted."""

    external_userid: str
    seq: int
    generations: Mapping[int, int]


def run(runtime: Runtime, args: JobArgs) -> None:
    """Bring one customer's relations into agreement; raises WeComError where WeCom cannot be reached.

    What WeCom refuses of one member is raised once the other relations have been seen to.
    """
    barred: Barred = {}
    _agree(runtime, int(args["customer_id"]), barred)
    for error in barred.values():
        raise error


def _agree(runtime: Runtime, customer_id: int, barred: Barred) -> None:
    with runtime.write() as session:
        customers.lock(session, [customer_id])
        planned = pushes.plan(session, customer_id, before_first_look=True, now=runtime.clock.now())
        question = None if planned else _question(session, customer_id)
    has_pushed = False
    for _ in range(MAX_ROUNDS):
        if planned:
            has_pushed = True
            question = _push(runtime, customer_id, planned, barred)
        if question is None:
            return
        try:
            details = runtime.wecom.get_contact(question.external_userid)
        except WeComGone as error:
            _contact_gone(runtime, customer_id, question, error)
            return
        runtime.crash_point("sync.after_look")
        seen, planned = _take_in(runtime, customer_id, question, details, barred)
        runtime.crash_point("sync.after_merge")
        if not planned and not seen.look_again:
            return
        if not planned:
            with runtime.write() as session:
                customers.lock(session, [customer_id])
                question = _question(session, customer_id)
    if not has_pushed:
        raise NeverStill
    with runtime.write() as session:
        cells.request_sync(session, runtime.queue, customer_id)


class NeverStill(AppError):
    """Every look was overtaken by a change: the job tries again, but not at once and for ever."""

    code = "never_still"
    retryable = True
    default_message = "这位客户的标签一直在变，系统稍后再核对"


def _question(session: Session, customer_id: int) -> Question | None:
    """Draw a look's number, under the customer's lock; None if there is nothing to look at."""
    live = LOOKED_AT.rows(session, {"customer_id": customer_id})
    if not live:
        return None
    return Question(live[0].external_userid, sequence.draw(session), {row.id: row.dirty_gen for row in live})


def _take_in(
    runtime: Runtime, customer_id: int, question: Question, details: ContactDetails, barred: Barred
) -> tuple[Seen, list[Push]]:
    """Write down and merge what was seen; return what came of it and the calls to make next."""
    fate = NOBODY_ASKED
    while True:
        try:
            return _write_down(runtime, customer_id, question, details, fate, barred)
        except TagsInDoubt as doubt:
            fate = _ask_about(runtime, doubt.seen, fate)


class TagsInDoubt(Exception):
    """What was seen cannot be taken in before WeCom has been asked about some tags: the transaction is undone."""

    def __init__(self, seen: Seen) -> None:
        super().__init__()
        self.seen = seen


def _write_down(
    runtime: Runtime, customer_id: int, question: Question, details: ContactDetails, fate: Fate, barred: Barred
) -> tuple[Seen, list[Push]]:
    """Take the answer in whole, or else nothing of it: the half that was would pass for a later look at itself."""
    with runtime.write() as session:
        seen = sightings.take_in(
            session,
            library.context(runtime),
            customer_id,
            details,
            question.seq,
            question.generations,
            fate=fate,
        )
        if seen.suspects or seen.unknown_tags:
            raise TagsInDoubt(seen)
        now = runtime.clock.now()
        return seen, pushes.plan(session, customer_id, before_first_look=False, left_out=barred, now=now)


def _ask_about(runtime: Runtime, seen: Seen, fate: Fate) -> Fate:
    """Ask WeCom about the tags in doubt; return what is known then."""
    if seen.unknown_tags:
        library.pull(runtime, {})
        return replace(fate, library_read=True)
    return fate.joined(library.confirm(runtime, seen.suspects))


def _push(runtime: Runtime, customer_id: int, planned: Sequence[Push], barred: Barred) -> Question | None:
    """Make the calls, write down how each ended, and draw the number of the look that follows."""
    answered: list[tuple[Push, Answer]] = []
    for index, push in enumerate(planned):
        runtime.crash_point("sync.before_push")
        try:
            answered += _send(runtime, push)
        except NoAnswer as failure:
            if isinstance(failure.error, WeComMemberBarred):
                barred[push.relation_id] = failure.error
                answered.append(failure.answered)
                continue
            waits = Answer(counts=False, refused=True, reason=failure.error.message)
            not_made = [(later, waits) for later in planned[index + 1 :]]
            with runtime.write() as session:
                pushes.record_answers(session, [*answered, failure.answered, *not_made], runtime.clock.now())
            raise failure.error from None
        runtime.crash_point("sync.after_push")
    with runtime.write() as session:
        customers.lock(session, [customer_id])
        pushes.record_answers(session, answered, runtime.clock.now())
        return _question(session, customer_id)


class NoAnswer(Exception):
    """The run cannot go on: WeCom is out of reach, over a limit, or refuses the whole app."""

    def __init__(self, push: Push, answer: Answer, error: WeComError) -> None:
        super().__init__()
        self.answered = (push, answer)
        self.error = error


def _send(runtime: Runtime, push: Push) -> Answered:
    """Make one call; return how it ended, in pieces where it had to be cut. Raises NoAnswer."""
    try:
        runtime.wecom.mark_tags(
            push.userid,
            push.external_userid,
            add=list(push.add.values()),
            remove=list(push.remove.values()),
        )
    except (WeComThrottled, WeComMisconfigured) as error:
        raise NoAnswer(push, Answer(counts=False, refused=True, reason=error.message), error) from None
    except WeComUnavailable as error:
        error.retry_after_s = error.settle_s or None
        raise NoAnswer(push, Answer(counts=False, refused=not error.settle_s, reason=error.message), error) from None
    except WeComTagGone as error:
        return _tag_gone(runtime, push, error)
    except WeComGone as error:
        return [(push, Answer(refused=True, reason=error.message))]
    except WeComRejected as error:
        return _halve(runtime, push, error)
    return [(push, Answer())]


def _tag_gone(runtime: Runtime, push: Push, error: WeComTagGone) -> Answered:
    """Find out which tags are gone: these are buried, or given up while their burial waits for approval."""
    refused = Answer(refused=True, reason=error.message)
    try:
        held = library.confirm(runtime, frozenset(push.tag_ids)).held
    except WeComError as failure:
        raise NoAnswer(push, replace(refused, counts=False), failure) from None
    given_up, rest = push.split(held)
    return [(given_up, replace(refused, final=True)), (rest, refused)] if held else [(push, refused)]


def _halve(runtime: Runtime, push: Push, error: WeComError) -> Answered:
    """Cut the call until the one tag is found that WeCom will not take; the others go through."""
    if len(push.tag_ids) == 1:
        reason = f"{error.message}（{error.errcode}）"
        return [(push, Answer(refused=True, final=True, reason=reason))]
    return [answered for half in push.halves() for answered in _send(runtime, half)]


def _contact_gone(runtime: Runtime, customer_id: int, question: Question, error: WeComError) -> None:
    """WeCom has no such contact: one answer closes nothing, but what waits says why it waits.

    It is the second answer where a completed pull had not shown the customer either.
    """
    with runtime.write() as session:
        customers.lock(session, [customer_id])
        if error.errcode == NOT_A_CONTACT:
            sightings.end_absent(session, library.context(runtime), customer_id, question.seq)
        pushes.note_reason(session, customer_id, error.message)
