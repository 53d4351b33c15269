"""The tickets that signatures for the JS-SDK are made with; `adapters.wecom.ticket_calls` fetches and keeps them."""

from enum import StrEnum
from typing import Protocol


class TicketKind(StrEnum):
    """What a page shows itself as: the app (`agentConfig`), or only the corp (`config`, clients before 3.0.24)."""

    AGENT = "agent"
    CORP = "corp"


class SdkTickets(Protocol):
    """Tickets live two hours and may be fetched 100 times an hour, so all processes share one of each kind."""

    def sdk_ticket(self, kind: TicketKind) -> str:
        """Return the ticket in force; fetched only where none is kept. Raises the WeComError family."""
        ...
