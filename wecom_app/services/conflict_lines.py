"""Disagreements with the names that people know: customers, members, tags; for the console's list."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.models import Customer, Staff, SyncConflict, Tag, TagGroup
from wecom_app.services.conflicts import ConflictView
from wecom_app.services.run_lines import TagName

KIND_WORDS: Mapping[str, str] = {
    "concurrent": "两边同时改过",
    "repush": "推送后又变了",
    "single": "单选组里有多个值",
    "link": "首次同步时各成员不同",
    "policy": "改了不跟随企业微信的标签",
    "name": "名称不同",
    "order": "顺序不同",
    "deletion": "在企业微信中被删除",
}
RESOLUTION_WORDS: Mapping[str, str] = {
    "ours": "保留系统里的值",
    "theirs": "采纳企业微信",
    "same": "两边已经一致",
    "newer": "之后有人重新定过",
}


@dataclass(frozen=True)
class Side:
    """What one side shows: tags of a mark, or words of a definition; empty where it has neither."""

    tags: tuple[TagName, ...] = ()
    words: str = ""


@dataclass(frozen=True)
class ConflictLine:
    """A disagreement in one line."""

    view: ConflictView
    customer: str | None
    member: str | None
    ours: Side
    theirs: Side


def count_open(session: Session) -> int:
    """Return how many wait for a person."""
    query = select(func.count()).select_from(SyncConflict).where(SyncConflict.state == "open")
    return session.execute(query).scalar_one()


def lines(session: Session, views: Sequence[ConflictView]) -> list[ConflictLine]:
    """Return the disagreements with names, in a constant number of queries."""
    keys = {key for view in views if view.subject == "mark" for key in (*view.ours, *view.theirs)}
    tags = select(Tag.key, Tag.name, TagGroup.tone).join(TagGroup, TagGroup.id == Tag.group_id)
    names = {row.key: TagName(row.name, row.tone) for row in session.execute(tags.where(Tag.key.in_(keys)))}
    customers = select(Customer.external_userid, Customer.name).where(
        Customer.external_userid.in_({view.external_userid for view in views if view.external_userid})
    )
    members = select(Staff.userid, Staff.name).where(Staff.userid.in_({view.userid for view in views if view.userid}))
    of_customer, of_member = dict(session.execute(customers).all()), dict(session.execute(members).all())
    return [
        ConflictLine(
            view=view,
            customer=of_customer.get(view.external_userid or ""),
            member=of_member.get(view.userid or "") or view.userid,
            ours=_side(view, view.ours, names),
            theirs=_side(view, view.theirs, names),
        )
        for view in views
    ]


def _side(view: ConflictView, values: Sequence[str], names: Mapping[str, TagName]) -> Side:
    if view.subject == "mark":
        return Side(tags=tuple(names[key] for key in values if key in names))
    return Side(words="、".join(values))
