"""What a welcome message may say: wording and attachments checked when saved, and the deployment's default.

Used by channels when they are saved and by `welcome` when it sends.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy.orm import Session

from wecom_app.domain.messages import MAX_TEXT_BYTES, PLACEHOLDERS, unknown_placeholders
from wecom_app.errors import InvalidInput
from wecom_app.models import Channel, DefaultWelcome
from wecom_app.services import media
from wecom_app.services.context import Context
from wecom_app.services.relations import Origin

MAX_ATTACHMENTS = 9
"""send_welcome_msg: attachments of one message."""
THE_ONE = 1

Attachments = tuple[Mapping[str, Any], ...]


@dataclass(frozen=True)
class Greeting:
    """A welcome as it is saved; `fallback_text` is the wording for when the customer's name is not known."""

    text: str | None = None
    fallback_text: str | None = None
    attachments: Attachments = ()

    @property
    def says_anything(self) -> bool:
        return bool(self.text or self.attachments)


def check(session: Session, greeting: Greeting) -> None:
    """Raise InvalidInput, saying what to change, for a welcome that could not be sent as it stands."""
    problem = _wording_problem(greeting) or _attachment_problem(session, greeting)
    if problem:
        raise InvalidInput(problem, details={"welcome": problem})


def of_channel(channel: Channel | Origin) -> Greeting:
    """Return the welcome that a channel has of its own."""
    return Greeting(channel.welcome_text, channel.welcome_fallback_text, tuple(channel.attachments))


def default(session: Session) -> Greeting:
    """Return the deployment's default welcome; an empty one where none was set."""
    row = session.get(DefaultWelcome, THE_ONE)
    return Greeting(row.text, row.fallback_text, tuple(row.attachments)) if row else Greeting()


def for_contact(session: Session, channel: Origin | None) -> Greeting:
    """Return what a new contact is told: the channel's own welcome, else the default."""
    own = of_channel(channel) if channel else Greeting()
    return own if own.says_anything else default(session)


def set_default(session: Session, context: Context, greeting: Greeting) -> Greeting:
    """Replace the default welcome; raise InvalidInput."""
    check(session, greeting)
    row = session.get(DefaultWelcome, THE_ONE) or DefaultWelcome(id=THE_ONE)
    row.text = greeting.text or None
    row.fallback_text = greeting.fallback_text or None
    row.attachments = [dict(attachment) for attachment in greeting.attachments]
    row.updated_at = context.now
    session.add(row)
    session.flush()
    media.keep_alive(session, context, greeting.attachments)
    return default(session)


def date_words(moment: datetime, time_zone: str) -> str:
    """Return the placeholder {date}: month and day as customers read them."""
    local = moment.astimezone(ZoneInfo(time_zone))
    return f"{local.month}月{local.day}日"


def _wording_problem(greeting: Greeting) -> str:
    for wording in (greeting.text or "", greeting.fallback_text or ""):
        unknown = unknown_placeholders(wording)
        if unknown:
            known = "、".join(f"{{{name}}}" for name in PLACEHOLDERS)
            return f"欢迎语里有不认识的占位符：{'、'.join(unknown)}；可用的是 {known}"
        if len(wording.encode()) > MAX_TEXT_BYTES:
            return f"欢迎语不能超过 {MAX_TEXT_BYTES} 字节（约 1300 个汉字）"
    if "{customer_name}" in (greeting.fallback_text or ""):
        return "备用欢迎语在不知道客户名字时使用，不能含有 {customer_name}"
    return ""


def _attachment_problem(session: Session, greeting: Greeting) -> str:
    if len(greeting.attachments) > MAX_ATTACHMENTS:
        return f"附件最多 {MAX_ATTACHMENTS} 个，请删去 {len(greeting.attachments) - MAX_ATTACHMENTS} 个"
    return media.problem_of(session, greeting.attachments)
