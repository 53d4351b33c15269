"""What the console's first page says: what waits for a person, and the figures of the day.

Tables that only grow are counted from their end, so that a day costs what happened in it, not what ever did.
"""

from dataclasses import dataclass
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from sqlalchemy import ColumnElement, distinct, func, select
from sqlalchemy.orm import Session

from wecom_app.models import ContentEvent, Customer, CustomerTag, TagEvent, TagOperation, Welcome
from wecom_app.services import alerts, channel_adoption
from wecom_app.services.leftovers import leftovers_of
from wecom_app.services.ports import JobQueue

MOST_COUNTED = 200
"""Unknown states are counted up to here; more is "200 or more"."""
COUNTED_HERE = frozenset({"dead_jobs", "dead_cells"})
"""Alerts that say what the page counts itself."""
JOBS_ADVICE = "在服务器上运行 wecom-app jobs list --state dead 看原因，解决后用 jobs replay --dead 重新执行"
CALLBACKS_ADVICE = "运行 wecom-app inbox list --state failed 看原因，解决后用 inbox replay --failed 重新处理"
OPEN_OPERATIONS = ("pending", "sent")


@dataclass(frozen=True)
class Attention:
    """Something that stays as it is until a person acts; `count` is None where it is not counted in things."""

    count: int | None
    words: str
    advice: str
    or_more: bool = False


@dataclass(frozen=True)
class Figure:
    """A number of the day, what it counts, and a second thing worth knowing."""

    words: str
    value: int
    note: str = ""


@dataclass(frozen=True)
class Today:
    """The figures since the day began in the company's time zone."""

    as_of: datetime
    figures: tuple[Figure, ...]


def attention(session: Session, queue: JobQueue, now: datetime) -> list[Attention]:
    """Return what waits for a person, the most urgent first; only what there is."""
    left = leftovers_of(session, queue)
    found = [
        *_alerts(session, now),
        Attention(left.jobs.total(), "个任务处理失败", JOBS_ADVICE, or_more=bool(left.more)),
        Attention(left.events, "条回调事件处理失败", CALLBACKS_ADVICE),
        _dead_cells(session),
        _unknown_states(session),
    ]
    return [item for item in found if item.count != 0]


def today(session: Session, now: datetime, time_zone: str) -> Today:
    """Return the figures of the business day that `now` lies in."""
    local = now.astimezone(ZoneInfo(time_zone))
    began = local.replace(hour=0, minute=0, second=0, microsecond=0)
    sent = _since(session, Welcome.id, Welcome.received_at, began, Welcome.status == "sent")
    missed = _since(session, Welcome.id, Welcome.received_at, began, Welcome.status.in_(("expired", "failed")))
    assigned = _since(session, TagEvent.id, TagEvent.at, began, TagEvent.op == "add")
    removed = _since(session, TagEvent.id, TagEvent.at, began, TagEvent.op != "add")
    sent_content = _since(session, ContentEvent.id, ContentEvent.at, began, ContentEvent.result == "sent")
    shown_content = _since(session, ContentEvent.id, ContentEvent.at, began, ContentEvent.result == "shown")
    waiting = select(func.count()).select_from(TagOperation).where(TagOperation.state.in_(OPEN_OPERATIONS))
    return Today(
        now,
        (
            Figure("今日新客户", _since(session, Customer.id, Customer.created_at, began), "客户，按人去重"),
            Figure("今日打标", assigned, f"另有 {removed} 次移除或到期"),
            Figure("今日欢迎语", sent, f"未送达 {missed} 条"),
            Figure("今日发送内容", sent_content, f"展示给导购 {shown_content} 次"),
            Figure("等待同步到企业微信", session.execute(waiting).scalar_one(), "好友关系上的标签"),
        ),
    )


def _alerts(session: Session, now: datetime) -> list[Attention]:
    """Return the troubles of the system that hold now; what failed for good is counted here more exactly."""
    firing = [alert for alert in alerts.list_alerts(session, now) if alert.firing and alert.key not in COUNTED_HERE]
    return [Attention(None, f"{alert.title}：{alert.saw}", alert.advice) for alert in firing]


def _dead_cells(session: Session) -> Attention:
    query = select(func.count(distinct(CustomerTag.customer_id))).where(CustomerTag.dead)
    advice = "在“同步”页按原因列出；解决后在那里重新推送"
    return Attention(session.execute(query).scalar_one(), "位客户的标签同步失败", advice)


def _unknown_states(session: Session) -> Attention:
    found = channel_adoption.unknown_states(session, limit=MOST_COUNTED + 1)
    advice = "客户扫了别的工具生成的活码；用接口 POST /api/v1/channels/adopt 认领后会自动打标"
    return Attention(min(len(found), MOST_COUNTED), "个渠道 state 不认识", advice, or_more=len(found) > MOST_COUNTED)


def _since(session: Session, id_column: Any, at_column: Any, began: datetime, *only: ColumnElement[bool]) -> int:
    """Return how many rows came since a moment, of a table whose ids grow with time."""
    last_before = session.execute(
        select(id_column).where(at_column < began).order_by(id_column.desc()).limit(1)
    ).scalar_one_or_none()
    query = select(func.count(id_column)).where(id_column > (last_before or 0), *only)
    return int(session.execute(query).scalar_one())
