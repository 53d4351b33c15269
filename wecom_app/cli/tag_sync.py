"""`tags deleted|recreate|retry|delete`: the library against WeCom from a terminal; part of the group `tags`."""

import click

from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.cli.common import with_store
from wecom_app.cli.repair import each
from wecom_app.cli.tables import echo_json, echo_table, moment
from wecom_app.config import Settings
from wecom_app.services import audit, library_deletions, library_recreation, library_retries, library_states
from wecom_app.services.context import Context
from wecom_app.services.runtime import Store
from wecom_app.web.api.schemas import Page, TagOut
from wecom_app.web.api.tag_sync import deletion_out
from wecom_app.web.api.tags import tag_out

MOST = 1000
as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON，字段与接口相同。")


@click.command("deleted")
@as_json
@with_store
def deleted(settings: Settings, store: Store, as_json: bool) -> None:
    """列出已在企业微信中删除的标签。"""
    with store.read() as session:
        found = library_recreation.deleted(session, limit=MOST)
        if as_json:
            echo_json(Page[TagOut](items=[tag_out(tag, group) for tag, group in found], next_cursor=None))
            return
    rows = [(tag.key, tag.name, group.name, moment(tag.gone_at, settings.time_zone)) for tag, group in found]
    echo_table(("key", "标签", "标签组", "删除时间"), rows)


@click.command("recreate")
@click.argument("keys", metavar="KEY...", nargs=-1, required=True)
@as_json
@with_store
def recreate(_settings: Settings, store: Store, keys: tuple[str, ...], as_json: bool) -> None:
    """在企业微信重新创建已删除的标签（编号会变），并重新打给原有客户。"""
    each(keys, lambda key: _recreate(store, key), as_json)


def _recreate(store: Store, key: str) -> str:
    with store.write() as session:
        tag = library_recreation.request_tag(session, store.queue, key)
        audit.record_command(session, "tag.recreate", f"tag:{key}", {}, now=store.clock.now())
        return f"「{tag.name}」正在重新创建"


@click.command("retry")
@click.argument("keys", metavar="KEY...", nargs=-1)
@click.option("--all", "everything", is_flag=True, help="所有没有被接受、或因数量上限等待的。")
@as_json
@with_store
def retry(_settings: Settings, store: Store, keys: tuple[str, ...], everything: bool, as_json: bool) -> None:
    """重新向企业微信推送标签：指定 key，或用 --all。先消除原因，否则会再次失败。"""
    if bool(keys) == everything:
        raise click.UsageError("请给出标签的 key，或用 --all（二者选一）")
    if not everything:
        each(keys, lambda key: _retry(store, key), as_json)
        return
    with store.write() as session:
        number = library_retries.retry_all(session, store.queue)
    if as_json:
        echo_json({"retried": number})
    else:
        click.echo(f"已重新排队 {number} 个标签和标签组" if number else "没有需要重试的")


def _retry(store: Store, key: str) -> str:
    with store.write() as session:
        return f"「{library_retries.retry_tag(session, store.queue, key).name}」已重新排队"


@click.command("delete")
@click.argument("key", metavar="KEY")
@click.option("--cascade", is_flag=True, help="还有使用者时一并处理。")
@click.option("--dry-run", is_flag=True, help="只说明会影响什么，不删除。")
@as_json
@with_store
def delete(_settings: Settings, store: Store, key: str, cascade: bool, dry_run: bool, as_json: bool) -> None:
    """归档标签并从企业微信删除；只限本系统建的。"""
    if dry_run:
        with store.read() as session:
            found = library_deletions.preview_tag(session, key)
        if as_json:
            echo_json(deletion_out(found))
            return
        click.echo(f"{found.relations} 个好友关系（{found.customers} 位客户）会失去它")
        for use in found.uses:
            click.echo(f"{use.name}：{use.otherwise}")
        if found.refusal is not None:
            click.echo(found.refusal)
            raise click.exceptions.Exit(1)
        return
    now = store.clock.now()
    with store.write() as session:
        context = Context(store.queue, PinyinSlugify(), now)
        tag = library_deletions.request_tag(session, context, key, cascade=cascade, actor="command")
        audit.record_command(session, "tag.delete", f"tag:{key}", {"cascade": cascade}, now=now)
        words = library_states.WORDS["deleting"]
        click.echo(f"「{tag.name}」已归档，{words}") if not as_json else echo_json({"key": key, "state": "deleting"})


COMMANDS = (deleted, recreate, retry, delete)
