"""`sync` and its commands: full pulls steered from a terminal, beside a running system, and what they left to settle.

They only ask: `serve` or `worker` does the work, and `--follow` shows how far it is.
"""

import sys
from collections.abc import Callable
from dataclasses import dataclass
from datetime import timedelta
from typing import TypeVar

import click
from sqlalchemy.orm import Session

from wecom_app.bootstrap import pace_of
from wecom_app.cli.common import fail, with_store
from wecom_app.cli.tables import echo_json, echo_table, moment
from wecom_app.config import Settings
from wecom_app.domain.durations import span_words
from wecom_app.models import SyncRun
from wecom_app.services import library_unlinked, revival, runs, source_backfill, source_preview
from wecom_app.services.library_unlinked import Unlinked
from wecom_app.services.revival import Revived
from wecom_app.services.run_words import COUNT_WORDS, GUARD_WORDS, ITEM_WORDS, KIND_WORDS, PHASE_WORDS, STATE_WORDS
from wecom_app.services.runs import ItemView, RunView
from wecom_app.services.runtime import Store
from wecom_app.web.api.schemas import Page
from wecom_app.web.api.schemas_sync import RunItemOut, RunOut, UnlinkedTagOut
from wecom_app.web.api.sync_runs import item_out, run_out, sources_out, unlinked_out

BY = "命令行"
POLL_S = 1.0
LINES = 500
"""Of a list read in one transaction."""

Line = TypeVar("Line", ItemView, Unlinked)

as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON，字段与接口相同。")
follow = click.option("--follow", is_flag=True, help="显示进度，直到结束或等待确认。")
one_run = click.argument("run_id", metavar="编号", type=click.IntRange(1, 2**63 - 1))


@click.command("pull")
@follow
@as_json
@with_store
def pull(settings: Settings, store: Store, follow: bool, as_json: bool) -> None:
    """开始一次全量同步：读取每位成员的全部客户，核对标签与好友关系。"""
    now = store.clock.now()
    _steer(settings, store, lambda session: runs.start_pull(session, store.queue, BY, now), as_json, follow)


@click.command("backfill")
@click.option("--dry-run", is_flag=True, help="只试算，不改动。")
@follow
@as_json
@with_store
def backfill(settings: Settings, store: Store, dry_run: bool, follow: bool, as_json: bool) -> None:
    """给接入之前的客户补打来源标签，按渠道 state 与添加方式。"""
    if dry_run:
        _show_sources(store, as_json)
        return
    now = store.clock.now()
    _steer(settings, store, lambda session: source_backfill.start(session, store.queue, BY, now), as_json, follow)


@click.command("push")
@as_json
@with_store
def push(_settings: Settings, store: Store, as_json: bool) -> None:
    """立即推送所有还没写到企业微信的标签。"""
    done = Revived(0, 0)
    while True:
        found = revival.push_waiting(store, after_id=done.next_cursor)
        done = Revived(done.cells + found.cells, done.customers + found.customers, found.next_cursor)
        if done.next_cursor is None:
            break
        click.echo(f"{done.customers} 位客户…", err=True)
    if as_json:
        echo_json({"cells": done.cells, "customers": done.customers})
    else:
        click.echo(f"已排队推送 {done.cells} 个标签（{done.customers} 位客户）" if done.cells else "没有等待推送的标签")


@click.command("status")
@click.argument("run_id", metavar="[编号]", type=click.IntRange(1, 2**63 - 1), required=False)
@click.option("--items", is_flag=True, help="列出明细与预览。")
@follow
@as_json
@with_store
def status(settings: Settings, store: Store, run_id: int | None, items: bool, follow: bool, as_json: bool) -> None:
    """同步进行得怎样；给出编号看一次的详情，不给则列出最近几次。"""
    if run_id is None:
        _show_recent(settings, store, as_json)
    elif items:
        _show_items(store, run_id, as_json)
    else:
        if follow:
            _follow(store, run_id)
        _show(settings, store, run_id, as_json)


@click.command("unlinked")
@as_json
@with_store
def unlinked(settings: Settings, store: Store, as_json: bool) -> None:
    """企业微信里有、标签库没有收进来的标签，和各自的原因。"""
    found = _read_all(store, library_unlinked.list_page)
    if as_json:
        echo_json(Page[UnlinkedTagOut](items=[unlinked_out(tag) for tag in found], next_cursor=None))
        return
    if not found:
        click.echo("企业微信的标签都在标签库里")
        return
    rows = [
        (tag.group, tag.name, moment(tag.seen_at, settings.time_zone), library_unlinked.OBSTACLE_WORDS[tag.obstacle])
        for tag in found
    ]
    echo_table(("标签组", "标签", "发现", "原因"), rows)


@dataclass(frozen=True)
class Steering:
    """A command that steers one run; `act` is what it does in the transaction."""

    name: str
    words: str
    act: Callable[[Session, Store, int], SyncRun]
    goes_on: bool = True
    """Whether the run goes on from there, so that it can be followed."""


STEERING = (
    Steering(
        "approve",
        "确认一次等待确认的同步：执行预览里仍然成立的内容。",
        lambda session, store, run_id: runs.approve(session, store.queue, run_id, BY),
    ),
    Steering(
        "reject",
        "拒绝一次等待确认的同步：待确认的内容都不执行。",
        lambda session, store, run_id: runs.reject(session, store.queue, run_id, BY, store.clock.now()),
        goes_on=False,
    ),
    Steering(
        "stop",
        "停止一次进行中的同步，之后可以用 resume 继续。",
        lambda session, store, run_id: runs.stop(session, run_id, BY, store.clock.now()),
        goes_on=False,
    ),
    Steering(
        "resume",
        "从停下的地方继续一次同步。",
        lambda session, store, run_id: runs.resume(session, store.queue, run_id, BY),
    ),
    Steering(
        "undo",
        "撤销一次全量同步或补打来源标签改动的标签；之后又有改动的保持现状。",
        lambda session, store, run_id: runs.start_undo(session, store.queue, run_id, BY, store.clock.now()),
    ),
)


def _command(steering: Steering) -> click.Command:
    def steer(settings: Settings, store: Store, run_id: int, as_json: bool, follow: bool = False) -> None:
        _steer(settings, store, lambda session: steering.act(session, store, run_id), as_json, follow)

    shown = as_json(with_store(steer))
    return click.command(steering.name, help=steering.words)(one_run(follow(shown) if steering.goes_on else shown))


COMMANDS: tuple[click.Command, ...] = (
    pull,
    backfill,
    push,
    status,
    unlinked,
    *(_command(steering) for steering in STEERING),
)


def _show_sources(store: Store, as_json: bool) -> None:
    with store.read() as session:
        found = source_preview.preview(session, pace_of(store))
    if as_json:
        echo_json(sources_out(found))
        return
    rows = [
        (share.name, "、".join(share.tags) or "没有可打的标签", str(share.relations), str(share.customers))
        for share in found.shares
    ]
    if not found.relations:
        click.echo("没有接入之前的客户：先做一次全量同步")
        return
    echo_table(("来源", "标签", "好友关系", "将补打的客户"), rows)
    click.echo(f"同事转来的好友关系（不补打）：{found.handed_over}")
    click.echo(f"还没读到来源的好友关系（不补打）：{found.unread}")
    click.echo(f"调用企业微信约 {found.calls} 次，约需 {span_words(timedelta(seconds=found.seconds))}")


def _steer(settings: Settings, store: Store, act: Callable[[Session], SyncRun], as_json: bool, follow: bool) -> None:
    with store.write() as session:
        run_id = act(session).id
    if follow:
        _follow(store, run_id)
    _show(settings, store, run_id, as_json)


def _follow(store: Store, run_id: int) -> None:
    """Show a progress bar until the run is over or waits for a person; fail where it failed."""
    with click.progressbar(length=1000, label=f"同步 {run_id}", file=sys.stderr) as bar:
        while True:
            found = _read(store, run_id)
            share = found.progress.done / found.progress.total if found.progress.total else 0.0
            bar.label = f"同步 {run_id}：{PHASE_WORDS.get(found.phase, found.phase)}"
            bar.update(max(0, min(1000, int(share * 1000)) - bar.pos))
            if found.state not in ("queued", "running"):
                break
            store.clock.sleep_until(store.clock.monotonic() + POLL_S)
    if found.state == "failed":
        fail(found.reason or "同步失败")


def _read(store: Store, run_id: int) -> RunView:
    with store.read() as session:
        return runs.get_run(session, run_id, store.clock.now())


def _show(settings: Settings, store: Store, run_id: int, as_json: bool) -> None:
    found = _read(store, run_id)
    if as_json:
        echo_json(run_out(found))
        return
    click.echo(f"编号：{found.id}（{KIND_WORDS[found.kind]}，{STATE_WORDS[found.state]}）")
    if found.state in ("queued", "running"):
        click.echo(f"进度：{PHASE_WORDS.get(found.phase, found.phase)} {_progress(found)}")
    click.echo(f"开始：{moment(found.started_at or found.created_at, settings.time_zone)}，由 {found.asked_by} 发起")
    if found.reason:
        click.echo(f"说明：{found.reason}")
    for name, number in found.counts.items():
        if number:
            click.echo(f"{COUNT_WORDS.get(name, name)}：{number}")
    if found.kind == "pull":
        click.echo("两边差异：发现 {found}，已处理 {mended}，待处理 {pending}".format(**found.drift))
    if found.state == "held":
        _show_guard(found)


def _show_guard(found: RunView) -> None:
    for facts in found.guard.values():
        if not facts.get("approved"):
            for name, number in facts.items():
                click.echo(f"待确认 · {GUARD_WORDS.get(name, name)}：{'未知' if number is None else number}")
    click.echo(f"预览：wecom-app sync status {found.id} --items")
    click.echo(f"确认：wecom-app sync approve {found.id}，拒绝：wecom-app sync reject {found.id}")


def _progress(found: RunView) -> str:
    if not found.progress.total:
        return ""
    eta = "" if found.progress.eta_s is None else f"，约还需 {found.progress.eta_s} 秒"
    return f"{found.progress.done}/{found.progress.total}{eta}"


def _show_recent(settings: Settings, store: Store, as_json: bool) -> None:
    with store.read() as session:
        found = runs.list_runs(session, store.clock.now(), limit=10)
        outside = library_unlinked.count(session)
    if as_json:
        echo_json(Page[RunOut](items=[run_out(view) for view in found], next_cursor=None))
        return
    if outside:
        click.echo(f"企业微信里有 {outside} 个标签没有收进标签库：wecom-app sync unlinked")
    if not found:
        click.echo("还没有同步过：用 wecom-app sync pull 开始第一次")
        return
    head = ("编号", "类别", "状态", "开始", "好友关系", "差异", "说明")
    rows = [
        (
            str(view.id),
            KIND_WORDS[view.kind],
            STATE_WORDS[view.state],
            moment(view.started_at or view.created_at, settings.time_zone),
            str(view.counts.get("contacts", 0)),
            str(view.drift["found"]),
            view.reason or "",
        )
        for view in found
    ]
    echo_table(head, rows)


def _show_items(store: Store, run_id: int, as_json: bool) -> None:
    found = _read_all(store, lambda session, **page: runs.list_items(session, run_id, **page))
    items = [item_out(view) for view in found]
    if as_json:
        echo_json(Page[RunItemOut](items=items, next_cursor=None))
        return
    rows = [(ITEM_WORDS[item.kind], item.subject, item.state, str(item.detail)) for item in items]
    echo_table(("类别", "对象", "状态", "详情"), rows)


def _read_all(store: Store, page: Callable[..., list[Line]]) -> list[Line]:
    """Read a list page by page, each in a transaction of its own."""
    found, after = list[Line](), None
    while True:
        with store.read() as session:
            part = page(session, after_id=after, limit=LINES)
        found += part
        if len(part) < LINES:
            return found
        after = part[-1].id
