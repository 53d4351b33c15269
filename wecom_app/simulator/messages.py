"""What the corp's apps and robots have sent to members."""

from dataclasses import dataclass, field
from datetime import datetime, timedelta

from wecom_app.simulator.errcodes import Json


@dataclass(slots=True)
class AppMessage:
    """A message of an app to members."""

    msgid: str
    agent_id: int
    at: datetime
    userids: list[str]
    msgtype: str
    body: Json
    dropped_for: list[str] = field(default_factory=list)
    """Members who had their limit of messages already: WeCom drops the surplus without a word."""
    updates: list[Json] = field(default_factory=list)


@dataclass(slots=True)
class RobotMessage:
    """A message of a group robot."""

    key: str
    at: datetime
    body: Json


RESPONSE_CODE_LIFE = timedelta(hours=72)


@dataclass(slots=True)
class ResponseCode:
    """The right to change an interactive card once within 72 hours."""

    msgid: str
    agent_id: int
    expires_at: datetime
    used: bool = False


@dataclass(slots=True)
class Mailbox:
    """All messages to members; call it under the world's lock."""

    messages: dict[str, AppMessage] = field(default_factory=dict)
    robot_messages: list[RobotMessage] = field(default_factory=list)
    response_codes: dict[str, ResponseCode] = field(default_factory=dict)
    task_ids: set[tuple[int, str]] = field(default_factory=set)
    """(agent id, task id) of every card that was sent; an app may use each once."""

    def add_code(self, code: str, message: AppMessage, now: datetime) -> str:
        """Note and return a code with which the app may change a card once."""
        self.response_codes[code] = ResponseCode(message.msgid, message.agent_id, now + RESPONSE_CODE_LIFE)
        return code
