"""The lines of a page of a full pull beside what we know of each: read in one statement, as columns and not as objects.

Most lines say what we know already. `bulk_looks` asks here which do (`Line.is_quiet`), and takes only the others up
one by one.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, NamedTuple

from sqlalchemy import ColumnElement, FromClause, String, and_, bindparam, case, cast, exists, func, or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Mirror, Scope
from wecom_app.models import Customer, CustomerTag, Relation, RemarkEdit, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.prepared import Prepared
from wecom_app.services import customers, look_units, remarks, staff
from wecom_app.services.ports import ContactDetails, FollowUser

CUSTOMER, RELATION = Customer.__table__, Relation.__table__
CELL, TRUTH = CustomerTag.__table__.alias("cell"), CustomerTag.__table__.alias("truth")
Place = tuple[int, int]
"""Customer and staff ids."""
Known = Any
"""A row of `KNOWN`; None where we have not heard of the friendship."""


def _tags(condition: ColumnElement[bool]) -> Any:
    return select(Tag.id).join(TagGroup, TagGroup.id == Tag.group_id).where(condition)


IS_MIRRORED = (TagGroup.mirror != Mirror.NONE) & Tag.gone_at.is_(None)
LEFT_OUT = _tags(~IS_MIRRORED)
"""Tags that no look compares. Named rather than those that it does: there are few, and they are found once a page."""
OF_RELATIONS = _tags(TagGroup.scope == Scope.RELATION)
IS_OF_LINE = (CELL.c.customer_id == CUSTOMER.c.id) & (CELL.c.relation_id == RELATION.c.id)


def _of_tag(one: FromClause, other: FromClause) -> ColumnElement[bool]:
    return (one.c.customer_id == other.c.customer_id) & (one.c.tag_id == other.c.tag_id)


def _is_newer(row: FromClause) -> ColumnElement[bool]:
    return or_(row.c.ver > bindparam("seq"), row.c.person_seq > bindparam("seq"))


RESTLESS_TRUTH = exists(
    select(TRUTH.c.tag_id)
    .select_from(TRUTH.outerjoin(CELL, _of_tag(CELL, TRUTH) & (CELL.c.relation_id == RELATION.c.id)))
    .where(
        TRUTH.c.customer_id == CUSTOMER.c.id,
        TRUTH.c.relation_id == CUSTOMER_LEVEL,
        TRUTH.c.tag_id.not_in(LEFT_OUT),
        or_(
            _is_newer(TRUTH),
            and_(TRUTH.c.wanted, CELL.c.tag_id.is_(None), TRUTH.c.tag_id.not_in(OF_RELATIONS)),
            CELL.c.wanted != TRUTH.c.wanted,
            CELL.c.acked_ver < TRUTH.c.ver,
        ),
    )
    .correlate(CUSTOMER, RELATION)
)
RESTLESS_CELL = exists(
    select(CELL.c.tag_id)
    .select_from(CELL.outerjoin(TRUTH, _of_tag(TRUTH, CELL) & (TRUTH.c.relation_id == CUSTOMER_LEVEL)))
    .where(
        IS_OF_LINE,
        CELL.c.tag_id.not_in(LEFT_OUT),
        or_(
            _is_newer(CELL),
            CELL.c.touched_seq > bindparam("seq"),
            CELL.c.sent.is_not(None),
            CELL.c.dead,
            CELL.c.base.is_(None),
            CELL.c.base != CELL.c.wanted,
            CELL.c.acked_ver < CELL.c.ver,
            and_(CELL.c.wanted, TRUTH.c.tag_id.is_(None), CELL.c.tag_id.not_in(OF_RELATIONS)),
        ),
    )
    .correlate(CUSTOMER, RELATION)
)
SIGNED_TAG = case((CELL.c.base, CELL.c.tag_id), else_=-CELL.c.tag_id)
CELLS = (
    select(func.aggregate_strings(cast(SIGNED_TAG, String), ","))
    .where(IS_OF_LINE, CELL.c.tag_id.not_in(LEFT_OUT))
    .correlate(CUSTOMER, RELATION)
    .scalar_subquery()
)
"""What the last look showed of each tag with a cell: its id, negative where it was not there."""
GOVERNED = exists(
    select(RemarkEdit.id).where(RemarkEdit.relation_id == RELATION.c.id, RemarkEdit.state.in_(remarks.GOVERNING))
)
KNOWN = Prepared(
    select(
        CUSTOMER.c.id.label("customer_id"),
        CUSTOMER.c.external_userid,
        CUSTOMER.c.name,
        CUSTOMER.c.type,
        CUSTOMER.c.avatar,
        CUSTOMER.c.gender,
        CUSTOMER.c.unionid,
        CUSTOMER.c.corp_name,
        CUSTOMER.c.details_at,
        RELATION.c.id.label("relation_id"),
        RELATION.c.staff_id,
        RELATION.c.half,
        RELATION.c.lost_at,
        RELATION.c.lost_by,
        RELATION.c.epoch_at,
        RELATION.c.life_seq,
        RELATION.c.seen_seq,
        RELATION.c.missed_tags,
        RELATION.c.remark,
        RELATION.c.description,
        RELATION.c.remark_company,
        RELATION.c.remark_mobiles,
        or_(RESTLESS_TRUTH, RESTLESS_CELL, GOVERNED).label("is_restless"),
        CELLS.label("cells"),
    )
    .select_from(
        CUSTOMER.outerjoin(
            RELATION,
            (RELATION.c.customer_id == CUSTOMER.c.id) & RELATION.c.staff_id.in_(bindparam("staff_ids", expanding=True)),
        )
    )
    .where(CUSTOMER.c.external_userid.in_(bindparam("external_userids", expanding=True)))
)
OURS = Prepared(
    select(Tag.wecom_tag_id, Tag.id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(TagGroup.mirror != Mirror.NONE, Tag.wecom_tag_id.in_(bindparam("wecom_tag_ids", expanding=True)))
)


@dataclass(frozen=True)
class PageTags:
    """The tags that a page shows, by WeCom's ids; what no look compares is in neither."""

    ours: Mapping[str, int]
    """With our ids."""
    unknown: frozenset[str]
    """Our library has not got them."""


class Line(NamedTuple):
    """One line of a page; `known` is what `KNOWN` tells of that friendship."""

    contact: ContactDetails
    follower: FollowUser
    customer_id: int
    staff_id: int
    known: Known
    is_stranger: bool
    """Whether neither the friendship is known nor a tag of the customer that it would have to be told of."""

    @property
    def place(self) -> Place:
        return self.customer_id, self.staff_id

    def is_ordinary(self, seq: int) -> bool:
        """Return whether the page shows the very friendship that we know, looked at no later than now."""
        known = self.known
        if known is None or known.lost_at is not None or known.half:
            return False
        return bool(known.epoch_at == self.follower.createtime and known.life_seq <= seq)

    def is_quiet(self, tags: PageTags) -> bool:
        """Return whether an ordinary line only confirms: no look would change anything but the numbers of its cells.

        What is doubtful is not quiet: `looks` decides about it.
        """
        known = self.known
        if known is None or known.is_restless or remarks.differs(known, self.follower, self.contact.name):
            return False
        if known.missed_tags or self.unknown(tags):
            return False
        observed = self.observed(tags)
        agreed = {number for number in map(int, known.cells.split(",")) if number > 0} if known.cells else set()
        is_first_look = known.seen_seq <= known.life_seq
        return observed == agreed and not (is_first_look and observed)

    def observed(self, tags: PageTags) -> set[int]:
        """Return which of our tags the line shows."""
        return {tags.ours[wecom_id] for wecom_id in self.follower.tag_ids if wecom_id in tags.ours}

    def unknown(self, tags: PageTags) -> frozenset[str]:
        """Return which tags the line shows that our library has not got."""
        return tags.unknown.intersection(self.follower.tag_ids)


def read(session: Session, contacts: Sequence[ContactDetails], seq: int, now: datetime) -> list[Line]:
    """Return the page's lines, each customer and member once; who is new is made, details that changed are written.

    The customers are locked. `seq` is the number of the page's look.
    """
    details = {one.external_userid: one for one in contacts}
    staff_ids = staff.ensure(session, sorted({f.userid for one in contacts for f in one.follow_users}), now)
    known = _Known(session, seq, staff_ids.values())
    known.read(list(details))
    new = [one for userid, one in details.items() if userid not in known.customers]
    if new:
        customers.add_many(session, new, now)
        known.read([one.external_userid for one in new])
    customers.renew(session, [(known.customers[userid], one) for userid, one in details.items()], now)
    lines = {}
    for contact in contacts:
        customer = known.customers[contact.external_userid]
        for follower in contact.follow_users:
            place = customer.customer_id, staff_ids[follower.userid]
            is_stranger = customer.relation_id is None and not customer.is_restless
            lines[place] = Line(contact, follower, *place, known.relations.get(place), is_stranger)
    return list(lines.values())


class _Known:
    """What is known of a page's customers, and of their friendships with its members."""

    def __init__(self, session: Session, seq: int, staff_ids: Iterable[int]) -> None:
        self._session = session
        self._values = {"seq": seq, "staff_ids": sorted(set(staff_ids))}
        self.customers: dict[str, Known] = {}
        self.relations: dict[Place, Known] = {}

    def read(self, external_userids: Sequence[str]) -> None:
        customers.lock_known(self._session, external_userids)
        values = {**self._values, "external_userids": external_userids}
        for row in KNOWN.rows(self._session, values):
            self.customers[row.external_userid] = row
            if row.relation_id is not None:
                self.relations[row.customer_id, row.staff_id] = row


def find_tags(session: Session, contacts: Iterable[ContactDetails]) -> PageTags:
    """Return the tags that a page shows."""
    shown = {tag_id for one in contacts for follower in one.follow_users for tag_id in follower.tag_ids}
    if not shown:
        return PageTags({}, frozenset())
    ours = {row.wecom_tag_id: row.id for row in OURS.rows(session, {"wecom_tag_ids": sorted(shown)})}
    others = shown.difference(ours)
    known = look_units.find_observed(session, others) if others else {}
    return PageTags(ours, frozenset(others.difference(known)))
