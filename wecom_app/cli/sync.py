"""`sync`: the agreement with WeCom from a terminal: runs, what could not be pushed, and another attempt at it."""

import click

from wecom_app.cli import sync_runs
from wecom_app.cli.common import with_store
from wecom_app.cli.repair import each
from wecom_app.cli.tables import echo_json, echo_table, moment
from wecom_app.config import Settings
from wecom_app.services import conflicts, revival
from wecom_app.services.conflicts import ConflictView
from wecom_app.services.revival import Revived
from wecom_app.services.runtime import Store
from wecom_app.web.api.schemas import Page
from wecom_app.web.api.schemas_sync import ConflictOut
from wecom_app.web.api.sync import conflict_out, failures_out, revived_out, settled_out

SUBJECTS = {"tag": "标签的", "group": "标签组的"}
KINDS = {"name": "名称", "order": "顺序", "deletion": "删除"}
RESOLUTIONS = {
    None: "",
    "ours": "保留系统的",
    "theirs": "采用企业微信的",
    "same": "已一致",
    "newer": "之后有人重新定过",
}
as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON，字段与接口相同。")


@click.group("sync")
def sync_group() -> None:
    """与企业微信的同步：全量同步、确认与撤销、推送失败的标签。"""


for command in sync_runs.COMMANDS:
    sync_group.add_command(command)


@sync_group.command("failures")
@as_json
@with_store
def list_failures(_settings: Settings, store: Store, as_json: bool) -> None:
    """按原因列出推送失败的标签。"""
    with store.read() as session:
        found = revival.failures(session)
    if as_json:
        echo_json(failures_out(found))
        return
    head = ("标签", "客户", "原因")
    echo_table(head, [(str(item.cells), str(item.customers), item.reason) for item in found])


@sync_group.command("conflicts")
@click.option("--state", type=click.Choice(conflicts.STATES), default="open", show_default=True, help="只看一种状态。")
@click.option("--limit", default=50, show_default=True, type=click.IntRange(1, 1000), help="最多列出多少条。")
@as_json
@with_store
def list_conflicts(settings: Settings, store: Store, state: str, limit: int, as_json: bool) -> None:
    """列出两边不一致的记录，新的在前。"""
    with store.read() as session:
        found = conflicts.list_conflicts(session, store.clock.now(), state=state, limit=limit)
    if as_json:
        echo_json(Page[ConflictOut](items=[conflict_out(view) for view in found], next_cursor=None))
        return
    head = ("编号", "时间", "关于", "标签", "系统", "企业微信", "处理")
    rows = [
        (
            str(view.id),
            moment(view.created_at, settings.time_zone),
            _about(view),
            view.name,
            *_values(view),
            RESOLUTIONS[view.resolution],
        )
        for view in found
    ]
    echo_table(head, rows)


def _about(view: ConflictView) -> str:
    if view.subject == "mark":
        return f"客户 {view.external_userid}（成员 {view.userid}）"
    return f"{SUBJECTS[view.subject]}{KINDS[view.kind]}"


def _values(view: ConflictView) -> tuple[str, str]:
    if view.subject == "mark":
        return _has(view.key in view.ours), _has(view.key in view.theirs)
    return "、".join(view.ours), "、".join(view.theirs) or "已删除"


@sync_group.command("settle")
@click.argument("conflict_ids", metavar="编号...", nargs=-1, required=True, type=click.IntRange(1, 2**63 - 1))
@click.option(
    "--keep", type=click.Choice(("ours", "theirs")), required=True, help="保留系统里的值，或采用企业微信的值。"
)
@as_json
@with_store
def settle(_settings: Settings, store: Store, conflict_ids: tuple[int, ...], keep: str, as_json: bool) -> None:
    """处理不一致的记录。"""
    with store.write() as session:
        found = conflicts.settle(
            session,
            store.queue,
            conflict_ids,
            take_theirs=keep == "theirs",
            by=sync_runs.BY,
            now=store.clock.now(),
        )
    if as_json:
        echo_json(settled_out(found))
        return
    click.echo(f"已处理 {found.settled} 条")
    for one in found.left:
        click.echo(f"{one.id}：{one.words}")


def _has(there: bool) -> str:
    return "有" if there else "没有"


@sync_group.command("revive")
@click.argument("external_userids", metavar="EXTERNAL_USERID...", nargs=-1)
@click.option("--all", "everybody", is_flag=True, help="所有客户。")
@click.option("--reason", default=None, help="与 --all 一起使用：只限原因含此文字的。")
@as_json
@with_store
def revive(
    _settings: Settings,
    store: Store,
    external_userids: tuple[str, ...],
    everybody: bool,
    reason: str | None,
    as_json: bool,
) -> None:
    """重新推送失败的标签：指定客户，或用 --all。先消除原因，否则会再次失败。"""
    if bool(external_userids) == everybody:
        raise click.UsageError("请给出客户的 external_userid，或用 --all（二者选一）")
    if reason is not None and not everybody:
        raise click.UsageError("--reason 要与 --all 一起使用")
    if everybody:
        _revive_all(store, reason, as_json)
        return
    each(external_userids, lambda one: _words(revival.revive_customer(store, one)), as_json)


def _revive_all(store: Store, reason: str | None, as_json: bool) -> None:
    """Go on until there are no more, saying now and then how far it is."""
    done = Revived(0, 0)
    while True:
        found = revival.revive_all(store, reason=reason, after_id=done.next_cursor)
        done = Revived(done.cells + found.cells, done.customers + found.customers, found.next_cursor)
        if done.next_cursor is None:
            break
        click.echo(f"{_words(done)}…", err=True)
    if as_json:
        echo_json(revived_out(done))
    else:
        click.echo(_words(done))


def _words(done: Revived) -> str:
    return f"已重新排队 {done.cells} 个标签（{done.customers} 位客户）" if done.cells else "没有推送失败的标签"
