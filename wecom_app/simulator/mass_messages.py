"""Mass messages (企业群发): tasks that wait until each member confirms sending."""

from dataclasses import dataclass, field
from datetime import datetime

from wecom_app.simulator.errcodes import Json

UNSENT, SENT, NOT_A_FRIEND, LIMIT_REACHED = 0, 1, 2, 3
"""The values of `status` in get_groupmsg_send_result."""

TASK_UNSENT, TASK_SENT = 0, 2
"""The values of `status` in get_groupmsg_task."""


@dataclass(slots=True)
class SendResult:
    """What became of the message for one customer."""

    external_userid: str
    status: int = UNSENT
    send_time: int | None = None


@dataclass(slots=True)
class MemberTask:
    """One member's part of a mass message."""

    userid: str
    results: list[SendResult]
    status: int = TASK_UNSENT
    send_time: int | None = None


@dataclass(slots=True)
class MassMessage:
    """A mass message made by an app."""

    msgid: str
    created_at: datetime
    body: Json
    tasks: dict[str, MemberTask]
    """By the member's userid key."""
    reminded_at: list[datetime] = field(default_factory=list)
    cancelled: bool = False


@dataclass(slots=True)
class MassMessages:
    """All mass messages; call it under the world's lock."""

    items: dict[str, MassMessage] = field(default_factory=dict)
    received: dict[tuple[str, str], int] = field(default_factory=dict)
    """How many mass messages a customer got, by (external_userid, day or month)."""
