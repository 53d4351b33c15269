"""A customer whom WeCom has and we have not yet: fetched when his rep opens him, in the sidebar's reserve of calls.

Called by the sidebar, where the access rule finds nobody. One question per guess at most, few guesses per member:
what comes back without the member among the followers is forgotten, and answered like an unknown customer.
"""

import re
from datetime import timedelta

from sqlalchemy.orm import Session

from wecom_app.errors import NotInSight, TooMany, WeComError, WeComGone
from wecom_app.services import cells, customers, library, rate_limits, rep_profile, sequence, sightings, staff
from wecom_app.services.access import Viewer
from wecom_app.services.ports import ContactDetails
from wecom_app.services.rate_limits import Counted, Limit
from wecom_app.services.rep_views import RepProfile
from wecom_app.services.runtime import Runtime

ANSWER_S = 2.0
"""How long WeCom may take: the rep is waiting, and the page has three seconds in all."""
LIBRARY_S = 1.0
PRIORITY = 20
"""Of the job that brings the rest into agreement."""
EXTERNAL_USERID = re.compile(r"[\w-]{1,64}", re.ASCII)

SAME = Limit("fetch_same", 1, timedelta(minutes=10))
"""A negative answer is remembered for each member and customer."""
BY_MEMBER = Limit("fetch_member", 9, timedelta(hours=1))
"""Answers that were not his: whoever guesses learns nothing, and costs at most two windows of calls."""
TRIES = Limit("fetch_tries", 10, timedelta(minutes=10))
"""Questions of one member that were not answered: he may try again, but not for ever."""
BY_ALL = Limit("fetch_all", 120, timedelta(minutes=1))


def load(runtime: Runtime, viewer: Viewer, external_userid: str) -> RepProfile:
    """Return the profile, fetched from WeCom first where the customer is not the viewer's here.

    Raises NotInSight where he is not the viewer's there either, and WeComError where WeCom cannot be asked.
    """
    try:
        return _read(runtime, viewer, external_userid)
    except NotInSight:
        fetch(runtime, viewer, external_userid)
    return _read(runtime, viewer, external_userid)


def fetch(runtime: Runtime, viewer: Viewer, external_userid: str) -> None:
    """Ask WeCom about a customer and take him in if the viewer is one of his followers; raises as `load`."""
    if viewer.userid is None or not EXTERNAL_USERID.fullmatch(external_userid):
        raise NotInSight
    negative: list[Counted] = [(SAME, f"{viewer.userid}:{external_userid}"), (BY_MEMBER, viewer.userid)]
    tries: Counted = (TRIES, viewer.userid)
    known, seq = _admit(runtime, external_userid, [*negative, tries, (BY_ALL, "")])
    try:
        details = runtime.wecom.get_contact(external_userid, urgent=True, timeout_s=ANSWER_S)
    except WeComGone:
        raise NotInSight from None
    except WeComError:
        _give_back(runtime, negative)
        raise
    if not any(follower.userid.lower() == viewer.userid.lower() for follower in details.follow_users):
        raise NotInSight
    _learn_tags(runtime, details)
    with runtime.write() as session:
        _store(session, runtime, external_userid, details, known=known, seq=seq)
        rate_limits.give_back(session, *negative, tries)


def _read(runtime: Runtime, viewer: Viewer, external_userid: str) -> RepProfile:
    with runtime.read() as session:
        return rep_profile.load(session, viewer, external_userid, runtime.clock.now())


def _admit(runtime: Runtime, external_userid: str, counted: list[Counted]) -> tuple[bool, int]:
    """Count the question; return whether we know the customer, and the number of the look that is taken now."""
    now = runtime.clock.now()
    try:
        with runtime.read() as session:
            rate_limits.check(session, now, *counted)
        with runtime.write() as session:
            rate_limits.take(session, now, *counted)
            customer_id = customers.find_id(session, external_userid)
            if customer_id is None:
                return False, 0
            customers.lock(session, [customer_id])
            return True, sequence.draw(session)
    except TooMany:
        raise NotInSight from None


def _give_back(runtime: Runtime, counted: list[Counted]) -> None:
    """No answer is no negative answer: the rep may try again."""
    with runtime.write() as session:
        rate_limits.give_back(session, *counted)


def _learn_tags(runtime: Runtime, details: ContactDetails) -> None:
    """Read the library if the customer has tags that are not in ours; without it the rest is shown all the same."""
    with runtime.read() as session:
        if library.knows(session, details):
            return
    try:
        listing = library.read(runtime, urgent=True, timeout_s=LIBRARY_S)
    except WeComError:
        return
    library.take(runtime, listing)


def _store(
    session: Session, runtime: Runtime, external_userid: str, details: ContactDetails, *, known: bool, seq: int
) -> None:
    """Take the answer in.

    Of a customer who was not here until now nothing can have changed since WeCom was asked, so that its answer
    counts as a look at friendships that it has opened itself. In any other case they are looked at once more.
    """
    context = library.context(runtime)
    is_new = not known and customers.find_id(session, external_userid) is None
    customer_id = customers.ensure(session, external_userid, context.now)
    sightings.take_in(session, context, customer_id, details, seq, {}, fate=library.LIBRARY_READ)
    if is_new:
        seq = sequence.draw(session)
        sightings.take_in(session, context, customer_id, details, seq, {}, fate=library.LIBRARY_READ)
    cells.request_sync(session, runtime.queue, customer_id, priority=PRIORITY)
    found = staff.find_ids(session, [follower.userid for follower in details.follow_users])
    staff.request_names(session, runtime.queue, list(found.values()))
