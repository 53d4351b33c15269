"""Schedules: what is done by the clock and when; made, changed, paused and fired.

Any number of processes call `fire_due`; each time fires once, in whichever gets there first. Nothing about schedules
is kept in memory, so a change holds in every process from its commit on.
"""

from collections.abc import Sequence
from dataclasses import dataclass, fields
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain import cron
from wecom_app.domain.durations import span_words
from wecom_app.errors import Conflict, InvalidInput, NotFound, StaleEdit
from wecom_app.models import Schedule, ScheduleRun
from wecom_app.services import schedule_runs, schedule_times
from wecom_app.services.ports import JobQueue
from wecom_app.services.runtime import Store
from wecom_app.services.schedule_kinds import KINDS
from wecom_app.services.schedule_runs import RunView
from wecom_app.services.schedule_states import LIVE, OPEN_STATES
from wecom_app.services.upsert import insert_ignore

AT_ONCE = 200
"""Due times that one call fires; the next call, seconds later, goes on."""
LONGEST_GRACE_S, LONGEST_JITTER_S = 7 * 86_400, 6 * 3_600
MAX_NAME = 40
GRACE_S = 12 * 3_600
"""How late a default may still run: a night's work is done in the morning where the server was off."""
SYSTEM = "system"
STILL_GOING = "上一次还没有结束"
TIMING = ("cron", "time_zone", "jitter_s")

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class ScheduleDraft:
    """What a person decides about a schedule; times in seconds."""

    kind: str
    name: str
    cron: str
    time_zone: str
    misfire_grace_s: int = GRACE_S
    coalesce: bool = True
    jitter_s: int = 0


@dataclass(frozen=True)
class ScheduleEdit:
    """What to change; None leaves it as it is."""

    name: str | None = None
    cron: str | None = None
    time_zone: str | None = None
    misfire_grace_s: int | None = None
    coalesce: bool | None = None
    jitter_s: int | None = None


@dataclass(frozen=True)
class ScheduleView:
    """A schedule as people see it; `upcoming` is without jitter, `next_at` with it."""

    id: int
    kind: str
    kind_words: str
    name: str
    cron: str
    words: str
    upcoming: Sequence[datetime]
    time_zone: str
    enabled: bool
    misfire_grace_s: int
    coalesce: bool
    jitter_s: int
    next_at: datetime | None
    version: int
    updated_by: str
    updated_at: datetime
    last_run: RunView | None
    last_at: datetime | None
    """When its time last came, with or without work."""

    @property
    def is_going(self) -> bool:
        return self.last_run is not None and self.last_run.is_open

    @property
    def idle_at(self) -> datetime | None:
        """When its time last came and there was nothing to do, where no run was later."""
        run = self.last_run
        if run is None or self.last_at is None:
            return self.last_at
        seen = run.started_at or run.finished_at or run.fire_at
        return None if run.is_open or seen >= self.last_at else self.last_at


def ensure_defaults(store: Store, time_zone: str) -> None:
    """Make the schedules that a deployment begins with; one that a person changed or removed stays as he left it."""
    defaults = {key: kind for key, kind in KINDS.items() if kind.is_default}
    with store.read() as session:
        if set(defaults) <= set(session.scalars(select(Schedule.seed).where(Schedule.seed.is_not(None)))):
            return
    now = store.clock.now()
    rows: list[dict[str, Any]] = [
        {
            "seed": key,
            "kind": key,
            "name": kind.words,
            "cron": kind.cron,
            "time_zone": time_zone,
            "enabled": kind.starts_enabled,
            "args": {},
            "misfire_grace_s": GRACE_S,
            "coalesce": True,
            "jitter_s": kind.jitter_s,
            "next_at": None,
            "version": 1,
            "created_by": SYSTEM,
            "updated_by": SYSTEM,
            "created_at": now,
            "updated_at": now,
        }
        for key, kind in defaults.items()
    ]
    with store.write() as session:
        insert_ignore(session, Schedule, rows, ["seed"])
        # A jitter depends on the id, which the database has given by now.
        for made in session.scalars(select(Schedule).where(*LIVE, Schedule.next_at.is_(None))):
            made.next_at = _moment_after(made, now)


def fire_due(store: Store) -> None:
    """Fire what is due; called every few seconds by every working process."""
    now = store.clock.now()
    # Fired later than now: the clock was put back since. What it has put off too far is brought forward again.
    query = select(Schedule.id, Schedule.next_at).where(*LIVE, or_(Schedule.next_at <= now, Schedule.last_at > now))
    with store.read() as session:
        due = session.execute(query.order_by(Schedule.next_at, Schedule.id).limit(AT_ONCE)).all()
    for schedule_id, moment in due:
        with store.write() as session:
            _fire(session, store, schedule_id, moment, now)


def create(session: Session, draft: ScheduleDraft, actor: str, now: datetime) -> Schedule:
    """Make a schedule that is in force at once; raise InvalidInput, naming each field that is wrong."""
    _check(draft)
    made = Schedule(
        **{**vars(draft), "cron": cron.parse(draft.cron).text},
        enabled=True,
        args={},
        version=1,
        created_by=actor,
        updated_by=actor,
        created_at=now,
        updated_at=now,
    )
    session.add(made)
    session.flush()
    made.next_at = _moment_after(made, now)
    session.flush()
    return made


def edit(
    session: Session, schedule_id: int, changes: ScheduleEdit, actor: str, now: datetime, *, version: int | None = None
) -> Schedule:
    """Change what is given; raise NotFound, InvalidInput, and StaleEdit where `version` is not the present one."""
    schedule = get(session, schedule_id, lock=True)
    if version is not None and version != schedule.version:
        raise StaleEdit(details={"version": schedule.version})
    given = {name: value for name, value in vars(changes).items() if value is not None}
    draft = ScheduleDraft(**{field.name: getattr(schedule, field.name) for field in fields(ScheduleDraft)} | given)
    _check(draft)
    values = {**vars(draft), "cron": cron.parse(draft.cron).text}
    changed = {name: value for name, value in values.items() if getattr(schedule, name) != value}
    if not changed:
        return schedule
    _touch(schedule, actor, now, **changed)
    if schedule.enabled and changed.keys() & set(TIMING):
        schedule.next_at = _moment_after(schedule, now)
    session.flush()
    return schedule


def pause(session: Session, schedule_id: int, actor: str, now: datetime) -> Schedule:
    """Have it fire no more until it is resumed; a run under way goes on."""
    schedule = get(session, schedule_id, lock=True)
    if schedule.enabled:
        _touch(schedule, actor, now, enabled=False, next_at=None)
    return schedule


def resume(session: Session, schedule_id: int, actor: str, now: datetime) -> Schedule:
    """Have it fire again, from now on; what was due meanwhile is not made up for."""
    schedule = get(session, schedule_id, lock=True)
    if not schedule.enabled:
        _touch(schedule, actor, now, enabled=True, next_at=_moment_after(schedule, now))
    return schedule


def remove(session: Session, queue: JobQueue, schedule_id: int, actor: str, now: datetime) -> None:
    """Take it away; raise Conflict while a run is under way."""
    schedule = get(session, schedule_id, lock=True)
    if schedule_runs.going(session, queue, schedule_id) is not None:
        raise Conflict("正在执行，请先停止再删除")
    _touch(schedule, actor, now, deleted_at=now, next_at=None)


def restore(session: Session, schedule_id: int, actor: str, now: datetime) -> Schedule:
    """Bring a removed one back as it was; raise NotFound."""
    schedule = session.get(Schedule, schedule_id, with_for_update=True)
    if schedule is None:
        raise NotFound("没有这个计划")
    if schedule.deleted_at is not None:
        following = _moment_after(schedule, now) if schedule.enabled else None
        _touch(schedule, actor, now, deleted_at=None, next_at=following)
    return schedule


def run_now(session: Session, queue: JobQueue, schedule_id: int, actor: str, now: datetime) -> int:
    """Begin a run that nobody waited for; return its id. Raises Conflict where one is under way."""
    schedule = get(session, schedule_id, lock=True)
    going = schedule_runs.going(session, queue, schedule_id)
    run_id = None if going else schedule_runs.begin(session, queue, schedule, now, actor)
    if run_id is None:
        raise Conflict("正在执行，等这一次结束后再试")
    return run_id


def get(session: Session, schedule_id: int, *, lock: bool = False) -> Schedule:
    """Return one schedule; raise NotFound."""
    schedule = session.get(Schedule, schedule_id, with_for_update=lock or None)
    if schedule is None or schedule.deleted_at is not None:
        raise NotFound("没有这个计划")
    return schedule


def list_schedules(session: Session, queue: JobQueue, now: datetime) -> list[ScheduleView]:
    """Return all schedules, in the order in which they were made."""
    found = session.scalars(select(Schedule).where(Schedule.deleted_at.is_(None)).order_by(Schedule.id))
    return [view(session, queue, schedule, now) for schedule in found]


def list_removed(session: Session, *, limit: int = 20) -> list[Schedule]:
    """Return those that were taken away, the latest first."""
    query = select(Schedule).where(Schedule.deleted_at.is_not(None)).order_by(Schedule.deleted_at.desc(), Schedule.id)
    return list(session.scalars(query.limit(limit)))


def view(session: Session, queue: JobQueue, schedule: Schedule, now: datetime) -> ScheduleView:
    """Return a schedule with its words, its next times and its last run."""
    newest = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule.id).order_by(ScheduleRun.id.desc()).limit(1)
    # While a run is at work, times that it makes others miss are not what people look for.
    at_work = newest.where(ScheduleRun.state.in_(OPEN_STATES))
    run = session.scalars(at_work).first() or session.scalars(newest).first()
    shown = schedule_times.preview(schedule.cron, schedule.time_zone, now)
    kind = KINDS.get(schedule.kind)
    return ScheduleView(
        id=schedule.id,
        kind=schedule.kind,
        kind_words=kind.words if kind else schedule.kind,
        name=schedule.name,
        cron=schedule.cron,
        words=shown.words,
        upcoming=shown.upcoming if schedule.enabled else (),
        time_zone=schedule.time_zone,
        enabled=schedule.enabled,
        misfire_grace_s=schedule.misfire_grace_s,
        coalesce=schedule.coalesce,
        jitter_s=schedule.jitter_s,
        next_at=schedule.next_at,
        version=schedule.version,
        updated_by=schedule.updated_by,
        updated_at=schedule.updated_at,
        last_run=None if run is None else schedule_runs.view(session, queue, run, schedule.kind),
        last_at=schedule.last_at,
    )


def _fire(session: Session, store: Store, schedule_id: int, moment: datetime | None, now: datetime) -> None:
    # Whoever holds the row is firing or changing it; what he leaves is seen by the next call.
    lock = {"skip_locked": True}
    schedule = session.get(Schedule, schedule_id, with_for_update=lock, populate_existing=True)
    if schedule is None or moment is None or schedule.next_at != moment:
        return
    latest = schedule_runs.latest_by_clock(session, schedule_id, now)
    if moment > now:
        following = _moment_after(schedule, now)
        if following < moment:
            _take(session, schedule, moment, following)
    elif latest is not None and latest >= moment:
        # The clock was put back to before runs that were done, and is right again.
        following = _moment_after(schedule, latest)
        if _take(session, schedule, moment, following) and following <= now:
            _fire(session, store, schedule_id, following, now)
    else:
        _fire_at(session, store, schedule, moment, now)


def _fire_at(session: Session, store: Store, schedule: Schedule, moment: datetime, now: datetime) -> None:
    is_late = now - moment > timedelta(seconds=schedule.misfire_grace_s)
    going = None if is_late else schedule_runs.going(session, store.queue, schedule.id)
    if going is not None and not schedule.coalesce:
        # Each missed time has its turn, one after another, as long as its grace lasts.
        return
    if not _take(session, schedule, moment, _following(schedule, moment, now, is_late), now):
        return
    if is_late:
        reason = f"晚了 {span_words(now - moment)}，超过允许的时间，没有补做"
        schedule_runs.skip(session, schedule.id, moment, reason, now)
    elif going is not None:
        schedule_runs.skip(session, schedule.id, moment, STILL_GOING, now)
    else:
        _begin(session, store, schedule, moment, now)


def _begin(session: Session, store: Store, schedule: Schedule, moment: datetime, now: datetime) -> None:
    kind = KINDS.get(schedule.kind)
    if kind is None:
        schedule_runs.skip(session, schedule.id, moment, "这个版本的程序不认识这种计划", now)
    elif kind.has_work(session, now):
        schedule_runs.begin(session, store.queue, schedule, moment, None)


def _following(schedule: Schedule, moment: datetime, now: datetime, is_late: bool) -> datetime:
    """Return the time after the one that is taken; after times too late to run, the first that is not."""
    if is_late:
        return _moment_after(schedule, max(moment, now - timedelta(seconds=schedule.misfire_grace_s)))
    return _moment_after(schedule, now if schedule.coalesce else moment)


def _take(
    session: Session, schedule: Schedule, moment: datetime, following: datetime, last_at: datetime | None = None
) -> bool:
    """Move the schedule on, unless somebody else has done so or has changed it; return whether it was us."""
    values: dict[str, Any] = {"next_at": following}
    if last_at is not None:
        values["last_at"] = last_at
    taken = (
        update(Schedule)
        .where(Schedule.id == schedule.id, Schedule.next_at == moment, Schedule.version == schedule.version, *LIVE)
        .values(**values)
    )
    return int(session.connection().execute(taken).rowcount) == 1


def _moment_after(schedule: Schedule, after: datetime) -> datetime:
    return schedule_times.moment_after(schedule.id, schedule.cron, schedule.time_zone, schedule.jitter_s, after)


def _touch(schedule: Schedule, actor: str, now: datetime, **values: Any) -> None:
    for name, value in values.items():
        setattr(schedule, name, value)
    schedule.version, schedule.updated_by, schedule.updated_at = schedule.version + 1, actor, now


def _check(draft: ScheduleDraft) -> None:
    wrong: dict[str, object] = {}
    if draft.kind not in KINDS:
        wrong["kind"] = "请选择要做的事"
    if not 1 <= len(draft.name.strip()) <= MAX_NAME:
        wrong["name"] = f"名称要有 1 到 {MAX_NAME} 个字"
    if not 0 <= draft.misfire_grace_s <= LONGEST_GRACE_S:
        wrong["misfire_grace_s"] = "允许晚 0 到 7 天"
    if not 0 <= draft.jitter_s <= LONGEST_JITTER_S:
        wrong["jitter_s"] = "随机推迟 0 到 6 小时"
    for check in (
        lambda: schedule_times.check_zone(draft.time_zone),
        lambda: cron.parse(draft.cron),
        lambda: schedule_times.check_jitter(draft.cron, min(draft.jitter_s, LONGEST_JITTER_S)),
    ):
        try:
            check()
        except InvalidInput as error:
            wrong |= error.details or {}
    if wrong:
        raise InvalidInput(str(next(iter(wrong.values()))), details=wrong)
