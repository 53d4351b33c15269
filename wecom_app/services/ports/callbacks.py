"""Opening callbacks and making them durable; `adapters.wecom.crypto` and `adapters.intake` implement them."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol


@dataclass(frozen=True)
class CallbackQuery:
    """The signed query parameters of a callback request."""

    msg_signature: str
    timestamp: str
    nonce: str


class CallbackCipher(Protocol):
    """Checks and opens callbacks; both methods raise CallbackRejected for whatever is not provably WeCom's."""

    def open_echo(self, query: CallbackQuery, echostr: str) -> str:
        """Return the text that proves the URL to WeCom."""
        ...

    def open_message(self, query: CallbackQuery, body: bytes) -> str:
        """Return the decrypted message."""
        ...


@dataclass(frozen=True)
class IncomingEvent:
    """A decrypted callback, read as far as storing it needs."""

    digest: str
    event: str
    change_type: str
    subject: str
    fields: Mapping[str, Any]
    body: str
    occurred_at: datetime | None
    received_at: datetime = field(compare=False)


class Intake(Protocol):
    """Makes callbacks durable."""

    def store(self, incoming: IncomingEvent) -> None:
        """Return once the event and its jobs are committed; raise Unavailable if they could not be."""
        ...

    def start(self) -> None: ...

    def stop(self) -> None: ...
