"""Checks of the work itself: whether somebody does it, and what was left lying."""

from collections.abc import Mapping

from wecom_app.services import robots
from wecom_app.services.alerts import list_alerts
from wecom_app.services.checkup import Finding, Patient, fail, fine, warn
from wecom_app.services.leftovers import leftovers_of

LATE_S, STOPPED_S = 60.0, 600.0


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
        left = leftovers_of(session, patient.queue)
    if not left.jobs and not left.events:
        return fine("没有处理失败的任务与回调")
    named = "、".join(f"{kind} {count} 个" for kind, count in left.jobs.most_common())
    jobs = f"处理失败的任务 {left.jobs.total()} 个{left.more}（{named}）" if left.jobs else "没有处理失败的任务"
    return warn(
        f"{jobs}，处理失败的回调 {left.events} 条",
        "用 wecom-app jobs list --state dead 看原因，解决后 wecom-app jobs replay --dead、inbox replay --failed",
    )


def alerts_and_robots(patient: Patient) -> Finding:
    """What the watch has seen, and whether somebody was told."""
    with patient.database.read() as session:
        firing = [view for view in list_alerts(session, patient.clock.now()) if view.firing]
        unsaid = robots.unsaid(session, limit=1)
    has_robots = bool(patient.settings.group_robots())
    named = "、".join(f"{view.title}（{view.saw}）" for view in firing)
    if firing:
        return warn(f"正在告警：{named}", firing[0].advice)
    if unsaid:
        return warn(f"有群消息没有送达：{unsaid[0].reason or '等待发送'}", "运行 wecom-app bot test-robot 试一试")
    if not has_robots:
        return fine("没有告警；没有设置群机器人（GROUP_ROBOT_URL），告警只在这里和接口里看得到")
    return fine("没有告警，群消息都已送达")


def _sum(counts: Mapping[tuple[str, str], int], *states: str) -> int:
    return sum(count for (_, state), count in counts.items() if state in states)
