"""A robot that writes into a group of members (消息推送); `adapters.wecom.group_robot` implements it."""

from typing import Protocol

MAX_ROBOT_BYTES = 4096
"""Markdown in UTF-8 (Tencent's page 91770)."""


class GroupRobot(Protocol):
    """One robot of one group."""

    @property
    def name(self) -> str:
        """What tells robots apart in tables and logs; nothing of the key can be read from it."""
        ...

    def send_markdown(self, content: str) -> None:
        """Write into the group; what is longer than 4096 bytes is cut at a character.

        Raises WeComThrottled beyond 20 messages a minute (before anything is sent), WeComMisconfigured where the
        robot is gone (93000, 93004, 93008), and WeComUnavailable where the outcome is unknown: then `settle_s` is 0
        if the message cannot have arrived.
        """
        ...
