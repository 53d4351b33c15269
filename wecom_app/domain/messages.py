"""What callbacks say and what welcome messages say: reading fields, and filling placeholders.

Used by the callback endpoint, the event handlers and the welcome service.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import UTC, datetime
from typing import Any

MAX_TEXT_BYTES = 4000
"""send_welcome_msg: text.content in UTF-8."""
PLACEHOLDER = re.compile(r"\{([^{}\s]{1,32})\}")
PLACEHOLDERS = ("customer_name", "staff_name", "channel_name", "date")
HINT_CHANGES = frozenset({"edit_external_contact"})
HINT_EVENTS = frozenset({"change_external_tag", "change_contact"})
"""Events that only say where to look: a second one in the same second must lead to a second look."""


@dataclass(frozen=True)
class EventHead:
    """What every stored callback is sorted by."""

    event: str
    change_type: str
    subject: str
    occurred_at: datetime | None


def read_head(fields: Mapping[str, Any]) -> EventHead:
    """Return the head of a decrypted callback; missing or odd elements become empty, never an error."""
    message_type = text(fields, "MsgType")
    event = text(fields, "Event") if message_type in ("event", "") else message_type
    return EventHead(
        event=(event or "unknown")[:64],
        change_type=text(fields, "ChangeType")[:64],
        subject=next((value for name in SUBJECT_FIELDS if (value := text(fields, name))), "")[:128],
        occurred_at=moment(text(fields, "CreateTime")),
    )


SUBJECT_FIELDS = ("ExternalUserID", "ChatId", "UserID", "Id", "FromUserName")


def is_hint(event: str, change_type: str) -> bool:
    """Return whether an event only asks us to look again."""
    return event in HINT_EVENTS or change_type in HINT_CHANGES


def text(fields: Mapping[str, Any], name: str) -> str:
    """Return a leaf's text without surrounding space; "" where it is missing or not a leaf."""
    value = fields.get(name)
    return value.strip() if isinstance(value, str) else ""


def moment(seconds: str) -> datetime | None:
    """Return the UTC moment of a unix time in whole seconds, None where it cannot be one."""
    if not re.fullmatch(r"[0-9]{1,11}", seconds):
        return None
    return datetime.fromtimestamp(int(seconds), UTC)


def placeholders_in(template: str) -> frozenset[str]:
    """Return the names of the placeholders that a text uses, known or not."""
    return frozenset(PLACEHOLDER.findall(template))


def unknown_placeholders(template: str) -> list[str]:
    """Return the placeholders that nothing can fill, sorted."""
    return sorted(placeholders_in(template) - set(PLACEHOLDERS))


def fill(template: str, values: Mapping[str, str]) -> str:
    """Return the text with its placeholders filled in one pass (a name that looks like one stays as it is)."""
    return PLACEHOLDER.sub(lambda match: values.get(match[1], match[0]), template)


def without_name(template: str) -> str:
    """Return the wording for a customer whose name is not known: the placeholder goes, with its comma."""
    return re.sub(r"\{customer_name\}[，,、：:！!\s]*", "", template).strip()


def cut_to_bytes(value: str, limit: int) -> str:
    """Return the text cut at a character so that its UTF-8 form has at most `limit` bytes."""
    return value.encode()[:limit].decode(errors="ignore")
