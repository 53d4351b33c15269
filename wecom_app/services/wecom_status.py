"""How the traffic with WeCom stands: budgets, token and call log, as the gateway knows them; a port like `ports`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

PUSHES_PER_S = 150_000 * 0.8 / 3600
"""What WeCom grants an app of one API in an hour, less our reserve; before the first call nothing else is known."""


@dataclass(frozen=True)
class ApiBudget:
    """What is left of one API's budget for calls that are not urgent; the reserve is for welcome and sidebar."""

    api: str
    used_this_minute: int
    left_this_minute: int
    used_this_hour: int
    left_this_hour: int
    blocked_until: datetime | None
    """Until when WeCom refuses every call of this API (45009)."""
    minute_limit: int
    hour_limit: int
    minute_reserve: int
    hour_reserve: int


@dataclass(frozen=True)
class TokenState:
    """How the app's access token stands, without the token."""

    fetched_at: datetime | None
    expires_at: datetime | None
    refusals: int
    blocked_until: datetime | None
    """Until when the circuit is open and gettoken is not called."""
    last_error: str | None


class WeComStatus(Protocol):
    """How the traffic with WeCom stands, and its log; nothing here calls WeCom."""

    def budget(self) -> Sequence[ApiBudget]:
        """Return what is used and left of each API that was called of late."""
        ...

    def token_state(self) -> TokenState: ...

    def push_time_s(self, calls: int) -> float | None:
        """Return how long so many tag pushes take at the rate they are paced at; None if it is not known."""
        ...

    def flush(self) -> None:
        """Write down the calls that wait to be logged, and leave what this process holds to others."""
        ...

    def purge(self, keep: timedelta) -> int:
        """Delete calls from the log that are older; return how many rows."""
        ...


def push_time_s(status: WeComStatus | None, calls: int) -> float:
    """Return about how long so many tag pushes take, also before the first one was made."""
    known = status.push_time_s(calls) if status is not None else None
    return calls / PUSHES_PER_S if known is None else known
