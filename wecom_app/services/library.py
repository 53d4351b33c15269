"""The tag library between us and WeCom: what is missing there is made, what changed there is read.

`push` and `pull` are jobs (lane `push`, one at a time); `confirm` asks about tags that seem to be gone, and many of
them are buried by the job `bury_approved` only once a person has agreed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.keys import make_key
from wecom_app.domain.vocabulary import PUSHED, Mirror, Owner, Scope, Selection
from wecom_app.errors import WeComRejected, WeComTagGone, WeComUnavailable
from wecom_app.models import SyncRunItem, Tag, TagGroup, TagOperation
from wecom_app.services import cells, runs, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.ports import ContactDetails, CorpTag, CorpTagGroup, JobArgs
from wecom_app.services.runtime import Runtime

NAME_EXISTS = 40071
DEFAULT_DIMENSION = "basic_info"
"""Where groups that were made in WeCom stand until an admin sorts them."""

log = structlog.get_logger(__name__)


def push(runtime: Runtime, args: JobArgs) -> None:
    """Make a group's missing tags at WeCom; a name that stands there already is linked, never twinned."""
    group_id = int(args["group_id"])
    with runtime.read() as session:
        group, missing = _missing(session, group_id)
    if group is None or not missing:
        return
    standing = _standing(runtime, group)
    if standing is not None:
        missing = _link(runtime, group_id, standing, Owner.FOREIGN)
    if not missing:
        return
    runtime.crash_point("library.before_create")
    try:
        made = runtime.wecom.add_corp_tags(
            [tag.name for tag in missing],
            group_id=standing.id if standing else None,
            group_name=None if standing else group.name,
        )
    except WeComRejected as error:
        if error.errcode == NAME_EXISTS:
            _request_again(runtime, group_id)
            return
        _block(runtime, missing, f"{error.message}（{error.errcode}）")
        raise
    runtime.crash_point("library.after_create")
    _link(runtime, group_id, made, Owner.OURS)


def _request_again(runtime: Runtime, group_id: int) -> None:
    """Somebody made the same name between our reading and our writing: read again, then link."""
    with runtime.write() as session:
        taxonomy.request_push(session, context(runtime), group_id)


def pull(runtime: Runtime, _args: JobArgs) -> None:
    """Read the whole library: the gone are buried, new groups and tags come in, names and orders follow WeCom.

    Nothing is taken for deleted because a list does not name it: WeCom is asked about each by id. That comes
    first, since a new tag may bear the name of a deleted one.
    """
    groups = runtime.wecom.list_corp_tags()
    with runtime.read() as session:
        absent = _absent(session, groups)
    if absent:
        confirm(runtime, frozenset(absent))
    take(runtime, groups)


def take(runtime: Runtime, groups: Sequence[CorpTagGroup]) -> None:
    """Write down what WeCom's list shows; what it does not name stays as it is."""
    listed = frozenset(group.id for group in groups)
    with runtime.write() as session:
        for group in groups:
            _take_group(session, context(runtime), group, listed)


@dataclass(frozen=True)
class Fate:
    """What WeCom says of tags that seemed to be missing."""

    alive: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    """Deleted at WeCom, but so many at once that the guard has not let us bury them."""

    def joined(self, other: "Fate") -> "Fate":
        """Return what is known after a further question."""
        return Fate(self.alive | other.alive, self.held | other.held)


NOBODY_ASKED = Fate()


def confirm(runtime: Runtime, tag_ids: frozenset[int]) -> Fate:
    """Ask WeCom about tags by id, and bury those that it says are deleted.

    Raises WeComUnavailable where the answer leaves out a tag that it was asked about: silence proves nothing.
    """
    with runtime.read() as session:
        rows = session.execute(
            select(Tag.id, Tag.wecom_tag_id).where(Tag.id.in_(tag_ids), Tag.wecom_tag_id.is_not(None))
        ).all()
    alive = _alive(runtime, [row.wecom_tag_id for row in rows if row.wecom_tag_id])
    gone = [row.id for row in rows if row.wecom_tag_id not in alive]
    is_held = bool(gone) and not _within_guard(runtime, len(gone))
    if is_held:
        _hold(runtime, gone)
    elif gone:
        with runtime.write() as session:
            bury(session, context(runtime), gone)
    return Fate(frozenset(tag_ids - set(gone)), frozenset(gone if is_held else ()))


def bury(session: Session, given: Context, tag_ids: Sequence[int]) -> None:
    """Note that tags are deleted at WeCom: their marks freeze, their operations are void, nothing remakes them."""
    session.execute(update(Tag).where(Tag.id.in_(tag_ids)).values(gone_at=given.now))
    cells.close_where(
        session, TagOperation.tag_id.in_(tag_ids), state="void", reason="标签已在企业微信中删除", now=given.now
    )


def knows(session: Session, *shown: ContactDetails) -> bool:
    """Return whether every tag that WeCom shows of these customers is in our library."""
    ids = {tag_id for details in shown for follower in details.follow_users for tag_id in follower.tag_ids}
    found = session.execute(select(Tag.wecom_tag_id).where(Tag.wecom_tag_id.in_(ids))).scalars()
    return ids <= set(found)


def context(runtime: Runtime) -> Context:
    """Return the context of a step that no callback caused."""
    return Context(runtime.queue, runtime.slugify, runtime.clock.now())


def _missing(session: Session, group_id: int) -> tuple[TagGroup | None, list[Tag]]:
    group = session.get(TagGroup, group_id)
    if group is None or group.mirror not in PUSHED or group.gone_at or group.archived_at:
        return None, []
    query = select(Tag).where(
        Tag.group_id == group_id,
        Tag.wecom_tag_id.is_(None),
        Tag.archived_at.is_(None),
        Tag.gone_at.is_(None),
        Tag.blocked.is_(None),
    )
    return group, list(session.execute(query.order_by(Tag.id)).scalars())


def _standing(runtime: Runtime, group: TagGroup) -> CorpTagGroup | None:
    """Return the group as WeCom has it now, by id or else by name."""
    for standing in runtime.wecom.list_corp_tags():
        if standing.id == group.wecom_group_id or (group.wecom_group_id is None and standing.name == group.name):
            return standing
    return None


def _link(runtime: Runtime, group_id: int, standing: CorpTagGroup, owner: Owner) -> list[Tag]:
    """Take over WeCom's ids by name; return the tags that it still lacks."""
    with runtime.write() as session:
        group = session.get(TagGroup, group_id)
        assert group is not None
        if group.wecom_group_id is None:
            group.wecom_group_id, group.owner = standing.id, owner.value
        _, missing = _missing(session, group_id)
        by_name = {tag.name: tag for tag in standing.tags if not tag.deleted}
        linked = []
        for tag in missing:
            match = by_name.get(tag.name)
            if match is not None:
                tag.wecom_tag_id, tag.owner, tag.position = match.id, owner.value, match.order
                linked.append(tag.id)
        session.flush()
        _release_waiting(session, context(runtime), linked)
        return [tag for tag in missing if tag.wecom_tag_id is None]


def _release_waiting(session: Session, given: Context, tag_ids: Sequence[int]) -> None:
    """Customers whose operations waited for these tags to exist at WeCom can be pushed now."""
    query = select(TagOperation.customer_id).where(TagOperation.tag_id.in_(tag_ids), cells.IS_OPEN).distinct()
    for customer_id in session.execute(query).scalars().all():
        cells.request_sync(session, given.queue, customer_id)


def _block(runtime: Runtime, tags: Iterable[Tag], reason: str) -> None:
    with runtime.write() as session:
        session.execute(update(Tag).where(Tag.id.in_([tag.id for tag in tags])).values(blocked=reason[:200]))


def _take_group(session: Session, given: Context, standing: CorpTagGroup, listed: frozenset[str]) -> None:
    group = session.execute(
        select(TagGroup).where(TagGroup.wecom_group_id == standing.id)
    ).scalar_one_or_none() or _group_by_name(session, standing, listed)
    if group is None:
        group = _new_group(session, given, standing)
    if group.mirror == Mirror.NONE:
        return
    group.wecom_group_id, group.position = standing.id, standing.order
    if group.name != standing.name:
        group.name = standing.name
    session.flush()
    for tag in standing.tags:
        _take_tag(session, given, group, tag)


def _group_by_name(session: Session, standing: CorpTagGroup, listed: frozenset[str]) -> TagGroup | None:
    """Return our group of this name, unless WeCom has it under another id.

    A group goes with its last tag: made anew it has another id, and is the same group to us.
    """
    return session.execute(
        select(TagGroup).where(
            TagGroup.name == standing.name,
            or_(TagGroup.wecom_group_id.is_(None), TagGroup.wecom_group_id.not_in(listed)),
            TagGroup.archived_at.is_(None),
            TagGroup.gone_at.is_(None),
        )
    ).scalar_one_or_none()


def _new_group(session: Session, given: Context, standing: CorpTagGroup) -> TagGroup:
    prefix = DEFAULT_DIMENSION
    group = TagGroup(
        key=make_key(prefix, given.slugify(standing.name), taxonomy.taken_keys(session, TagGroup, prefix)),
        name=standing.name,
        dimension=DEFAULT_DIMENSION,
        selection=Selection.MULTI.value,
        scope=Scope.CUSTOMER.value,
        mirror=Mirror.TWO_WAY.value,
        owner=Owner.FOREIGN.value,
        wecom_group_id=standing.id,
        position=standing.order,
        created_at=given.now,
    )
    session.add(group)
    session.flush()
    return group


def _take_tag(session: Session, given: Context, group: TagGroup, standing: CorpTag) -> None:
    tag = session.execute(select(Tag).where(Tag.wecom_tag_id == standing.id)).scalar_one_or_none()
    if tag is None:
        namesake = _tag_by_name(session, group, standing)
        if namesake is not None and namesake.wecom_tag_id is not None:
            # A deleted tag holds the name until its burial is approved.
            log.warning("library.name_held", wecom_tag_id=standing.id)
            return
        tag = namesake or _new_tag(session, given, group, standing)
        tag.wecom_tag_id = standing.id
    tag.position = standing.order
    tag.name = standing.name
    session.flush()


def _tag_by_name(session: Session, group: TagGroup, standing: CorpTag) -> Tag | None:
    return session.execute(
        select(Tag).where(
            Tag.group_id == group.id,
            Tag.name == standing.name,
            Tag.archived_at.is_(None),
            Tag.gone_at.is_(None),
        )
    ).scalar_one_or_none()


def _new_tag(session: Session, given: Context, group: TagGroup, standing: CorpTag) -> Tag:
    tag = Tag(
        key=make_key(group.key, given.slugify(standing.name), taxonomy.taken_keys(session, Tag, group.key)),
        group_id=group.id,
        name=standing.name,
        owner=Owner.FOREIGN.value,
        wecom_tag_id=standing.id,
        position=standing.order,
        created_at=given.now,
    )
    session.add(tag)
    session.flush()
    return tag


def _absent(session: Session, groups: Iterable[CorpTagGroup]) -> list[int]:
    """Return our tags that WeCom's list does not name."""
    listed = {tag.id for group in groups for tag in group.tags}
    rows = session.execute(select(Tag.id, Tag.wecom_tag_id).where(Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None)))
    return [tag_id for tag_id, wecom_tag_id in rows if wecom_tag_id not in listed]


def _alive(runtime: Runtime, wecom_tag_ids: Sequence[str]) -> set[str]:
    """Return which of the tags WeCom still has; an unknown id fails a whole query, so it is halved.

    Only `deleted` or a refusal of the very id (40068) means that a tag is gone.
    """
    if not wecom_tag_ids:
        return set()
    try:
        groups = runtime.wecom.list_corp_tags(tag_ids=wecom_tag_ids)
    except WeComTagGone:
        if len(wecom_tag_ids) == 1:
            return set()
        middle = len(wecom_tag_ids) // 2
        return _alive(runtime, wecom_tag_ids[:middle]) | _alive(runtime, wecom_tag_ids[middle:])
    named = {tag.id for group in groups for tag in group.tags}
    if not named.issuperset(wecom_tag_ids):
        raise WeComUnavailable(
            "企业微信的回答里少了所查的标签，系统会自动重试", api="externalcontact/get_corp_tag_list"
        )
    return {tag.id for group in groups if not group.deleted for tag in group.tags if not tag.deleted}


def bury_approved(runtime: Runtime, args: JobArgs) -> None:
    """Bury the tags of a held run, each only if WeCom still says that it is deleted."""
    run_id = int(args["run_id"])
    with runtime.read() as session:
        query = select(SyncRunItem.subject).where(SyncRunItem.run_id == run_id, SyncRunItem.state == "waiting")
        listed = [int(subject) for subject in session.scalars(query)]
        known = dict(session.execute(select(Tag.id, Tag.wecom_tag_id).where(Tag.id.in_(listed))).all())
    alive = _alive(runtime, [wecom_id for wecom_id in known.values() if wecom_id])
    gone = [tag_id for tag_id, wecom_id in known.items() if wecom_id not in alive]
    runtime.crash_point("library.before_burial")
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        if run.state != "running":
            return
        bury(session, context(runtime), gone)
        items = select(SyncRunItem).where(SyncRunItem.run_id == run_id, SyncRunItem.state == "waiting")
        for item in session.scalars(items):
            item.state = "applied" if int(item.subject) in gone else "noted"
        run.counts = {"buried": len(gone), "kept": len(listed) - len(gone)}
        run.reason = None
        runs.end(run, "done", runtime.clock.now())
        runtime.metrics.sync_runs.labels(run.kind, "done").inc()


def _within_guard(runtime: Runtime, count: int) -> bool:
    """Return whether so many tags may be buried without asking; not while a person is being asked about others."""
    with runtime.read() as session:
        known = len(session.execute(select(Tag.id).where(Tag.wecom_tag_id.is_not(None))).all())
        asking = runs.unfinished(session, "library")
    return asking is None and runs.is_within(count, known)


def _hold(runtime: Runtime, tag_ids: Sequence[int]) -> None:
    with runtime.write() as session:
        names = dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(tag_ids))).all())
        is_new = runs.hold_tags(session, tag_ids, runtime.clock.now(), names)
    if is_new:
        runtime.metrics.sync_guard_trips.labels("library").inc()
        log.error("library.deletion_held", tags=len(tag_ids))
