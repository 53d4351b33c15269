"""The daily digest for the group robots: yesterday in figures, and what waits for somebody; no names of people.

`say_if_due` runs every minute in the job `watch.run`; a row for each robot and day makes it the only one.
"""

from datetime import datetime

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.days import day_bounds, local
from wecom_app.models import Alert, CustomerTag, FollowUp, RobotMessage, Welcome
from wecom_app.services import bot_settings, newcomers, robots
from wecom_app.services.alert_conditions import MISSED, TITLES
from wecom_app.services.leftovers import leftovers_of
from wecom_app.services.newcomers import Newcomers
from wecom_app.services.ports import JobQueue
from wecom_app.services.runtime import Runtime

SOURCES = 8
"""How many sources are named; the others are summed up."""
WEEKDAYS = "一二三四五六日"


def say_if_due(runtime: Runtime) -> None:
    """Have the robots say yesterday's digest, from its time of day on, once a day."""
    zone = runtime.settings.time_zone
    here = local(runtime.clock.now(), zone)
    period = f"{here:%Y-%m-%d}"
    with runtime.read() as session:
        choices = bot_settings.get(session)
        due = runtime.robots and choices.digest and f"{here:%H:%M}" >= choices.digest_at
        if not due or _is_said(session, runtime, period):
            return
        content = words(session, runtime.queue, runtime.clock.now(), zone)
    with runtime.write() as session:
        robots.post(session, runtime, robots.DIGEST, period, content)
        session.flush()
        runtime.crash_point("digest.before_commit")


def words(session: Session, queue: JobQueue, now: datetime, time_zone: str) -> str:
    """Return the digest of the day before `now`, as markdown."""
    begin, end = day_bounds(now, time_zone, back=1)
    day = local(begin, time_zone)
    new = newcomers.count(session, begin, end, now)
    lines = [f"**客户日报** {day:%m-%d}（周{WEEKDAYS[day.weekday()]}）", *_newcomer_lines(new)]
    lines.append(f"欢迎语未送达：{_count_misses(session, begin, end)} 条")
    lines.append(f"今天待跟进：{_count_due(session, day_bounds(now, time_zone)[1])} 条")
    left = leftovers_of(session, queue)
    dead = session.execute(select(func.count()).select_from(CustomerTag).where(CustomerTag.dead)).scalar_one()
    lines.append(f"处理失败：任务 {left.jobs.total()} 个{left.more}，回调 {left.events} 条，标签推送 {dead} 个")
    firing = session.execute(select(Alert.key).where(Alert.firing).order_by(Alert.since)).scalars()
    named = "、".join(TITLES.get(key, key) for key in firing)
    lines.append(f'正在告警：<font color="warning">{named}</font>' if named else "正在告警：无")
    return "\n".join(lines)


def _newcomer_lines(new: Newcomers) -> list[str]:
    if not new.total:
        return ["新客户：0 位"]
    ranked = list(new.by_source.items())
    named = [f"{name} {count}" for name, count in ranked[:SOURCES]]
    rest = sum(count for _, count in ranked[SOURCES:])
    if rest:
        named.append(f"其他 {rest}")
    share = f"{new.tagged / new.total:.0%}"
    return [
        f"新客户：{new.total} 位（{'、'.join(named)}）",
        f"已打标：{new.tagged} 位（{share}），未打标 {new.total - new.tagged} 位",
    ]


def _count_misses(session: Session, begin: datetime, end: datetime) -> int:
    query = (
        select(func.count())
        .select_from(Welcome)
        .where(Welcome.received_at >= begin, Welcome.received_at < end, Welcome.status.in_(MISSED))
    )
    return session.execute(query).scalar_one()


def _count_due(session: Session, end: datetime) -> int:
    """Count the follow-ups whose date has come, or comes today, and which are not done."""
    query = (
        select(func.count())
        .select_from(FollowUp)
        .where(FollowUp.remind_at < end, FollowUp.done_at.is_(None), FollowUp.deleted_at.is_(None))
    )
    return session.execute(query).scalar_one()


def _is_said(session: Session, runtime: Runtime, period: str) -> bool:
    """Return whether every robot has its message of the day."""
    query = select(RobotMessage.robot).where(RobotMessage.kind == robots.DIGEST, RobotMessage.period == period)
    return set(runtime.robots) <= set(session.execute(query).scalars())
