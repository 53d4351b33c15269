"""What a member notes about his own friendship (remark, description, company, phones): saved here, written to WeCom.

`edit` is called by the sidebar, `push` is the job `remark.push`, `take_in` is called by `services.sightings` with
every look, and `challenge` where WeCom tells of an edit. An answer of WeCom's closes nothing: a look does.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from wecom_app.domain import field_kinds
from wecom_app.domain.access import Purpose
from wecom_app.domain.remarks import MAX_LENGTH, MAX_PHONES, PARTS, Part, Verdict, judge
from wecom_app.errors import InvalidInput, WeComError
from wecom_app.models import Customer, Relation, RemarkEdit, Staff
from wecom_app.prepared import Prepared
from wecom_app.services import cells, customers, sequence
from wecom_app.services.access import Viewer, find_customer
from wecom_app.services.context import Context
from wecom_app.services.ports import FollowUser, JobArgs, JobQueue, RemarkDraft
from wecom_app.services.runtime import Runtime

PUSH_KIND = "remark.push"
MAX_TRIES = 3
"""Writings that WeCom took and that a look then did not find."""
PRIORITY = 10
GOVERNING = ("pending", "sent", "failed")
"""While an edit stands so, a look leaves its parts as they were written here."""
GOVERNED = Prepared(
    select(RemarkEdit.relation_id).where(
        RemarkEdit.relation_id.in_(bindparam("relation_ids", expanding=True)), RemarkEdit.state.in_(GOVERNING)
    )
)
LAST_GOVERNING = Prepared(
    select(RemarkEdit.id)
    .where(
        RemarkEdit.relation_id == bindparam("relation_id"),
        RemarkEdit.life_seq == bindparam("life_seq"),
        RemarkEdit.state.in_(GOVERNING),
    )
    .order_by(RemarkEdit.id.desc())
    .limit(1)
)
WECOM_WINS = "企业微信中有更新的修改，已采用"
ENDED = "好友关系已解除"
NAMES = {"remark": "备注", "description": "描述", "company": "企业", "phones": "电话"}


class Noted(Protocol):
    """A relation, or a row of its columns, with what its member has noted."""

    @property
    def remark(self) -> str | None: ...
    @property
    def description(self) -> str | None: ...
    @property
    def remark_company(self) -> str | None: ...
    @property
    def remark_mobiles(self) -> list[Any] | None: ...


@dataclass(frozen=True)
class RemarkChange:
    """The parts to write; None leaves a part as it is, an empty one clears it."""

    remark: str | None = None
    description: str | None = None
    company: str | None = None
    phones: Sequence[str] | None = None


def edit(session: Session, context: Context, viewer: Viewer, external_userid: str, change: RemarkChange) -> None:
    """Save what a member writes, and have it written to WeCom; what failed before is tried again.

    Raises NotInSight, or InvalidInput that names the part.
    """
    seen = find_customer(session, viewer, external_userid, Purpose.EDIT)
    if seen.relation is None:
        raise InvalidInput("备注属于好友关系，只有该客户的好友成员可以填写")
    customers.lock(session, [seen.customer.id])
    given = _clean(change, seen.customer.type)
    present = _here(seen.relation, seen.customer.name)
    wanted = {part: value for part, value in given.items() if value != present[part]}
    former = _governing(session, seen.relation)
    if not wanted and (former is None or former.state != "failed"):
        return
    row = former if former is not None and former.state != "failed" else None
    if row is None:
        row = RemarkEdit(relation_id=seen.relation.id, life_seq=seen.relation.life_seq, base={}, wanted={}, pushed={})
        if former is not None:
            row.base, row.wanted, row.pushed = former.base, former.wanted, former.pushed
            former.state, former.finished_at = "superseded", context.now
            session.flush()
        session.add(row)
    row.base = {**{part: present[part] for part in wanted}, **row.base}
    row.wanted = {**row.wanted, **wanted}
    row.seq, row.state, row.tries, row.reason = sequence.draw(session), "pending", 0, None
    row.looked = row.challenged = False
    row.actor, row.created_at, row.finished_at = viewer.userid, context.now, None
    _write_here(seen.relation, wanted)
    session.flush()
    _request(session, context.queue, seen.relation.id)


def challenge(session: Session, relation: Relation, occurred_at: datetime | None) -> None:
    """Note that a member changed something at WeCom: if that was after his edit here, what differs was later.

    WeCom's times have no fractions, so that an edit of the same second counts as later.
    """
    row = _governing(session, relation)
    if row is not None and occurred_at is not None and occurred_at >= row.created_at.replace(microsecond=0):
        row.challenged = True
        session.flush()


def take_in(
    session: Session, context: Context, relation: Relation, follower: FollowUser, customer_name: str, seq: int
) -> None:
    """Write down what a look shows; `seq` was drawn before WeCom was asked.

    What was written here meanwhile, and has not reached WeCom, stays.
    """
    observed = _there(follower, customer_name)
    row = _governing(session, relation)
    if row is None:
        _write_here(relation, observed)
        return
    open_parts = dict(row.wanted)
    _write_here(relation, {part: value for part, value in observed.items() if part not in open_parts})
    if seq >= row.seq:
        _settle(session, context, relation, row, observed)


def differs(relation: Noted, follower: FollowUser, customer_name: str) -> bool:
    """Return whether WeCom shows something else than stands here."""
    return _there(follower, customer_name) != _here(relation, customer_name)


def governed(session: Session, relation_ids: Sequence[int]) -> set[int]:
    """Return the relations with an edit of ours that WeCom has not got yet."""
    return set(GOVERNED.scalars(session, {"relation_ids": relation_ids}))


def columns(follower: FollowUser, customer_name: str) -> dict[str, Any]:
    """Return what WeCom shows, as columns of a relation that is being made."""
    there = _there(follower, customer_name)
    return {
        "remark": there["remark"] or None,
        "description": there["description"] or None,
        "remark_company": there["company"] or None,
        "remark_mobiles": there["phones"],
    }


def is_written_here(session: Session, relation: Relation) -> bool:
    """Return whether the member has written a remark of his own here in this friendship."""
    query = select(RemarkEdit.wanted).where(
        RemarkEdit.relation_id == relation.id, RemarkEdit.life_seq == relation.life_seq
    )
    return any("remark" in wanted for wanted in session.scalars(query))


def push(runtime: Runtime, args: JobArgs) -> None:
    """Write one member's open edit to WeCom, or have it looked at first where that may show that it is done."""
    with runtime.write() as session:
        plan = _plan(session, runtime, int(args["relation_id"]))
    if plan is None:
        return
    runtime.crash_point("remark.before_call")
    try:
        runtime.wecom.set_remark(plan.userid, plan.external_userid, plan.draft)
    except WeComError as error:
        with runtime.write() as session:
            _note_failure(session, plan, error, runtime.clock.now())
        if error.retryable:
            raise
        return
    runtime.crash_point("remark.after_call")
    with runtime.write() as session:
        cells.request_sync(session, runtime.queue, plan.customer_id, priority=PRIORITY)


@dataclass(frozen=True)
class _Plan:
    edit_id: int
    customer_id: int
    userid: str
    external_userid: str
    draft: RemarkDraft
    pushed_before: Mapping[str, list[Any]]


def _plan(session: Session, runtime: Runtime, relation_id: int) -> _Plan | None:
    """Return the call to make, noted as sent; None where there is none, or WeCom is to be looked at first."""
    relation = session.get_one(Relation, relation_id)
    customers.lock(session, [relation.customer_id])
    row = _governing(session, relation)
    if row is None or row.state == "failed":
        _void_former(session, relation, runtime.clock.now())
        return None
    if row.state == "sent" or row.challenged:
        cells.request_sync(session, runtime.queue, relation.customer_id, priority=PRIORITY)
        return None
    customer = session.get_one(Customer, relation.customer_id)
    userid = session.execute(select(Staff.userid).where(Staff.id == relation.staff_id)).scalar_one()
    before: Mapping[str, list[Any]] = dict(row.pushed)
    row.pushed = {**before, **{part: [*before.get(part, ()), value] for part, value in row.wanted.items()}}
    row.state, row.tries = "sent", row.tries + 1
    session.flush()
    return _Plan(row.id, customer.id, userid, customer.external_userid, _draft(row.wanted, customer.name), before)


def _note_failure(session: Session, plan: _Plan, error: WeComError, now: datetime) -> None:
    row = session.get_one(RemarkEdit, plan.edit_id)
    if row.state != "sent":
        return
    row.reason = error.message
    if not error.retryable:
        row.state, row.finished_at = "failed", now
    elif error.had_no_effect:
        # No try, and nothing that could still turn up there.
        row.state, row.tries, row.pushed = "pending", row.tries - 1, dict(plan.pushed_before)
    session.flush()


def _settle(
    session: Session, context: Context, relation: Relation, row: RemarkEdit, observed: Mapping[str, Part]
) -> None:
    """Decide every part that is still open; end the edit, write it again, or give it up."""
    is_later = row.challenged or row.looked
    verdicts = {
        part: judge(value, observed[part], row.base[part], row.pushed.get(part, ()), is_later=is_later)
        for part, value in row.wanted.items()
    }
    theirs = [part for part, verdict in verdicts.items() if verdict is Verdict.THEIRS]
    ours = [part for part, verdict in verdicts.items() if verdict is Verdict.OURS]
    _write_here(relation, {part: observed[part] for part in theirs})
    row.looked, row.challenged = True, False
    if theirs:
        row.reason = f"{WECOM_WINS}：{'、'.join(NAMES[part] for part in theirs)}"
    if not ours:
        row.state, row.finished_at = ("superseded" if theirs else "done"), context.now
        row.reason = row.reason if theirs else None
    elif row.state != "failed":
        row.wanted = {part: row.wanted[part] for part in ours}
        row.base = {part: observed[part] for part in ours}
        row.pushed = {}
        _again(session, context, row)
    session.flush()


def _again(session: Session, context: Context, row: RemarkEdit) -> None:
    if row.tries >= MAX_TRIES:
        row.state, row.finished_at = "failed", context.now
        row.reason = "多次写入后企业微信仍未变化，请再保存一次"
        return
    row.state = "pending"
    _request(session, context.queue, row.relation_id)


def _governing(session: Session, relation: Relation) -> RemarkEdit | None:
    """Return the edit of this friendship that WeCom has not got yet."""
    if relation.lost_at is not None:
        return None
    found = LAST_GOVERNING.scalar(session, {"relation_id": relation.id, "life_seq": relation.life_seq})
    return session.get_one(RemarkEdit, found) if found is not None else None


def _void_former(session: Session, relation: Relation, now: datetime) -> None:
    """What was written for a friendship that has ended is not carried into the next."""
    session.execute(
        update(RemarkEdit)
        .where(
            RemarkEdit.relation_id == relation.id,
            RemarkEdit.state.in_(("pending", "sent")),
        )
        .values(state="void", reason=ENDED, finished_at=now)
    )


def _request(session: Session, queue: JobQueue, relation_id: int) -> None:
    queue.enqueue(
        session,
        PUSH_KIND,
        {"relation_id": relation_id},
        lane="push",
        key=f"remark:{relation_id}",
        unique=str(relation_id),
        priority=PRIORITY,
    )


def _here(relation: Noted, customer_name: str) -> dict[str, Part]:
    """Return the parts as they stand here; WeCom gives the customer's own name where no remark is written."""
    return {
        "remark": "" if relation.remark in (None, customer_name) else str(relation.remark),
        "description": relation.description or "",
        "company": relation.remark_company or "",
        "phones": list(relation.remark_mobiles or ()),
    }


def _there(follower: FollowUser, customer_name: str) -> dict[str, Part]:
    return {
        "remark": "" if follower.remark in (None, customer_name) else str(follower.remark)[:64],
        "description": (follower.description or "")[:512],
        "company": (follower.remark_company or "")[:64],
        "phones": list(follower.remark_mobiles),
    }


def _write_here(relation: Relation, parts: Mapping[str, Part]) -> None:
    columns = {"remark": "remark", "description": "description", "company": "remark_company"}
    for part, value in parts.items():
        if part == "phones":
            relation.remark_mobiles = list(value)
        else:
            setattr(relation, columns[part], value or None)


def _draft(wanted: Mapping[str, Any], customer_name: str) -> RemarkDraft:
    """Return the call's parts; a remark is cleared by the customer's own name, as WeCom shows it then anyway."""
    remark = wanted.get("remark")
    return RemarkDraft(
        remark=customer_name[: MAX_LENGTH["remark"]] if remark == "" else remark,
        description=wanted.get("description"),
        company=wanted.get("company"),
        phones=tuple(wanted["phones"]) if "phones" in wanted else None,
    )


def _clean(change: RemarkChange, customer_type: str) -> dict[str, Part]:
    given = {part: getattr(change, part) for part in PARTS}
    problems: dict[str, object] = {}
    cleaned: dict[str, Part] = {}
    for part, value in given.items():
        if value is None:
            continue
        try:
            cleaned[part] = _phones(value) if part == "phones" else _text(part, value)
        except ValueError as problem:
            problems[part] = f"{NAMES[part]}：{problem}"
    if cleaned.get("company") and customer_type != "wechat":
        problems["company"] = "企业：企业微信客户的企业由对方维护"
    if problems:
        raise InvalidInput("；".join(str(words) for words in problems.values()), details=problems)
    return cleaned


def _text(part: str, value: str) -> str:
    text = value.strip()
    if len(text) > MAX_LENGTH[part]:
        raise ValueError(f"最多 {MAX_LENGTH[part]} 字")
    if any(ord(character) < 32 and character not in "\n\t" for character in text):
        raise ValueError("不能含有控制字符")
    return text


def _phones(values: Sequence[str]) -> list[str]:
    phones = list(dict.fromkeys(field_kinds.phone(value) for value in values if value.strip()))
    if len(phones) > MAX_PHONES:
        raise ValueError(f"最多 {MAX_PHONES} 个")
    return phones
