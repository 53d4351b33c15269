"""Whom a member should care for today: new and untagged, follow-ups due, dates near, tags about to run out.

Called by `/sidebar/mine`. A constant number of queries, all over his own live friendships.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, datetime, timedelta
from typing import Any

from sqlalchemy import func, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain import near_dates
from wecom_app.domain.days import day_bounds, local
from wecom_app.domain.field_kinds import Kind
from wecom_app.domain.near_dates import Occasion
from wecom_app.domain.vocabulary import Scope
from wecom_app.models import Customer, CustomerTag, ProfileField, ProfileValue, Relation, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL, WANTED_AND_RUNS_OUT
from wecom_app.services import follow_ups, my_customers, newcomers
from wecom_app.services.access import Viewer
from wecom_app.services.my_customers import ROWS, MyCustomer
from wecom_app.services.rep_profile import own_words
from wecom_app.services.rep_views import FollowUpView

NEW_DAYS = 7
"""Today and the six days before it: who is new and untagged for longer is found by the list's filters."""
NEAR_DAYS = 7
MOST = 200
"""Of one section; of what is more the page says so."""


@dataclass(frozen=True)
class Newcomer:
    customer: MyCustomer
    days_ago: int
    """Calendar days of the company: 0 is today."""


@dataclass(frozen=True)
class NearDate:
    """A date in a customer's profile that comes soon."""

    external_userid: str
    label: str
    field: str
    is_sensitive: bool
    occasion: Occasion
    days: int
    """From today; 0 is today."""


@dataclass(frozen=True)
class EndingTag:
    external_userid: str
    label: str
    tag: str
    tone: str
    is_sensitive: bool
    expires_at: datetime


@dataclass(frozen=True)
class MyDay:
    """Each section holds at most `MOST`."""

    newcomers: tuple[Newcomer, ...]
    due: tuple[FollowUpView, ...]
    dates: tuple[NearDate, ...]
    ending: tuple[EndingTag, ...]

    def new_on(self, days_ago: int) -> int:
        """Return how many untagged customers came on that day."""
        return sum(newcomer.days_ago == days_ago for newcomer in self.newcomers)

    @property
    def is_empty(self) -> bool:
        return not (self.newcomers or self.due or self.dates or self.ending)


def load(session: Session, viewer: Viewer, now: datetime, time_zone: str) -> MyDay:
    """Return what is to be done today; nothing for somebody who is no member."""
    if viewer.staff_id is None:
        return MyDay((), (), (), ())
    _, end = day_bounds(now, time_zone)
    return MyDay(
        newcomers=untagged_newcomers(session, viewer.staff_id, now, time_zone),
        due=tuple(follow_ups.due(session, viewer, end, limit=MOST)),
        dates=_near_dates(session, viewer.staff_id, local(now, time_zone).date()),
        ending=_ending(session, viewer.staff_id, now),
    )


def untagged_newcomers(session: Session, staff_id: int, now: datetime, time_zone: str) -> tuple[Newcomer, ...]:
    """Return the member's customers of the last days whom nobody has tagged, the newest first; half ones left out."""
    begin, _ = day_bounds(now, time_zone, back=NEW_DAYS - 1)
    query = (
        ROWS.where(Relation.staff_id == staff_id, ~Relation.half)
        .where(newcomers.is_new(begin, now + timedelta(seconds=1)), ~newcomers.is_tagged(now))
        .order_by(Relation.opened_at.desc(), Relation.id.desc())
        .limit(MOST)
    )
    today = local(now, time_zone).date()
    return tuple(
        Newcomer(my_customers.customer_of(row, now), (today - local(row.opened_at, time_zone).date()).days)
        for row in session.connection().execute(query)
    )


def _near_dates(session: Session, staff_id: int, today: date) -> tuple[NearDate, ...]:
    coming = near_dates.coming(today, NEAR_DAYS)
    month_day = func.substr(ProfileValue.value, func.length(ProfileValue.value) - 4, 5)
    query = (
        select(
            Customer.external_userid,
            Customer.name,
            Relation.remark,
            ProfileField.name.label("field"),
            ProfileField.sensitive,
            ProfileValue.value,
        )
        .join(Relation, Relation.customer_id == Customer.id)
        .join(ProfileValue, ProfileValue.customer_id == Customer.id)
        .join(ProfileField, ProfileField.id == ProfileValue.field_id)
        .where(
            Relation.staff_id == staff_id,
            Relation.lost_at.is_(None),
            ProfileField.kind == Kind.DATE,
            ProfileField.archived_at.is_(None),
            ProfileValue.ended_at.is_(None),
            month_day.in_(list(coming)),
        )
        .order_by(ProfileValue.id)
    )
    rows = session.connection().execute(query).all()
    found = [near for row in rows if (near := _near(row, coming, today)) is not None]
    return tuple(sorted(found, key=lambda near: near.days)[:MOST])


def _near(row: Any, coming: Mapping[str, date], today: date) -> NearDate | None:
    occasion = near_dates.occasion(row.value, coming)
    if occasion is None:
        return None
    days = (occasion.day - today).days
    return NearDate(row.external_userid, label(row), row.field, row.sensitive, occasion, days)


def _ending(session: Session, staff_id: int, now: datetime) -> tuple[EndingTag, ...]:
    query = (
        select(
            Customer.external_userid,
            Customer.name,
            Relation.remark,
            Tag.name.label("tag"),
            TagGroup.tone,
            TagGroup.sensitive,
            CustomerTag.expires_at,
        )
        .join(Relation, Relation.customer_id == Customer.id)
        .join(CustomerTag, CustomerTag.customer_id == Customer.id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            Relation.staff_id == staff_id,
            Relation.lost_at.is_(None),
            WANTED_AND_RUNS_OUT,
            CustomerTag.expires_at > now,
            CustomerTag.expires_at <= now + timedelta(days=NEAR_DAYS),
            or_(
                CustomerTag.relation_id == CUSTOMER_LEVEL,
                (CustomerTag.relation_id == Relation.id) & (TagGroup.scope == Scope.RELATION),
            ),
        )
        .order_by(CustomerTag.expires_at, Customer.id)
        .limit(MOST)
    )
    rows: Sequence[Any] = session.connection().execute(query).all()
    return tuple(
        EndingTag(row.external_userid, label(row), row.tag, row.tone, row.sensitive, row.expires_at) for row in rows
    )


def label(row: Any) -> str:
    """Return how a list calls a customer: by name, with the member's own words where he wrote some."""
    remark = own_words(row.remark, row.name)
    return f"{row.name}（{remark}）" if row.name and remark else row.name or remark or "未取到昵称的客户"
