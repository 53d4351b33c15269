"""What a check of `wecom-app doctor` is handed, what it finds, and what it may ask of WeCom.

`services.doctor` runs the checks, which stand in `checkup_host`, `checkup_wecom`, `checkup_sdk` and `checkup_work`.
"""

from collections.abc import Callable
from dataclasses import dataclass
from datetime import datetime
from enum import StrEnum
from typing import Protocol

from wecom_app.clock import Clock
from wecom_app.config import CallbackKey, Settings, WeComSettings
from wecom_app.db import Database
from wecom_app.services.ports import JobQueue, TicketKind
from wecom_app.services.wecom_status import WeComStatus


class State(StrEnum):
    OK = "ok"
    WARN = "warn"
    FAIL = "fail"
    SKIP = "skip"
    """Not looked at: what it builds upon is not in order."""


@dataclass(frozen=True)
class Finding:
    """What a check saw, and what a person should do about it; never a secret."""

    state: State
    saw: str
    advice: str | None = None


@dataclass(frozen=True)
class ClockReading:
    """One moment as WeCom's Date header (whole seconds) and our clock tell it."""

    theirs: datetime
    ours: datetime


@dataclass(frozen=True)
class EchoReply:
    """How a callback address answered a verification of our own making; `problem` says why it did not."""

    status: int = 0
    is_right: bool = False
    seconds: float = 0.0
    problem: str | None = None


class WeComProbe(Protocol):
    """Asks WeCom and our own address at once, past token store, budget and circuit: it must work on a bad day.

    Every method but `open_callback` raises WeComError; only `fetch_token` may be the first to be called
    of those that need a token.
    """

    def read_clock(self) -> ClockReading | None:
        """Return what time WeCom has; None where its answer does not say."""
        ...

    def fetch_token(self) -> None:
        """Get an access token and keep it for the other questions."""
        ...

    def count_follow_users(self) -> int:
        """Return how many members with customers the app sees."""
        ...

    def count_corp_tags(self) -> int: ...

    def ask_for_nobody(self) -> None:
        """Ask for a customer who is not there: WeCom checks the right to ask first."""
        ...

    def fetch_sdk_ticket(self, kind: TicketKind) -> str:
        """Return a ticket that pages are signed with."""
        ...

    def open_callback(self, url: str, key: CallbackKey) -> EchoReply:
        """Verify an address as WeCom does when an admin saves it."""
        ...


@dataclass(frozen=True)
class Patient:
    """The installation as far as it could be put together."""

    settings: Settings
    clock: Clock
    database: Database
    queue: JobQueue
    is_there: Callable[[], bool]
    """Whether an SQLite database has its file."""
    is_current: Callable[[], bool]
    wecom: WeComSettings | None
    problem: str | None
    """Why the settings of WeCom are not there."""
    probe: WeComProbe | None
    status: WeComStatus | None
    callback_url: str | None


def fine(saw: str) -> Finding:
    return Finding(State.OK, saw)


def warn(saw: str, advice: str) -> Finding:
    return Finding(State.WARN, saw, advice)


def fail(saw: str, advice: str) -> Finding:
    return Finding(State.FAIL, saw, advice)


def skip(saw: str) -> Finding:
    return Finding(State.SKIP, saw)
