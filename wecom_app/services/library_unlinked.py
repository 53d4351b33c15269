"""Tags that WeCom has and the library has not taken in: which, since when, and what keeps them out.

`library.pull` keeps the list; the console, the API and `sync status` show it. A mark of such a tag is not seen here.
"""

from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum

from sqlalchemy import delete, exists, func, select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import canonical
from wecom_app.domain.vocabulary import Mirror
from wecom_app.models import SyncRun, SyncRunItem, Tag, TagGroup, UnlinkedTag
from wecom_app.services import runs
from wecom_app.services.library_merge import Listing
from wecom_app.services.upsert import upsert

LINES_PER_QUERY = 400
IS_OUTSIDE = ~exists().where(Tag.wecom_tag_id == UnlinkedTag.wecom_tag_id)
"""Still: a push may have linked it since the library was read."""


class Obstacle(StrEnum):
    """What keeps a tag out, and so what a person can do about it."""

    NOT_MIRRORED = "not_mirrored"
    """Our group of this name is not mirrored."""
    GROUP_NAME = "group_name"
    """Our group of this name is linked with another group of WeCom's."""
    TAG_NAME = "tag_name"
    """Another tag of the group bears the name."""
    DELETION = "deletion"
    """That tag is deleted at WeCom, and its burial here waits for a person's yes."""
    NONE = "none"
    """Nothing any more: it comes in when the library is next read."""


OBSTACLE_WORDS: Mapping[str, str] = {
    Obstacle.NOT_MIRRORED: "本系统有同名的标签组，设为“只在本系统”。改为同步后，两边就接上",
    Obstacle.GROUP_NAME: "本系统的同名标签组接着企业微信里的另一组。给其中一组改名后收进来",
    Obstacle.TAG_NAME: "这一组里已有同名的标签。给其中一个改名后收进来",
    Obstacle.DELETION: "同名的旧标签已在企业微信删除，等人确认停用。确认后收进来",
    Obstacle.NONE: "已没有阻碍，下次读取标签库时收进来",
}
"""What keeps a tag out and what to do, for the console and the command."""


@dataclass(frozen=True)
class Unlinked:
    """One tag as people see it; `holder_key` is the group's or tag's key that stands in the way."""

    id: int
    wecom_tag_id: str
    name: str
    group: str
    obstacle: Obstacle
    holder_key: str | None
    run_id: int | None
    """Of an obstacle `deletion`: the held run."""
    seen_at: datetime


@dataclass(frozen=True)
class Comparison:
    """What WeCom's list says about the tags outside: rows to write, rows that have come in, ids to ask about."""

    rows: Sequence[Mapping[str, str]]
    settled: Sequence[str]
    unlisted: Sequence[str]


def compare(session: Session, listing: Listing) -> Comparison:
    """Compare WeCom's list, once it was taken in, with the tags noted as being outside.

    A group that people have stopped mirroring is left outside on purpose: its tags are not noted.
    """
    noted = {row.wecom_tag_id: row for row in session.scalars(select(UnlinkedTag))}
    linked = set(session.scalars(select(Tag.wecom_tag_id).where(Tag.wecom_tag_id.is_not(None))))
    stopped = set(session.scalars(select(TagGroup.wecom_group_id).where(TagGroup.mirror == Mirror.NONE)))
    shown = {
        tag.id: _row(tag.id, tag.name, group.id, group.name)
        for group in listing.groups
        for tag in group.tags
        if group.id not in stopped and not (tag.deleted or group.deleted or tag.id in linked)
    }
    listed = {tag.id for group in listing.groups for tag in group.tags}
    return Comparison(
        rows=[row for tag_id, row in shown.items() if tag_id not in noted or _row_of(noted[tag_id]) != row],
        settled=[tag_id for tag_id in noted if tag_id not in shown and (tag_id in linked or tag_id in listed)],
        unlisted=[tag_id for tag_id in noted if tag_id not in listed and tag_id not in linked],
    )


def note(session: Session, found: Comparison, gone: Collection[str], now: datetime) -> None:
    """Write down what is outside; forget what has come in, and what WeCom says is deleted."""
    upsert(
        session,
        UnlinkedTag,
        [{**row, "seen_at": now} for row in found.rows],
        ["wecom_tag_id"],
        overwrite=["name", "wecom_group_id", "group_name"],
    )
    over = [*found.settled, *gone]
    for start in range(0, len(over), LINES_PER_QUERY):
        part = over[start : start + LINES_PER_QUERY]
        session.execute(delete(UnlinkedTag).where(UnlinkedTag.wecom_tag_id.in_(part)))


def count(session: Session) -> int:
    """Return how many tags of WeCom's are outside."""
    return session.scalar(select(func.count()).select_from(UnlinkedTag).where(IS_OUTSIDE)) or 0


def list_page(session: Session, *, after_id: int | None = None, limit: int = 50) -> list[Unlinked]:
    """Return tags outside in the order in which they were met, each with what keeps it out now."""
    query = select(UnlinkedTag).where(UnlinkedTag.id > (after_id or 0), IS_OUTSIDE)
    rows = session.scalars(query.order_by(UnlinkedTag.id).limit(limit)).all()
    groups = session.scalars(
        select(TagGroup).where(TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None)).order_by(TagGroup.id)
    ).all()
    by_wecom_id = {group.wecom_group_id: group for group in groups if group.wecom_group_id is not None}
    by_name = {canonical(group.name): group for group in groups}
    there = {row.wecom_group_id for row in rows} & by_wecom_id.keys()
    tags = session.scalars(
        select(Tag).where(
            Tag.group_id.in_([by_wecom_id[one].id for one in there]), Tag.archived_at.is_(None), Tag.gone_at.is_(None)
        )
    )
    holders = {(tag.group_id, canonical(tag.name)): tag for tag in tags}
    asked = _asked_about(session, [tag.id for tag in holders.values()])
    return [_view(row, by_wecom_id, by_name, holders, asked) for row in rows]


def _view(
    row: UnlinkedTag,
    by_wecom_id: Mapping[str, TagGroup],
    by_name: Mapping[str, TagGroup],
    holders: Mapping[tuple[int, str], Tag],
    asked: Mapping[int, int],
) -> Unlinked:
    obstacle, holder_key, run_id = Obstacle.NONE, None, None
    group, namesake = by_wecom_id.get(row.wecom_group_id), by_name.get(canonical(row.group_name))
    if group is not None:
        holder = holders.get((group.id, canonical(row.name)))
        if holder is not None:
            run_id = asked.get(holder.id)
            obstacle, holder_key = Obstacle.TAG_NAME if run_id is None else Obstacle.DELETION, holder.key
    elif namesake is not None:
        is_stopped = namesake.mirror == Mirror.NONE
        obstacle, holder_key = Obstacle.NOT_MIRRORED if is_stopped else Obstacle.GROUP_NAME, namesake.key
    return Unlinked(row.id, row.wecom_tag_id, row.name, row.group_name, obstacle, holder_key, run_id, row.seen_at)


def _asked_about(session: Session, tag_ids: Sequence[int]) -> dict[int, int]:
    """Return the held run that asks about each tag's deletion."""
    query = (
        select(SyncRunItem.subject, SyncRunItem.run_id)
        .join(SyncRun, SyncRun.id == SyncRunItem.run_id)
        .where(SyncRunItem.kind == "tag_gone", SyncRunItem.state == "waiting", SyncRun.state.in_(runs.UNFINISHED))
    )
    wanted = set(tag_ids)
    return {int(subject): run_id for subject, run_id in session.execute(query) if int(subject) in wanted}


def _row(wecom_tag_id: str, name: str, wecom_group_id: str, group_name: str) -> dict[str, str]:
    return {
        "wecom_tag_id": wecom_tag_id,
        "name": name,
        "wecom_group_id": wecom_group_id,
        "group_name": group_name,
    }


def _row_of(noted: UnlinkedTag) -> dict[str, str]:
    return _row(noted.wecom_tag_id, noted.name, noted.wecom_group_id, noted.group_name)
