"""What a command of the bot is given, and what it gives back; `services.bot` runs the commands."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy.orm import Session

from wecom_app.domain.bot_commands import Command
from wecom_app.domain.days import local
from wecom_app.domain.keys import Slugify
from wecom_app.models import BotDialogue
from wecom_app.services.access import Viewer
from wecom_app.services.bot_search import Friend
from wecom_app.services.context import Context
from wecom_app.services.runtime import Runtime

MOST_OPTIONS = 10
CUSTOMER = "customer"
"""What a question about customers decides."""


@dataclass(frozen=True)
class Question:
    """Numbered options; the number that the member answers decides `asking`, and the command is carried out anew."""

    asking: str
    options: tuple[str, ...]
    command: str | None = None
    """What to carry out then, where it is not the command that led here."""


@dataclass(frozen=True)
class Reply:
    """What the member is told."""

    lines: tuple[str, ...]
    question: Question | None = None
    change_set_id: int | None = None
    """An edit that 撤销 may take back from now on."""
    undone: bool = False
    """Whether there is nothing to take back any more."""
    pages: tuple[str, ...] | None = None
    """What 更多 shows next; None: what follows from `lines`."""
    keeps_question: bool = False


@dataclass(frozen=True)
class Deed:
    """What remains to be done in the transaction that writes the answer down."""

    act: Callable[[Session, Context], Reply]


@dataclass(frozen=True)
class Errand:
    """What must be done in transactions of its own; it may be run again."""

    run: Callable[[Runtime], Reply]


Outcome = Reply | Deed | Errand


@dataclass(frozen=True)
class Talk:
    """One command of one member, in a snapshot of the database."""

    session: Session
    viewer: Viewer
    dialogue: BotDialogue
    command: Command
    words: str
    """The command as it was written."""
    answers: Mapping[str, str]
    """What was chosen in questions about this command."""
    slugify: Slugify
    now: datetime
    time_zone: str

    @property
    def staff_id(self) -> int:
        assert self.viewer.staff_id is not None
        return self.viewer.staff_id

    def day(self, moment: datetime) -> str:
        """Return a day as people write it, with the year only where it is another one."""
        there, here = local(moment, self.time_zone), local(self.now, self.time_zone)
        return f"{there:%m-%d}" if there.year == here.year else f"{there:%Y-%m-%d}"

    def time(self, moment: datetime) -> str:
        return f"{local(moment, self.time_zone):%m-%d %H:%M}"


def say(*lines: str) -> Reply:
    """Return a plain answer."""
    return Reply(lines)


def _told_apart(talk: Talk, friend: Friend) -> str:
    return f"{friend.label} · {talk.time(friend.since)} 添加{'，待你通过' if friend.half else ''}"


def ask_which(talk: Talk, friends: Sequence[Friend]) -> Reply:
    """Return the numbered list of customers who fit."""
    shown = friends[:MOST_OPTIONS]
    lines = [f"有 {len(friends)} 位都对得上，发序号选一位："]
    lines += [f"{number}. {_told_apart(talk, friend)}" for number, friend in enumerate(shown, 1)]
    if len(friends) > len(shown):
        lines.append(f"还有 {len(friends) - len(shown)} 位没列出，把名字写全一些试试。")
    return Reply(tuple(lines), Question(CUSTOMER, tuple(friend.external_userid for friend in shown)))
