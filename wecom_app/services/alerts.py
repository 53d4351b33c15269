"""Alerts: each condition is told once to the group robots when it begins or grows, and once when it is over.

`check` runs every minute in the job `watch.run`. What is told of one condition within ten minutes is one message,
and what begins in the same minute shares one.
"""

import uuid
from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain.days import local
from wecom_app.models import Alert, RobotMessage
from wecom_app.services import bot_settings, disk, robots
from wecom_app.services.alert_conditions import ADVICE, CONDITIONS, TITLES, Reading, Scene, measure
from wecom_app.services.runtime import Runtime

QUIET = timedelta(minutes=10)
"""No more than one alert of a condition in this time."""
KEPT = timedelta(days=7)
"""How long one that is over is still listed."""


@dataclass(frozen=True)
class AlertView:
    """One alert as lists show it."""

    key: str
    title: str
    saw: str
    advice: str
    firing: bool
    level: int
    since: datetime
    recovered_at: datetime | None
    told_at: datetime | None
    delivered: bool
    """Whether every robot has said it; False also where nobody was told."""
    delivery_reason: str | None


@dataclass(frozen=True)
class _News:
    """What the group is to be told."""

    begun: list[Alert]
    over: list[Alert]


def check(runtime: Runtime) -> None:
    """Measure every condition, write down how it stands, and have news told."""
    token, room = runtime.wecom_status.token_state(), disk.room(runtime.database)
    with runtime.read() as session:
        now = runtime.clock.now()
        readings = measure(Scene(session, runtime.queue, now, token, room))
    with runtime.write() as session:
        rows = {row.key: row for row in session.execute(select(Alert).with_for_update()).scalars()}
        telling = bool(runtime.robots) and bot_settings.get(session).alerts
        over = [row for row in rows.values() if row.firing and row.key not in readings]
        for row in over:
            row.firing, row.recovered_at = False, now
        firing = [_stand(session, rows, key, reading, now) for key, reading in readings.items()]
        news = _News([row for row in firing if _is_news(row, now)], [row for row in over if row.told_level])
        for row in over:
            row.told_level = 0
        if telling and (news.begun or news.over):
            _tell(session, runtime, news, now)
        session.flush()
        runtime.crash_point("alerts.before_commit")


def list_alerts(session: Session, now: datetime) -> list[AlertView]:
    """Return what holds, and what held in the last week: the first first, then the newest."""
    rows = session.execute(select(Alert).order_by(Alert.firing.desc(), Alert.seen_at.desc())).scalars()
    shown = [row for row in rows if row.firing or now - row.seen_at < KEPT]
    undelivered = _undelivered(session, {row.told_in for row in shown if row.told_in})
    return [_view(row, undelivered) for row in shown]


def _stand(session: Session, rows: Mapping[str, Alert], key: str, reading: Reading, now: datetime) -> Alert:
    """Write down a condition that holds."""
    row = rows.get(key)
    if row is None:
        row = Alert(key=key, firing=False, told_level=0)
        session.add(row)
    if not row.firing:
        row.firing, row.since, row.recovered_at = True, now, None
    row.level, row.words, row.seen_at = reading.level, reading.saw[:300], now
    return row


def _is_news(row: Alert, now: datetime) -> bool:
    """Return whether a condition has begun or grown since the group was told, and may be told of again."""
    return row.level > row.told_level and (row.told_at is None or now - row.told_at >= QUIET)


def _tell(session: Session, runtime: Runtime, news: _News, now: datetime) -> None:
    period = uuid.uuid4().hex  # The rows of `alert` tell what was told; two messages in one moment are two.
    for row in news.begun:
        row.told_level, row.told_at, row.told_in = row.level, now, period
    robots.post(session, runtime, robots.ALERT, period, _words(news, local(now, runtime.settings.time_zone)))


def _words(news: _News, at: datetime) -> str:
    order = [condition.key for condition in CONDITIONS]
    lines = []
    if news.begun:
        lines.append(f"**客户标签系统告警** {at:%m-%d %H:%M}")
    for row in sorted(news.begun, key=lambda row: order.index(row.key)):
        lines.append(f'> <font color="warning">{TITLES[row.key]}</font>：{row.words}\n> {ADVICE[row.key]}')
    if news.over:
        named = "、".join(TITLES[row.key] for row in sorted(news.over, key=lambda row: order.index(row.key)))
        lines.append(f'<font color="info">已恢复</font>：{named}（{at:%m-%d %H:%M}）')
    return "\n".join(lines)


def _undelivered(session: Session, periods: set[str]) -> dict[str, str]:
    """Return why a period's messages are not all said, by period."""
    query = select(RobotMessage.period, RobotMessage.reason).where(
        RobotMessage.kind == robots.ALERT, RobotMessage.period.in_(periods), RobotMessage.state != "sent"
    )
    return {period: reason or "等待发送" for period, reason in session.execute(query)}


def _view(row: Alert, undelivered: Mapping[str, str]) -> AlertView:
    told_in = row.told_in
    return AlertView(
        key=row.key,
        title=TITLES.get(row.key, row.key),
        saw=row.words,
        advice=ADVICE.get(row.key, ""),
        firing=row.firing,
        level=row.level,
        since=row.since,
        recovered_at=row.recovered_at,
        told_at=row.told_at,
        delivered=told_in is not None and told_in not in undelivered,
        delivery_reason=undelivered.get(told_in) if told_in is not None else None,
    )
