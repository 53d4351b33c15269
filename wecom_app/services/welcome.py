"""The welcome message: decided, worded and sent within its 20 seconds; run by the job `welcome.send`.

It waits for nothing: neither for the handling of its event nor for details that it can do without.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import bindparam, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.messages import MAX_TEXT_BYTES, cut_to_bytes, fill, placeholders_in, text, without_name
from wecom_app.errors import AppError, WeComError, WeComRejected, WelcomeTaken, WelcomeTooLate
from wecom_app.models import Customer, Staff, Welcome
from wecom_app.prepared import Prepared
from wecom_app.services import greetings, inbox, media_renewal, relations
from wecom_app.services.inbox import Message
from wecom_app.services.media_renewal import Attached
from wecom_app.services.ports import JobArgs, WelcomeMessage
from wecom_app.services.relations import Origin
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import ignoring

CODE_LIFE = timedelta(seconds=18)
"""A welcome code lives 20 s from the event; two are kept for the call itself."""
CREDIBLE_DELAY = timedelta(seconds=20)
"""A larger difference between CreateTime and receipt, or a negative one, is clock skew, not delay."""
NAME_WAIT_S = 3.0
RETRY_S = 0.5
NOTHING_LEFT = "不知道客户名字，去掉名字后没有可发送的内容：请填写备用欢迎语"
BAD_MEDIA = 40007
EARLIER = Prepared(select(Welcome.event_id, Welcome.status, Welcome.tries).where(Welcome.code == bindparam("code")))
NOTE = Prepared(
    update(Welcome)
    .where(Welcome.code == bindparam("of_code"), Welcome.event_id == bindparam("of_event"), Welcome.status == "waiting")
    .values(tries=Welcome.tries + bindparam("more"))
)
STAFF_NAME = Prepared(select(Staff.name).where(Staff.userid_key == bindparam("userid_key")))
CUSTOMER_NAME = Prepared(select(Customer.name).where(Customer.external_userid == bindparam("external_userid")))

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Plan:
    """What is to be said to whom; `template` is None where there is nothing to say."""

    record: Mapping[str, Any]
    """The row that the first note makes."""
    code: str
    external_userid: str
    deadline: datetime
    template: str | None
    fallback: str | None
    attachments: tuple[Mapping[str, Any], ...]
    names: Mapping[str, str]
    customer_name: str
    is_new: bool
    """There was no record of it when it was planned."""
    tried: bool
    """An earlier call ended without an answer that we know of: it may have gone through."""


def send(runtime: Runtime, args: JobArgs) -> None:
    """Send the welcome of one event, at most once with success; raises only what can be tried again in time."""
    with runtime.read() as session:
        plan = _plan(session, runtime, int(args["event_id"]))
    if plan is None:
        return
    if plan.template is None and not plan.attachments:
        _finish(runtime, plan, "none", None)
        return
    wording = _wording(runtime, plan)
    attached = _attach(runtime, plan)
    if runtime.clock.now() >= plan.deadline:
        _finish(runtime, plan, "expired", wording, reason="超过 20 秒时限，未发送")
        return
    if _note(runtime, plan, tries=1, text=wording):
        runtime.crash_point("welcome.before_call")
        _call(runtime, plan, wording, attached)


def _attach(runtime: Runtime, plan: Plan, *, afresh: bool = False) -> Attached:
    """Return the attachments with files that WeCom has now."""
    try:
        return media_renewal.attach(runtime, plan.attachments, plan.deadline, afresh=afresh)
    except WeComError as error:
        error.retry_after_s = RETRY_S
        raise


def _call(runtime: Runtime, plan: Plan, wording: str | None, attached: Attached) -> None:
    runtime.metrics.welcome_delay.observe(max(0.0, (runtime.clock.now() - (plan.deadline - CODE_LIFE)).total_seconds()))
    try:
        attached = _deliver(runtime, plan, wording, attached)
    except (WelcomeTooLate, WelcomeTaken) as error:
        if plan.tried:
            _finish(runtime, plan, "sent", wording, reason="上一次请求已送达，回包丢失", errcode=error.errcode)
            return
        status = "expired" if isinstance(error, WelcomeTooLate) else "taken"
        _finish(runtime, plan, status, wording, reason=error.message, errcode=error.errcode)
    except WeComError as error:
        if not error.retryable:
            _finish(runtime, plan, "failed", wording, reason=error.message, errcode=error.errcode)
            return
        if error.errcode is not None:
            _note(runtime, plan, tries=-1)
        error.retry_after_s = RETRY_S
        raise
    else:
        runtime.crash_point("welcome.after_call")
        said = bool(wording or attached.attachments)
        if said:
            _finish(runtime, plan, "sent", wording, reason=attached.note)
        else:
            _finish(runtime, plan, "failed", wording, reason=attached.note or NOTHING_LEFT)


def _deliver(runtime: Runtime, plan: Plan, wording: str | None, attached: Attached) -> Attached:
    """Send, and return what went along; files that WeCom does not know are uploaded again, else left behind."""
    try:
        return _say(runtime, plan, wording, attached)
    except WeComRejected as error:
        if error.errcode != BAD_MEDIA:
            raise
    try:
        return _say(runtime, plan, wording, _attach(runtime, plan, afresh=True))
    except WeComRejected as error:
        if error.errcode != BAD_MEDIA:
            raise
    with runtime.read() as session:
        bare = media_renewal.without_files(session, plan.attachments)
    return _say(runtime, plan, wording, bare)


def _say(runtime: Runtime, plan: Plan, wording: str | None, attached: Attached) -> Attached:
    if wording or attached.attachments:
        runtime.wecom.send_welcome(plan.code, WelcomeMessage(wording, attached.attachments))
    return attached


def _plan(session: Session, runtime: Runtime, event_id: int) -> Plan | None:
    """Return what to do; None if the welcome has come to its end already, or is another event's."""
    message = inbox.get_message(session, event_id)
    fields = message.fields
    code, state = text(fields, "WelcomeCode"), text(fields, "State")
    external_userid = text(fields, "ExternalUserID")[:64]
    channel = relations.find_channel(session, state)
    greeting = greetings.for_contact(session, channel)
    deadline = deadline_of(message.received_at, message.occurred_at)
    if not deadline.credible:
        runtime.metrics.clock_skew.set(deadline.difference_s)
        log.warning("welcome.clock_skew", event_id=event_id, difference_s=deadline.difference_s)
    record = {
        "event_id": event_id,
        "code": code[:512],
        "external_userid": external_userid,
        "userid": text(fields, "UserID")[:64],
        "state": state[:64] or None,
        "channel_id": channel.id if channel else None,
        "status": "waiting",
        "deadline_at": deadline.at,
        "tries": 0,
        "received_at": message.received_at,
    }
    earlier = EARLIER.row(session, {"code": record["code"]})
    if earlier is not None and (earlier.status != "waiting" or earlier.event_id != event_id):
        return None
    return Plan(
        record=record,
        code=code,
        external_userid=external_userid,
        deadline=deadline.at,
        template=greeting.text,
        fallback=greeting.fallback_text,
        attachments=greeting.attachments,
        names=_names(session, runtime, message, channel),
        customer_name=_customer_name(session, external_userid),
        is_new=earlier is None,
        tried=earlier is not None and earlier.tries > 0,
    )


@dataclass(frozen=True)
class Deadline:
    """The last moment to send, and how far receipt and CreateTime lie apart."""

    at: datetime
    difference_s: float
    credible: bool


def deadline_of(received_at: datetime, occurred_at: datetime | None) -> Deadline:
    """Return the deadline: 18 s after receipt, earlier by the callback's own delay where that is believable.

    CreateTime has whole seconds, so a difference of up to one second below zero is no skew.
    """
    if occurred_at is None:
        return Deadline(received_at + CODE_LIFE, 0.0, credible=True)
    delay = received_at - occurred_at
    if timedelta(0) <= delay <= CREDIBLE_DELAY:
        return Deadline(received_at + CODE_LIFE - delay, delay.total_seconds(), credible=True)
    small = timedelta(seconds=-1) <= delay < timedelta(0)
    return Deadline(received_at + CODE_LIFE, delay.total_seconds(), credible=small)


def _names(session: Session, runtime: Runtime, message: Message, channel: Origin | None) -> dict[str, str]:
    key = text(message.fields, "UserID").lower()
    return {
        "staff_name": STAFF_NAME.scalar(session, {"userid_key": key}) or "",
        "channel_name": channel.name if channel else "",
        "date": greetings.date_words(message.received_at, runtime.settings.time_zone),
    }


def _customer_name(session: Session, external_userid: str) -> str:
    name = CUSTOMER_NAME.scalar(session, {"external_userid": external_userid})
    return name or ""


def _wording(runtime: Runtime, plan: Plan) -> str | None:
    """Return the text with its names; without the customer's where WeCom does not tell it in time."""
    if plan.template is None:
        return None
    template, names = plan.template, dict(plan.names)
    if "customer_name" in placeholders_in(template):
        name = plan.customer_name or _ask_name(runtime, plan)
        if name:
            names["customer_name"] = name
        else:
            template = plan.fallback or without_name(template)
    return cut_to_bytes(fill(template, names), MAX_TEXT_BYTES)


def _ask_name(runtime: Runtime, plan: Plan) -> str:
    left = (plan.deadline - runtime.clock.now()).total_seconds()
    wait = min(NAME_WAIT_S, left - 2.0)
    if wait <= 0:
        return ""
    try:
        return runtime.wecom.get_contact(plan.external_userid, urgent=True, timeout_s=wait).name
    except AppError as error:
        log.info("welcome.name_unknown", event_id=plan.record["event_id"], error=error.code)
        return ""


def _finish(
    runtime: Runtime,
    plan: Plan,
    status: str,
    wording: str | None,
    *,
    reason: str | None = None,
    errcode: int | None = None,
) -> None:
    ended = _note(
        runtime,
        plan,
        status=status,
        text=wording,
        reason=reason[:200] if reason else None,
        errcode=errcode,
        finished_at=runtime.clock.now(),
    )
    if ended:
        runtime.metrics.welcomes.labels(status).inc()


def _note(runtime: Runtime, plan: Plan, *, tries: int = 0, **values: Any) -> bool:
    """Write something down in the welcome's record; return False if it is closed already, or another event's."""
    here = {"of_code": plan.record["code"], "of_event": plan.record["event_id"], "more": tries}
    first = {**plan.record, **values, "tries": max(0, tries)}
    with runtime.write(urgent=True) as session:
        # The first note makes the record; the others find it.
        if plan.is_new and tries > 0 and _add(session, first):
            return True
        if NOTE.run(session, {**here, **values}) == 1:
            return True
        return _add(session, first)


def _add(session: Session, row: Mapping[str, Any]) -> bool:
    """Make the record; return False if there is one. PostgreSQL counts no inserted rows, hence the RETURNING."""
    return ignoring(session, Welcome, ("code",), returning=("code",)).scalar(session, row) is not None
