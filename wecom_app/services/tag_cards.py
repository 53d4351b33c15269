"""One new customer as a card to tag: who he is, and few enough tags to choose from at a glance.

Called by the card stack of `/sidebar/mine`, for customers who are the viewer's own friends.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from wecom_app.domain.keys import Slugify
from wecom_app.errors import NotInSight
from wecom_app.models import Customer, Relation
from wecom_app.services import my_customers, rep_sheet
from wecom_app.services.access import Viewer
from wecom_app.services.my_customers import ROWS, MyCustomer
from wecom_app.services.rep_views import Sheet, SheetGroup, SheetTag

MOST_CHOICES = 9
"""As many as the keys 1 to 9 can press."""
FIRST_DIMENSION = "journey"
"""Where one begins with a customer of whom nothing is known yet."""


@dataclass(frozen=True)
class Choice:
    tag: SheetTag
    group: SheetGroup
    reason: str
    """Why it is offered; empty where only because the library has it."""


@dataclass(frozen=True)
class Card:
    customer: MyCustomer
    version: int
    choices: tuple[Choice, ...]


def load(session: Session, viewer: Viewer, external_userid: str, now: datetime, *, slugify: Slugify) -> Card:
    """Return the card; raise NotInSight unless the customer is the viewer's own to edit."""
    sheet = rep_sheet.load(session, viewer, external_userid, now, slugify=slugify)
    mine = ROWS.where(Relation.staff_id == viewer.staff_id, Customer.external_userid == external_userid)
    row = session.connection().execute(mine).one_or_none()
    if row is None:
        raise NotInSight
    (customer,) = my_customers.with_tags(session, [my_customers.customer_of(row, now)], now)
    return Card(customer, sheet.version, choices(sheet))


def choices(sheet: Sheet) -> tuple[Choice, ...]:
    """Return the choices: what colleagues gave to customers alike, one's own last tags, then the library's first."""
    places = sheet.open_places()
    found: dict[str, Choice] = {}
    for tag, reason in _in_order(sheet):
        if tag.key in places and not tag.is_held and len(found) < MOST_CHOICES:
            found.setdefault(tag.key, Choice(tag, places[tag.key], reason))
    return tuple(found.values())


def _in_order(sheet: Sheet) -> Iterator[tuple[SheetTag, str]]:
    for suggestion in sheet.suggested:
        yield suggestion.tag, suggestion.reason
    for tag in sheet.recent:
        yield tag, ""
    for dimension in sorted(sheet.dimensions, key=lambda dimension: dimension.key != FIRST_DIMENSION):
        for group in dimension.groups:
            for tag in group.tags:
                yield tag, ""
