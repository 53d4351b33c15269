"""The tag library read from WeCom: what changed there is merged, what is gone there is buried.

`pull` is a job (lane `push`, one at a time with those of `library_push`); `confirm` asks about tags that seem to be
gone, and many of them are buried by the job `bury_approved` only once a person has agreed.
"""

from collections.abc import Iterable, Sequence
from dataclasses import dataclass

import structlog
from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.errors import WeComTagGone, WeComUnavailable
from wecom_app.models import SyncRunItem, Tag
from wecom_app.services import (
    library_burial,
    library_limits,
    library_merge,
    library_unlinked,
    look_units,
    run_items,
    runs,
    sequence,
    taxonomy,
)
from wecom_app.services.context import Context
from wecom_app.services.definition_entries import Entry
from wecom_app.services.library_merge import Listing
from wecom_app.services.ports import ContactDetails, CorpTagGroup, JobArgs
from wecom_app.services.runtime import Runtime

TAGS_PER_WRITE = 300
"""Tags merged in one write transaction."""
LOGGED = 20
"""Ids in one line of the log."""

log = structlog.get_logger(__name__)


def pull(runtime: Runtime, _args: JobArgs) -> None:
    """Read the whole library: the gone are buried, new groups and tags come in, names and orders are merged.

    Nothing is taken for deleted because a list does not name it: WeCom is asked about each by id. That comes
    first, since a new tag may bear the name of a deleted one.
    """
    listing = read(runtime)
    with runtime.read() as session:
        absent = _absent(session, listing.groups)
    if absent:
        confirm(runtime, frozenset(absent))
    take(runtime, listing)
    _note_unlinked(runtime, listing)
    with runtime.write() as session:
        library_limits.free(session, runtime.queue, runtime.settings.wecom_tag_limit, listing.tags)


def read(runtime: Runtime, *, urgent: bool = False, timeout_s: float | None = None) -> Listing:
    """Return what WeCom lists now, numbered so that it never undoes what happens meanwhile."""
    with runtime.write(urgent=urgent) as session:
        seq = sequence.draw_alone(session)
    return Listing(seq, runtime.wecom.list_corp_tags(urgent=urgent, timeout_s=timeout_s))


def take(runtime: Runtime, listing: Listing) -> None:
    """Write down what WeCom's list shows; what it does not name stays as it is. Edits of ours are asked to be told."""
    given = context(runtime)
    with runtime.write() as session:
        ask(session, given, library_merge.take_groups(session, given, listing))
    for part in _parts(listing.groups):
        with runtime.write() as session:
            for group in part:
                ask(session, given, library_merge.take_tags(session, given, group, listing.seq))


def _note_unlinked(runtime: Runtime, listing: Listing) -> None:
    """Keep the list of tags that stay outside. One that the list does not name is off it once WeCom says it is gone."""
    with runtime.read() as session:
        found = library_unlinked.compare(session, listing)
    gone = set(found.unlisted) - _alive(runtime, found.unlisted)
    if found.rows:
        log.warning("library.unlinked", wecom_tag_ids=[row["wecom_tag_id"] for row in found.rows[:LOGGED]])
    if found.rows or found.settled or gone:
        with runtime.write() as session:
            library_unlinked.note(session, found, gone, runtime.clock.now())


def ask(session: Session, given: Context, told: Sequence[Entry]) -> None:
    """Have WeCom told of edits that it has not got."""
    for group_id in sorted({entry.group.id for entry in told}):
        taxonomy.enqueue_push(session, given.queue, group_id)


def _parts(groups: Sequence[CorpTagGroup]) -> Iterable[list[CorpTagGroup]]:
    part, size = list[CorpTagGroup](), 0
    for group in groups:
        if part and size + len(group.tags) > TAGS_PER_WRITE:
            yield part
            part, size = [], 0
        part.append(group)
        size += len(group.tags)
    if part:
        yield part


@dataclass(frozen=True)
class Fate:
    """What WeCom says of tags that seemed to be missing."""

    alive: frozenset[int] = frozenset()
    held: frozenset[int] = frozenset()
    """Deleted at WeCom, but so many at once that the guard has not let us bury them, or a person said no to it."""
    library_read: bool = False
    """Whether the library was read after the look: a tag that is unknown now is none of the company's."""

    def joined(self, other: "Fate") -> "Fate":
        """Return what is known after a further question."""
        return Fate(self.alive | other.alive, self.held | other.held, self.library_read or other.library_read)


NOBODY_ASKED = Fate()
LIBRARY_READ = Fate(library_read=True)


def confirm(runtime: Runtime, tag_ids: frozenset[int]) -> Fate:
    """Ask WeCom about tags by id, and bury those that it says are deleted.

    Raises WeComUnavailable where the answer leaves out a tag that it was asked about: silence proves nothing.
    """
    with runtime.read() as session:
        rows = session.execute(
            select(Tag.id, Tag.wecom_tag_id, Tag.deleting_at).where(Tag.id.in_(tag_ids), Tag.wecom_tag_id.is_not(None))
        ).all()
        refused = run_items.refused_tags(session, tag_ids)
    alive = _alive(runtime, [row.wecom_tag_id for row in rows if row.wecom_tag_id])
    gone = [row.id for row in rows if row.wecom_tag_id not in alive]
    # What a person here has asked to be deleted needs nobody's approval.
    ours = {row.id for row in rows if row.deleting_at is not None}
    # A no holds however few deletions there are by then: the guard is asked about the others only.
    held = set(gone) & refused - ours
    foreign = set(gone) - ours - held
    if foreign and not _within_guard(runtime, len(foreign)):
        _hold(runtime, sorted(foreign))
        held |= foreign
    for part in library_burial.parts(runtime, [tag_id for tag_id in gone if tag_id not in held]):
        with runtime.write() as session:
            library_burial.bury(session, context(runtime), part)
    return Fate(frozenset(tag_ids - set(gone)), frozenset(held))


def knows(session: Session, *shown: ContactDetails) -> bool:
    """Return whether every tag that WeCom shows of these customers is in our library."""
    ids = {tag_id for details in shown for follower in details.follow_users for tag_id in follower.tag_ids}
    return not ids or len(look_units.find_observed(session, ids)) == len(ids)


def context(runtime: Runtime) -> Context:
    """Return the context of a step that no callback caused."""
    return Context(runtime.queue, runtime.slugify, runtime.clock.now())


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
    """Bury the tags of a held run, each only if WeCom still says that it is deleted.

    The library is read afterwards: what bears the names of the buried there could not be taken in before.
    """
    run_id = int(args["run_id"])
    with runtime.read() as session:
        query = select(SyncRunItem.subject).where(SyncRunItem.run_id == run_id, SyncRunItem.state == "waiting")
        listed = [int(subject) for subject in session.scalars(query)]
        known = dict(session.execute(select(Tag.id, Tag.wecom_tag_id).where(Tag.id.in_(listed))).all())
    alive = _alive(runtime, [wecom_id for wecom_id in known.values() if wecom_id])
    gone = [tag_id for tag_id, wecom_id in known.items() if wecom_id not in alive]
    for part in library_burial.parts(runtime, gone):
        runtime.crash_point("library.before_burial")
        with runtime.write() as session:
            if runs.locked(session, run_id).state != "running":
                return
            library_burial.bury(session, context(runtime), part)
            run_items.answer(session, run_id, [str(tag_id) for tag_id in part], "applied")
    for start in range(0, len(listed), run_items.PAGE):
        kept = [str(tag_id) for tag_id in listed[start : start + run_items.PAGE] if tag_id not in gone]
        with runtime.write() as session:
            run_items.answer(session, run_id, kept, "noted")
    with runtime.write() as session:
        run = runs.locked(session, run_id)
        if run.state != "running":
            return
        states = run_items.count_by_state(session, run_id)
        run.counts = {"buried": states["applied"], "kept": states["noted"]}
        run.reason = None
        runs.end(run, "done", runtime.clock.now())
        if gone:
            taxonomy.enqueue_pull(session, runtime.queue)
        runtime.metrics.sync_runs.labels(run.kind, "done").inc()


def _within_guard(runtime: Runtime, count: int) -> bool:
    """Return whether so many tags may be buried without asking; not while a person is being asked about others."""
    with runtime.read() as session:
        known = len(session.execute(select(Tag.id).where(Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None))).all())
        asking = runs.unfinished(session, "library")
    return asking is None and runs.is_within(count, known)


def _hold(runtime: Runtime, tag_ids: Sequence[int]) -> None:
    is_new = False
    for start in range(0, len(tag_ids), run_items.PAGE):
        part = tag_ids[start : start + run_items.PAGE]
        with runtime.write() as session:
            names = dict(session.execute(select(Tag.id, Tag.name).where(Tag.id.in_(part))).all())
            is_new = runs.hold_tags(session, part, runtime.clock.now(), names) or is_new
    if is_new:
        runtime.metrics.sync_guard_trips.labels("library").inc()
        log.error("library.deletion_held", tags=len(tag_ids))
