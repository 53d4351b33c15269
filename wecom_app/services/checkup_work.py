"""Checks of the work itself: whether somebody does it, and what was left lying."""

from collections import Counter
from collections.abc import Mapping

from sqlalchemy import func, select

from wecom_app.models import InboxEvent
from wecom_app.services.checkup import Finding, Patient, fail, fine, warn
from wecom_app.services.ports import CANCELLED

LATE_S, STOPPED_S = 60.0, 600.0
MOST_COUNTED = 1_000


def workers(patient: Patient) -> Finding:
    """Jobs that are due do not wait long: from another process that is all that shows somebody works."""
    due = patient.queue.next_due()
    with patient.database.read() as session:
        counts = patient.queue.count_by_state(session)
    running, waiting = _sum(counts, "running"), _sum(counts, "waiting", "retrying")
    late_s = 0.0 if due is None else (patient.clock.now() - due).total_seconds()
    if late_s <= LATE_S:
        return fine(f"任务没有积压：{running} 个正在执行，{waiting} 个等待")
    saw = f"最早的任务到期后已等待 {late_s / 60:.0f} 分钟：{running} 个正在执行，{waiting} 个等待"
    if late_s <= STOPPED_S:
        return warn(saw, "任务处理得慢：查看日志，或增加 worker 进程")
    return fail(saw, "看来没有进程在执行任务：启动 wecom-app serve（不带 --no-worker）或 wecom-app worker")


def leftovers(patient: Patient) -> Finding:
    """What failed for good waits for a person."""
    with patient.database.read() as session:
        page = patient.queue.list_jobs(session, state="dead", limit=MOST_COUNTED)
        failed = session.execute(
            select(func.count()).select_from(InboxEvent).where(InboxEvent.state == "failed")
        ).scalar_one()
    kinds = Counter(job.kind for job in page.items if job.last_error != CANCELLED)
    if not kinds and not failed:
        return fine("没有处理失败的任务与回调")
    more = "以上" if page.next_cursor is not None else ""
    named = "、".join(f"{kind} {count} 个" for kind, count in kinds.most_common())
    jobs = f"处理失败的任务 {kinds.total()} 个{more}（{named}）" if kinds else "没有处理失败的任务"
    return warn(
        f"{jobs}，处理失败的回调 {failed} 条",
        "用 wecom-app jobs list --state dead 看原因，解决后 wecom-app jobs replay --dead、inbox replay --failed",
    )


def _sum(counts: Mapping[tuple[str, str], int], *states: str) -> int:
    return sum(count for (_, state), count in counts.items() if state in states)
