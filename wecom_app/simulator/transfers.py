"""Customers handed over from one member to another, in service or after resignation."""

from dataclasses import dataclass, field
from datetime import datetime

DONE, WAITING, REFUSED, TAKER_FULL = 1, 2, 3, 4
"""The values of `status` in transfer_result."""


@dataclass(slots=True)
class Transfer:
    """One customer on the way from one member to another."""

    handover_userid: str
    takeover_userid: str
    external_userid: str
    started_at: datetime
    resigned: bool
    status: int = WAITING
    takeover_time: int | None = None


@dataclass(slots=True)
class Unassigned:
    """A customer of a member who left."""

    handover_userid: str
    external_userid: str
    dimission_time: int


@dataclass(slots=True)
class Transfers:
    """All hand-overs; call it under the world's lock."""

    items: list[Transfer] = field(default_factory=list)
    unassigned: list[Unassigned] = field(default_factory=list)

    def waiting(self, external_userid: str) -> list[Transfer]:
        """Return the hand-overs of a customer that are not decided."""
        return [item for item in self.items if item.external_userid == external_userid and item.status == WAITING]
