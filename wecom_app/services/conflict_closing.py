"""Disagreements about marks that close by themselves: a newer word of a person has answered the question.

Called by `looks.settle`, in its transaction. That both sides came to agree is no answer: our own push sees to that
within seconds, right or wrong. A person who decides anew, here or in WeCom, has answered it once WeCom shows his value.
"""

from collections.abc import Iterable, Sequence
from datetime import datetime

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.domain.merge import Conflict
from wecom_app.models import CustomerTag, Relation, SyncConflict
from wecom_app.prepared import Prepared
from wecom_app.services import tag_units
from wecom_app.services.tag_units import TagFacts

ANSWERABLE = (Conflict.CONCURRENT, Conflict.REPUSH, Conflict.SINGLE, Conflict.LINK)
"""A row of POLICY asks about the group's policy, which no mark answers."""
NEWER = "newer"
OPEN = select(SyncConflict).where(
    SyncConflict.customer_id.in_(bindparam("customer_ids", expanding=True)),
    SyncConflict.relation_id.in_(bindparam("relation_ids", expanding=True)),
    SyncConflict.state == "open",
    SyncConflict.kind.in_(ANSWERABLE),
)
OPEN_IDS = Prepared(OPEN.with_only_columns(SyncConflict.id))
"""Asked first: nearly always there are none."""


def close_answered(session: Session, relations: Sequence[Relation], seen: int, now: datetime) -> None:
    """Close what has been answered on these relations; give what a look has just noted that look's number, `seen`."""
    values = {
        "customer_ids": sorted({relation.customer_id for relation in relations}),
        "relation_ids": [relation.id for relation in relations],
    }
    if not OPEN_IDS.scalars(session, values):
        return
    found = session.scalars(OPEN, values).all()
    facts = tag_units.load_facts(session, {one.tag_id for one in found if one.tag_id is not None})
    for conflict in found:
        if conflict.seq is None:
            conflict.seq = seen
        elif _is_answered(session, conflict, facts):
            conflict.state, conflict.resolution, conflict.settled_at = "settled", NEWER, now
    session.flush()


def _is_answered(session: Session, conflict: SyncConflict, facts: TagFacts) -> bool:
    """Return whether a person spoke after the conflict was noted, and its relation shows what he wants."""
    assert conflict.tag_id is not None
    assert conflict.relation_id is not None
    assert conflict.seq is not None
    level = facts.level(conflict.tag_id, conflict.relation_id)
    query = select(CustomerTag).where(
        CustomerTag.customer_id == conflict.customer_id,
        CustomerTag.tag_id.in_(_unit(facts, conflict.tag_id)),
        CustomerTag.relation_id.in_((level, conflict.relation_id)),
    )
    # The cells were just written past the session: what it has loaded before is old.
    rows = session.scalars(query, execution_options={"populate_existing": True}).all()
    spoke = max((row.person_seq for row in rows if row.relation_id == level), default=0)
    agrees = all(row.acked_ver >= row.ver for row in rows if row.relation_id == conflict.relation_id)
    return spoke > conflict.seq and agrees


def _unit(facts: TagFacts, tag_id: int) -> Iterable[int]:
    tag = facts.tags[tag_id]
    return [one.id for one in facts.tags.values() if one.group_id == tag.group_id] if tag.single else [tag_id]
