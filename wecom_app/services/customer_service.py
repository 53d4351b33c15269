"""Profiles for customer service: looked at, never changed, and every look written down before anything is shown.

Called by the sidebar in the entry `single_kf_tools`. Whoever is the customer's friend himself sees him as usual.
"""

from dataclasses import replace
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.access import Purpose
from wecom_app.errors import NotInSight
from wecom_app.models import AuditEntry
from wecom_app.services import audit, on_demand, rep_profile
from wecom_app.services.access import Viewer, find_customer
from wecom_app.services.rep_views import RepProfile, TimelinePage, Why
from wecom_app.services.runtime import Runtime, Store

ACTION = "customer.serve"
ONE_LOOK = timedelta(minutes=1)
"""What is fetched within it, the profile again or its parts, is the same look: the page refreshes by itself."""
READ_ONLY = "客服只能查看，不能修改"


def load(runtime: Runtime, viewer: Viewer, external_userid: str) -> RepProfile:
    """Return the profile; raises as `on_demand.load`, and Unavailable where the look cannot be written down."""
    if not look(runtime, viewer, external_userid):
        return on_demand.load(runtime, viewer, external_userid)
    with runtime.read() as session:
        found = rep_profile.load(session, viewer, external_userid, runtime.clock.now(), purpose=Purpose.SERVE)
    return replace(found, can_edit=False, is_served=True)


def why(store: Store, viewer: Viewer, external_userid: str, key: str) -> Why:
    """Return why the customer has a tag; raises as `rep_profile.why`."""
    is_served = look(store, viewer, external_userid)
    with store.read() as session:
        found = rep_profile.why(session, viewer, external_userid, key, store.clock.now(), purpose=Purpose.SERVE)
    return replace(found, not_editable=READ_ONLY) if is_served else found


def timeline(store: Store, viewer: Viewer, external_userid: str, before: str | None) -> TimelinePage:
    """Return a page of the timeline; raises NotInSight."""
    look(store, viewer, external_userid)
    with store.read() as session:
        now = store.clock.now()
        return rep_profile.timeline(session, viewer, external_userid, before, now, purpose=Purpose.SERVE)


def look(store: Store, viewer: Viewer, external_userid: str) -> bool:
    """Return whether the viewer looks as customer service, written down; False for his own customer or none in reach.

    One entry for each member and customer a minute; two requests of one moment may write two.
    """
    now = store.clock.now()
    with store.read() as session:
        try:
            seen = find_customer(session, viewer, external_userid, Purpose.SERVE)
        except NotInSight:
            return False
        if seen.relation is not None:
            return False
        is_noted = _is_noted(session, viewer, external_userid, now)
    if not is_noted:
        with store.write() as session:
            audit.record(session, viewer, ACTION, _subject(external_userid), now=now)
    return True


def _is_noted(session: Session, viewer: Viewer, external_userid: str, now: datetime) -> bool:
    query = select(AuditEntry.id).where(
        AuditEntry.subject == _subject(external_userid),
        AuditEntry.action == ACTION,
        AuditEntry.actor == (viewer.userid or viewer.name)[:64],
        AuditEntry.at > now - ONE_LOOK,
    )
    return session.execute(query.limit(1)).first() is not None


def _subject(external_userid: str) -> str:
    return f"customer:{external_userid}"
