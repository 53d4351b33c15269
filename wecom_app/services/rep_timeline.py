"""What happened to a customer, newest first: tags, friendships, welcome messages, notes; a page at a time.

The parts come from several tables. A position is (moment, part, id), so that a page neither repeats nor skips
entries of one moment.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import UTC, datetime, timedelta
from typing import Any

from sqlalchemy import BindParameter, ColumnElement, and_, bindparam, or_, select
from sqlalchemy.orm import InstrumentedAttribute, Session

from wecom_app.db import EPOCH, BigId, UtcDateTime
from wecom_app.domain import explaining
from wecom_app.domain.access import Role
from wecom_app.domain.words import WELCOME_WORDS, source_word
from wecom_app.errors import InvalidInput
from wecom_app.models import ChangeSet, ContentEvent, ContentItem, FollowUp, Staff, Tag, TagEvent, TagGroup, Welcome
from wecom_app.services import follow_ups
from wecom_app.services.access import Viewer
from wecom_app.services.rep_rows import Names
from wecom_app.services.rep_views import Owner, TagStep, TimelineEntry, TimelinePage

FRIENDSHIP, TAGS, WELCOME, FOLLOW_UP, CONTENT = range(5)
"""The parts, in the order in which the entries of one moment happened."""
UNTOLD_WELCOMES = ("none", "waiting")
LARGEST = 2**63 - 1
END_OF_TIME = datetime(9999, 1, 1, tzinfo=UTC)

Column = ColumnElement[Any] | InstrumentedAttribute[Any]


def _older(at: Column, row_id: Column) -> ColumnElement[bool]:
    """Return the condition that a row stands after the page before, the parameters of which `_Asked` gives."""
    moment: BindParameter[datetime] = bindparam("before_at", type_=UtcDateTime())
    return or_(at < moment, and_(at == moment, row_id < bindparam("before_id", type_=BigId)))


LIMIT: BindParameter[int] = bindparam("limit", type_=BigId)
ACTS = (
    select(TagEvent.change_set_id)
    .where(TagEvent.customer_id == bindparam("customer_id"), _older(TagEvent.at, TagEvent.change_set_id))
    .group_by(TagEvent.change_set_id, TagEvent.at)
    .order_by(TagEvent.at.desc(), TagEvent.change_set_id.desc())
    .limit(LIMIT)
)
TAG_EVENTS = (
    select(
        TagEvent.change_set_id,
        TagEvent.at,
        TagEvent.op,
        TagEvent.after,
        Tag.name,
        TagGroup.tone,
        TagGroup.sensitive,
        ChangeSet.actor_kind,
        ChangeSet.actor_ref,
        ChangeSet.reason,
        ChangeSet.parent_id,
    )
    .join(Tag, Tag.id == TagEvent.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .join(ChangeSet, ChangeSet.id == TagEvent.change_set_id)
    .where(TagEvent.customer_id == bindparam("customer_id"), TagEvent.change_set_id.in_(ACTS))
    .order_by(TagEvent.id)
)
WELCOMES = (
    select(Welcome.id, Welcome.received_at, Welcome.userid, Welcome.status, Welcome.reason, Welcome.text)
    .where(
        Welcome.external_userid == bindparam("external_userid"),
        Welcome.status.not_in(UNTOLD_WELCOMES),
        _older(Welcome.received_at, Welcome.id),
    )
    .order_by(Welcome.received_at.desc(), Welcome.id.desc())
    .limit(LIMIT)
)
NOTES = (
    follow_ups.SHOWN.where(FollowUp.customer_id == bindparam("customer_id"), _older(FollowUp.created_at, FollowUp.id))
    .order_by(FollowUp.created_at.desc(), FollowUp.id.desc())
    .limit(LIMIT)
)
SENT = (
    select(ContentEvent.id, ContentEvent.at, ContentItem.title, Staff.userid, Staff.name)
    .join(ContentItem, ContentItem.id == ContentEvent.item_id)
    .join(Staff, Staff.id == ContentEvent.staff_id)
    .where(
        ContentEvent.customer_id == bindparam("customer_id"),
        ContentEvent.result == "sent",
        _older(ContentEvent.at, ContentEvent.id),
    )
    .order_by(ContentEvent.at.desc(), ContentEvent.id.desc())
    .limit(LIMIT)
)


@dataclass(frozen=True)
class Subject:
    """Whose timeline it is."""

    customer_id: int
    external_userid: str
    name: str
    owners: tuple[Owner, ...]


@dataclass(frozen=True, order=True)
class Position:
    at: datetime
    part: int
    id: int

    def text(self) -> str:
        return f"{(self.at - EPOCH) // timedelta(microseconds=1)}-{self.part}-{self.id}"


Found = list[tuple[Position, TimelineEntry]]


def load(
    session: Session,
    viewer: Viewer,
    subject: Subject,
    names: Names,
    now: datetime,
    *,
    before: str | None = None,
    limit: int,
) -> TimelinePage:
    """Return a page; raise InvalidInput for a `before` that no page gave."""
    asked = _Asked(session, viewer, subject, names, now, _position(before), limit + 1)
    parts: Sequence[Callable[[_Asked], Found]] = (_tags, _friendships, _welcomes, _notes, _content)
    found = sorted((entry for part in parts for entry in part(asked)), key=lambda entry: entry[0], reverse=True)
    page = found[:limit]
    return TimelinePage(tuple(entry for _, entry in page), page[-1][0].text() if len(found) > limit and page else None)


@dataclass(frozen=True)
class _Asked:
    session: Session
    viewer: Viewer
    subject: Subject
    names: Names
    now: datetime
    before: Position | None
    limit: int

    def rows(self, part: int, statement: Any, **subject: Any) -> Sequence[Any]:
        """Return the rows of one part that stand after the page before, the newest first."""
        at, row_id = END_OF_TIME, 0
        if self.before is not None:
            # Of the same moment, earlier parts stand after that page whole, later ones not at all.
            at = self.before.at
            row_id = LARGEST if part < self.before.part else self.before.id if part == self.before.part else -1
        values = {"before_at": at, "before_id": row_id, "limit": self.limit, **subject}
        rows: Sequence[Any] = self.session.connection().execute(statement, values).all()
        return rows

    def is_older(self, position: Position) -> bool:
        return self.before is None or position < self.before


def _position(text: str | None) -> Position | None:
    if text is None:
        return None
    try:
        micros, part, row_id = (int(piece) for piece in text.split("-"))
        if not 0 <= row_id <= LARGEST:
            raise ValueError(text)
        return Position(EPOCH + timedelta(microseconds=micros), part, row_id)
    except (ValueError, OverflowError):
        raise InvalidInput("翻页位置无效，请从头查看") from None


def _tags(asked: _Asked) -> Found:
    """One entry per act: what it put on and took off this customer."""
    acts_found: dict[tuple[int, datetime], list[Any]] = {}
    for row in asked.rows(TAGS, TAG_EVENTS, customer_id=asked.subject.customer_id):
        acts_found.setdefault((row.change_set_id, row.at), []).append(row)
    asked.names.learn(_actor(rows[0]) for rows in acts_found.values())
    return [(Position(at, TAGS, act_id), _act(asked, rows)) for (act_id, at), rows in acts_found.items()]


def _act(asked: _Asked, rows: Sequence[Any]) -> TimelineEntry:
    first = rows[0]
    after = first.after or {}
    kind, evidence = after.get("source_kind", ""), after.get("evidence") or {}
    undone = first.parent_id is not None
    by = explaining.party(kind, after.get("source_ref"), _actor(first), evidence, asked.names)
    if first.actor_kind == "staff":
        by = asked.names(first.actor_ref)
    return TimelineEntry(
        kind="tags",
        at=first.at,
        title="撤销" if undone else _title(first, kind, evidence),
        detail=None if undone else first.reason,
        by=by,
        steps=tuple(TagStep(row.op, row.name, row.tone, row.sensitive) for row in rows),
        change_set_id=first.change_set_id,
        can_undo=_is_own(asked.viewer, first),
    )


def _title(row: Any, kind: str, evidence: dict[str, Any]) -> str:
    return "标签到期" if row.op == "expire" else source_word(kind, evidence)


def _actor(row: Any) -> str | None:
    """Return the userid of the person behind an act; None where none is known."""
    after = row.after or {}
    if row.actor_kind in ("staff", "wecom"):
        return str(row.actor_ref)
    return after.get("actor") or (after.get("evidence") or {}).get("userid")


def _is_own(viewer: Viewer, row: Any) -> bool:
    if viewer.may(Role.ADMIN):
        return True
    return row.actor_kind == "staff" and viewer.userid is not None and row.actor_ref == viewer.userid


def _friendships(asked: _Asked) -> Found:
    found: Found = []
    for owner in asked.subject.owners:
        title = f"与{owner.name}成为好友" if owner.state != "half" else f"已加{owner.name}，等待通过"
        added = TimelineEntry("added", owner.since, title, detail=owner.came_by, by=owner.name)
        found.append((Position(owner.since, FRIENDSHIP, 2 * owner.relation_id), added))
        if owner.lost_at is not None and owner.lost_word is not None:
            lost = TimelineEntry("lost", owner.lost_at, owner.lost_word, by=owner.name)
            found.append((Position(owner.lost_at, FRIENDSHIP, 2 * owner.relation_id + 1), lost))
    return [entry for entry in found if asked.is_older(entry[0])]


def _welcomes(asked: _Asked) -> Found:
    names = {owner.userid.lower(): owner.name for owner in asked.subject.owners}
    rows = asked.rows(WELCOME, WELCOMES, external_userid=asked.subject.external_userid)
    return [
        (
            Position(row.received_at, WELCOME, row.id),
            TimelineEntry(
                kind="welcome",
                at=row.received_at,
                title=WELCOME_WORDS.get(row.status, row.status),
                detail=row.text if row.status == "sent" else row.reason,
                by=names.get(row.userid.lower(), row.userid),
            ),
        )
        for row in rows
    ]


def _notes(asked: _Asked) -> Found:
    rows = asked.rows(FOLLOW_UP, NOTES, customer_id=asked.subject.customer_id)
    return [(Position(row.created_at, FOLLOW_UP, row.id), _note(asked, row)) for row in rows]


def _note(asked: _Asked, row: Any) -> TimelineEntry:
    note = follow_ups.view(row, asked.viewer, asked.now)
    return TimelineEntry("follow_up", note.created_at, "跟进", detail=note.text, by=note.author, follow_up=note)


def _content(asked: _Asked) -> Found:
    """What was sent to him from the library; what was only shown or put aside is no event of his."""
    rows = asked.rows(CONTENT, SENT, customer_id=asked.subject.customer_id)
    return [
        (
            Position(row.at, CONTENT, row.id),
            TimelineEntry("content", row.at, f"发送「{row.title}」", by=row.name or row.userid),
        )
        for row in rows
    ]
