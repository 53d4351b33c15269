"""Tags that are deleted at WeCom, buried here: their marks freeze, what was to be pushed of them is void.

Called by `services.library` and `library_deletions`, a part at a time.
"""

from collections.abc import Iterable, Iterator, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import Dispute
from wecom_app.models import SyncConflict, Tag, TagGroup
from wecom_app.services import definition_conflicts, library_recreation, operation_voiding, run_items
from wecom_app.services.context import Context
from wecom_app.services.runtime import Store

PART = 50
"""Tags buried in one transaction. A group that has more goes in several, and still people are told in one row."""


@dataclass(frozen=True)
class Announcement:
    """A row that people get of deletions that matter here: of a group that goes whole, else of one tag."""

    group_id: int | None
    """None where it is of one tag."""
    tag_ids: tuple[int, ...]
    uses: tuple[str, ...]


@dataclass(frozen=True)
class Part:
    """Tags to be buried in one transaction, and what was found out for it while nobody waited for the writer."""

    tag_ids: tuple[int, ...]
    announcements: tuple[Announcement, ...]
    row_ids: tuple[int, ...]
    """Disagreements that tell of these tags already, written with an earlier part of their group."""

    def __iter__(self) -> Iterator[int]:
        return iter(self.tag_ids)


def parts(store: Store, tag_ids: Sequence[int]) -> Iterator[Part]:
    """Return the tags part by part, a group in one part where it fits.

    What relies on them is counted here: it is words in a row, and may have changed a little when the row is written.
    """
    by_group: dict[int, list[int]] = {}
    with store.read() as session:
        query = select(Tag.group_id, Tag.id).where(Tag.id.in_(tag_ids)).order_by(Tag.group_id, Tag.id)
        for group_id, tag_id in session.execute(query):
            by_group.setdefault(group_id, []).append(tag_id)
    found = list[Announcement]()
    for ids in _cut(by_group.values()):
        here = {group_id: of_group for group_id, of_group in by_group.items() if not ids.isdisjoint(of_group)}
        with store.read() as session:
            for group_id, of_group in here.items():
                found += _announcements(session, group_id, of_group) if of_group[0] in ids else []
            rows = definition_conflicts.rows_that_announce(session, list(here))
        first = tuple(announcement for announcement in found if announcement.tag_ids[0] in ids)
        yield Part(tuple(sorted(ids)), first, tuple(row.id for row in rows))


def bury(session: Session, given: Context, part: Part) -> None:
    """Note that tags are deleted at WeCom: their marks freeze, their operations are void, nothing remakes them.

    A group goes with its last tag. Where somebody here relies on one, or has edited it meanwhile, a row says so.
    """
    # Locked before the tags, as by whoever settles them.
    rows = [session.get_one(SyncConflict, row_id, with_for_update=True) for row_id in part.row_ids]
    query = select(Tag).where(Tag.id.in_(part.tag_ids), Tag.gone_at.is_(None)).order_by(Tag.id)
    tags = session.scalars(query).all()
    _tell(session, given, part, {tag.id for tag in tags})
    for group_id in sorted({tag.group_id for tag in tags}):
        group = session.get_one(TagGroup, group_id)
        going = [tag for tag in tags if tag.group_id == group_id]
        for tag in going:
            tag.gone_at = given.now
            tag.sent_name = tag.sent_order = tag.blocked = tag.blocked_by = None
        run_items.overtake_refusals(session, [tag.id for tag in going])
        definition_conflicts.close_of_tags(session, [tag.id for tag in going], given.now)
        session.flush()
        if not _has_tags_there(session, group_id):
            definition_conflicts.forget_group(session, group, given.now)
    session.flush()
    operation_voiding.begin(session, given.queue, tag_ids=part.tag_ids, reason="标签已在企业微信中删除", now=given.now)
    _follow_words(session, given, rows, part, tags)


def _cut(groups: Iterable[Sequence[int]]) -> Iterator[set[int]]:
    part = set[int]()
    for of_group in groups:
        if part and len(part) + len(of_group) > PART:
            yield part
            part = set()
        full = len(of_group) - len(of_group) % PART if len(of_group) > PART else 0
        yield from (set(of_group[start : start + PART]) for start in range(0, full, PART))
        part.update(of_group[full:])
    if part:
        yield part


def _announcements(session: Session, group_id: int, of_group: Sequence[int]) -> list[Announcement]:
    """Return what people are to be told: one row for a group that goes whole, else one for each tag."""
    rows = definition_conflicts.rows_that_announce(session, [group_id])
    announced = {tag_id for row in rows for tag_id in definition_conflicts.announced_in(row)}
    in_use = select(Tag).where(
        Tag.group_id == group_id, Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None), Tag.archived_at.is_(None)
    )
    there = [tag for tag in session.scalars(in_use.order_by(Tag.id)) if tag.id not in announced]
    going = set(of_group)
    missed = [tag for tag in there if tag.id in going and tag.deleting_at is None]
    if len(missed) > 1 and len(missed) == len(there):
        found = [_announcement(session, group_id, missed)]
    else:
        found = [_announcement(session, None, [tag]) for tag in missed]
    return [announcement for announcement in found if announcement is not None]


def _announcement(session: Session, group_id: int | None, tags: Sequence[Tag]) -> Announcement | None:
    uses = definition_conflicts.uses_of(session, tags)
    is_edited = any(tag.base_name is not None and tag.name != tag.base_name for tag in tags)
    return Announcement(group_id, tuple(tag.id for tag in tags), uses) if uses or is_edited else None


def _tell(session: Session, given: Context, part: Part, going: set[int]) -> None:
    """Write the rows; what others have buried meanwhile they have told of."""
    for announcement in part.announcements:
        if going.isdisjoint(announcement.tag_ids):
            continue
        one = _subject(session, announcement)
        definition_conflicts.note(
            session,
            one,
            Dispute.DELETION,
            ours=one.name,
            theirs=None,
            resolution=None,
            now=given.now,
            uses=announcement.uses,
            coming=[tag_id for tag_id in announcement.tag_ids if tag_id not in part.tag_ids],
        )


def _subject(session: Session, announcement: Announcement) -> Tag | TagGroup:
    if announcement.group_id is None:
        return session.get_one(Tag, announcement.tag_ids[0])
    return session.get_one(TagGroup, announcement.group_id)


def _follow_words(
    session: Session, given: Context, rows: Sequence[SyncConflict], part: Part, tags: Sequence[Tag]
) -> None:
    """Strike tags off the rows that told of them; where a person has since wanted the group back, they come as well."""
    for row in rows:
        announced = definition_conflicts.strike_off(row, set(part))
        if row.resolution == "ours":
            for tag in tags:
                if tag.id in announced:
                    library_recreation.request_again(session, given.queue, tag)


def _has_tags_there(session: Session, group_id: int) -> bool:
    query = select(Tag.id).where(Tag.group_id == group_id, Tag.wecom_tag_id.is_not(None), Tag.gone_at.is_(None))
    return session.scalars(query.limit(1)).first() is not None
