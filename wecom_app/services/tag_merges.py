"""One tag merged into another: looked at beforehand, decided, carried out customer by customer, and undone.

Called by the console, the API and the commands `tags merge` and `tags unmerge`. WeCom hears of it as of any change
of marks: one call a relation that puts one tag on and takes the other off.
"""

from collections.abc import Sequence
from dataclasses import asdict, dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, Select, and_, exists, func, literal, or_, select, union, update
from sqlalchemy.orm import Session, aliased

from wecom_app.domain.vocabulary import PUSHED, SCOPE_SHORT, SOURCE_GROUP_NAME, Lifecycle, Mirror, Scope, Selection
from wecom_app.errors import Conflict, InvalidInput, NotFound
from wecom_app.models import CustomerTag, LibraryChange, Relation, Tag, TagClaim, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import (
    customers,
    library_changes,
    library_deletions,
    library_edits,
    library_recreation,
    library_restoring,
    merge_checks,
    merge_deletions,
    tag_users,
)
from wecom_app.services.context import Context
from wecom_app.services.library_changes import Actor, Place
from wecom_app.services.tag_repointing import Rewrite, TagUse
from wecom_app.services.unit_moves import Move

MERGE = merge_checks.MERGE


@dataclass(frozen=True)
class Pair:
    """The tag that goes and the one that takes it over, with their groups."""

    source: Tag
    source_group: TagGroup
    target: Tag
    target_group: TagGroup


@dataclass(frozen=True)
class MergePreview:
    """What a merge would do, counted at `as_of`."""

    pair: Pair
    customers_source: int
    customers_target: int
    customers_both: int
    relations: int
    """Live relations of the customers who have the tag that goes."""
    contested: int
    """Customers who have another value of the other tag's single-choice group: the higher precedence wins."""
    calls: int
    """mark_tag calls that it costs, one a relation."""
    uses: tuple[TagUse, ...]
    notes: tuple[str, ...]
    deletion_refusal: str | None
    """Why the tag that goes cannot be deleted at WeCom from here; None where it can."""
    as_of: datetime


def preview(session: Session, source_key: str, target_key: str, now: datetime) -> MergePreview:
    """Return what merging would do; raise NotFound, InvalidInput or Conflict where it cannot be done."""
    pair = _pair(session, source_key, target_key)
    _check(pair)
    source, target = pair.source, pair.target
    return MergePreview(
        pair=pair,
        customers_source=tag_users.customers_with(session, [source.id]),
        customers_target=tag_users.customers_with(session, [target.id]),
        customers_both=_count_both(session, pair),
        relations=int(session.execute(_relations(pair)).scalar_one()),
        contested=_count_contested(session, pair),
        calls=_count_calls(session, pair),
        uses=(*tag_users.plan_repointing(session, source, target), *_plan_replacements(session, pair)),
        notes=tuple(_notes(pair)),
        deletion_refusal=library_deletions.refusal_of(source, pair.source_group),
        as_of=now,
    )


def count_expected(session: Session, source_key: str, target_key: str) -> int:
    """Return how many customers a merge will reach, counted before the write that begins it; raise as `preview`."""
    pair = _pair(session, source_key, target_key)
    _check(pair)
    wanting = union(_held(pair.source.id, pair.source_group.scope), _claimed(pair.source.id)).subquery()
    return session.execute(select(func.count(wanting.c.customer_id.distinct()))).scalar_one()


def start(
    session: Session,
    context: Context,
    source_key: str,
    target_key: str,
    actor: Actor,
    *,
    expected: int,
    delete_at_wecom: bool = False,
) -> LibraryChange:
    """Merge: uses are rewritten and the tag archived at once, customers follow as a job.

    `expected` is of `count_expected`, for progress; with `delete_at_wecom` the tag is deleted there once all marks have
    moved. Raises NotFound, InvalidInput or Conflict where it cannot be done.
    """
    pair = _pair(session, source_key, target_key, lock=True)
    _check(pair)
    source, target = pair.source, pair.target
    refusal = library_deletions.refusal_of(source, pair.source_group) if delete_at_wecom else None
    if refusal is not None:
        raise Conflict(refusal)
    rewrites = tag_users.repoint(session, context, source, target, actor.name)
    replaced = _repoint_replacements(session, pair)
    aliases = _take_names_over(pair)
    reason = f"「{source.name}」合并到「{target.name}」"
    source.merged_into, source.archived_at = target.key, context.now
    source.version += 1
    target.version += 1
    details = {
        "reason": reason,
        "rewrites": [asdict(rewrite) for rewrite in rewrites],
        "replaced_by": replaced,
        "aliases": aliases,
        "source": {"key": source.key, "name": source.name},
        "target": {"key": target.key, "name": target.name},
    }
    change = LibraryChange(
        kind=MERGE,
        group_id=source.group_id,
        source_tag_id=source.id,
        target_tag_id=target.id,
        expected=expected,
        deletion=merge_checks.WAITING if delete_at_wecom else None,
        details=details,
    )
    return library_changes.begin(session, context, change, actor, reason, [source.id, target.id])


def look(session: Session, change: LibraryChange) -> list[Place]:
    """Return some places where the tag is still held, or else claimed."""
    source = session.get_one(Tag, change.source_tag_id)
    scope = session.get_one(TagGroup, source.group_id).scope
    # In no order: the index gives the first ones at once, and what was moved is not met again.
    for query in (_held(source.id, scope), _claimed(source.id)):
        found = session.execute(query.limit(library_changes.MOST_CUSTOMERS)).all()
        if found:
            return [Place(row.customer_id, row.relation_id) for row in found]
    return []


def advance(session: Session, context: Context, change: LibraryChange, places: Sequence[Place]) -> bool:
    """Move the tag at these places; return whether there were any. Raises Conflict where the other tag is gone."""
    source, target = session.get_one(Tag, change.source_tag_id), session.get_one(Tag, change.target_tag_id)
    if target.archived_at is not None or target.gone_at is not None:
        raise Conflict(f"「{target.name}」已停用，合并停在这里：请恢复它，或撤销合并")
    if not places:
        return False
    by = Actor(change.actor_kind, change.asked_by).source
    page = library_changes.fitting(session, places)
    wishes = [Move(place.customer_id, place.relation_id, source.id, target.id, by) for place in page]
    library_changes.carry_out(session, context, change, wishes, [source.id, target.id], together=True)
    return True


def find_merge(session: Session, source_key: str) -> LibraryChange:
    """Return the last merge in which this tag went into another; raise NotFound."""
    query = select(LibraryChange).join(Tag, Tag.id == LibraryChange.source_tag_id)
    query = query.where(LibraryChange.kind == MERGE, Tag.key == source_key).order_by(LibraryChange.id.desc())
    found = session.scalars(query.limit(1)).first()
    if found is None:
        raise NotFound(f"标签「{source_key}」没有合并过")
    return found


def merges_into(session: Session, tag: Tag) -> list[LibraryChange]:
    """Return the merges by which others went into this tag and that stand, newest first."""
    query = select(LibraryChange).where(
        LibraryChange.kind == MERGE, LibraryChange.target_tag_id == tag.id, LibraryChange.state.in_(("running", "done"))
    )
    return list(session.scalars(query.order_by(LibraryChange.id.desc()).limit(20)))


def begin_undo(session: Session, context: Context, change: LibraryChange, actor: str) -> None:
    """Bring the tag back with its names and uses; customers follow as a job.

    Raises Conflict where the other tag was itself merged away since, NameTaken where the name is in use again.
    """
    source, target = session.get_one(Tag, change.source_tag_id), session.get_one(Tag, change.target_tag_id)
    if target.merged_into is not None:
        raise Conflict(f"「{target.name}」后来也被合并了，请先撤销那一次")
    merge_deletions.call_off(session, change)
    source.merged_into = None
    session.flush()
    is_gone = source.gone_at is not None
    if is_gone:
        _make_anew(session, context, source)
    else:
        library_restoring.restore_tag(session, context, source.key)
    details = change.details
    target.aliases = [alias for alias in target.aliases if alias not in details["aliases"]]
    target.version += 1
    for tag in session.scalars(select(Tag).where(Tag.key.in_(details["replaced_by"]))):
        if tag.replaced_by == target.key:
            tag.replaced_by = source.key
    session.flush()
    kept = [
        {"kind": rewrite.kind, "id": rewrite.id, "name": rewrite.name}
        for rewrite in (Rewrite(**one) for one in details["rewrites"])
        if not tag_users.take_back(session, context, rewrite, actor)
    ]
    change.details = {**details, "uses_kept": kept, "remade": is_gone}


def finish(session: Session, context: Context, change: LibraryChange) -> None:
    """Go on to the deletion at WeCom, if it was chosen."""
    if change.deletion == merge_checks.WAITING:
        merge_checks.wait(session, context.queue, change)


def put_back(session: Session, context: Context, change: LibraryChange, places: Sequence[Place]) -> bool:
    """Put a page of customers back; cells that speak of a tag that was deleted since are brought up to date first."""
    if not places:
        return library_changes.put_back(session, context, change, places)
    customers.lock(session, sorted({place.customer_id for place in places}))
    session.execute(
        update(CustomerTag)
        .where(
            CustomerTag.tag_id == change.source_tag_id,
            CustomerTag.relation_id.in_([place.relation_id for place in places]),
        )
        .values(base=False, sent=None, dead=False, tries=0, acked_ver=CustomerTag.ver)
    )
    return True


def look_back(session: Session, change: LibraryChange) -> list[Place]:
    """Return cells that say what WeCom had of a tag before it was deleted there: the one made anew is on nobody."""
    if not change.details.get("remade"):
        return []
    tag = session.get_one(Tag, change.source_tag_id)
    query = select(CustomerTag.customer_id, CustomerTag.relation_id).where(
        CustomerTag.tag_id == tag.id,
        CustomerTag.relation_id != CUSTOMER_LEVEL,
        CustomerTag.touched_seq < tag.touched_seq,
        or_(CustomerTag.base.is_(True), CustomerTag.sent.is_not(None)),
    )
    found = session.execute(query.limit(library_changes.MOST_CUSTOMERS)).all()
    return [Place(row.customer_id, row.relation_id) for row in found]


def _make_anew(session: Session, context: Context, tag: Tag) -> None:
    group = session.get_one(TagGroup, tag.group_id)
    if group.archived_at is not None:
        raise Conflict(f"标签组「{group.name}」已归档，请先恢复标签组")
    library_recreation.revive(session, context.queue, tag)


def _pair(session: Session, source_key: str, target_key: str, *, lock: bool = False) -> Pair:
    if source_key == target_key:
        raise InvalidInput("请选另一个标签作为合并的目标", details={"into": "不能是同一个标签"})
    # In one order, so that two merges crosswise do not wait for each other.
    found = {key: library_edits.find_tag(session, key, lock=lock) for key in sorted((source_key, target_key))}
    return Pair(*found[source_key], *found[target_key])


def _check(pair: Pair) -> None:
    source_group, target_group = pair.source_group, pair.target_group
    if source_group.name == SOURCE_GROUP_NAME:
        raise Conflict("「获客来源」由系统自动使用，里面的标签不能合并掉")
    if source_group.scope != target_group.scope:
        raise Conflict(
            f"「{pair.source.name}」打在{SCOPE_SHORT[Scope(source_group.scope)]}上，"
            f"「{pair.target.name}」打在{SCOPE_SHORT[Scope(target_group.scope)]}上，不能合并"
        )
    for tag, group in ((pair.source, source_group), (pair.target, target_group)):
        if group.mirror == Mirror.PULL:
            raise Conflict(f"标签组「{group.name}」以企业微信为准，「{tag.name}」请在企业微信里合并")
    if pair.target.lifecycle != Lifecycle.ACTIVE or target_group.lifecycle != Lifecycle.ACTIVE:
        raise Conflict(f"「{pair.target.name}」是草稿或不再新打，不能并入；请选一个使用中的标签")


def _notes(pair: Pair) -> list[str]:
    """Return what people may not expect of a merge across groups."""
    source, target = pair.source_group, pair.target_group
    if source.id == target.id:
        return []
    told = [f"两个标签不在同一组：合并后按「{target.name}」的规则"]
    if target.selection == Selection.SINGLE:
        told.append(f"「{target.name}」是单选：已有别的值的客户，保留来源优先级更高的那个")
    if source.sensitive and not target.sensitive:
        told.append(f"「{source.name}」是敏感标签组，「{target.name}」不是：合并后会直接显示")
    if source.mirror in PUSHED and target.mirror not in PUSHED:
        told.append(f"「{target.name}」只在本系统：合并后企业微信里不再有这个标记")
    if source.mirror not in PUSHED and target.mirror in PUSHED:
        told.append(f"「{target.name}」会同步到企业微信：这些客户身上会多一个标记")
    return told


def _take_names_over(pair: Pair) -> list[str]:
    """Give the one tag the other's name and aliases as aliases, as far as they fit; return those that are new."""
    target = pair.target
    known = {target.name, *target.aliases}
    names = [name for name in dict.fromkeys([pair.source.name, *pair.source.aliases]) if name not in known]
    fit = [name for name in names if not any(mark in name for mark in library_edits.ALIAS_MARKS)]
    added = fit[: max(0, library_edits.MAX_ALIASES - len(target.aliases))]
    target.aliases = [*target.aliases, *added]
    return added


def _replaced_by(source: Tag) -> Select[Tag]:
    return select(Tag).where(Tag.replaced_by == source.key, Tag.gone_at.is_(None)).order_by(Tag.id)


def _plan_replacements(session: Session, pair: Pair) -> list[TagUse]:
    return [
        TagUse("tag", tag.id, tag.name, f"不再新打时改用「{pair.target.name}」")
        for tag in session.scalars(_replaced_by(pair.source))
        if tag.id != pair.target.id
    ]


def _repoint_replacements(session: Session, pair: Pair) -> list[str]:
    keys = []
    for tag in session.scalars(_replaced_by(pair.source)):
        tag.replaced_by = pair.target.key if tag.id != pair.target.id else None
        keys.append(tag.key)
    return keys


def _is_truth(table: Any, scope: str) -> ColumnElement[bool]:
    at_customer: ColumnElement[bool] = table.relation_id == CUSTOMER_LEVEL
    return at_customer if scope == Scope.CUSTOMER else ~at_customer


def _held(tag_id: int, scope: str) -> Select[int, int]:
    return select(CustomerTag.customer_id, CustomerTag.relation_id).where(_holds(CustomerTag, tag_id, scope))


def _claimed(tag_id: int) -> Select[int, int]:
    return select(TagClaim.customer_id, TagClaim.relation_id).where(TagClaim.tag_id == tag_id).distinct()


def _holds(table: Any, tag_id: int, scope: str) -> ColumnElement[bool]:
    return and_(table.tag_id == tag_id, _is_truth(table, scope), table.wanted)


def _count_both(session: Session, pair: Pair) -> int:
    other = aliased(CustomerTag)
    scope = pair.source_group.scope
    has_target = exists().where(other.customer_id == CustomerTag.customer_id, _holds(other, pair.target.id, scope))
    query = select(func.count(CustomerTag.customer_id.distinct()))
    return session.execute(query.where(_holds(CustomerTag, pair.source.id, scope), has_target)).scalar_one()


def _count_contested(session: Session, pair: Pair) -> int:
    source_group, target_group = pair.source_group, pair.target_group
    if target_group.selection != Selection.SINGLE or source_group.id == target_group.id:
        return 0
    other = aliased(CustomerTag)
    mates = select(Tag.id).where(Tag.group_id == target_group.id, Tag.id != pair.target.id)
    has_other = exists().where(
        other.customer_id == CustomerTag.customer_id,
        other.relation_id == CustomerTag.relation_id,
        other.tag_id.in_(mates),
        other.wanted,
    )
    query = select(func.count(CustomerTag.customer_id.distinct()))
    holds = _holds(CustomerTag, pair.source.id, source_group.scope)
    return session.execute(query.where(holds, has_other)).scalar_one()


def _relations(pair: Pair) -> Select[Any]:
    """Return the live relations of those who have the tag that goes; of scope relation, those that have it."""
    scope = pair.source_group.scope
    same_relation = literal(value=True) if scope == Scope.CUSTOMER else CustomerTag.relation_id == Relation.id
    has_it = exists().where(
        CustomerTag.customer_id == Relation.customer_id, _holds(CustomerTag, pair.source.id, scope), same_relation
    )
    return select(func.count(Relation.id)).where(Relation.lost_at.is_(None), Relation.half.is_(False), has_it)


def _count_calls(session: Session, pair: Pair) -> int:
    if pair.source_group.mirror in PUSHED:
        return int(session.execute(_relations(pair)).scalar_one())
    if pair.target_group.mirror not in PUSHED:
        return 0
    other = aliased(CustomerTag)
    scope = pair.source_group.scope
    same_relation = literal(value=True) if scope == Scope.CUSTOMER else other.relation_id == Relation.id
    has_target = exists().where(
        other.customer_id == Relation.customer_id, _holds(other, pair.target.id, scope), same_relation
    )
    return int(session.execute(_relations(pair).where(~has_target)).scalar_one())
