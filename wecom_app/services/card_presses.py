"""What members press on the cards about new contacts: tagged through the one write path, then shown on the card.

`hear` takes a callback in, the job `card.press` carries it out; running it again changes nothing.
"""

from collections.abc import Mapping
from typing import Any

import structlog
from sqlalchemy import select, update
from sqlalchemy.orm import Session

from wecom_app.domain.messages import text
from wecom_app.errors import AppError, InvalidInput, WeComError
from wecom_app.models import BotDialogue, Customer, IntentionCard, Relation, Staff, Tag
from wecom_app.services import inbox, notices, rep_edits
from wecom_app.services.access import staff_viewer
from wecom_app.services.context import Context
from wecom_app.services.inbox import Message
from wecom_app.services.intention_cards import BUTTON, TASK, intention_of
from wecom_app.services.ports import JobArgs
from wecom_app.services.rep_edits import EditDraft
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import insert_ignore

PRESS_KIND = "card.press"
MOST_WORDS = 20
"""Characters of a dead button."""
VIA = "card"

log = structlog.get_logger(__name__)


def hear(session: Session, context: Context, event: Message) -> None:
    """A member has pressed a button of a card."""
    if text(event.fields, "TaskId").startswith(TASK):
        args = {"event_id": event.id}
        context.queue.enqueue(
            session,
            PRESS_KIND,
            args,
            lane="event",
            key=text(event.fields, "FromUserName") or None,
            unique=str(event.id),
        )


def press(runtime: Runtime, args: JobArgs) -> None:
    """Carry out a press of a button and show on the card what came of it; running it again changes nothing."""
    event_id = int(args["event_id"])
    with runtime.write() as session:
        fields = inbox.get_message(session, event_id).fields
        context = Context(runtime.queue, runtime.slugify, runtime.clock.now(), event_id)
        words = _pressed(session, context, fields)
        session.flush()
        runtime.crash_point("card.before_commit")
    if words is None:
        return
    runtime.crash_point("card.before_update")
    userid, code = text(fields, "FromUserName"), text(fields, "ResponseCode")
    try:
        runtime.wecom.update_card([userid], code, words[:MOST_WORDS])
    except WeComError as error:
        if error.retryable:
            raise
        log.info("card.not_updated", event_id=event_id, errcode=error.errcode)


def _pressed(session: Session, context: Context, fields: Mapping[str, Any]) -> str | None:
    """Tag as the button says; return what the card shows from now on, None where it is no card of ours."""
    query = select(IntentionCard).where(IntentionCard.task_id == text(fields, "TaskId")).with_for_update()
    card = session.execute(query).scalar_one_or_none()
    if card is None:
        return None
    relation = session.get_one(Relation, card.relation_id)
    member = session.get_one(Staff, relation.staff_id)
    if member.userid_key != text(fields, "FromUserName").lower():
        return None
    if card.event_id == context.event_id and card.tag_id is not None:
        return f"已打上：{session.get_one(Tag, card.tag_id).name}"
    present = intention_of(session, relation.customer_id, card.group_id, context.now)
    if present is not None:
        _tell(session, context, member, f"这位客户已经是「{present}」，没有再改。要改就发：标签 名字 +标签名")
        return f"已是：{present}"
    return _tag(session, context, card, relation, member, text(fields, "EventKey").removeprefix(BUTTON))


def _tag(session: Session, context: Context, card: IntentionCard, relation: Relation, member: Staff, key: str) -> str:
    customer = session.get_one(Customer, relation.customer_id)
    tag = session.execute(select(Tag).where(Tag.key == key, Tag.group_id == card.group_id)).scalar_one_or_none()
    try:
        if tag is None:
            raise InvalidInput("这个标签已经不在卡片的标签组里")
        with session.begin_nested():
            draft = EditDraft(add=[tag.key], via=VIA)
            edited = rep_edits.edit(session, context, staff_viewer(session, member), customer.external_userid, draft)
    except AppError as error:
        if error.retryable:
            raise
        _tell(session, context, member, f"没有打上：{error.message}")
        return "没有打上"
    card.state, card.tag_id, card.event_id = "answered", tag.id, context.event_id
    card.closed_at = context.now
    if edited.change_set_id is not None:
        _remember(session, member.id, edited.change_set_id)
    return f"已打上：{tag.name}"


def _remember(session: Session, staff_id: int, change_set_id: int) -> None:
    """Let 撤销 take the press back."""
    insert_ignore(
        session, BotDialogue, [{"staff_id": staff_id, "options": [], "answers": {}, "pages": []}], ["staff_id"]
    )
    session.execute(update(BotDialogue).where(BotDialogue.staff_id == staff_id).values(change_set_id=change_set_id))


def _tell(session: Session, context: Context, member: Staff, words: str) -> None:
    notices.say(session, context.queue, member.id, f"event:{context.event_id}", words, context.now)
