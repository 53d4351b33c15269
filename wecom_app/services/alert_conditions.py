"""What people must be told of, as a table: how each condition is measured, and what to do about it.

Nothing here names a customer or a member: what is said goes to a group.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.durations import span_words
from wecom_app.models import CustomerTag, InboxEvent, Schedule, ScheduleRun, SyncRun, Welcome
from wecom_app.services import library_limits, robots, run_history, schedule_times
from wecom_app.services.disk import LOW_SHARE, Room
from wecom_app.services.leftovers import leftovers_of
from wecom_app.services.ports import JobQueue
from wecom_app.services.run_words import KIND_WORDS
from wecom_app.services.schedule_states import LIVE, OPEN_STATES
from wecom_app.services.wecom_status import TokenState

INBOX_AGE = timedelta(seconds=60)
WELCOME_PERIOD = timedelta(hours=1)
WELCOME_MISS_RATE = 0.01
MISSED, SENT = ("expired", "failed"), ("sent",)
SKEW_S = 30.0
SKEW_PERIOD = timedelta(minutes=10)
SKEW_EVENTS = 50
RARELY = timedelta(minutes=5)
DIFFERENCES_PERIOD = timedelta(days=1)
DIFFERENCES_SHARE = 0.001
FEWEST_DIFFERENCES = 10
"""Fewer are no trouble in a small company, whatever their share."""


@dataclass(frozen=True)
class Scene:
    """What the conditions are measured on."""

    session: Session
    queue: JobQueue
    now: datetime
    token: TokenState
    room: Room | None


@dataclass(frozen=True)
class Reading:
    """A condition that holds: how bad it is (a count, or 1) and what was seen."""

    level: int
    saw: str


@dataclass(frozen=True)
class Condition:
    key: str
    title: str
    advice: str
    measure: Callable[[Scene], Reading | None]


def _inbox_age(scene: Scene) -> Reading | None:
    query = select(func.min(InboxEvent.received_at), func.count()).where(InboxEvent.state == "waiting")
    oldest, count = scene.session.execute(query).one()
    if oldest is None or scene.now - oldest <= INBOX_AGE:
        return None
    return Reading(1, f"{count} 条回调等待处理，最早的一条已等 {span_words(scene.now - oldest)}")


def _welcome_misses(scene: Scene) -> Reading | None:
    query = (
        select(Welcome.status, func.count().label("messages"))
        .where(Welcome.received_at > scene.now - WELCOME_PERIOD, Welcome.status.in_((*MISSED, *SENT)))
        .group_by(Welcome.status)
    )
    counts = {row.status: row.messages for row in scene.session.execute(query)}
    missed, total = sum(counts.get(status, 0) for status in MISSED), sum(counts.values())
    if not missed or missed / total <= WELCOME_MISS_RATE:
        return None
    return Reading(1, f"最近一小时 {total} 条欢迎语中 {missed} 条没有送达")


def _dead_jobs(scene: Scene) -> Reading | None:
    left = leftovers_of(scene.session, scene.queue)
    # A robot that is down is told of by what it left unsaid; telling the robot of it would go round in circles.
    jobs = left.jobs.total() - left.jobs[robots.SEND_KIND]
    if not jobs and not left.events:
        return None
    return Reading(jobs + left.events, f"处理失败的任务 {jobs} 个{left.more}，处理失败的回调 {left.events} 条")


def _dead_cells(scene: Scene) -> Reading | None:
    query = select(func.count()).select_from(CustomerTag).where(CustomerTag.dead)
    count = scene.session.execute(query).scalar_one()
    return Reading(count, f"{count} 个标签没能推送到企业微信") if count else None


def _held_runs(scene: Scene) -> Reading | None:
    held = list(scene.session.scalars(select(SyncRun).where(SyncRun.state == "held").order_by(SyncRun.id)))
    named = "、".join(f"{KIND_WORDS[run.kind]}（编号 {run.id}）" for run in held)
    return Reading(len(held), f"等待确认的同步：{named}") if held else None


def _tag_limit(scene: Scene) -> Reading | None:
    count = library_limits.waiting_tags(scene.session)
    return Reading(count, f"企业标签数量已达上限，{count} 个标签没能在企业微信创建") if count else None


def _differences(scene: Scene) -> Reading | None:
    """What the last full pull found to differ, of so many friendships; a first link finds everything new."""
    query = select(SyncRun).where(SyncRun.kind == "pull", SyncRun.state == "done", SyncRun.first_link.is_(False))
    recent = query.where(SyncRun.finished_at > scene.now - DIFFERENCES_PERIOD)
    run = scene.session.scalars(recent.order_by(SyncRun.id.desc()).limit(1)).first()
    if run is None:
        return None
    counts = run_history.counts_of(scene.session, [run])[run.id]
    found = counts["adopted"] + counts["removals"] + counts["absent"]
    if found < FEWEST_DIFFERENCES or found <= counts["contacts"] * DIFFERENCES_SHARE:
        return None
    return Reading(found, f"全量同步（编号 {run.id}）核对 {counts['contacts']} 条好友关系，发现 {found} 处不一致")


def _late_schedules(scene: Scene) -> Reading | None:
    """Schedules whose run has not come to its end though two more times have passed."""
    query = (
        select(Schedule, func.min(ScheduleRun.fire_at))
        .join(ScheduleRun, ScheduleRun.schedule_id == Schedule.id)
        .where(*LIVE, ScheduleRun.state.in_(OPEN_STATES))
        .group_by(Schedule.id)
        .order_by(Schedule.id)
    )
    late = [
        schedule.name
        for schedule, moment in scene.session.execute(query)
        if _has_missed_two(schedule, moment, scene.now)
    ]
    return Reading(len(late), f"到了后面两次的时间还没做完：{'、'.join(late)}") if late else None


def _has_missed_two(schedule: Schedule, moment: datetime, now: datetime) -> bool:
    for _ in range(2):
        moment = schedule_times.moment_after(schedule.id, schedule.cron, schedule.time_zone, schedule.jitter_s, moment)
    return moment <= now


def _token(scene: Scene) -> Reading | None:
    """Refused tokens, and the circuit that opens after three of them, are one trouble and one message."""
    token = scene.token
    is_open = token.blocked_until is not None and token.blocked_until > scene.now
    if not token.refusals and not is_open:
        return None
    return Reading(1, f"取不到访问令牌：{token.last_error or '企业微信拒绝了请求'}"[:280])


def _clock_skew(scene: Scene) -> Reading | None:
    """The least delay between WeCom's CreateTime and our receipt: traffic alone never makes it negative, or large."""
    newest = (
        select(InboxEvent.received_at, InboxEvent.occurred_at)
        .where(InboxEvent.occurred_at.is_not(None), InboxEvent.deliveries == 1)
        .order_by(InboxEvent.id.desc())
        .limit(SKEW_EVENTS)
    )
    delays = [
        (received - occurred).total_seconds()
        for received, occurred in scene.session.execute(newest)
        if received > scene.now - SKEW_PERIOD and occurred is not None
    ]
    least = min(delays, default=0.0)
    if abs(least) <= SKEW_S:
        return None
    return Reading(1, f"本机时钟比企业微信{'快' if least > 0 else '慢'}约 {span_words(timedelta(seconds=abs(least)))}")


def _disk(scene: Scene) -> Reading | None:
    if scene.room is None or scene.room.share >= LOW_SHARE:
        return None
    return Reading(1, f"数据库所在磁盘只剩 {scene.room.share:.0%}（{scene.room.free / 2**30:.1f} GB）")


CONDITIONS: Sequence[Condition] = (
    Condition("inbox_age", "回调积压", "看 worker 是否在运行、数据库是否繁忙", _inbox_age),
    Condition("welcome_misses", "欢迎语未送达", "在渠道页看原因；多为成员未实名、时限已过或调用受限", _welcome_misses),
    Condition("dead_jobs", "处理失败", "wecom-app jobs list --state dead 看原因，解决后重新执行", _dead_jobs),
    Condition("dead_cells", "标签推送失败", "在客户页看原因，解决后重新推送", _dead_cells),
    Condition(
        "held_runs",
        "同步等待确认",
        "在后台的“同步”页或用 wecom-app sync status 看预览，再确认或拒绝",
        _held_runs,
    ),
    Condition("tag_limit", "标签数量上限", "在企业微信后台清理不用的标签，再在标签库点“重试”", _tag_limit),
    Condition(
        "differences", "两边不一致", "多半是回调丢了：运行 wecom-app doctor 检查回调地址，明细在“同步”页", _differences
    ),
    Condition(
        "late_schedules", "计划延误", "在“计划”页看进行到哪一步；卡住时先停止，再看 worker 是否在运行", _late_schedules
    ),
    Condition("token", "访问令牌", "核对 WECOM_SECRET 与可信 IP，可运行 wecom-app doctor", _token),
    Condition("clock_skew", "时钟偏差", "给服务器校时（NTP）：欢迎语的时限按时钟计算", _clock_skew),
    Condition("disk", "磁盘空间", "尽快清理磁盘：写满后系统会拒收回调", _disk),
)
TITLES = {condition.key: condition.title for condition in CONDITIONS}
ADVICE = {condition.key: condition.advice for condition in CONDITIONS}


def measure(scene: Scene) -> dict[str, Reading]:
    """Return the conditions that hold."""
    found = {condition.key: condition.measure(scene) for condition in CONDITIONS}
    return {key: reading for key, reading in found.items() if reading is not None}
