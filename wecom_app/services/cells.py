"""Cells and operations: how an intent of ours reaches every live relation, and how a lost relation lets go.

A cell is a `customer_tag` row of one relation, which mirrors WeCom; an operation is the wish to change one.
Called by tagging, by the event handlers and by sync.
"""

from collections import Counter
from collections.abc import Collection, Mapping, Sequence
from datetime import datetime
from typing import Any

from sqlalchemy import ColumnElement, bindparam, delete, insert, literal_column, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import PUSHED, Scope
from wecom_app.models import CustomerTag, Relation, Tag, TagClaim, TagGroup, TagOperation
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.prepared import Prepared
from wecom_app.services.ports import JobQueue
from wecom_app.services.runtime import CLOSED
from wecom_app.services.tag_units import TagFacts, UnitRows
from wecom_app.services.upsert import upsert

SYNC_KIND = "customer.sync"
OPEN_STATES = ("pending", "sent")
REQUESTED = "sync_requested"
"""Key in `session.info`: the customers that this transaction has asked a look for already."""
CELL_KEYS = ("customer_id", "tag_id", "relation_id")
COPIED = ("wanted", "ver", "source_kind", "source_ref", "actor", "set_at", "expires_at")
"""Columns that a cell copies from the truth at every intent."""

TRUTH = CustomerTag.__table__
MIRRORED_TRUTH = Prepared(
    select(TRUTH)
    .join(Tag, Tag.id == TRUTH.c.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(
        TRUTH.c.customer_id == bindparam("customer_id"),
        TRUTH.c.relation_id == CUSTOMER_LEVEL,
        TRUTH.c.wanted,
        TagGroup.scope == Scope.CUSTOMER,
        TagGroup.mirror.in_(PUSHED),
        Tag.gone_at.is_(None),
    )
)
OPERATION = TagOperation.__table__
IS_OPEN = OPERATION.c.state.in_([literal_column(f"'{state}'") for state in OPEN_STATES])
"""An operation that has not ended. In plain text: SQLite uses a partial index only where it can read the states."""
SUPERSEDE = Prepared(
    update(TagOperation)
    .where(
        OPERATION.c.relation_id == bindparam("b_relation"),
        OPERATION.c.tag_id == bindparam("b_tag"),
        IS_OPEN,
    )
    .values(state="superseded", closed_at=bindparam("b_now"))
)

NEW_OPERATION = Prepared(insert(TagOperation))
CLOSE = update(TagOperation).where(IS_OPEN)
OF_RELATION = CLOSE.where(OPERATION.c.relation_id == bindparam("of_relation"))
CLOSE_OF_RELATION = Prepared(OF_RELATION)
CLOSE_OF_TAGS = Prepared(OF_RELATION.where(OPERATION.c.tag_id.in_(bindparam("of_tags", expanding=True))))
LIVE_IDS = Prepared(
    select(Relation.id)
    .where(
        Relation.customer_id.in_(bindparam("customer_ids", expanding=True)),
        Relation.lost_at.is_(None),
        Relation.half.is_(False),
    )
    .order_by(Relation.id)
)
THESE = select(Relation).where(Relation.id.in_(bindparam("relation_ids", expanding=True)))


def request_sync(session: Session, queue: JobQueue, customer_id: int, *, priority: int = 0) -> None:
    """Have the customer's relations looked at and pushed, once however often it is asked."""
    requested: set[int] = session.info.setdefault(REQUESTED, set())
    if customer_id in requested:
        return
    requested.add(customer_id)
    queue.enqueue(
        session,
        SYNC_KIND,
        {"customer_id": customer_id},
        lane="push",
        key=f"customer:{customer_id}",
        unique=str(customer_id),
        priority=priority,
    )


def fan_out(
    session: Session,
    units: Sequence[UnitRows],
    facts: TagFacts,
    *,
    queue: JobQueue,
    now: datetime,
    observed_on: Collection[int],
    priority: int = 0,
    ask: bool = True,
) -> None:
    """Give every live relation a cell with the new value and an operation, unless sync saw it there and settles it.

    Without `ask` nobody is asked to push yet: a full pull does that for all customers once it is over.
    """
    customer_ids = {unit.key.customer_id for unit in units}
    relations = live(session, customer_ids)
    rows: list[dict[str, Any]] = []
    wishes: list[dict[str, Any]] = []
    for unit in units:
        for relation in relations.get(unit.key.customer_id, ()):
            if relation.id in observed_on or unit.key.relation_id not in (CUSTOMER_LEVEL, relation.id):
                continue
            pushed = [t for t in unit.changed_tag_ids() if facts.tags[t].is_pushed]
            if not pushed:
                continue
            if unit.key.relation_id == CUSTOMER_LEVEL:
                rows += [cell(unit.after[tag_id], relation) for tag_id in unit.after]
            wishes += [wish(relation, tag_id, unit.after[tag_id]["ver"], now) for tag_id in pushed]
    upsert(session, CustomerTag, rows, CELL_KEYS, overwrite=(*COPIED, "tries", "dead"))
    open_operations(session, wishes, now)
    for customer_id in sorted({wish["customer_id"] for wish in wishes} if ask else ()):
        request_sync(session, queue, customer_id, priority=priority)


def open_operations(session: Session, wishes: Sequence[Mapping[str, Any]], now: datetime) -> None:
    """Insert operations; an open one of the same cell is superseded, never cancelled by its opposite."""
    if not wishes:
        return
    superseded = SUPERSEDE.run_many(
        session,
        [{"b_relation": wish["relation_id"], "b_tag": wish["tag_id"], "b_now": now} for wish in wishes],
    )
    count_closed(session, "superseded", superseded)
    NEW_OPERATION.run_many(session, wishes)


def note_reason(session: Session, relation_ids: Collection[int], reason: str) -> None:
    """Say on the open operations of relations why they wait."""
    session.execute(
        update(TagOperation).where(TagOperation.relation_id.in_(relation_ids), IS_OPEN).values(reason=reason)
    )


def open_relation(session: Session, relation: Relation, now: datetime) -> None:
    """Give a relation that has just come alive a cell and an operation for every tag the customer has."""
    rows = MIRRORED_TRUTH.mappings(session, {"customer_id": relation.customer_id})
    upsert(
        session,
        CustomerTag,
        [cell(row, relation) for row in rows],
        CELL_KEYS,
        overwrite=(*COPIED, "tries", "dead"),
    )
    open_operations(session, [wish(relation, row["tag_id"], row["ver"], now) for row in rows], now)


def open_cells(session: Session, truths: Mapping[int, Sequence[Mapping[str, Any]]], now: datetime) -> None:
    """Give every live relation a cell and an operation for truth rows, by customer, that WeCom is to have from now."""
    rows: list[dict[str, Any]] = []
    wishes: list[dict[str, Any]] = []
    for customer_id, relations in live(session, set(truths)).items():
        for relation in relations:
            for truth in truths[customer_id]:
                if truth["relation_id"] == CUSTOMER_LEVEL:
                    rows.append(cell(truth, relation))
                if truth["relation_id"] in (CUSTOMER_LEVEL, relation.id):
                    wishes.append(wish(relation, truth["tag_id"], truth["ver"], now))
    upsert(session, CustomerTag, rows, CELL_KEYS, overwrite=(*COPIED, "tries", "dead"))
    open_operations(session, wishes, now)


def live(session: Session, customer_ids: set[int]) -> dict[int, list[Relation]]:
    """Return the live relations by customer, in order of id; most of them are in the session's hands already."""
    keys = [
        session.identity_key(Relation, relation_id)
        for relation_id in LIVE_IDS.scalars(session, {"customer_ids": sorted(customer_ids)})
    ]
    missing = [key[1][0] for key in keys if key not in session.identity_map]
    loaded = session.execute(THESE, {"relation_ids": missing}).scalars().all() if missing else []
    assert len(loaded) == len(missing)
    found: dict[int, list[Relation]] = {}
    for key in keys:
        relation = session.identity_map[key]
        found.setdefault(relation.customer_id, []).append(relation)
    return found


def close_relation(session: Session, relation: Relation, now: datetime, reason: str) -> None:
    """Void the operations, remember what tags were held as `parted`, and drop the cells and the relation's claims."""
    table = CustomerTag.__table__
    rows = session.execute(
        select(table.c.tag_id, table.c.base, table.c.sent, table.c.wanted).where(
            table.c.customer_id == relation.customer_id, table.c.relation_id == relation.id
        )
    ).all()
    carried = {row.tag_id for row in rows if row.base or (row.wanted and row.sent in (1, 2))}
    looked_at = {row.tag_id for row in rows if row.base is not None}
    if relation.seen_seq > relation.life_seq:
        looked_at |= set(relation.parted) - {row.tag_id for row in rows}
    # What an earlier parting left and nobody has looked at since may still be there.
    relation.parted = sorted(carried | (set(relation.parted) - looked_at))
    relation.missed_tags = None
    close_operations(session, relation.id, "void", reason, now)
    for held in (CustomerTag, TagClaim):
        session.execute(delete(held).where(held.customer_id == relation.customer_id, held.relation_id == relation.id))


def close_operations(
    session: Session,
    relation_id: int,
    state: str,
    reason: str | None,
    now: datetime,
    *,
    tag_ids: Sequence[int] | None = None,
) -> None:
    """End the open operations of a relation (of these tags only, if given)."""
    if tag_ids is None:
        _close(session, CLOSE_OF_RELATION, state, reason, now, of_relation=relation_id)
    else:
        _close(session, CLOSE_OF_TAGS, state, reason, now, of_relation=relation_id, of_tags=list(tag_ids))


def close_where(
    session: Session, *conditions: ColumnElement[bool], state: str, reason: str | None, now: datetime
) -> None:
    """End the open operations that meet the conditions."""
    _close(session, Prepared(CLOSE.where(*conditions)), state, reason, now)


def _close(
    session: Session, statement: Prepared, state: str, reason: str | None, now: datetime, **which: object
) -> None:
    values = {"state": state, "reason": reason, "closed_at": now, **which}
    count_closed(session, state, statement.run(session, values))


def count_closed(session: Session, state: str, count: int) -> None:
    """Note for the metrics that operations ended; they are told once the transaction is committed."""
    if count > 0:
        closed: Counter[str] = session.info.setdefault(CLOSED, Counter())
        closed[state] += count


def cell(truth: Mapping[str, Any], relation: Relation) -> dict[str, Any]:
    """Return the row of a cell that begins with the truth's value."""
    return {
        **truth,
        "relation_id": relation.id,
        "evidence": {},
        "acked_ver": 0,
        "touched_seq": 0,
        "sent": None,
        "tries": 0,
        "dead": False,
        **unseen(relation),
    }


def unseen(relation: Relation) -> dict[str, Any]:
    """What is known of a tag without a row: on a relation that was looked at, that it was absent then."""
    looked_at = relation.seen_seq > relation.life_seq
    return {"base": False if looked_at else None, "seen_seq": relation.seen_seq if looked_at else 0}


def wish(relation: Relation, tag_id: int, ver: int, now: datetime) -> dict[str, Any]:
    """Return the row of a new operation."""
    return {
        "customer_id": relation.customer_id,
        "relation_id": relation.id,
        "tag_id": tag_id,
        "ver": ver,
        "state": "pending",
        "tries": 0,
        "created_at": now,
    }
