"""`inbox` and `jobs`: looking at callbacks and jobs, and putting right what failed.

They work on the database while `serve` runs, and need no settings of WeCom.
"""

from collections.abc import Callable, Mapping, Sequence
from typing import TypeVar

import click

from wecom_app.cli.common import fail, with_store
from wecom_app.cli.tables import echo_json, echo_table, moment
from wecom_app.config import Settings
from wecom_app.errors import AppError
from wecom_app.services import inbox, repair
from wecom_app.services.inbox import EventView
from wecom_app.services.jobs import JOB_KINDS
from wecom_app.services.ports import JobView
from wecom_app.services.repair import JOB_STATES, Bulk
from wecom_app.services.runtime import Store
from wecom_app.web.api.repair import inbox_out, job_out
from wecom_app.web.api.schemas import InboxOut, JobOut, Page
from wecom_app.web.api.schemas_repair import InboxDetailOut

EVENT_STATES: Mapping[str, str] = {
    "waiting": "等待处理",
    "done": "已处理",
    "ignored": "无需处理",
    "failed": "处理失败",
}

Id = TypeVar("Id", int, str)

as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON，字段与接口相同。")
how_many = click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="最多列出多少条。")
before = click.option("--before", type=click.IntRange(1), default=None, help="只列编号更小的，用于翻页。")
one_id = click.argument("one", metavar="编号", type=click.IntRange(1, 2**63 - 1))
several_ids = click.argument("several", metavar="编号...", nargs=-1, type=click.IntRange(1, 2**63 - 1))
of_kind = click.option("--kind", type=click.Choice(list(JOB_KINDS)), default=None, help="只看一种任务。")


@click.group("inbox")
def inbox_group() -> None:
    """收到的回调事件：查看与重新处理。"""


@inbox_group.command("list")
@click.option("--state", type=click.Choice(list(EVENT_STATES)), default=None, help="只看一种状态。")
@how_many
@before
@as_json
@with_store
def list_inbox(
    settings: Settings, store: Store, state: str | None, limit: int, before: int | None, as_json: bool
) -> None:
    """列出回调事件，新的在前。"""
    with store.read() as session:
        found = inbox.list_events(session, state=state, before_id=before, limit=limit + 1)
    shown, more = found[:limit], len(found) > limit
    following = str(shown[-1].id) if more else None
    if as_json:
        echo_json(Page[InboxOut](items=[inbox_out(view) for view in shown], next_cursor=following))
        return
    head = ("编号", "收到时间", "事件", "对象", "状态", "次数", "原因")
    echo_table(head, [_event_row(view, settings.time_zone) for view in shown])
    _say_more(following)


@inbox_group.command("show")
@one_id
@as_json
@with_store
def show_event(settings: Settings, store: Store, one: int, as_json: bool) -> None:
    """显示一条回调事件及其内容；欢迎语凭证不显示。"""
    with store.read() as session:
        found = repair.get_event(session, one)
    if as_json:
        echo_json(InboxDetailOut.model_validate(found, from_attributes=True))
        return
    _echo_fields(
        {
            "编号": str(found.id),
            "事件": f"{found.event} {found.change_type}".strip(),
            "对象": found.subject,
            "状态": EVENT_STATES[found.state],
            "收到": f"{moment(found.received_at, settings.time_zone)}，共 {found.deliveries} 次",
            "处理": moment(found.handled_at, settings.time_zone),
            "原因": found.error or "",
        }
    )
    if found.fields is None:
        click.echo("内容：已过保留期")
    else:
        click.echo("内容：")
        echo_json(dict(found.fields))


@inbox_group.command("replay")
@several_ids
@click.option("--failed", is_flag=True, help="所有处理失败的回调。")
@as_json
@with_store
def replay_inbox(_settings: Settings, store: Store, several: tuple[int, ...], failed: bool, as_json: bool) -> None:
    """重新处理回调；重复多次，效果只有一次。"""
    _choose(several, failed, "--failed")
    if failed:
        _replay_all(lambda cursor: repair.replay_failed_events(store, after_id=cursor), as_json)
        return

    def replay(event_id: int) -> str:
        with store.write() as session:
            job_id = repair.replay_event(session, store.queue, event_id)
        return "已在等待处理" if job_id is None else "已重新排队"

    each(several, replay, as_json)


@click.group("jobs")
def jobs_group() -> None:
    """任务：查看、重新执行与取消；state=dead 是处理失败的。

    推送失败的标签没有失败的任务：用 wecom-app sync failures 查看，用 wecom-app sync revive 重新推送。
    """


@jobs_group.command("list")
@click.option("--state", type=click.Choice(list(JOB_STATES)), default=None, help="只看一种状态。")
@of_kind
@how_many
@before
@as_json
@with_store
def list_jobs(
    settings: Settings,
    store: Store,
    state: str | None,
    kind: str | None,
    limit: int,
    before: int | None,
    as_json: bool,
) -> None:
    """列出任务，新的在前。"""
    with store.read() as session:
        page = store.queue.list_jobs(session, state=state, kind=kind, before_id=before, limit=limit)
    following = None if page.next_cursor is None else str(page.next_cursor)
    if as_json:
        echo_json(Page[JobOut](items=[job_out(view) for view in page.items], next_cursor=following))
        return
    head = ("编号", "任务", "队列", "状态", "次数", "执行时间", "原因")
    echo_table(head, [_job_row(view, settings.time_zone) for view in page.items])
    _say_more(following)


@jobs_group.command("show")
@one_id
@as_json
@with_store
def show_job(settings: Settings, store: Store, one: int, as_json: bool) -> None:
    """显示一个任务。"""
    with store.read() as session:
        found = repair.get_job(session, store.queue, one)
    if as_json:
        echo_json(job_out(found))
        return
    zone = settings.time_zone
    _echo_fields(
        {
            "编号": str(found.id),
            "任务": f"{found.kind}（队列 {found.lane}）",
            "状态": f"{JOB_STATES[found.state]}，已执行 {found.attempts} 次",
            "参数": "，".join(f"{name}={value}" for name, value in found.args.items()),
            "建立": moment(found.created_at, zone),
            "执行": moment(found.run_at, zone),
            "结束": moment(found.finished_at, zone),
            "原因": found.last_error or "",
        }
    )


@jobs_group.command("replay")
@several_ids
@click.option("--dead", is_flag=True, help="所有处理失败的任务，人为取消的除外。")
@of_kind
@as_json
@with_store
def replay_jobs(
    _settings: Settings, store: Store, several: tuple[int, ...], dead: bool, kind: str | None, as_json: bool
) -> None:
    """重新执行处理失败的任务。"""
    _choose(several, dead, "--dead")
    if kind is not None and not dead:
        raise click.UsageError("--kind 要与 --dead 一起使用")
    if dead:
        _replay_all(lambda cursor: repair.replay_dead_jobs(store, kind=kind, before_id=cursor), as_json)
        return

    def replay(job_id: int) -> str:
        with store.write() as session:
            repair.replay_job(session, store.queue, job_id)
        return "已重新排队"

    each(several, replay, as_json)


@jobs_group.command("cancel")
@one_id
@as_json
@with_store
def cancel_job(_settings: Settings, store: Store, one: int, as_json: bool) -> None:
    """取消一个还没开始执行的任务。"""
    with store.write() as session:
        found = repair.cancel_job(session, store.queue, one)
    if as_json:
        echo_json(job_out(found))
    else:
        click.echo(f"{one}：已取消")


def _choose(several: Sequence[int], everything: bool, option: str) -> None:
    if bool(several) == everything:
        raise click.UsageError(f"请给出编号，或用 {option}（二者选一）")


def each(ids: Sequence[Id], act: Callable[[Id], str], as_json: bool) -> None:
    """Do it for each id, whatever becomes of the others; the exit code says whether all went well."""
    results: list[dict[str, object]] = []
    for one in dict.fromkeys(ids):
        try:
            ok, text = True, act(one)
        except AppError as error:
            ok, text = False, error.message
        results.append({"id": one, "ok": ok, "message": text})
        if not as_json:
            click.echo(f"{one}：{text}", err=not ok)
    if as_json:
        echo_json({"items": results})
    wrong = sum(not result["ok"] for result in results)
    if wrong:
        fail(f"{wrong} 个没有成功")


def _replay_all(next_bulk: Callable[[int | None], Bulk], as_json: bool) -> None:
    """Go on until there are no more, saying now and then how far it is."""
    done = Bulk(0, 0, None)
    while True:
        bulk = next_bulk(done.next_cursor)
        done = Bulk(done.replayed + bulk.replayed, done.skipped + bulk.skipped, bulk.next_cursor)
        if done.next_cursor is None:
            break
        click.echo(f"已重新排队 {done.replayed} 个…", err=True)
    if as_json:
        echo_json({"replayed": done.replayed, "skipped": done.skipped})
    else:
        skipped = f"，跳过 {done.skipped} 个（已取消、已在等待或正文已过保留期）" if done.skipped else ""
        click.echo(f"已重新排队 {done.replayed} 个{skipped}")


def _event_row(view: EventView, zone: str) -> tuple[str, ...]:
    return (
        str(view.id),
        moment(view.received_at, zone),
        view.change_type or view.event,
        view.subject,
        EVENT_STATES[view.state],
        str(view.deliveries),
        view.error or "",
    )


def _job_row(view: JobView, zone: str) -> tuple[str, ...]:
    return (
        str(view.id),
        view.kind,
        view.lane,
        JOB_STATES[view.state],
        str(view.attempts),
        moment(view.run_at, zone),
        view.last_error or "",
    )


def _echo_fields(fields: Mapping[str, str]) -> None:
    for name, value in fields.items():
        if value:
            click.echo(f"{name}：{value}")


def _say_more(following: str | None) -> None:
    if following is not None:
        click.echo(f"还有更多：加上 --before {following}", err=True)
