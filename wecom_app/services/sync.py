"""One customer's agreement with WeCom: push what is safe, look, merge, push the rest, look again.

`run` is the job `customer.sync`, one at a time per customer; events, intents and the API ask for it through
`cells.request_sync`.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field

from sqlalchemy import select

from wecom_app.errors import (
    WeComError,
    WeComGone,
    WeComMisconfigured,
    WeComRejected,
    WeComTagGone,
    WeComThrottled,
    WeComUnavailable,
)
from wecom_app.models import Customer
from wecom_app.services import cells, customers, library, pushes, sequence, sightings
from wecom_app.services.ports import ContactDetails, JobArgs
from wecom_app.services.pushes import Answer, Push
from wecom_app.services.runtime import Runtime

MAX_ROUNDS = 4
"""Looks in one run; what is still open then is left to the next run."""
SETTLE_S = 10.0
"""After an unknown outcome: a request may still be applied until the call's own time-out."""


@dataclass(frozen=True)
class Question:
    """A look that is about to be taken: the number drawn before it, and each relation's dirt noted."""

    external_userid: str
    seq: int
    generations: Mapping[int, int] = field(default_factory=dict)


def run(runtime: Runtime, args: JobArgs) -> None:
    """Bring one customer's relations into agreement; raises WeComError where WeCom cannot be reached."""
    customer_id = int(args["customer_id"])
    _push_all(runtime, customer_id, before_first_look=True)
    for _ in range(MAX_ROUNDS):
        question = _ask(runtime, customer_id)
        if question is None:
            return
        try:
            details = runtime.wecom.get_contact(question.external_userid)
        except WeComGone:
            return
        runtime.crash_point("sync.after_look")
        again = _take_in(runtime, customer_id, question, details)
        runtime.crash_point("sync.after_merge")
        if not _push_all(runtime, customer_id, before_first_look=False) and not again:
            return
    with runtime.write() as session:
        cells.request_sync(session, runtime.queue, customer_id)


def _ask(runtime: Runtime, customer_id: int) -> Question | None:
    """Draw the look's number under the customer's lock; None if there is nothing to look at."""
    with runtime.write() as session:
        customers.lock(session, [customer_id])
        external_userid = session.execute(
            select(Customer.external_userid).where(Customer.id == customer_id)
        ).scalar_one()
        live = customers.live_relations(session, customer_id)
        if not live:
            return None
        return Question(
            external_userid,
            sequence.draw(session),
            {relation.id: relation.dirty_gen for relation in live},
        )


def _take_in(runtime: Runtime, customer_id: int, question: Question, details: ContactDetails) -> bool:
    """Write down and merge what was seen; return whether another look is needed."""
    in_library: frozenset[int] = frozenset()
    while True:
        with runtime.write() as session:
            seen = sightings.take_in(
                session,
                library.context(runtime),
                customer_id,
                details,
                question.seq,
                question.generations,
                in_library=in_library,
            )
        if seen.unknown_tags and not seen.suspects:
            library.pull(runtime, {})
            with runtime.read() as session:
                known = library.knows(session, details)
            return known or seen.stale
        if not seen.suspects:
            return seen.stale
        in_library = in_library | library.confirm(runtime, seen.suspects)


def _push_all(runtime: Runtime, customer_id: int, *, before_first_look: bool) -> bool:
    """Send every call that is due for the customer; return whether any was sent."""
    with runtime.read() as session:
        if not pushes.is_due(session, customer_id, before_first_look=before_first_look):
            return False
    with runtime.write() as session:
        customers.lock(session, [customer_id])
        planned = pushes.plan(
            session, customer_id, before_first_look=before_first_look, now=runtime.clock.now()
        )
    for push in planned:
        runtime.crash_point("sync.before_push")
        _send(runtime, push)
    return bool(planned)


def _send(runtime: Runtime, push: Push) -> None:
    try:
        runtime.wecom.mark_tags(
            push.userid,
            push.external_userid,
            add=list(push.add.values()),
            remove=list(push.remove.values()),
        )
    except WeComTagGone:
        _tag_gone(runtime, push)
    except (WeComThrottled, WeComMisconfigured) as error:
        _record(runtime, push, Answer(counts=False, refused=True, reason=error.message))
        raise
    except WeComUnavailable as error:
        _record(runtime, push, Answer(counts=False, reason=error.message))
        error.retry_after_s = SETTLE_S
        raise
    except WeComGone as error:
        _record(runtime, push, Answer(refused=True, reason=error.message))
    except WeComRejected as error:
        _rejected(runtime, push, error)
    else:
        runtime.crash_point("sync.after_push")
        _record(runtime, push, Answer())


def _record(runtime: Runtime, push: Push, answer: Answer) -> None:
    with runtime.write() as session:
        pushes.record_answer(session, push, answer)


def _tag_gone(runtime: Runtime, push: Push) -> None:
    """One of the tags is not there any more: ask the library which, and go on with the others."""
    _record(runtime, push, Answer(refused=True, reason=WeComTagGone.default_message))
    library.confirm(runtime, frozenset(push.tag_ids))


def _rejected(runtime: Runtime, push: Push, error: WeComError) -> None:
    """Halve the call until the one tag is found that WeCom will not take; the others go through."""
    if len(push.tag_ids) == 1:
        with runtime.write() as session:
            reason = f"{error.message}（{error.errcode}）"
            pushes.record_answer(session, push, Answer(refused=True, reason=reason))
            pushes.bury(session, push.relation_id, push.tag_ids, reason, runtime.clock.now())
        return
    for half in push.halves():
        _send(runtime, half)
