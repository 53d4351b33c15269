"""How the traffic with WeCom stands: budgets, token and call log, as the gateway knows them; a port like `ports`."""

from collections.abc import Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Protocol

HOURS = 24
PUSHES_AN_HOUR = 150_000 * 0.8
PUSHES_PER_S = PUSHES_AN_HOUR / 3600
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


class Pace(Protocol):
    """How fast WeCom may be called; known from the database, also to a command that calls nothing."""

    def budget(self) -> Sequence[ApiBudget]:
        """Return what is used and left of each API that was called of late."""
        ...

    def push_time_s(self, calls: int) -> float | None:
        """Return how long so many tag pushes take at the rate they are paced at; None if it is not known."""
        ...


class WeComStatus(Pace, Protocol):
    """How the traffic with WeCom stands, and its log; nothing here calls WeCom."""

    def token_state(self) -> TokenState: ...

    def flush(self) -> None:
        """Write down the calls that wait to be logged, and leave what this process holds to others."""
        ...

    def purge(self, keep: timedelta) -> int:
        """Delete calls from the log that are older; return how many rows."""
        ...


def push_time_s(pace: Pace, calls: int) -> float:
    """Return about how long so many tag pushes take, also before the first one was made."""
    known = pace.push_time_s(calls)
    return calls / PUSHES_PER_S if known is None else known


def pushes_a_day(pace: Pace) -> float:
    """Return the day's calls to one API that are not kept for urgent ones, also before the first one was made."""
    limits = [budget.hour_limit - budget.hour_reserve for budget in pace.budget() if budget.hour_limit > 0]
    return HOURS * max(limits, default=PUSHES_AN_HOUR)
