"""Messages of the app to members: plain words, and cards with buttons; `adapters.wecom.message_calls` sends them.

Tencent's pages 90236 (message/send) and 94888 (message/update_template_card).
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Protocol

MAX_MESSAGE_BYTES = 2048
"""A text or markdown in UTF-8; WeCom cuts what is longer, and may cut inside a character."""
MAX_BUTTONS = 6
MAX_RECEIVERS = 1000


@dataclass(frozen=True)
class CardButton:
    """One button; `key` comes back in the callback, at most 1024 bytes."""

    key: str
    text: str


@dataclass(frozen=True)
class ButtonCard:
    """A `button_interaction` card with one to six buttons; `facts` are at most six lines of name and value.

    WeCom takes a `task_id` ([0-9A-Za-z_-@], at most 128 bytes) only once per app: a second sending of the same
    card is refused.
    """

    task_id: str
    title: str
    description: str
    buttons: tuple[CardButton, ...]
    facts: tuple[tuple[str, str], ...] = ()


@dataclass(frozen=True)
class SentMessage:
    """What WeCom took; who stands in `unreached` did not get it (left, inactive, or out of the app's sight)."""

    msgid: str
    unreached: tuple[str, ...] = ()
    response_code: str | None = None
    """Only of a card: changes it once within 72 hours."""


class AppMessages(Protocol):
    """The app writes to members, at most 1000 at a time.

    Where nobody at all can be reached WeCom refuses for good: WeComRejected (81013). A message whose outcome is
    unknown (WeComUnavailable) may have arrived.
    """

    def send_text(self, userids: Sequence[str], content: str) -> SentMessage:
        """Send plain words; what is longer than 2048 bytes is cut at a character."""
        ...

    def send_markdown(self, userids: Sequence[str], content: str) -> SentMessage:
        """Send WeCom's markdown, at most 2048 bytes."""
        ...

    def send_card(self, userids: Sequence[str], card: ButtonCard) -> SentMessage:
        """Send a card; WeComMisconfigured (43012) where the app has no callback address."""
        ...

    def update_card(self, userids: Sequence[str], response_code: str, replace_name: str) -> None:
        """Replace a card's buttons by one dead button; WeComRejected where the code is used up or too old."""
        ...
