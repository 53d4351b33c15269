"""Writing our open cells to WeCom: what one relation's `mark_tag` must say, and what its answer means.

Called by `services.sync`. The answer closes nothing: only a look taken after it does.
"""

from collections.abc import Collection, Container, Sequence
from dataclasses import dataclass, replace
from datetime import datetime

from sqlalchemy import Integer, bindparam, cast, exists, func, or_, select, tuple_, update
from sqlalchemy.orm import Session, aliased

from wecom_app.domain.vocabulary import PUSHED, SourceKind
from wecom_app.models import Customer, CustomerTag, Deployment, Relation, Staff, Tag, TagGroup, TagOperation
from wecom_app.prepared import Prepared
from wecom_app.services import cells, customers, sequence

MAX_TRIES = 3
"""Pushes of one intent that WeCom answered and that a look then did not confirm."""
UNCHANGED = "多次推送后企业微信仍未变化"


OPEN_CELLS = (
    select(
        CustomerTag.relation_id,
        CustomerTag.tag_id,
        CustomerTag.wanted,
        CustomerTag.tries,
        Tag.wecom_tag_id,
        Staff.userid,
        Customer.external_userid,
    )
    .join(Relation, Relation.id == CustomerTag.relation_id)
    .join(Staff, Staff.id == Relation.staff_id)
    .join(Customer, Customer.id == CustomerTag.customer_id)
    .join(Tag, Tag.id == CustomerTag.tag_id)
    .join(TagGroup, TagGroup.id == Tag.group_id)
    .where(
        CustomerTag.customer_id == bindparam("customer_id"),
        CustomerTag.acked_ver < CustomerTag.ver,
        CustomerTag.sent.is_(None),
        CustomerTag.dead.is_(False),
        Relation.lost_at.is_(None),
        Relation.half.is_(False),
        Tag.wecom_tag_id.is_not(None),
        Tag.gone_at.is_(None),
        TagGroup.mirror.in_(PUSHED),
        # What the first pull has found waits until somebody has seen what it would write.
        or_(CustomerTag.source_kind != SourceKind.WECOM_LINK, ~exists().where(Deployment.link_held)),
    )
    .order_by(CustomerTag.relation_id, CustomerTag.tag_id)
)
AFTER_LOOK = Prepared(
    OPEN_CELLS.where(
        CustomerTag.base.is_not(None),
        CustomerTag.seen_seq >= CustomerTag.ver,
        CustomerTag.wanted != CustomerTag.base,
    )
)
OTHER = aliased(Relation)
BEFORE_FIRST_LOOK = Prepared(
    OPEN_CELLS.where(
        CustomerTag.base.is_(None),
        CustomerTag.wanted,
        Relation.seen_seq == 0,
        Relation.linked.is_(False),
        # A customer who was handed over may bring tags along, and the event does not say that he was.
        ~exists().where(OTHER.customer_id == CustomerTag.customer_id, OTHER.id != CustomerTag.relation_id),
    )
)

CELLS = update(CustomerTag).where(
    CustomerTag.relation_id == bindparam("of_relation"),
    CustomerTag.tag_id.in_(bindparam("of_tags", expanding=True)),
)
OPERATIONS = update(TagOperation).where(
    TagOperation.relation_id == bindparam("of_relation"),
    TagOperation.tag_id.in_(bindparam("of_tags", expanding=True)),
)
TRY_CELLS = Prepared(CELLS.values(sent=cast(CustomerTag.wanted, Integer), tries=CustomerTag.tries + 1))
TRY_OPERATIONS = Prepared(OPERATIONS.where(cells.IS_OPEN).values(tries=TagOperation.tries + 1, reason=None))
ANSWER_CELLS = Prepared(CELLS.values(tries=CustomerTag.tries - bindparam("untried")))
ANSWER_OPERATIONS = Prepared(
    OPERATIONS.where(cells.IS_OPEN, TagOperation.state == "sent").values(
        tries=TagOperation.tries - bindparam("untried")
    )
)


LAST_DEAD = (
    select(func.max(TagOperation.id))
    .where(
        TagOperation.customer_id == CustomerTag.customer_id,
        TagOperation.state == "dead",
        TagOperation.relation_id == CustomerTag.relation_id,
        TagOperation.tag_id == CustomerTag.tag_id,
    )
    .correlate(CustomerTag)
    .scalar_subquery()
)
"""The operation that says why a dead cell died."""


@dataclass(frozen=True)
class Push:
    """One `mark_tag` call: our tag ids with WeCom's, to add and to remove."""

    relation_id: int
    userid: str
    external_userid: str
    add: dict[int, str]
    remove: dict[int, str]

    @property
    def tag_ids(self) -> list[int]:
        return [*self.add, *self.remove]

    def halves(self) -> "tuple[Push, Push]":
        """Return two calls that together say the same."""
        return self.split(self.tag_ids[: len(self.tag_ids) // 2])

    def split(self, tag_ids: Collection[int]) -> "tuple[Push, Push]":
        """Return two calls: one with these tags, one with the others."""
        return self._only(tag_ids), self._only(set(self.tag_ids).difference(tag_ids))

    def _only(self, tag_ids: Collection[int]) -> "Push":
        return replace(
            self,
            add={tag_id: name for tag_id, name in self.add.items() if tag_id in tag_ids},
            remove={tag_id: name for tag_id, name in self.remove.items() if tag_id in tag_ids},
        )


def plan(
    session: Session, customer_id: int, *, before_first_look: bool, now: datetime, left_out: Container[int] = ()
) -> list[Push]:
    """Return the calls to make for a customer, each noted in its cells and operations as sent.

    Relations that are `left_out` get none.

    With `before_first_look` only tags are added, and only on relations that nobody has looked at yet and
    that an event opened, of customers who have no other: a new friendship carries no tags that the additions could
    contradict.
    """
    session.flush()
    statement = BEFORE_FIRST_LOOK if before_first_look else AFTER_LOOK
    found = statement.rows(session, {"customer_id": customer_id})
    rows = [row for row in found if row.relation_id not in left_out]
    pushes: dict[int, Push] = {}
    for row in rows:
        if row.tries >= MAX_TRIES:
            continue
        push = pushes.setdefault(row.relation_id, Push(row.relation_id, row.userid, row.external_userid, {}, {}))
        (push.add if row.wanted else push.remove)[row.tag_id] = row.wecom_tag_id
    for row in rows:
        if row.tries >= MAX_TRIES:
            bury(session, row.relation_id, [row.tag_id], _why_unchanged(session, row.relation_id, row.tag_id), now)
    for push in pushes.values():
        _mark_sent(session, push, sequence.draw(session))
    return list(pushes.values())


def _why_unchanged(session: Session, relation_id: int, tag_id: int) -> str:
    """Return why a cell is given up, with what WeCom said to the last try where it refused that."""
    said = select(TagOperation.reason).where(
        TagOperation.relation_id == relation_id, TagOperation.tag_id == tag_id, cells.IS_OPEN
    )
    refusal = session.scalar(said)
    return f"{UNCHANGED}：{refusal}"[:200] if refusal else UNCHANGED


def _mark_sent(session: Session, push: Push, seq: int) -> None:
    of_push = {"of_relation": push.relation_id, "of_tags": push.tag_ids}
    TRY_CELLS.run(session, {**of_push, "touched_seq": seq})
    TRY_OPERATIONS.run(session, {**of_push, "state": "sent"})


def bury(session: Session, relation_id: int, tag_ids: Sequence[int], reason: str, now: datetime) -> None:
    """End the operations as dead; a new intent, a replay or a look that finds the value revives the cells."""
    values = {"of_relation": relation_id, "of_tags": list(tag_ids), "dead": True, "sent": None}
    session.connection().execute(CELLS, values)
    cells.close_operations(session, relation_id, "dead", reason, now, tag_ids=tag_ids)


def revive(session: Session, customer_id: int, *, reason: str | None = None) -> int:
    """Give the customer's dead cells their tries again, each with its last operation; return how many.

    With `reason` only those whose reason contains it. A cell whose tag is gone stays as it is. Called where a person
    asks for another attempt; the caller has a sync requested.
    """
    customers.lock(session, [customer_id])
    dead = (
        select(CustomerTag.relation_id, CustomerTag.tag_id, TagOperation.id)
        .join(Tag, Tag.id == CustomerTag.tag_id)
        .outerjoin(TagOperation, TagOperation.id == LAST_DEAD)
        .where(CustomerTag.customer_id == customer_id, CustomerTag.dead, Tag.gone_at.is_(None))
    )
    if reason is not None:
        dead = dead.where(TagOperation.reason.contains(reason, autoescape=True))
    rows = session.execute(dead).all()
    if rows:
        cell = tuple_(CustomerTag.relation_id, CustomerTag.tag_id)
        session.execute(
            update(CustomerTag)
            .where(CustomerTag.customer_id == customer_id, cell.in_([(row.relation_id, row.tag_id) for row in rows]))
            .values(dead=False, tries=0)
        )
        # A dead cell has no open operation, so that one of its dead ones may be opened again.
        session.execute(
            update(TagOperation)
            .where(TagOperation.id.in_([row.id for row in rows if row.id is not None]))
            .values(state="pending", tries=0, reason=None, closed_at=None)
        )
    return len(rows)


@dataclass(frozen=True)
class Answer:
    """What a finished call means for its cells.

    `refused`: WeCom did nothing, so the cells are as before; `final`: and never will.
    `counts`: it is one of the three tries.
    """

    counts: bool = True
    refused: bool = False
    final: bool = False
    reason: str | None = None


def record_answers(session: Session, answered: Sequence[tuple[Push, Answer]], now: datetime) -> None:
    """Note how calls ended; a look that began before now proves nothing about their cells."""
    seq = sequence.draw(session)
    for push, answer in answered:
        if answer.final:
            bury(session, push.relation_id, push.tag_ids, answer.reason or "", now)
        else:
            _record(session, push, answer, seq)


def _record(session: Session, push: Push, answer: Answer, seq: int) -> None:
    untried = 0 if answer.counts else 1
    of_push = {"of_relation": push.relation_id, "of_tags": push.tag_ids, "untried": untried}
    cell_values: dict[str, object] = {"touched_seq": seq}
    operation_values: dict[str, object] = {}
    if answer.reason is not None:
        operation_values["reason"] = answer.reason
    if answer.refused:
        cell_values["sent"] = None
        operation_values["state"] = "pending"
    ANSWER_CELLS.run(session, {**of_push, **cell_values})
    if untried or operation_values:
        ANSWER_OPERATIONS.run(session, {**of_push, **operation_values})


def note_reason(session: Session, customer_id: int, reason: str) -> None:
    """Say on a customer's open operations why they wait."""
    session.execute(
        update(TagOperation).where(TagOperation.customer_id == customer_id, cells.IS_OPEN).values(reason=reason)
    )
