"""What a run of sync found, line by line: a bounded number of notes, and all of what waits for an answer.

Written by `pulls`, `pull_chains`, `pull_finish`, `bulk_looks` and `library`; read by `runs`.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from sqlalchemy import bindparam, func, select, update
from sqlalchemy.orm import Session

from wecom_app.models import Relation, SyncRun, SyncRunItem
from wecom_app.prepared import Prepared
from wecom_app.services.upsert import insert_ignore

MOST_NOTED = 200
"""Lines of one kind that are only to be seen; what waits for an answer is kept in full."""
PAGE = 400
"""Lines answered in one transaction."""
NOTED = Prepared(
    select(func.count()).where(SyncRunItem.run_id == bindparam("run_id"), SyncRunItem.kind == bindparam("kind"))
)


@dataclass(frozen=True)
class Item:
    """`kind`: removal, absent, tag_gone, unreadable, failed, adopted or made; `subject`: what about, once a run."""

    kind: str
    subject: str
    relation_id: int | None = None
    detail: Mapping[str, Any] = field(default_factory=dict)
    waits: bool = False
    """Whether a person or a second look decides; otherwise it is a note."""


def add(session: Session, run_id: int, items: Sequence[Item]) -> None:
    """Write lines down, each once; notes only while there are few of their kind."""
    room = {item.kind: 0 for item in items if not item.waits}
    for kind in room:
        room[kind] = MOST_NOTED - int(NOTED.scalar(session, {"run_id": run_id, "kind": kind}))
    rows = []
    for item in items:
        if not item.waits:
            room[item.kind] -= 1
            if room[item.kind] < 0:
                continue
        rows.append(
            {
                "run_id": run_id,
                "kind": item.kind,
                "subject": item.subject[:80],
                "relation_id": item.relation_id,
                "detail": dict(item.detail),
                "state": "waiting" if item.waits else "noted",
                "asked_seq": 0,
            }
        )
    insert_ignore(session, SyncRunItem, rows, ["run_id", "kind", "subject"])


def answer(session: Session, run_id: int, subjects: Sequence[str], state: str) -> None:
    """Note what became of a page of lines that wait."""
    query = update(SyncRunItem).where(
        SyncRunItem.run_id == run_id, SyncRunItem.state == "waiting", SyncRunItem.subject.in_(subjects)
    )
    session.execute(query.values(state=state))


def count_by_state(session: Session, run_id: int) -> Counter[str]:
    """Count a run's lines."""
    query = select(SyncRunItem.state, func.count()).where(SyncRunItem.run_id == run_id).group_by(SyncRunItem.state)
    return Counter(dict(session.execute(query).all()))


def reject(session: Session, run_id: int) -> bool:
    """Answer no to a page of what waits; return whether more may be left. A held pull may list a tenth of all."""
    page = select(SyncRunItem.id).where(SyncRunItem.run_id == run_id, SyncRunItem.state == "waiting").limit(PAGE)
    ids = session.scalars(page).all()
    session.execute(update(SyncRunItem).where(SyncRunItem.id.in_(ids)).values(state="rejected"))
    return len(ids) == PAGE


def refused_tags(session: Session, tag_ids: Collection[int]) -> set[int]:
    """Return which of these tags, deleted at WeCom, a person would not have buried here."""
    query = (
        select(SyncRunItem.subject)
        .join(SyncRun, SyncRun.id == SyncRunItem.run_id)
        .where(SyncRun.kind == "library", SyncRunItem.kind == "tag_gone", SyncRunItem.state == "rejected")
    )
    return {int(subject) for subject in session.scalars(query)}.intersection(tag_ids)


def overtake_refusals(session: Session, tag_ids: Collection[int]) -> None:
    """Note that tags are buried after all, since a person had them deleted himself: of the next he is asked."""
    of_the_library = select(SyncRun.id).where(SyncRun.kind == "library")
    query = update(SyncRunItem).where(
        SyncRunItem.run_id.in_(of_the_library),
        SyncRunItem.kind == "tag_gone",
        SyncRunItem.state == "rejected",
        SyncRunItem.subject.in_([str(tag_id) for tag_id in tag_ids]),
    )
    session.execute(query.values(state="applied"))


def parent_change_set(session: Session, relation: Relation) -> int | None:
    """Return the change set of the run on whose behalf a relation is being looked at; None where nobody asked."""
    query = (
        select(SyncRun.change_set_id)
        .join(SyncRunItem, SyncRunItem.run_id == SyncRun.id)
        .where(
            SyncRunItem.relation_id == relation.id,
            SyncRunItem.state == "asked",
            SyncRunItem.asked_seq > relation.seen_seq,
        )
        .order_by(SyncRunItem.id.desc())
        .limit(1)
    )
    return session.execute(query).scalar_one_or_none()
