"""What the app says to members and to the group robot: answers, cards, duty, digests and alerts.

Written by the services of the bot (`bot*`, `notices`, `intention_cards`, `duty`) and of the watch (`alerts`,
`digest`, `robots`).
"""

from datetime import datetime
from typing import Any

from sqlalchemy import ForeignKey, Index, String, Text, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class BotSettings(Base):
    """The deployment's one row of choices about cards, digest and alerts; defaults hold until it is written."""

    __tablename__ = "bot_settings"

    id: Mapped[int] = mapped_column(primary_key=True)
    cards: Mapped[bool]
    card_group_id: Mapped[int | None] = mapped_column(ForeignKey("tag_group.id"))
    """The group whose tags a card offers; None means none was chosen."""
    card_delay_s: Mapped[int]
    digest: Mapped[bool]
    digest_at: Mapped[str] = mapped_column(String(5))
    """HH:MM in the deployment's time zone."""
    alerts: Mapped[bool]
    updated_at: Mapped[datetime]


class BotMessage(Base):
    """An answer of the app to a member."""

    __tablename__ = "bot_message"
    __table_args__ = (Index("ix_bot_message_staff", "staff_id", "state"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"))
    cause: Mapped[str] = mapped_column(String(64), unique=True)
    """What it answers, such as `event:12`: nothing is answered twice."""
    text: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(8))
    """waiting, sent or failed."""
    reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class BotDialogue(Base):
    """Where the talk with a member stands: a question with its numbered options, the pages to come, the last edit."""

    __tablename__ = "bot_dialogue"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    command: Mapped[str | None] = mapped_column(Text)
    """The words that could not be carried out before a choice."""
    asking: Mapped[str | None] = mapped_column(String(200))
    """What the open question decides."""
    options: Mapped[list[Any]] = mapped_column(default=list)
    answers: Mapped[dict[str, Any]] = mapped_column(default=dict)
    """What was chosen in earlier questions of the same command."""
    ask_until: Mapped[datetime | None]
    pages: Mapped[list[Any]] = mapped_column(default=list)
    change_set_id: Mapped[int | None] = mapped_column(BigId)
    """What 撤销 takes back."""


class Duty(Base):
    """Whether a member is at work; no row means that he is."""

    __tablename__ = "duty"

    staff_id: Mapped[int] = mapped_column(ForeignKey("staff.id"), primary_key=True, autoincrement=False)
    on_duty: Mapped[bool]
    changed_at: Mapped[datetime]


class IntentionCard(Base):
    """The card that asks a member for a new contact's intention, once per epoch of the relation."""

    __tablename__ = "intention_card"
    __table_args__ = (
        UniqueConstraint("relation_id", "life_seq"),
        Index("ix_intention_card_state", "state", "id"),
    )

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    relation_id: Mapped[int] = mapped_column(ForeignKey("relation.id"))
    life_seq: Mapped[int] = mapped_column(BigId)
    group_id: Mapped[int | None] = mapped_column(ForeignKey("tag_group.id"))
    task_id: Mapped[str] = mapped_column(String(64), unique=True)
    state: Mapped[str] = mapped_column(String(10))
    """waiting, held (off duty), sending, sent, answered, skipped or failed."""
    reason: Mapped[str | None] = mapped_column(String(300))
    errcode: Mapped[int | None]
    tag_id: Mapped[int | None] = mapped_column(ForeignKey("tag.id"))
    """What was pressed."""
    event_id: Mapped[int | None] = mapped_column(BigId)
    """The callback of the press that counted."""
    created_at: Mapped[datetime]
    sent_at: Mapped[datetime | None]
    closed_at: Mapped[datetime | None]


class RobotMessage(Base):
    """A message for one group robot; `period` makes it the only one of its kind, in any number of processes."""

    __tablename__ = "robot_message"
    __table_args__ = (UniqueConstraint("robot", "kind", "period"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    robot: Mapped[str] = mapped_column(String(16))
    kind: Mapped[str] = mapped_column(String(8))
    """digest or alert."""
    period: Mapped[str] = mapped_column(String(40))
    content: Mapped[str] = mapped_column(Text)
    state: Mapped[str] = mapped_column(String(8))
    """waiting, sending, sent, unknown (it may have arrived) or failed."""
    reason: Mapped[str | None] = mapped_column(String(300))
    created_at: Mapped[datetime]
    finished_at: Mapped[datetime | None]


class Alert(Base):
    """One condition that people must know of: how it stands, and when the group was last told."""

    __tablename__ = "alert"

    key: Mapped[str] = mapped_column(String(32), primary_key=True)
    firing: Mapped[bool]
    level: Mapped[int] = mapped_column(BigId)
    """How bad: a count, or 1 where there is none."""
    words: Mapped[str] = mapped_column(String(300))
    since: Mapped[datetime]
    seen_at: Mapped[datetime]
    recovered_at: Mapped[datetime | None]
    told_level: Mapped[int] = mapped_column(BigId)
    """The level that the group knows of; 0 where it was not told."""
    told_at: Mapped[datetime | None]
    told_in: Mapped[str | None] = mapped_column(String(40))
    """The period of the robot messages that told it."""
