"""What a channel brings with it: members and a source tag that nobody knew before it was made or edited.

`channels` looks for them before it writes, and drops them again where WeCom refuses the channel; only what WeCom has
accepted, or may yet accept, is followed up at WeCom.
"""

from collections.abc import Iterable
from dataclasses import dataclass
from typing import Any

from sqlalchemy import ColumnElement, delete, exists, select
from sqlalchemy.orm import Session

from wecom_app.db import Base
from wecom_app.domain.vocabulary import PUSHED, SOURCE_GROUP_KEY
from wecom_app.models import ChannelStaff, ChannelTag, Staff, Tag, TagGroup
from wecom_app.services import sources, staff, taxonomy
from wecom_app.services.context import Context


@dataclass(frozen=True)
class Newcomers:
    """Members by lower-case userid, the name of the source tag, and whether its group, that are not known yet."""

    userid_keys: frozenset[str]
    source: str | None
    group: bool


def newcomers(session: Session, userids: Iterable[str], source: str) -> Newcomers:
    """Return which of these are not known yet; called before they are written."""
    given = list(userids)
    strangers = {userid.lower() for userid in given} - set(staff.find_ids(session, given))
    is_new = sources.find_source_tag(session, source) is None
    has_group = session.execute(select(TagGroup.id).where(TagGroup.key == SOURCE_GROUP_KEY)).first() is not None
    return Newcomers(frozenset(strangers), source if is_new else None, not has_group)


def follow_up(session: Session, context: Context, channel_id: int) -> None:
    """Have the channel's tags made at WeCom where they are missing, and its nameless members read."""
    missing = (
        select(Tag.group_id)
        .join(ChannelTag, ChannelTag.tag_id == Tag.id)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(ChannelTag.channel_id == channel_id, Tag.wecom_tag_id.is_(None), TagGroup.mirror.in_(PUSHED))
        .distinct()
    )
    for group_id in session.scalars(missing).all():
        taxonomy.request_push(session, context, group_id)
    members = select(ChannelStaff.staff_id).where(ChannelStaff.channel_id == channel_id)
    staff.request_names(session, context.queue, session.scalars(members).all())


def drop(session: Session, context: Context, traces: Newcomers) -> None:
    """Delete the newcomers of a channel that was refused; whatever else uses them by now keeps them.

    A tag so short-lived may have been seen in a list, and its key may be given again.
    """
    session.flush()
    _delete(session, Staff, Staff.userid_key.in_(traces.userid_keys))
    tag = sources.find_source_tag(session, traces.source) if traces.source is not None else None
    if tag is None or tag.wecom_tag_id is not None:
        return
    if not _delete(session, Tag, Tag.id == tag.id):
        taxonomy.request_push(session, context, tag.group_id)
    if traces.group:
        _delete(session, TagGroup, TagGroup.key == SOURCE_GROUP_KEY, TagGroup.wecom_group_id.is_(None))


def _delete(session: Session, table: type[Base], *conditions: ColumnElement[bool]) -> int:
    """Delete rows that no foreign key points at; return how many.

    They are locked first: whoever is about to point at one has done so, or waits, when its references are counted.
    """
    session.execute(select(table).where(*conditions).with_for_update())
    unused = [~exists().where(column == target) for column, target in _references(table)]
    statement = delete(table).where(*conditions, *unused).execution_options(synchronize_session=False)
    return int(session.connection().execute(statement).rowcount)


def _references(table: type[Base]) -> Iterable[tuple[Any, Any]]:
    """Yield each column of another table that refers to this one, with the column it refers to."""
    for other in Base.metadata.sorted_tables:
        for key in other.foreign_keys:
            if key.column.table is table.__table__:
                yield key.parent, key.column
