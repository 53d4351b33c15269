"""A group that stood here alone taken to WeCom: what that costs in calls, seen beforehand, and the doing of it.

Called by the console, the API and the command `tags mirror`. Customers follow in pages, as any change of the library.
"""

from collections import defaultdict
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy import Select, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import PUSHED, Lifecycle, Mirror, Scope
from wecom_app.errors import Conflict
from wecom_app.models import CustomerTag, LibraryChange, Relation, Tag, TagEvent, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import cells, library_changes, library_edits, library_limits, selections, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.library_changes import Actor, Place
from wecom_app.services.wecom_status import Pace, push_time_s, pushes_a_day

MIRROR = "mirror"
LEAST_SHARE = 0.0001
LOOK_BACK = timedelta(days=30)


@dataclass(frozen=True)
class MirrorCost:
    """What taking a group to WeCom costs, counted at `as_of`; a call is one mark_tag.

    Each mark_tag comes with two reads of the customer: one before, one that sees whether it took.
    """

    group: TagGroup
    mirror: Mirror
    tags: int
    """Tags that it adds to the library at WeCom."""
    tags_used: int
    tags_most: int
    """How many WeCom lets a company have."""
    customers: int
    relations: int
    """Live relations of the customers who have a tag of the group: each costs one call at first."""
    first_calls: int
    first_hours: float
    """How long those take at our pace."""
    calls_a_day: float
    """What the changes of the last 30 days would have cost, a day."""
    days: int
    """Days that the figure above comes from: the group may be younger than 30."""
    share: float
    """Of the day's budget for calls that are not urgent."""
    as_of: datetime


def preview(session: Session, key: str, mirror: Mirror, now: datetime, *, most: int, pace: Pace) -> MirrorCost:
    """Return what mirroring a group would cost; raise NotFound.

    `most` is how many tags a company may have by the setting; what WeCom itself said counts before it.
    """
    group = library_edits.find_group(session, key)
    relations = session.execute(select(func.count()).select_from(_relations(group).subquery())).scalar_one()
    live = (Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    new = select(func.count()).where(Tag.group_id == group.id, Tag.wecom_tag_id.is_(None), *live)
    used = select(func.count()).where(Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None))
    tags_used = session.execute(used).scalar_one()
    days = max(1, min(LOOK_BACK.days, (now - group.created_at).days))
    is_pushed = mirror in PUSHED
    calls_a_day = _calls_since(session, group, now - LOOK_BACK) / days if is_pushed else 0.0
    first_calls = relations if is_pushed and group.mirror not in PUSHED else 0
    return MirrorCost(
        group=group,
        mirror=mirror,
        tags=session.execute(new).scalar_one() if is_pushed else 0,
        tags_used=tags_used,
        tags_most=tags_used + library_limits.room(session, most, tags_used),
        customers=session.execute(_holders(group)).scalar_one(),
        relations=relations,
        first_calls=first_calls,
        first_hours=push_time_s(pace, first_calls) / 3600,
        calls_a_day=calls_a_day,
        days=days,
        share=calls_a_day / pushes_a_day(pace),
        as_of=now,
    )


def share_words(share: float) -> str:
    """Return a share of the day's calls as people read it: 0.35%, 不到 0.01%."""
    return "不到 0.01%" if 0 < share < LEAST_SHARE else f"{share:.2%}"


def count_expected(session: Session, key: str) -> int:
    """Return how many customers it will reach, counted before the write that begins it; raise NotFound."""
    group = library_edits.find_group(session, key)
    return session.execute(_holders(group)).scalar_one()


def start(
    session: Session, context: Context, key: str, mirror: Mirror, actor: Actor, *, expected: int
) -> LibraryChange:
    """Take a group to WeCom; raise NotFound, or Conflict where it is there already or follows WeCom.

    `expected` is of `count_expected`: progress is told by it.
    """
    group = library_edits.find_group(session, key, lock=True)
    if mirror not in PUSHED or group.mirror != Mirror.NONE:
        raise Conflict("只能把只在本系统的标签组改为双向同步或推送到企业微信")
    if group.lifecycle == Lifecycle.DRAFT:
        raise Conflict("标签组还是草稿，请先改为使用中")
    reason = f"「{group.name}」开始同步到企业微信"
    change = LibraryChange(
        kind=MIRROR,
        group_id=group.id,
        expected=expected,
        details={"reason": reason, "group": {"key": group.key, "name": group.name}, "mirror": mirror.value},
    )
    begun = library_changes.begin(session, context, change, actor, reason, [])
    group.mirror = mirror.value
    group.version += 1
    session.flush()
    taxonomy.request_push(session, context, group.id)
    taxonomy.enqueue_pull(session, context.queue)
    return begun


def look(session: Session, change: LibraryChange) -> list[Place]:
    """Return the next customers who have a tag of the group."""
    group = session.get_one(TagGroup, change.group_id)
    query = (
        select(CustomerTag.customer_id)
        .where(*selections.of_group(group), CustomerTag.customer_id > change.cursor)
        .distinct()
        .order_by(CustomerTag.customer_id)
    )
    return [Place(one, CUSTOMER_LEVEL) for one in session.scalars(query.limit(library_changes.MOST_CUSTOMERS))]


def advance(session: Session, context: Context, change: LibraryChange, places: Sequence[Place]) -> bool:
    """Give these customers their cells and operations; return whether there were any."""
    group = library_edits.lock_group(session, change.group_id)
    page = [place.customer_id for place in library_changes.fitting(session, places)]
    if group.mirror not in PUSHED or not page:
        return False
    if page[0] <= change.cursor:
        # Another process was faster.
        return True
    library_changes.prepared(session, context, page, ())
    rows: dict[int, list[dict[str, Any]]] = defaultdict(list)
    truth = select(CustomerTag.__table__).join(Tag, Tag.id == CustomerTag.tag_id)
    truth = truth.where(*selections.of_group(group), CustomerTag.customer_id.in_(page), Tag.gone_at.is_(None))
    for row in session.execute(truth).mappings():
        rows[row["customer_id"]].append(dict(row))
    cells.open_cells(session, rows, context.now)
    for customer_id in page:
        cells.request_sync(session, context.queue, customer_id)
    change.cursor = page[-1]
    change.changed += len(page)
    session.flush()
    return True


def refuse_undo(_session: Session, _context: Context, _change: LibraryChange, _actor: str) -> None:
    """What is at WeCom is not taken off again by itself."""
    raise Conflict("同步到企业微信不能撤销：要停用请归档标签组")


def _holders(group: TagGroup) -> Select[int]:
    return select(func.count(CustomerTag.customer_id.distinct())).where(*selections.of_group(group))


def _relations(group: TagGroup) -> Select[Any]:
    """Return the live relations on which a tag of the group would have to stand."""
    same = CustomerTag.customer_id == Relation.customer_id
    if group.scope == Scope.RELATION:
        same &= CustomerTag.relation_id == Relation.id
    query = select(Relation.id).join(CustomerTag, same).distinct()
    return query.where(*selections.of_group(group), Relation.lost_at.is_(None), Relation.half.is_(False))


def _calls_since(session: Session, group: TagGroup, since: datetime) -> int:
    """Return the calls that the changes since then would have cost: one a change set and live relation."""
    same = TagEvent.customer_id == Relation.customer_id
    if group.scope == Scope.RELATION:
        same &= TagEvent.relation_id == Relation.id
    changed = (
        select(TagEvent.change_set_id, Relation.id.label("relation_id"))
        .join(Relation, same)
        .where(
            TagEvent.tag_id.in_(select(Tag.id).where(Tag.group_id == group.id)),
            TagEvent.at >= since,
            Relation.lost_at.is_(None),
            Relation.half.is_(False),
        )
        .distinct()
        .subquery()
    )
    return session.execute(select(func.count()).select_from(changed)).scalar_one()
