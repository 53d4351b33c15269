"""A member's own customers as a list: searched, filtered, sorted and paged; for `/sidebar/mine`.

A page takes a constant number of queries, whatever the member has. Words are sought in memory among his own
friendships, of which he has thousands at most: a stored spelling would have to follow names and remarks, which
change on several ways, and would still not be looked up by an index, as it may begin anywhere.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from datetime import UTC, datetime, timedelta
from typing import Any, TypeVar

from sqlalchemy import ColumnElement, Select, and_, func, or_, select
from sqlalchemy.orm import Session, aliased

from wecom_app.db import EPOCH
from wecom_app.domain.days import day_bounds
from wecom_app.domain.keys import Slugify
from wecom_app.domain.spelling import spellings, typed
from wecom_app.domain.vocabulary import SOURCE_GROUP_KEY, Scope, came_by
from wecom_app.errors import InvalidInput
from wecom_app.models import Channel, Customer, CustomerTag, FollowUp, Relation, Tag, TagDimension, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import condition_queries, my_sources, newcomers
from wecom_app.services.access import Viewer
from wecom_app.services.condition_queries import KnownTag
from wecom_app.services.rep_profile import own_words

Value = TypeVar("Value")

PAGE = 30
MOST_CHIPS = 4
WITHIN_DAYS = (1, 7, 30, 90)
"""Choices of 添加时间; 1 is today."""
MODES: Mapping[str, str] = {"any": "有任一", "all": "都有", "none": "都没有"}
"""How several tags are asked for."""

SINCE = func.coalesce(Relation.epoch_at, Relation.opened_at)
LAST_NOTE = (
    select(func.max(FollowUp.created_at))
    .where(
        FollowUp.customer_id == Relation.customer_id,
        FollowUp.staff_id == Relation.staff_id,
        FollowUp.deleted_at.is_(None),
    )
    .correlate(Relation)
    .scalar_subquery()
)


@dataclass(frozen=True)
class Sort:
    name: str
    place: ColumnElement[Any]
    descending: bool


SORTS: Mapping[str, Sort] = {
    "newest": Sort("最近添加", SINCE, descending=True),
    "oldest": Sort("最早添加", SINCE, descending=False),
    "quiet": Sort("最久未跟进", func.coalesce(LAST_NOTE, SINCE), descending=False),
}


@dataclass(frozen=True)
class Wanted:
    """What is looked for; empty parts leave nobody out. `source` is a `my_sources.Source.key`."""

    q: str = ""
    tags: tuple[str, ...] = ()
    mode: str = "any"
    source: str = ""
    within_days: int | None = None
    untagged: bool = False
    sort: str = "newest"


@dataclass(frozen=True)
class TagMark:
    name: str
    tone: str
    is_sensitive: bool


@dataclass(frozen=True)
class MyCustomer:
    """One row of the list."""

    customer_id: int
    relation_id: int
    external_userid: str
    name: str
    remark: str
    """What the member wrote; empty where he wrote none."""
    avatar: str | None
    half: bool
    """The customer has added the member, who has not accepted yet: nothing can be changed on him."""
    since: datetime
    days: int
    """Whole days since they became friends."""
    came_by: str
    tags: tuple[TagMark, ...] = ()
    more_tags: int = 0
    """Those that did not fit."""

    @property
    def label(self) -> str:
        return self.name or self.remark or "未取到昵称的客户"


@dataclass(frozen=True)
class Page:
    customers: tuple[MyCustomer, ...]
    next_cursor: str | None
    total: int | None
    """How many customers fit; only the first page counts."""


@dataclass(frozen=True)
class _Cursor:
    place: datetime
    relation_id: int

    def __str__(self) -> str:
        return f"{(self.place - EPOCH) // timedelta(microseconds=1)}.{self.relation_id}"


ROWS: Any = (
    select(
        Relation.id,
        Relation.customer_id,
        Relation.remark,
        Relation.half,
        Relation.state,
        Relation.add_way,
        Relation.opened_at,
        SINCE.label("since"),
        Customer.external_userid,
        Customer.name,
        Customer.avatar,
        Channel.name.label("channel_name"),
    )
    .join(Customer, Customer.id == Relation.customer_id)
    .outerjoin(Channel, Channel.id == Relation.channel_id)
    .where(Relation.lost_at.is_(None))
)
"""Live friendships, half ones too, as `customer_of` reads them; the caller says whose."""


def load(
    session: Session,
    viewer: Viewer,
    wanted: Wanted,
    now: datetime,
    *,
    slugify: Slugify,
    time_zone: str,
    cursor: str | None = None,
    limit: int = PAGE,
) -> Page:
    """Return a page of the viewer's customers; raise InvalidInput for a cursor or choice that is none."""
    if viewer.staff_id is None:
        return Page((), None, 0)
    sort = _choice(SORTS, wanted.sort, "sort")
    query = _filtered(session, viewer.staff_id, wanted, now, time_zone)
    after = _read_cursor(cursor)
    found, total = _found(session, query, sort, wanted.q, after, limit, slugify)
    shown = found[:limit]
    more = len(found) > limit
    return Page(
        customers=with_tags(session, [customer_of(row, now) for row in shown], now),
        next_cursor=str(_Cursor(shown[-1].place, shown[-1].id)) if more else None,
        total=total,
    )


def customer_of(row: Any, now: datetime) -> MyCustomer:
    """Return a row of `ROWS` without tags."""
    return MyCustomer(
        customer_id=row.customer_id,
        relation_id=row.id,
        external_userid=row.external_userid,
        name=row.name,
        remark=own_words(row.remark, row.name),
        avatar=row.avatar,
        half=row.half,
        since=row.since,
        days=max(0, (now - row.since).days),
        came_by=came_by(row.channel_name, row.state, row.add_way),
    )


def with_tags(session: Session, customers: Sequence[MyCustomer], now: datetime) -> tuple[MyCustomer, ...]:
    """Return the customers with the tags that fit into a row: of each dimension in turn, source tags last."""
    held: dict[int, list[Any]] = {}
    if customers:
        for row in session.connection().execute(_tags_of(customers, now)):
            held.setdefault(row.customer_id, []).append(row)
    return tuple(_marked(customer, held.get(customer.customer_id, [])) for customer in customers)


def _found(
    session: Session, mine: Select[Any], sort: Sort, q: str, after: _Cursor | None, limit: int, slugify: Slugify
) -> tuple[Sequence[Any], int | None]:
    """Return up to `limit + 1` rows, and on the first page how many there are."""
    connection = session.connection()
    words = typed(q)
    placed = mine.add_columns(sort.place.label("place")).order_by(*_order(sort, sort.place, Relation.id))
    if after is not None:
        placed = placed.where(_behind(sort, after))
    if words:
        fitting = [row for row in connection.execute(_rows(placed, sort)) if _fits(row, words, slugify)]
        return fitting[: limit + 1], len(fitting) if after is None else None
    found = connection.execute(_rows(placed.limit(limit + 1), sort)).all()
    if after is not None or len(found) <= limit:
        return found, None if after is not None else len(found)
    return found, connection.execute(mine.with_only_columns(func.count())).scalar_one()


def _rows(placed: Select[Any], sort: Sort) -> Any:
    """Return the rows of friendships that were sorted and cut by themselves: only those are looked up further."""
    chosen = placed.subquery()
    order = _order(sort, chosen.c.place, chosen.c.id)
    return ROWS.add_columns(chosen.c.place).join(chosen, chosen.c.id == Relation.id).order_by(*order)


def _order(sort: Sort, place: ColumnElement[Any], relation_id: Any) -> list[ColumnElement[Any]]:
    return [place.desc(), relation_id.desc()] if sort.descending else [place, relation_id]


def _behind(sort: Sort, after: _Cursor) -> ColumnElement[bool]:
    further = sort.place < after.place if sort.descending else sort.place > after.place
    next_id = Relation.id < after.relation_id if sort.descending else Relation.id > after.relation_id
    return or_(further, and_(sort.place == after.place, next_id))


def _fits(row: Any, words: str, slugify: Slugify) -> bool:
    """Return whether name or remark has the words; letters are sought in pinyin and initials too."""
    names = [name for name in (row.name, row.remark) if name]
    if any(words in typed(name) for name in names):
        return True
    return words.isascii() and any(words in spellings(name, slugify) for name in names if not name.isascii())


def _filtered(session: Session, staff_id: int, wanted: Wanted, now: datetime, time_zone: str) -> Select[Any]:
    _choice(MODES, wanted.mode, "mode")
    query: Select[Any] = select(Relation.id).where(Relation.staff_id == staff_id, Relation.lost_at.is_(None))
    if wanted.tags:
        tags = condition_queries.known_tags(session, set(wanted.tags))
        query = query.where(*_tagged(wanted, [tags[key] for key in wanted.tags if key in tags], now))
    if wanted.source:
        query = query.where(my_sources.is_from(wanted.source))
    if wanted.within_days is not None:
        query = query.where(day_bounds(now, time_zone, back=wanted.within_days - 1)[0] <= SINCE)
    if wanted.untagged:
        query = query.where(~newcomers.is_tagged(now))
    return query


def _tagged(wanted: Wanted, tags: Sequence[KnownTag], now: datetime) -> Iterable[ColumnElement[bool]]:
    """Return conditions on `relation`; a tag that is not there is held by nobody."""
    if wanted.mode == "none":
        return [~holds(tags, now)] if tags else []
    if wanted.mode == "any":
        return [holds(tags, now)]
    missing = len(tags) < len(set(wanted.tags))
    return [holds([], now)] if missing else [holds([tag], now) for tag in tags]


def holds(tags: Sequence[KnownTag], now: datetime) -> ColumnElement[bool]:
    """Return the condition on `relation` that its customer has one of the tags, probed customer by customer.

    `condition_queries` lists everybody who has a tag, which serves questions about all customers.
    """
    own = [tag.id for tag in tags if tag.scope != Scope.RELATION]
    per_member = [tag.id for tag in tags if tag.scope == Scope.RELATION]
    any_relation = aliased(Relation)
    live = select(any_relation.id).where(
        any_relation.customer_id == CustomerTag.customer_id, any_relation.lost_at.is_(None)
    )
    return (
        select(CustomerTag.customer_id)
        .where(
            CustomerTag.customer_id == Relation.customer_id,
            or_(
                and_(CustomerTag.tag_id.in_(own), CustomerTag.relation_id == CUSTOMER_LEVEL),
                and_(CustomerTag.tag_id.in_(per_member), CustomerTag.relation_id.in_(live)),
            ),
            _stands(now),
        )
        .correlate(Relation)
        .exists()
    )


def _stands(now: datetime) -> ColumnElement[bool]:
    return and_(CustomerTag.wanted, or_(CustomerTag.expires_at.is_(None), CustomerTag.expires_at > now))


def _tags_of(customers: Sequence[MyCustomer], now: datetime) -> Any:
    levels = [CUSTOMER_LEVEL, *(customer.relation_id for customer in customers)]
    return (
        select(
            CustomerTag.customer_id,
            Tag.name,
            TagGroup.key.label("group_key"),
            TagGroup.dimension,
            TagGroup.tone,
            TagGroup.sensitive,
            TagDimension.position.label("dimension_position"),
        )
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .join(TagDimension, TagDimension.key == TagGroup.dimension)
        .where(
            CustomerTag.customer_id.in_([customer.customer_id for customer in customers]),
            CustomerTag.relation_id.in_(levels),
            or_(CustomerTag.relation_id == CUSTOMER_LEVEL, TagGroup.scope == Scope.RELATION),
            _stands(now),
        )
        .order_by(TagGroup.position.desc(), TagGroup.id, Tag.position.desc(), Tag.id)
    )


@dataclass
class _Turn:
    """Whose turn it is to show a tag: each dimension's first, then each one's second."""

    counts: dict[str, int] = field(default_factory=dict)

    def of(self, row: Any) -> tuple[bool, int, int]:
        number = self.counts[row.dimension] = self.counts.get(row.dimension, 0) + 1
        return row.group_key == SOURCE_GROUP_KEY, number, row.dimension_position


def _marked(customer: MyCustomer, rows: Sequence[Any]) -> MyCustomer:
    turn = _Turn()
    ordered = [row for _, row in sorted(((turn.of(row), row) for row in rows), key=lambda pair: pair[0])]
    shown = sorted(ordered[:MOST_CHIPS], key=lambda row: row.dimension_position)
    marks = tuple(TagMark(row.name, row.tone, row.sensitive) for row in shown)
    return MyCustomer(**{**vars(customer), "tags": marks, "more_tags": len(ordered) - len(shown)})


def _choice(choices: Mapping[str, Value], given: str, name: str) -> Value:
    if given not in choices:
        raise InvalidInput(f"{name} 只能是：{'、'.join(choices)}", details={name: list(choices)})
    return choices[given]


def _read_cursor(cursor: str | None) -> _Cursor | None:
    if not cursor:
        return None
    place, _, relation_id = cursor.partition(".")
    try:
        moment = EPOCH + timedelta(microseconds=int(place))
        return _Cursor(moment.astimezone(UTC), int(relation_id))
    except (ValueError, OverflowError):
        raise InvalidInput("cursor 不是上一页给出的值", details={"cursor": cursor[:40]}) from None
