"""What an admin chose about cards, the digest and alerts; read by the bot and the watch, changed through the API."""

import re
from dataclasses import dataclass, replace
from datetime import datetime
from typing import Any

from sqlalchemy import bindparam, select
from sqlalchemy.orm import Session

from wecom_app.errors import InvalidInput
from wecom_app.models import BotSettings, TagGroup
from wecom_app.prepared import Prepared

THE_ONE = 1
DEFAULT_GROUP = "journey.intention"
"""The group whose tags a card offers while nobody has chosen one; no cards where there is none."""
MOST_DELAY_S = 24 * 3600
CLOCK = re.compile(r"([01]\d|2[0-3]):[0-5]\d")


@dataclass(frozen=True)
class Choices:
    """How the bot behaves in this deployment."""

    cards: bool = True
    card_group: str | None = None
    """Key of the group; None where there is none to ask about."""
    card_delay_s: int = 180
    digest: bool = True
    digest_at: str = "09:00"
    """HH:MM in the deployment's time zone."""
    alerts: bool = True


CHOSEN = Prepared(select(BotSettings.__table__).where(BotSettings.id == THE_ONE))
LIVE_GROUPS = select(TagGroup.id, TagGroup.key).where(TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
LIVE_GROUP = Prepared(LIVE_GROUPS.where(TagGroup.id == bindparam("id")))
LIVE_GROUP_OF_KEY = Prepared(LIVE_GROUPS.where(TagGroup.key == bindparam("key")))


def get(session: Session) -> Choices:
    """Return the choices; where nothing was chosen the defaults, with the usual group if it is there."""
    row = CHOSEN.row(session, {})
    if row is None:
        return Choices(card_group=_key(LIVE_GROUP_OF_KEY.row(session, {"key": DEFAULT_GROUP})))
    return Choices(
        cards=row.cards,
        card_group=_key(LIVE_GROUP.row(session, {"id": row.card_group_id})) if row.card_group_id else None,
        card_delay_s=row.card_delay_s,
        digest=row.digest,
        digest_at=row.digest_at,
        alerts=row.alerts,
    )


def put(session: Session, choices: Choices, now: datetime) -> Choices:
    """Replace the choices; raise InvalidInput."""
    if not CLOCK.fullmatch(choices.digest_at):
        raise InvalidInput("日报时间要写成 09:00 这样", details={"digest_at": "HH:MM"})
    if not 0 <= choices.card_delay_s <= MOST_DELAY_S:
        raise InvalidInput("卡片的等待时间要在 0 秒到 24 小时之间", details={"card_delay_s": "0–86400"})
    row = session.get(BotSettings, THE_ONE) or BotSettings(id=THE_ONE)
    row.cards, row.card_delay_s = choices.cards, choices.card_delay_s
    row.card_group_id = group_id(session, choices.card_group)
    if choices.card_group is not None and row.card_group_id is None:
        raise InvalidInput("没有这个标签组，或它已停用", details={"card_group": choices.card_group})
    row.digest, row.digest_at, row.alerts = choices.digest, choices.digest_at, choices.alerts
    row.updated_at = now
    session.add(row)
    session.flush()
    return replace(choices)


def group_id(session: Session, key: str | None) -> int | None:
    """Return the id of a live group; None where there is none of that key."""
    found: int | None = LIVE_GROUP_OF_KEY.scalar(session, {"key": key}) if key is not None else None
    return found


def _key(group: Any) -> str | None:
    return None if group is None else str(group.key)
