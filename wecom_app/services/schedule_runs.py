"""The runs of schedules: begun, done by the job `schedule.run`, stopped by a person, and what came of them.

A run belongs to one job. It may be done again after a crash, as every job; its end is written down once.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select, update
from sqlalchemy.orm import Session

from wecom_app.errors import AppError, Conflict
from wecom_app.models import Schedule, ScheduleRun
from wecom_app.services.ports import CANCELLED, JobArgs, JobQueue
from wecom_app.services.progress import Progress
from wecom_app.services.runtime import Runtime
from wecom_app.services.schedule_kinds import KINDS
from wecom_app.services.schedule_states import OPEN_STATES
from wecom_app.services.upsert import ignoring

KIND = "schedule.run"
STATE_WORDS: Mapping[str, str] = {
    "waiting": "等待执行",
    "running": "正在执行",
    "done": "完成",
    "failed": "失败",
    "stopped": "已停止",
    "skipped": "跳过",
}
MOST_ERRORS = 20
"""Errors of single items that a run keeps; the others are only counted."""
TELL_EVERY_S = 1.0
STOPPED = "已按要求停止，做过的部分保留"
UNFORESEEN = "系统出错，详情见日志；会自动重试"
LOST = "没有留下结果，详情见日志"


class Stopped(Exception):
    """Somebody asked the run to stop; ends the work where it stands."""


@dataclass(frozen=True)
class RunView:
    """A run as people see it; `counts` bear their words, `errors` are pairs of item and reason."""

    id: int
    schedule_id: int
    fire_at: datetime
    asked_by: str | None
    state: str
    reason: str | None
    stop_asked: bool
    done: int
    total: int | None
    counts: Mapping[str, int]
    count_words: Sequence[tuple[str, int]]
    errors: Sequence[tuple[str, str]]
    error_count: int
    started_at: datetime | None
    finished_at: datetime | None

    @property
    def is_open(self) -> bool:
        return self.state in OPEN_STATES


def begin(session: Session, queue: JobQueue, schedule: Schedule, fire_at: datetime, asked_by: str | None) -> int | None:
    """Make the run of that moment and its job; return its id, None where that moment has one."""
    run_id = _insert(session, schedule.id, fire_at, state="waiting", asked_by=asked_by)
    if run_id is not None:
        _enqueue(session, queue, schedule.kind, run_id, {})
    return run_id


def skip(session: Session, schedule_id: int, fire_at: datetime, reason: str, now: datetime) -> None:
    """Record that the run of that moment was left out."""
    _insert(session, schedule_id, fire_at, state="skipped", reason=reason, finished_at=now)


def going(session: Session, queue: JobQueue, schedule_id: int) -> ScheduleRun | None:
    """Return the run that has not ended; one whose job has ended without a word is ended here."""
    query = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id, ScheduleRun.state.in_(OPEN_STATES))
    for run in session.scalars(query.order_by(ScheduleRun.id)):
        end = _end_of_job(session, queue, run)
        if end is None:
            return run
        run.state, run.reason = end
    session.flush()
    return None


def latest_by_clock(session: Session, schedule_id: int, until: datetime) -> datetime | None:
    """Return the latest moment, up to one, that has its run already."""
    query = select(func.max(ScheduleRun.fire_at)).where(
        ScheduleRun.schedule_id == schedule_id, ScheduleRun.asked_by.is_(None), ScheduleRun.fire_at <= until
    )
    return session.execute(query).scalar_one()


def stop(session: Session, queue: JobQueue, schedule_id: int, now: datetime) -> None:
    """End a run that waits, ask one at work to stop; raise Conflict where none is going."""
    run = going(session, queue, schedule_id)
    if run is None:
        raise Conflict("现在没有正在执行的，不用停止")
    run.stop_asked = True
    if run.job_id is not None and queue.cancel(session, run.job_id):
        run.state, run.reason, run.finished_at = "stopped", STOPPED, now


def list_runs(
    session: Session, queue: JobQueue, schedule_id: int, *, before_id: int | None = None, limit: int = 20
) -> list[RunView]:
    """Return the runs of a schedule, newest first."""
    query = select(ScheduleRun).where(ScheduleRun.schedule_id == schedule_id)
    if before_id is not None:
        query = query.where(ScheduleRun.id < before_id)
    kind = session.execute(select(Schedule.kind).where(Schedule.id == schedule_id)).scalar_one_or_none() or ""
    rows = session.scalars(query.order_by(ScheduleRun.id.desc()).limit(limit))
    return [view(session, queue, run, kind) for run in rows]


def view(session: Session, queue: JobQueue, run: ScheduleRun, kind: str) -> RunView:
    """Return a run as it stands, also where its job has ended without a word."""
    end = _end_of_job(session, queue, run) if run.state in OPEN_STATES else None
    state, reason = end or (run.state, run.reason)
    words = KINDS[kind].count_words if kind in KINDS else {}
    return RunView(
        id=run.id,
        schedule_id=run.schedule_id,
        fire_at=run.fire_at,
        asked_by=run.asked_by,
        state=state,
        reason=reason,
        stop_asked=run.stop_asked,
        done=run.done,
        total=run.total,
        counts=run.counts,
        count_words=[(words.get(name, name), count) for name, count in run.counts.items()],
        errors=[(error["item"], error["reason"]) for error in run.errors],
        error_count=run.error_count,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def run(runtime: Runtime, args: JobArgs) -> None:
    """Do the work of one run; raises what the queue is to try again, or to keep as failed."""
    run_id = int(args["run_id"])
    begun = _start(runtime, run_id)
    if begun is None:
        return
    kind_key, work_args = begun
    progress = RunProgress(runtime, run_id, args)
    try:
        progress.look()
        more = KINDS[kind_key].work(runtime, work_args, progress)
    except Stopped:
        progress.finish("stopped", STOPPED)
    except AppError as error:
        if error.retryable:
            progress.tell(error.message)
        else:
            progress.finish("failed", error.message)
        raise
    except Exception:
        progress.tell(UNFORESEEN)
        raise
    else:
        if more:
            progress.go_on(kind_key)
        else:
            progress.finish("done", None)


class RunProgress(Progress):
    """Writes down how far a run is, about once a second, and sees whether it is to stop."""

    def __init__(self, runtime: Runtime, run_id: int, args: JobArgs) -> None:
        """Begin with what earlier jobs of the same run have told."""
        self._runtime, self._run_id = runtime, run_id
        self._done: int = args.get("done", 0)
        self._total: int | None = None
        self._counts: Counter[str] = Counter(args.get("counts", {}))
        self._errors: list[dict[str, str]] = list(args.get("errors", ()))
        self._error_count: int = args.get("error_count", 0)
        self._told_at = runtime.clock.monotonic()

    def expect(self, steps: int) -> None:
        self._total = self._done + steps
        self.tell(None)

    def advance(self, steps: int = 1, **counts: int) -> None:
        self._done += steps
        for name, count in counts.items():
            self._counts[name] += count
        if self._runtime.clock.monotonic() - self._told_at >= TELL_EVERY_S:
            self.tell(None)
        self.look()

    def error(self, item: str, error: AppError) -> None:
        self._error_count += 1
        if len(self._errors) < MOST_ERRORS:
            self._errors.append({"item": item[:64], "reason": error.message[:200]})

    def look(self) -> None:
        """Raise Stopped where somebody asked for it."""
        query = select(ScheduleRun.stop_asked).where(ScheduleRun.id == self._run_id)
        with self._runtime.read() as session:
            asked = session.execute(query).scalar_one()
        if asked:
            raise Stopped

    def tell(self, reason: str | None) -> None:
        """Write down how far it is; `reason` says why it must be tried again."""
        self._told_at = self._runtime.clock.monotonic()
        self._write(reason=reason and reason[:300])

    def finish(self, state: str, reason: str | None) -> None:
        """Write down the end."""
        self._write(state=state, reason=reason and reason[:300], finished_at=self._runtime.clock.now())

    def go_on(self, kind_key: str) -> None:
        """Leave the rest to another job, so that others of the lane have their turn."""
        self._write(reason=None)
        with self._runtime.write() as session:
            _enqueue(session, self._runtime.queue, kind_key, self._run_id, self._told())

    def _write(self, **values: Any) -> None:
        values |= {**self._told(), "total": self._total}
        is_open = (ScheduleRun.id == self._run_id, ScheduleRun.state.in_(OPEN_STATES))
        with self._runtime.write() as session:
            session.execute(update(ScheduleRun).where(*is_open).values(**values))

    def _told(self) -> dict[str, Any]:
        return {
            "done": self._done,
            "counts": dict(self._counts),
            "errors": self._errors,
            "error_count": self._error_count,
        }


def _start(runtime: Runtime, run_id: int) -> tuple[str, JobArgs] | None:
    """Note that a run is at work; return its kind and what it was given, None where it has ended."""
    with runtime.write() as session:
        run = session.get(ScheduleRun, run_id, with_for_update=True)
        if run is None or run.state not in OPEN_STATES:
            return None
        run.state, run.started_at = "running", run.started_at or runtime.clock.now()
        schedule = session.get_one(Schedule, run.schedule_id)
        return schedule.kind, dict(schedule.args)


def _insert(session: Session, schedule_id: int, fire_at: datetime, **values: Any) -> int | None:
    statement = ignoring(session, ScheduleRun, ("schedule_id", "fire_at"), returning=("id",))
    row = {"schedule_id": schedule_id, "fire_at": fire_at, **values}
    found: int | None = statement.scalar(session, row)
    return found


def _enqueue(session: Session, queue: JobQueue, kind_key: str, run_id: int, told: Mapping[str, Any]) -> None:
    kind = KINDS[kind_key]
    job_id = queue.enqueue(session, KIND, {"run_id": run_id, **told}, lane=kind.lane, key=kind.job_key)
    session.execute(update(ScheduleRun).where(ScheduleRun.id == run_id).values(job_id=job_id))


def _end_of_job(session: Session, queue: JobQueue, run: ScheduleRun) -> tuple[str, str] | None:
    """Return state and reason where the job of an open run has ended: given up, cancelled, or gone."""
    job = None if run.job_id is None else queue.get_job(session, run.job_id)
    if job is not None and job.state not in ("dead", "done"):
        return None
    if job is not None and job.last_error == CANCELLED:
        return "stopped", STOPPED
    told = run.reason if run.reason != UNFORESEEN else None
    return "failed", told or (job and job.last_error) or LOST
