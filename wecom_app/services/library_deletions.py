"""Groups and tags deleted at WeCom from here: what that would cost, asked for by a person, carried out and confirmed.

What is deleted stands here as a tombstone with its history; `library_recreation` undoes it.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import func, or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute
from wecom_app.domain.vocabulary import SOURCE_GROUP_NAME, Owner
from wecom_app.errors import Conflict, WeComRejected, WeComTagGone, WeComUnavailable
from wecom_app.models import CustomerTag, Relation, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import definition_conflicts, library, library_edits, merge_checks, tag_users, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.library_telling import MAX_TRIES, NOT_OURS
from wecom_app.services.runtime import Runtime
from wecom_app.services.tag_repointing import TagUse

DELETE = "externalcontact/del_corp_tag"
BATCH = 100
NOT_THERE = "「{name}」还不在企业微信里，归档就够了"
NOT_OURS_WORDS = "「{name}」是在企业微信后台或其他应用里建的，只能在那里删除；这里可以归档"
MIXED = "「{name}」里有企业微信后台或其他应用建的标签：「{others}」；请只删除本系统建的标签，或在企业微信后台删除整组"
UNCONFIRMED = "多次删除后企业微信仍有它，可点“重试”"

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class DeletionPreview:
    """What would be lost: tags, and the friendships and customers that have them in WeCom or here."""

    tags: int
    customers: int
    relations: int
    uses: tuple[TagUse, ...]
    refusal: str | None
    """Why it cannot be deleted from here; None where it can."""


def preview_tag(session: Session, key: str) -> DeletionPreview:
    """Return what deleting a tag at WeCom would cost; raise NotFound."""
    tag, group = library_edits.find_tag(session, key, archived=True)
    return _preview(session, [tag], refusal_of(tag, group))


def preview_group(session: Session, key: str) -> DeletionPreview:
    """Return what deleting a group at WeCom would cost; raise NotFound."""
    group = library_edits.find_group(session, key, archived=True)
    tags = _tags_there(session, group)
    return _preview(session, tags, _refusal_of_group(group, tags))


def request_tag(session: Session, context: Context, key: str, *, cascade: bool, actor: str) -> Tag:
    """Archive a tag and have it deleted at WeCom, a merged one once its marks have moved.

    Raises Conflict where it is not ours, is not there, or is used.
    """
    tag, group = library_edits.find_tag(session, key, lock=True, archived=True)
    refusal = refusal_of(tag, group)
    if refusal is not None:
        raise Conflict(refusal)
    library_edits.archive_tag(session, context, key, cascade=cascade, actor=actor)
    merge = merge_checks.standing_merge(session, tag)
    if merge is not None:
        merge_checks.wait(session, context.queue, merge)
        return tag
    mark(context, [tag])
    taxonomy.request_push(session, context, group.id)
    return tag


def request_group(session: Session, context: Context, key: str, *, cascade: bool, actor: str) -> TagGroup:
    """Archive a group and have its tags deleted at WeCom, with which it goes; raise Conflict as `request_tag`."""
    group = library_edits.find_group(session, key, lock=True, archived=True)
    tags = _tags_there(session, group)
    refusal = _refusal_of_group(group, tags)
    if refusal is not None:
        raise Conflict(refusal)
    library_edits.archive_group(session, context, key, cascade=cascade, actor=actor)
    group.deleting_at = context.now
    values = {"deleting_at": context.now, "tries": 0, "blocked": None, "blocked_by": None}
    marked = update(Tag).where(Tag.id.in_([tag.id for tag in tags])).values(values)
    session.execute(marked.execution_options(synchronize_session=False))
    taxonomy.request_push(session, context, group.id)
    return group


def waiting(session: Session, group_id: int) -> list[Tag]:
    """Return the group's tags that are to be deleted at WeCom and are not yet."""
    query = select(Tag).where(
        Tag.group_id == group_id,
        Tag.deleting_at.is_not(None),
        Tag.wecom_tag_id.is_not(None),
        Tag.gone_at.is_(None),
        Tag.blocked_by.is_(None),
    )
    return list(session.scalars(query.order_by(Tag.id)))


def carry_out(runtime: Runtime, group_id: int) -> None:
    """Delete what waits; raise WeComUnavailable where WeCom says yes and still has it, so that it is tried again."""
    with runtime.read() as session:
        tags = waiting(session, group_id)
        unready = merge_checks.find_unready(session, tags)
    if unready:
        with runtime.write() as session:
            merge_checks.hold_back(session, runtime.queue, unready, runtime.clock.now())
    held = {merge.source_tag_id for merge in unready}
    tags = [tag for tag in tags if tag.id not in held]
    if not tags:
        return
    runtime.crash_point("library.before_delete")
    for start in range(0, len(tags), BATCH):
        _delete(runtime, tags[start : start + BATCH])
    runtime.crash_point("library.after_delete")
    with runtime.read() as session:
        asked = frozenset(tag.id for tag in waiting(session, group_id))
    alive = library.confirm(runtime, asked).alive if asked else frozenset[int]()
    _await(runtime, alive)


def _delete(runtime: Runtime, tags: Sequence[Tag]) -> None:
    """Delete tags; one that is gone already, or another app's, fails a whole call, so that they go one by one then."""
    try:
        runtime.wecom.delete_corp_tags(tag_ids=[tag.wecom_tag_id for tag in tags if tag.wecom_tag_id])
    except WeComTagGone:
        if len(tags) > 1:
            for tag in tags:
                _delete(runtime, [tag])
    except WeComRejected as error:
        if len(tags) > 1:
            for tag in tags:
                _delete(runtime, [tag])
            return
        with runtime.write() as session:
            _refused(session, session.get_one(Tag, tags[0].id), error, runtime)


def _refused(session: Session, tag: Tag, error: WeComRejected, runtime: Runtime) -> None:
    if error.errcode not in NOT_OURS:
        tag.blocked, tag.blocked_by = f"{error.message}（{error.errcode}）"[:200], "refused"
        return
    log.warning("library.not_ours", table="Tag", id=tag.id)
    tag.owner, tag.deleting_at = Owner.FOREIGN.value, None
    definition_conflicts.note(
        session, tag, Dispute.DELETION, ours=None, theirs=tag.name, resolution="theirs", now=runtime.clock.now()
    )


def _await(runtime: Runtime, alive: frozenset[int]) -> None:
    if not alive:
        return
    with runtime.write() as session:
        tags = session.scalars(select(Tag).where(Tag.id.in_(alive))).all()
        for tag in tags:
            tag.tries += 1
            if tag.tries >= MAX_TRIES:
                tag.blocked, tag.blocked_by = UNCONFIRMED, "tries"
        is_waiting = any(tag.blocked_by is None for tag in tags)
    if is_waiting:
        raise WeComUnavailable("企业微信还有刚删除的标签，系统会自动重试", api=DELETE)


def _tags_there(session: Session, group: TagGroup) -> list[Tag]:
    query = select(Tag).where(Tag.group_id == group.id, Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None))
    return list(session.scalars(query.order_by(Tag.id)))


def refusal_of(tag: Tag, group: TagGroup) -> str | None:
    """Return why a tag cannot be deleted from here; None where it can."""
    if group.name == SOURCE_GROUP_NAME:
        return library_edits.BUILT_IN
    if tag.wecom_tag_id is None:
        return NOT_THERE.format(name=tag.name)
    return NOT_OURS_WORDS.format(name=tag.name) if tag.owner == Owner.FOREIGN else None


def _refusal_of_group(group: TagGroup, tags: Sequence[Tag]) -> str | None:
    if group.name == SOURCE_GROUP_NAME:
        return library_edits.BUILT_IN
    if group.wecom_group_id is None or not tags:
        return NOT_THERE.format(name=group.name)
    if group.owner == Owner.FOREIGN:
        return NOT_OURS_WORDS.format(name=group.name)
    others = [tag.name for tag in tags if tag.owner == Owner.FOREIGN]
    return MIXED.format(name=group.name, others="」「".join(others[:5])) if others else None


def mark(context: Context, tags: Sequence[Tag]) -> None:
    """Note that tags are to be deleted at WeCom."""
    for tag in tags:
        tag.deleting_at, tag.tries, tag.blocked, tag.blocked_by = context.now, 0, None, None


def _preview(session: Session, tags: Sequence[Tag], refusal: str | None) -> DeletionPreview:
    ids = [tag.id for tag in tags]
    relations = (
        select(func.count(CustomerTag.relation_id.distinct()))
        .join(Relation, Relation.id == CustomerTag.relation_id)
        .where(
            CustomerTag.tag_id.in_(ids),
            CustomerTag.relation_id != CUSTOMER_LEVEL,
            Relation.lost_at.is_(None),
            or_(CustomerTag.base.is_(True), CustomerTag.wanted),
        )
    )
    return DeletionPreview(
        tags=len(tags),
        customers=tag_users.customers_with(session, ids),
        relations=session.execute(relations).scalar_one(),
        uses=tuple(tag_users.uses_of(session, tags)),
        refusal=refusal,
    )
