"""The card that asks a member for a new contact's intention: planned with the friendship, sent some minutes later.

`card_presses` carries out what he presses.

Each epoch of a friendship has one row and one task id, which WeCom takes only once: no crash sends a card twice.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.days import local
from wecom_app.domain.vocabulary import HANDED_OVER, Lifecycle, source_name
from wecom_app.errors import WeComError
from wecom_app.models import (
    Channel,
    Customer,
    CustomerTag,
    IntentionCard,
    Relation,
    Staff,
    Tag,
    TagGroup,
)
from wecom_app.services import bot_settings, duty, notices
from wecom_app.services.context import Context
from wecom_app.services.ports import ButtonCard, CardButton, JobArgs
from wecom_app.services.ports.app_messages import MAX_BUTTONS
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import ignoring

SEND_KIND = "card.send"
TASK = "intention-"
"""Beginning of the task ids of these cards."""
BUTTON = "tag:"
"""Beginning of a button's key; the tag's own key follows."""
OPEN = ("waiting", "held", "sending")
STATES = (*OPEN, "sent", "answered", "skipped", "failed")
LIFE = timedelta(days=3)
"""A card about somebody who came longer ago asks nobody any more."""
NO_CALLBACK = 43012
USED_TASK = 42014
PAUSE = timedelta(hours=1)
"""How long no card is tried after WeCom said that the app has no callback address."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class CardView:
    """A card as lists show it."""

    id: int
    external_userid: str
    userid: str
    state: str
    reason: str | None
    tag: str | None
    created_at: datetime
    sent_at: datetime | None
    closed_at: datetime | None


@dataclass(frozen=True)
class _Sending:
    """A card about to be sent: to whom, and what it says; `again` if an earlier sending may have gone through."""

    card_id: int
    userid: str
    content: ButtonCard
    again: bool


def plan(session: Session, context: Context, relation: Relation) -> None:
    """Have a member asked about a new friendship in some minutes; once for each of its epochs."""
    choices = bot_settings.get(session)
    group_id = bot_settings.group_id(session, choices.card_group)
    if not choices.cards or group_id is None or relation.half or relation.linked:
        return
    session.flush()
    row = {
        "relation_id": relation.id,
        "life_seq": relation.life_seq,
        "group_id": group_id,
        "task_id": f"{TASK}{relation.id}-{relation.life_seq}",
        "state": "waiting",
        "created_at": context.now,
    }
    statement = ignoring(session, IntentionCard, ("relation_id", "life_seq"), returning=("id",))
    card_id = statement.scalar(session, row)
    if card_id is not None:
        _request(session, context, card_id, context.now + timedelta(seconds=choices.card_delay_s))


def release(session: Session, context: Context, staff_id: int) -> int:
    """Have the cards sent that were held while a member was off duty, and are not too old; return how many."""
    held = (
        select(IntentionCard)
        .join(Relation, Relation.id == IntentionCard.relation_id)
        .where(Relation.staff_id == staff_id, IntentionCard.state == "held")
    )
    cards = session.execute(held.order_by(IntentionCard.id)).scalars().all()
    for card in cards:
        card.state = "waiting"
        _request(session, context, card.id, context.now)
    return sum(context.now - card.created_at <= LIFE for card in cards)


def send(runtime: Runtime, args: JobArgs) -> None:
    """Send one card, unless it is not wanted any more; raises only what trying again can help."""
    with runtime.write() as session:
        sending = _prepare(session, runtime, int(args["card_id"]))
    if sending is None:
        return
    runtime.crash_point("card.before_call")
    try:
        sent = runtime.wecom.send_card([sending.userid], sending.content)
    except WeComError as error:
        if error.retryable:
            raise
        if error.errcode == USED_TASK and sending.again:
            _close(runtime, sending.card_id, state="sent", sent_at=runtime.clock.now())
            return
        log.warning("card.refused", card_id=sending.card_id, errcode=error.errcode)
        _close(runtime, sending.card_id, state="failed", reason=error.message, errcode=error.errcode)
        return
    runtime.crash_point("card.after_call")
    now = runtime.clock.now()
    if sent.unreached:
        _close(runtime, sending.card_id, state="failed", reason=notices.UNREACHED, closed_at=now)
    else:
        _close(runtime, sending.card_id, state="sent", sent_at=now)


def list_cards(
    session: Session, *, state: str | None = None, before_id: int | None = None, limit: int = 50
) -> list[CardView]:
    """Return cards, newest first."""
    query = (
        select(IntentionCard, Customer.external_userid, Staff.userid, Tag.key)
        .join(Relation, Relation.id == IntentionCard.relation_id)
        .join(Customer, Customer.id == Relation.customer_id)
        .join(Staff, Staff.id == Relation.staff_id)
        .outerjoin(Tag, Tag.id == IntentionCard.tag_id)
        .order_by(IntentionCard.id.desc())
        .limit(limit)
    )
    if state is not None:
        query = query.where(IntentionCard.state == state)
    if before_id is not None:
        query = query.where(IntentionCard.id < before_id)
    return [
        CardView(
            card.id,
            external_userid,
            userid,
            card.state,
            card.reason,
            tag,
            card.created_at,
            card.sent_at,
            card.closed_at,
        )
        for card, external_userid, userid, tag in session.execute(query)
    ]


def _request(session: Session, context: Context, card_id: int, run_at: datetime) -> None:
    context.queue.enqueue(session, SEND_KIND, {"card_id": card_id}, lane="push", unique=str(card_id), run_at=run_at)


def _prepare(session: Session, runtime: Runtime, card_id: int) -> _Sending | None:
    """Return what to send, noted as being sent; None where the card is not wanted (any more, or yet)."""
    now = runtime.clock.now()
    card = session.get_one(IntentionCard, card_id)
    if card.state not in OPEN:
        return None
    relation = session.get_one(Relation, card.relation_id)
    member = session.get_one(Staff, relation.staff_id)
    tags = _choices(session, card.group_id)
    reason = _unwanted(session, card, relation, tags, now)
    if reason is not None:
        card.state, card.reason, card.closed_at = "skipped", reason, now
        return None
    if not duty.is_on(session, member.id):
        card.state = "held"
        return None
    again = card.state == "sending"
    card.state = "sending"
    session.flush()
    content = _content(session, runtime, card, relation, tags)
    return _Sending(card_id, member.userid, content, again)


def _unwanted(
    session: Session, card: IntentionCard, relation: Relation, tags: Sequence[Tag], now: datetime
) -> str | None:
    """Return why a card is not sent; None where it is."""
    if relation.lost_at is not None or relation.life_seq != card.life_seq:
        return "好友关系已解除"
    if relation.add_way in HANDED_OVER:
        return "同事转来的客户"
    if not tags:
        return "标签组已停用，或没有标签"
    if intention_of(session, relation.customer_id, card.group_id, now) is not None:
        return "已经打了标签"
    if now - card.created_at > LIFE:
        return "超过三天没能发出"
    if _is_paused(session, now):
        return "应用没有设置接收消息的服务器，暂不发送卡片"
    return None


def _is_paused(session: Session, now: datetime) -> bool:
    query = select(IntentionCard.id).where(
        IntentionCard.state == "failed", IntentionCard.errcode == NO_CALLBACK, IntentionCard.closed_at > now - PAUSE
    )
    return session.execute(query.limit(1)).first() is not None


def _choices(session: Session, group_id: int | None) -> Sequence[Tag]:
    """Return the tags that the buttons offer, in the order of the library."""
    live = (column.is_(None) for column in (Tag.archived_at, Tag.gone_at, TagGroup.archived_at, TagGroup.gone_at))
    query = select(Tag).join(TagGroup, TagGroup.id == Tag.group_id).where(Tag.group_id == group_id, *live)
    query = query.where(Tag.lifecycle == Lifecycle.ACTIVE, TagGroup.lifecycle == Lifecycle.ACTIVE)
    return session.execute(query.order_by(Tag.position.desc(), Tag.id).limit(MAX_BUTTONS)).scalars().all()


def intention_of(session: Session, customer_id: int, group_id: int | None, now: datetime) -> str | None:
    """Return the name of the tag of the group that the customer has; None where he has none."""
    query = (
        select(Tag.name)
        .join(CustomerTag, CustomerTag.tag_id == Tag.id)
        .where(
            CustomerTag.customer_id == customer_id,
            Tag.group_id == group_id,
            CustomerTag.wanted,
            or_(CustomerTag.expires_at.is_(None), CustomerTag.expires_at > now),
        )
    )
    return session.execute(query.limit(1)).scalar_one_or_none()


def _content(
    session: Session, runtime: Runtime, card: IntentionCard, relation: Relation, tags: Sequence[Tag]
) -> ButtonCard:
    customer = session.get_one(Customer, relation.customer_id)
    group = session.get_one(TagGroup, card.group_id)
    channel = session.get(Channel, relation.channel_id) if relation.channel_id else None
    at = local(relation.opened_at, runtime.settings.time_zone)
    return ButtonCard(
        task_id=card.task_id,
        title=f"新客户 {relation.remark or customer.name or '（名字还不知道）'}",
        description=f"还没有「{group.name}」标签，点一下就打上",
        facts=(("来自", channel.name if channel else source_name(relation.add_way)), ("添加", f"{at:%m-%d %H:%M}")),
        buttons=tuple(CardButton(f"{BUTTON}{tag.key}", tag.name) for tag in tags),
    )


def _close(runtime: Runtime, card_id: int, **values: Any) -> None:
    """Write down what came of the sending, unless the member was quicker and has answered."""
    if values.get("state") == "failed":
        values.setdefault("closed_at", runtime.clock.now())
    with runtime.write() as session:
        sending = update(IntentionCard).where(IntentionCard.id == card_id, IntentionCard.state == "sending")
        session.execute(sending.values(**values))
