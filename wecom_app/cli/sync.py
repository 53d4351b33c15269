"""`sync`: the agreement with WeCom from a terminal: runs, what could not be pushed, and another attempt at it."""

import click

from wecom_app.cli import sync_runs
from wecom_app.cli.common import with_store
from wecom_app.cli.repair import each
from wecom_app.cli.tables import echo_json, echo_table
from wecom_app.config import Settings
from wecom_app.services import revival
from wecom_app.services.revival import Revived
from wecom_app.services.runtime import Store
from wecom_app.web.api.sync import failures_out, revived_out

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
