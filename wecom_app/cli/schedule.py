"""`schedule`: what is done by the clock, seen, changed and run from a terminal, beside a running system."""

import sys
from collections.abc import Callable, Sequence
from datetime import datetime
from typing import Any

import click

from wecom_app.cli.common import fail, with_store
from wecom_app.cli.tables import echo_json, echo_table, moment
from wecom_app.config import Settings
from wecom_app.services import audit, schedule_runs, schedules
from wecom_app.services.audit import COMMAND
from wecom_app.services.runtime import Store
from wecom_app.services.schedule_kinds import KINDS
from wecom_app.services.schedule_runs import STATE_WORDS, RunView
from wecom_app.services.schedules import ScheduleDraft, ScheduleEdit, ScheduleView
from wecom_app.web.api.schedules import read_out, schedule_out
from wecom_app.web.api.schemas_schedules import SchedulesOut

LOOK_EVERY_S = 0.5

one_id = click.argument("schedule_id", metavar="编号", type=click.IntRange(1, 2**63 - 1))
as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON，字段与接口相同。")
cron_text = click.option(
    "--cron", default=None, help="何时执行：分 时 日 月 星期，例如 '15 2 * * *'；星期 0、7 是周日。"
)
zone_name = click.option("--time-zone", default=None, help="按哪个时区，例如 Asia/Shanghai。")
grace = click.option("--grace", "misfire_grace_s", type=int, default=None, help="错过时最多晚多少秒仍补做。")
coalesce = click.option("--once/--each", "coalesce", default=None, help="错过多次时补一次，还是每次都补。")
jitter = click.option("--jitter", "jitter_s", type=int, default=None, help="随机推迟最多多少秒，避开整点与半点。")


def timing(command: Callable[..., Any]) -> Callable[..., Any]:
    """Give a command the options that say when; the parts of a draft that are not its kind and name."""
    for option in (jitter, coalesce, grace, zone_name, cron_text):
        command = option(command)
    return command


@click.group("schedule")
def schedule_group() -> None:
    """计划：何时自动做什么；修改立即生效，不用重启。"""


@schedule_group.command("list")
@as_json
@with_store
def list_all(settings: Settings, store: Store, as_json: bool) -> None:
    """列出计划、接下来五次的时间与最近一次的结果。"""
    now = store.clock.now()
    with store.read() as session:
        found = schedules.list_schedules(session, store.queue, now)
    if as_json:
        echo_json(SchedulesOut(items=[schedule_out(view) for view in found]))
        return
    if not found:
        click.echo("还没有计划：启动 wecom-app serve 会建好默认的，也可以用 wecom-app schedule add 新建")
        return
    head = ("编号", "名称", "何时", "cron", "下一次", "最近一次")
    echo_table(head, [_row(view, settings.time_zone) for view in found])
    for view in found:
        if view.enabled:
            click.echo(f"{view.id} 接下来：{_times(view.upcoming, view.time_zone, now)}")


@schedule_group.command("set")
@one_id
@click.option("--name", default=None, help="名称。")
@timing
@as_json
@with_store
def change(_settings: Settings, store: Store, schedule_id: int, name: str | None, as_json: bool, **when: Any) -> None:
    """修改一个计划，只改给出的；各进程立即生效。"""
    edit = ScheduleEdit(name, **when)
    if edit == ScheduleEdit():
        raise click.UsageError("请给出要改的，例如 --cron '15 2 * * *'")
    now = store.clock.now()
    with store.write() as session:
        schedules.edit(session, schedule_id, edit, COMMAND, now)
        audit.record_command(session, "schedule.edit", f"schedule:{schedule_id}", now=now)
    _show(store, schedule_id, as_json)


@schedule_group.command("add")
@click.argument("kind", metavar="种类", type=click.Choice(list(KINDS)))
@click.option("--name", default=None, help="名称；不给就用种类的名称。")
@timing
@as_json
@with_store
def add(settings: Settings, store: Store, kind: str, name: str | None, as_json: bool, **when: Any) -> None:
    """新建一个计划，立即生效；不给 --cron 就用这种事的默认时间。"""
    known = KINDS[kind]
    usual: dict[str, Any] = {"cron": known.cron, "time_zone": settings.time_zone}
    if when["cron"] is None:
        usual["jitter_s"] = known.jitter_s
    given = {key: value for key, value in when.items() if value is not None}
    draft = ScheduleDraft(kind, name or known.words, **{**usual, **given})
    now = store.clock.now()
    with store.write() as session:
        made = schedules.create(session, draft, COMMAND, now)
        audit.record_command(session, "schedule.create", f"schedule:{made.id}", now=now)
    _show(store, made.id, as_json)


@schedule_group.command("run")
@one_id
@click.option("--follow/--no-follow", default=True, help="等到结束并显示进度；按 Ctrl-C 只是不再看，执行不会停。")
@with_store
def run(_settings: Settings, store: Store, schedule_id: int, follow: bool) -> None:
    """立即执行一次；由正在运行的 wecom-app serve 或 worker 执行。"""
    now = store.clock.now()
    with store.write() as session:
        run_id = schedules.run_now(session, store.queue, schedule_id, COMMAND, now)
        audit.record_command(session, "schedule.run", f"schedule:{schedule_id}", now=now)
    click.echo("已开始排队", err=True)
    if not follow:
        return
    ended = _follow(store, schedule_id, run_id)
    click.echo(_result(ended))
    for item, reason in ended.errors:
        click.echo(f"  {item}：{reason}", err=True)
    if ended.state != "done":
        fail(ended.reason or STATE_WORDS[ended.state])


@schedule_group.command("stop")
@one_id
@with_store
def stop(_settings: Settings, store: Store, schedule_id: int) -> None:
    """停止正在执行的一次；做完手上的一步就停，做过的部分保留。"""
    now = store.clock.now()
    with store.write() as session:
        schedules.get(session, schedule_id, lock=True)
        schedule_runs.stop(session, store.queue, schedule_id, now)
        audit.record_command(session, "schedule.stop", f"schedule:{schedule_id}", now=now)
    click.echo(f"{schedule_id}：已要求停止")


@schedule_group.command("pause")
@one_id
@with_store
def pause(_settings: Settings, store: Store, schedule_id: int) -> None:
    """暂停一个计划；正在执行的不受影响。"""
    now = store.clock.now()
    with store.write() as session:
        schedules.pause(session, schedule_id, COMMAND, now)
        audit.record_command(session, "schedule.pause", f"schedule:{schedule_id}", now=now)
    click.echo(f"{schedule_id}：已暂停，用 wecom-app schedule resume {schedule_id} 继续")


@schedule_group.command("resume")
@one_id
@as_json
@with_store
def resume(_settings: Settings, store: Store, schedule_id: int, as_json: bool) -> None:
    """继续一个暂停的计划，从现在算起。"""
    now = store.clock.now()
    with store.write() as session:
        schedules.resume(session, schedule_id, COMMAND, now)
        audit.record_command(session, "schedule.resume", f"schedule:{schedule_id}", now=now)
    _show(store, schedule_id, as_json)


@schedule_group.command("remove")
@one_id
@with_store
def remove(_settings: Settings, store: Store, schedule_id: int) -> None:
    """删除一个计划；在后台的计划页可以撤销。"""
    now = store.clock.now()
    with store.write() as session:
        schedules.remove(session, store.queue, schedule_id, COMMAND, now)
        audit.record_command(session, "schedule.remove", f"schedule:{schedule_id}", now=now)
    click.echo(f"{schedule_id}：已删除")


def _follow(store: Store, schedule_id: int, run_id: int) -> RunView:
    """Show a bar until the run has ended; where steps are not known, only what was counted."""
    shown: Any = click.progressbar(length=1, label="等待执行", file=sys.stderr)
    with shown as bar:
        while True:
            seen = _run(store, schedule_id, run_id)
            bar.label = STATE_WORDS[seen.state]
            bar.length = seen.total or max(seen.done, 1)
            bar.update(min(seen.done, bar.length) - bar.pos)
            bar.render_progress()
            if not seen.is_open:
                return seen
            store.clock.sleep_until(store.clock.monotonic() + LOOK_EVERY_S)


def _run(store: Store, schedule_id: int, run_id: int) -> RunView:
    with store.read() as session:
        (found,) = schedule_runs.list_runs(session, store.queue, schedule_id, before_id=run_id + 1, limit=1)
    return found


def _show(store: Store, schedule_id: int, as_json: bool) -> None:
    found = read_out(store, schedule_id)
    if as_json:
        echo_json(found)
        return
    state = "" if found.enabled else "（已暂停）"
    click.echo(f"{found.id} {found.name}{state}：{found.words}（{found.cron}）")
    if found.enabled:
        click.echo(f"接下来：{_times(found.upcoming, found.time_zone, store.clock.now())}")


def _row(view: ScheduleView, zone: str) -> tuple[str, ...]:
    following = moment(view.next_at, zone) if view.enabled else "已暂停"
    last = "" if view.last_run is None else _result(view.last_run, zone)
    return str(view.id), view.name, view.words, view.cron, following, last


def _result(run: RunView, zone: str | None = None) -> str:
    counts = "，".join(f"{words} {count}" for words, count in run.count_words)
    wrong = f"{run.error_count} 处出错" if run.error_count else ""
    at = moment(run.fire_at, zone) if zone else ""
    return " ".join(part for part in (at, STATE_WORDS[run.state], counts, wrong) if part)


def _times(upcoming: Sequence[datetime], zone: str, now: datetime) -> str:
    """Return the times to the minute; the year stands where it is not the present one."""
    year = moment(now, zone)[:4]
    return "、".join(moment(time, zone)[:16].removeprefix(f"{year}-") for time in upcoming)
