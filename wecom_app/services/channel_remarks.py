"""The remark that a channel's rule gives a new customer at WeCom, once per friendship; job `channel.remark`.

A remark that a person has set is never overwritten: WeCom is asked right before.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wecom_app.domain.messages import fill, without_name
from wecom_app.errors import WeComError
from wecom_app.models import Channel, ChannelRemark, Customer, Relation, Staff
from wecom_app.services import greetings, remarks
from wecom_app.services.channel_drafts import MAX_REMARK
from wecom_app.services.context import Context
from wecom_app.services.ports import ContactDetails, FollowUser, JobArgs, RemarkDraft
from wecom_app.services.relations import Origin
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import insert_ignore

REMARK_KIND = "channel.remark"
OWN_REMARK = "成员已设置备注，未覆盖"
FIRST_WAIT = timedelta(minutes=5)
LONGEST_WAIT = timedelta(days=1)
GIVE_UP_AFTER = timedelta(days=14)
"""A member who has not accepted a customer by then hardly will; a later scan is a new friendship."""


@dataclass(frozen=True)
class RemarkView:
    """What became of a remark."""

    id: int
    external_userid: str
    userid: str
    status: str
    remark: str | None
    reason: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class Plan:
    """Whose remark is to be set, by which rule."""

    remark_id: int
    external_userid: str
    userid: str
    rule: str
    names: Mapping[str, str]
    relation_id: int


def request(session: Session, context: Context, relation: Relation, channel: Origin) -> None:
    """Have the remark of a new friendship set, if the channel has a rule; asked again it does nothing."""
    if not channel.remark_rule:
        return
    session.flush()
    row = {
        "relation_id": relation.id,
        "life_seq": relation.life_seq,
        "channel_id": channel.id,
        "status": "waiting",
        "created_at": context.now,
    }
    insert_ignore(session, ChannelRemark, [row], ["relation_id", "life_seq"])
    here = (ChannelRemark.relation_id == relation.id, ChannelRemark.life_seq == relation.life_seq)
    remark_id = session.execute(select(ChannelRemark.id).where(*here)).scalar_one()
    context.queue.enqueue(session, REMARK_KIND, {"remark": remark_id}, lane="push", unique=str(remark_id))


def run(runtime: Runtime, args: JobArgs) -> None:
    """Set one remark, or record why not; raises what can be tried again."""
    with runtime.write() as session:
        plan = _plan(session, runtime, int(args["remark"]))
    if plan is None:
        return
    try:
        details = runtime.wecom.get_contact(plan.external_userid)
        follower = _follower(details, plan.userid)
        status, remark, reason = _decide(runtime, plan, details, follower)
    except WeComError as error:
        if error.retryable:
            raise
        status, remark, reason = "failed", None, error.message
    with runtime.write() as session:
        _finish(session, plan.remark_id, status, runtime.clock.now(), remark=remark, reason=reason)
        if status == "set":
            session.execute(update(Relation).where(Relation.id == plan.relation_id).values(remark=remark))


def list_remarks(
    session: Session, channel_id: int, *, before_id: int | None = None, limit: int = 50
) -> list[RemarkView]:
    """Return what became of a channel's remarks, newest first."""
    query = (
        select(ChannelRemark, Customer.external_userid, Staff.userid)
        .join(Relation, Relation.id == ChannelRemark.relation_id)
        .join(Customer, Customer.id == Relation.customer_id)
        .join(Staff, Staff.id == Relation.staff_id)
        .where(ChannelRemark.channel_id == channel_id)
        .order_by(ChannelRemark.id.desc())
        .limit(limit)
    )
    if before_id is not None:
        query = query.where(ChannelRemark.id < before_id)
    return [_view(row, external_userid, userid) for row, external_userid, userid in session.execute(query)]


def _plan(session: Session, runtime: Runtime, remark_id: int) -> Plan | None:
    """Return what to do; None where it is over, or put off until the member has accepted the customer."""
    row = session.get_one(ChannelRemark, remark_id)
    relation = session.get_one(Relation, row.relation_id)
    channel = session.get_one(Channel, row.channel_id)
    if row.status != "waiting":
        return None
    now = runtime.clock.now()
    if relation.lost_at is not None or relation.life_seq != row.life_seq:
        _finish(session, row.id, "void", now, reason="好友关系已解除")
    elif not channel.remark_rule:
        _finish(session, row.id, "void", now, reason="备注规则已取消")
    elif remarks.is_written_here(session, relation):
        _finish(session, row.id, "kept", now, remark=relation.remark, reason=OWN_REMARK)
    elif relation.half:
        _put_off(session, runtime, row, now)
    else:
        customer = session.get_one(Customer, relation.customer_id)
        member = session.get_one(Staff, relation.staff_id)
        names = {
            "staff_name": member.name or member.userid,
            "channel_name": channel.name,
            "source": channel.source,
            "date": greetings.date_words(row.created_at, runtime.settings.time_zone),
        }
        return Plan(row.id, customer.external_userid, member.userid, channel.remark_rule, names, relation.id)
    return None


def _put_off(session: Session, runtime: Runtime, row: ChannelRemark, now: datetime) -> None:
    """Look again after as long as has gone by already: WeCom takes no remark before the member accepts."""
    waited = now - row.created_at
    if waited > GIVE_UP_AFTER:
        _finish(session, row.id, "void", now, reason="成员一直没有通过好友申请")
        return
    run_at = now + min(max(waited, FIRST_WAIT), LONGEST_WAIT)
    runtime.queue.enqueue(session, REMARK_KIND, {"remark": row.id}, lane="push", unique=str(row.id), run_at=run_at)


def _decide(
    runtime: Runtime, plan: Plan, details: ContactDetails, follower: FollowUser | None
) -> tuple[str, str | None, str | None]:
    """Set the remark unless a person has; return status, remark and reason."""
    if follower is None:
        return "failed", None, "企业微信中没有这个好友关系"
    wanted, present = _words(plan, details.name), follower.remark or ""
    if not wanted:
        return "void", None, "备注规则填写后为空，未设置"
    if present == wanted:
        return "set", wanted, None
    if present not in ("", details.name):
        return "kept", present, OWN_REMARK
    runtime.crash_point("remark.before_call")
    runtime.wecom.set_remark(plan.userid, plan.external_userid, RemarkDraft(remark=wanted))
    runtime.crash_point("remark.after_call")
    return "set", wanted, None


def _words(plan: Plan, customer_name: str) -> str:
    rule = plan.rule if customer_name else without_name(plan.rule)
    return fill(rule, {**plan.names, "customer_name": customer_name})[:MAX_REMARK].strip()


def _follower(details: ContactDetails, userid: str) -> FollowUser | None:
    found = (item for item in details.follow_users if item.userid.lower() == userid.lower())
    return next(found, None)


def _finish(
    session: Session,
    remark_id: int,
    status: str,
    now: datetime,
    *,
    remark: str | None = None,
    reason: str | None = None,
) -> None:
    values = {
        "status": status,
        "remark": remark[:MAX_REMARK] if remark else None,
        "reason": reason[:300] if reason else None,
        "finished_at": now,
    }
    session.execute(update(ChannelRemark).where(ChannelRemark.id == remark_id).values(**values))


def _view(row: ChannelRemark, external_userid: str, userid: str) -> RemarkView:
    return RemarkView(
        row.id, external_userid, userid, row.status, row.remark, row.reason, row.created_at, row.finished_at
    )
