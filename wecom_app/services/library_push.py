"""Our tag library told to WeCom: what is missing there is made, edits are told and read back, deletions carried out.

`push` is a job (lane `push`, key `library`): one library write is in flight at a time. It begins by reading
WeCom's library, so that nothing is told that somebody there has changed meanwhile.
"""

from collections.abc import Sequence

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Step, canonical
from wecom_app.domain.vocabulary import PUSHED, Lifecycle, Owner
from wecom_app.errors import AppError, WeComRejected, WeComTagGone, WeComUnavailable
from wecom_app.models import Tag, TagGroup
from wecom_app.services import (
    definition_conflicts,
    library,
    library_deletions,
    library_limits,
    library_merge,
    library_telling,
    sequence,
)
from wecom_app.services.definition_merge import ASKING
from wecom_app.services.library_merge import Listing
from wecom_app.services.library_telling import Telling
from wecom_app.services.ports import CorpTagGroup, JobArgs
from wecom_app.services.runtime import Runtime

NAME_EXISTS = 40071
LIMIT_REACHED = 40126
LIST = "externalcontact/get_corp_tag_list"
CREATE = "externalcontact/add_corp_tag"
NAME_HELD_WORDS = "企业微信的同一标签组里另一个标签已用了这个名称"
GROUP_NAME_HELD_WORDS = "企业微信里另一个标签组已用了这个组的名称，请改其中一个的名称"

log = structlog.get_logger(__name__)


def push(runtime: Runtime, args: JobArgs) -> None:
    """Bring a group and its tags to WeCom; group 0 stands for the names and orders of all groups.

    Raises WeComUnavailable where an edit cannot be seen there yet, so that the job is tried again.
    """
    group_id = int(args["group_id"])
    with runtime.read() as session:
        if not _has_work(session, group_id):
            return
    listing = library.read(runtime)
    _check_group(runtime, group_id, listing.groups)
    told = _take(runtime, group_id, listing)
    refusals, rest = library_telling.tell(runtime, told), list[Telling]()
    if told:
        listing = library.read(runtime)
        rest = _take(runtime, group_id, listing)
    # After the edits: one of them may have freed a name.
    refusals += _make(runtime, group_id, listing)
    library_deletions.carry_out(runtime, group_id)
    library_telling.await_the_rest(runtime, rest)
    if refusals:
        raise refusals[0]


def _has_work(session: Session, group_id: int) -> bool:
    """Return whether there is anything that WeCom may not have; it is asked only then."""
    _, missing = _missing(session, group_id)
    if missing or library_deletions.waiting(session, group_id):
        return True
    tables: tuple[type[Tag] | type[TagGroup], ...] = (TagGroup,) if group_id == 0 else (TagGroup, Tag)
    for table in tables:
        its_group = table.id if table is TagGroup else Tag.group_id
        there = table.wecom_group_id if table is TagGroup else Tag.wecom_tag_id
        query = select(table.id).where(
            there.is_not(None),
            table.gone_at.is_(None),
            table.owner == Owner.OURS,
            # What a person is to decide may have been decided by an edit: the question is looked at again.
            or_(table.blocked_by.is_(None), table.blocked_by == ASKING),
            or_(
                table.base_name.is_(None),
                table.name != table.base_name,
                table.position != table.base_order,
                table.sent_name.is_not(None),
                table.sent_order.is_not(None),
            ),
        )
        found = session.execute((query if group_id == 0 else query.where(its_group == group_id)).limit(1)).first()
        if found is not None:
            return True
    return False


def _missing(session: Session, group_id: int) -> tuple[TagGroup | None, list[Tag]]:
    """Return the group and its tags that WeCom has not got, if it is to have them."""
    group = session.get(TagGroup, group_id)
    if group is None or group.mirror not in PUSHED or group.gone_at or group.archived_at:
        return None, []
    if group.lifecycle == Lifecycle.DRAFT:
        return None, []
    query = select(Tag).where(
        Tag.group_id == group_id,
        Tag.wecom_tag_id.is_(None),
        Tag.archived_at.is_(None),
        Tag.gone_at.is_(None),
        or_(Tag.blocked_by.is_(None), Tag.blocked_by == library_merge.BY_NAME),
    )
    return group, list(session.execute(query.order_by(Tag.id)).scalars())


def _check_group(runtime: Runtime, group_id: int, groups: Sequence[CorpTagGroup]) -> None:
    """Ask about what a list does not name before anything is done about it: it may be short, or a group deleted."""
    listed = {group.id for group in groups}
    named = {tag.id for group in groups for tag in group.tags}
    with runtime.read() as session:
        group = session.get(TagGroup, group_id)
        wecom_group_id = group.wecom_group_id if group is not None else None
        tags = session.execute(
            select(Tag.id, Tag.wecom_tag_id).where(
                Tag.group_id == group_id, Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None)
            )
        ).all()
    absent = frozenset(row.id for row in tags if row.wecom_tag_id not in named)
    if absent:
        library.confirm(runtime, absent)
    if wecom_group_id is None or wecom_group_id in listed:
        return
    if not _is_group_gone(runtime, wecom_group_id):
        raise WeComUnavailable("企业微信的标签列表不完整，系统会自动重试", api=LIST)
    with runtime.write() as session:
        definition_conflicts.forget_group(session, session.get_one(TagGroup, group_id), runtime.clock.now())


def _is_group_gone(runtime: Runtime, wecom_group_id: str) -> bool:
    try:
        found = runtime.wecom.list_corp_tags(group_ids=[wecom_group_id])
    except WeComTagGone:
        return True
    return any(group.id == wecom_group_id and group.deleted for group in found)


def _take(runtime: Runtime, group_id: int, listing: Listing) -> list[Telling]:
    """Merge what WeCom shows now; return what it must be told on behalf of this job."""
    given = library.context(runtime)
    with runtime.write() as session:
        entries = library_merge.take_groups(session, given, listing, make=False)
        mine = [entry for entry in entries if group_id in (0, entry.one.id)]
        # What others have to say is asked for already, unless the merge has only now come to insist on it.
        insisting = [one for one in entries if one not in mine and Step.INSIST in (one.name_step, one.order_step)]
        library.ask(session, given, insisting)
        group = session.get(TagGroup, group_id)
        for standing in listing.groups:
            if group is not None and standing.id == group.wecom_group_id:
                mine += library_merge.take_tags(session, given, standing, listing.seq)
        return [Telling.of(entry) for entry in mine]


def _make(runtime: Runtime, group_id: int, listing: Listing) -> list[AppError]:
    """Make the group's missing tags, as far as there is room; return what WeCom refused."""
    with runtime.write() as session:
        group, missing = _missing(session, group_id)
        if group is None or not missing:
            return []
        there = next((standing for standing in listing.groups if standing.id == group.wecom_group_id), None)
        held = {canonical(tag.name) for tag in there.tags} if there else set()
        # Asked for a group by a name that another one bears, WeCom would put the tags into that one.
        is_group_held = there is None and library_merge.is_listed(listing, group.name)
        words = GROUP_NAME_HELD_WORDS if is_group_held else NAME_HELD_WORDS
        for tag in missing:
            is_held = is_group_held or canonical(tag.name) in held
            tag.blocked, tag.blocked_by = (words, library_merge.BY_NAME) if is_held else (None, None)
        missing = [tag for tag in missing if tag.blocked is None]
        room = library_limits.room(session, runtime.settings.wecom_tag_limit, listing.tags)
        library_limits.block(session, [tag.id for tag in missing[room:]])
        # Noted before the call: found later, they are ours though its answer was lost.
        for tag in missing[:room]:
            tag.sent_name = tag.name
        if group.wecom_group_id is None:
            group.sent_name = group.name
        wanted = [tag.id for tag in missing[:room]]
    if not wanted:
        return []
    refusals: list[AppError] = []
    runtime.crash_point("library.before_create")
    _create(runtime, group_id, wanted, listing.tags, refusals)
    return refusals


def _create(runtime: Runtime, group_id: int, tag_ids: Sequence[int], count: int, refusals: list[AppError]) -> int:
    """Make tags in one call, or in halves where WeCom refuses; return how many were made.

    A call fails as a whole, for one bad name or because there is room only for some.
    """
    with runtime.read() as session:
        group = session.get_one(TagGroup, group_id)
        tags = session.scalars(select(Tag).where(Tag.id.in_(tag_ids)).order_by(Tag.id)).all()
    try:
        made = runtime.wecom.add_corp_tags(
            [tag.name for tag in tags],
            orders=[tag.position for tag in tags],
            group_id=group.wecom_group_id,
            group_name=None if group.wecom_group_id else group.name,
            group_order=group.position,
        )
    except WeComTagGone as error:
        raise WeComUnavailable("标签组刚在企业微信中删除，系统会重新读取", api=CREATE) from error
    except WeComRejected as error:
        if error.errcode == NAME_EXISTS:
            raise WeComUnavailable("企业微信里刚出现同名标签，系统会重新读取后关联", api=CREATE) from error
        return _create_halves(runtime, group_id, tag_ids, count, refusals, error)
    runtime.crash_point("library.after_create")
    with runtime.write() as session:
        given = library.context(runtime)
        seq = sequence.draw(session)
        _link_made_group(session, group_id, made, seq)
        library_merge.take_tags(session, given, made, seq)
    return len(tag_ids)


def _link_made_group(session: Session, group_id: int, made: CorpTagGroup, seq: int) -> None:
    group = session.get_one(TagGroup, group_id)
    another = select(TagGroup.id).where(TagGroup.wecom_group_id == made.id, TagGroup.id != group_id)
    if session.scalars(another).first() is not None:
        raise WeComUnavailable("企业微信里另一个标签组刚改成这个名称，系统会重新读取", api=CREATE)
    if group.wecom_group_id != made.id:
        group.wecom_group_id, group.owner = made.id, Owner.OURS.value
        group.base_name, group.base_order, group.sent_name = made.name, made.order, None
        group.touched_seq = seq
        session.flush()


def _create_halves(
    runtime: Runtime,
    group_id: int,
    tag_ids: Sequence[int],
    count: int,
    refusals: list[AppError],
    error: WeComRejected,
) -> int:
    is_full = error.errcode == LIMIT_REACHED
    if len(tag_ids) == 1:
        with runtime.write() as session:
            if is_full:
                library_limits.reached(session, count)
                library_limits.block(session, tag_ids)
            else:
                reason = f"{error.message}（{error.errcode}）"[:200]
                session.execute(
                    update(Tag).where(Tag.id.in_(tag_ids)).values(blocked=reason, blocked_by="refused", sent_name=None)
                )
        if is_full:
            log.error("library.limit_reached", tags=count)
        else:
            refusals.append(error)
        return 0
    middle = len(tag_ids) // 2
    done = _create(runtime, group_id, tag_ids[:middle], count, refusals)
    if is_full and done < middle:
        with runtime.write() as session:
            library_limits.block(session, tag_ids[middle:])
        return done
    return done + _create(runtime, group_id, tag_ids[middle:], count + done, refusals)
