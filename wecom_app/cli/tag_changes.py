"""`tags merge|unmerge|single|mirror`: changes that reach every customer with a tag, seen beforehand from a terminal.

The command does the pages itself and shows how far it is; stopped halfway, a running `serve` or `worker` goes on.
"""

import sys
from collections.abc import Callable
from datetime import timedelta
from math import ceil

import click
from pydantic import BaseModel
from sqlalchemy.orm import Session

from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.bootstrap import pace_of
from wecom_app.cli.common import with_store
from wecom_app.cli.tables import echo_json
from wecom_app.config import Settings
from wecom_app.domain.durations import span_words
from wecom_app.domain.vocabulary import Mirror
from wecom_app.models import LibraryChange
from wecom_app.services import (
    audit,
    library_change_jobs,
    library_changes,
    mirror_costs,
    selection_changes,
    tag_merges,
)
from wecom_app.services.context import Context
from wecom_app.services.library_changes import Actor
from wecom_app.services.merge_deletions import WARNING as DELETION_WARNING
from wecom_app.services.runtime import Store
from wecom_app.web.api.library_changes import change_out, merge_out, mirror_out, selection_out
from wecom_app.web.api.schemas_library_changes import MergePreviewOut, MirrorPreviewOut, SelectionPreviewOut

BY = Actor("command", "wecom-app")
dry_run_option = click.option("--dry-run", is_flag=True, help="只看会怎样，不改。")
yes_option = click.option("--yes", is_flag=True, help="不再询问。")
as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON，字段与接口相同。")
Begin = Callable[[Session, Context], LibraryChange]


@click.command("merge")
@click.argument("source", metavar="标签")
@click.argument("target", metavar="并入的标签")
@click.option(
    "--delete-at-wecom", "deletes", is_flag=True, help="客户都换完、核对完之后，从企业微信删除旧标签；在那里不能恢复。"
)
@dry_run_option
@yes_option
@as_json
@with_store
def merge(
    _settings: Settings,
    store: Store,
    source: str,
    target: str,
    deletes: bool,
    dry_run: bool,
    yes: bool,
    as_json: bool,
) -> None:
    """把一个标签合并到另一个（都写 key）：客户、渠道活码、内容都改用后者；7 天内可撤销。"""
    with store.read() as session:
        found = merge_out(tag_merges.preview(session, source, target, store.clock.now()))
    lines = [*_merge_words(found), *([_deletion_words(found)] if deletes else [])]
    if _asked(found, lines, dry_run=dry_run, yes=yes, as_json=as_json):
        with store.read() as session:
            expected = tag_merges.count_expected(session, source, target)
        _carry_out(
            store,
            "tag.merge",
            lambda session, context: tag_merges.start(
                session, context, source, target, BY, expected=expected, delete_at_wecom=deletes
            ),
        )


@click.command("unmerge")
@click.argument("source", metavar="标签")
@yes_option
@with_store
def unmerge(_settings: Settings, store: Store, source: str, yes: bool) -> None:
    """撤销一个标签最近一次合并；之后又有改动的客户保持现状。"""
    with store.read() as session:
        change = tag_merges.find_merge(session, source)
    if not yes:
        click.confirm(f"撤销{change.details['reason']}？", abort=True)
    _carry_out(store, "tag.unmerge", lambda session, context: library_change_jobs.undo(session, context, change.id, BY))


@click.command("single")
@click.argument("group", metavar="标签组")
@dry_run_option
@yes_option
@as_json
@with_store
def single(_settings: Settings, store: Store, group: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """把标签组（写 key）改为单选：同时有几个的客户留下优先级最高的一个；7 天内可撤销。"""
    with store.read() as session:
        found = selection_out(selection_changes.preview(session, group, store.clock.now()))
    if _asked(found, _selection_words(found), dry_run=dry_run, yes=yes, as_json=as_json):
        with store.read() as session:
            expected = selection_changes.count_expected(session, group)
        _carry_out(
            store,
            "tag_group.single",
            lambda session, context: selection_changes.start(session, context, group, BY, expected=expected),
        )


@click.command("mirror")
@click.argument("group", metavar="标签组")
@click.option("--to", "mirror", type=click.Choice(["two_way", "push"]), default="two_way", show_default=True)
@dry_run_option
@yes_option
@as_json
@with_store
def mirror(settings: Settings, store: Store, group: str, mirror: str, dry_run: bool, yes: bool, as_json: bool) -> None:
    """把只在本系统的标签组（写 key）同步到企业微信，先看首次和每天要花多少调用。"""
    wanted = Mirror(mirror)
    with store.read() as session:
        most, pace = settings.wecom_tag_limit, pace_of(store)
        found = mirror_out(mirror_costs.preview(session, group, wanted, store.clock.now(), most=most, pace=pace))
    if _asked(found, _mirror_words(found), dry_run=dry_run, yes=yes, as_json=as_json):
        with store.read() as session:
            expected = mirror_costs.count_expected(session, group)
        _carry_out(
            store,
            "tag_group.mirror",
            lambda session, context: mirror_costs.start(session, context, group, wanted, BY, expected=expected),
        )


COMMANDS: tuple[click.Command, ...] = (merge, unmerge, single, mirror)


def _asked(found: BaseModel, lines: list[str], *, dry_run: bool, yes: bool, as_json: bool) -> bool:
    """Show what would happen; return whether it is to be done."""
    if as_json:
        echo_json(found)
    else:
        for line in lines:
            click.echo(line)
    if dry_run:
        return False
    if not yes:
        click.confirm("继续？", abort=True)
    return True


def _carry_out(store: Store, action: str, begin: Begin) -> None:
    slugify = PinyinSlugify()
    with store.write() as session:
        change = begin(session, Context(store.queue, slugify, store.clock.now()))
        subject = f"library_change:{change.id}"
        audit.record_command(session, action, subject, now=store.clock.now())
        change_id, expected = change.id, change.expected
    with click.progressbar(length=max(1, expected), label="客户", file=sys.stderr) as bar:
        while library_change_jobs.step(store, slugify, change_id):
            with store.read() as session:
                done = change_out(session, library_changes.find(session, change_id))
            reached = done.changed if done.state == "running" else done.restored + done.kept
            bar.update(max(0, min(bar.length or 0, reached) - bar.pos))
    with store.read() as session:
        done = change_out(session, library_changes.find(session, change_id))
    if done.state == "undone":
        click.echo(f"已撤销：{done.restored} 位客户恢复原样，{done.kept} 位之后又有改动，保持现状")
        for use in done.uses_kept:
            click.echo(f"之后改过，没有改回：{use.name}")
    else:
        click.echo(f"完成：{done.changed} 位客户已改（编号 {done.id}）；企业微信里的标记由 serve 或 worker 推送")
        if done.merged_tag is not None:
            click.echo(done.merged_tag.words)


def _merge_words(found: MergePreviewOut) -> list[str]:
    lines = [
        f"「{found.source.name}」合并到「{found.target.name}」",
        f"有「{found.source.name}」的客户：{found.customers_source}，有「{found.target.name}」的：{found.customers_target}，"
        f"两个都有：{found.customers_both}",
        f"企业微信：{found.relations} 个好友关系，约 {found.calls} 次打标调用",
        *(f"改写：「{use.name}」{use.otherwise}" for use in found.uses),
        *(f"注意：{note}" for note in found.notes),
    ]
    if found.contested:
        lines.append(f"注意：{found.contested} 位客户在那一组已有别的值，保留优先级更高的")
    return lines


def _deletion_words(found: MergePreviewOut) -> str:
    if found.deletion_refusal is not None:
        return f"不能从企业微信删除：{found.deletion_refusal}"
    return DELETION_WARNING.format(name=found.source.name)


def _selection_words(found: SelectionPreviewOut) -> list[str]:
    lines = [
        f"「{found.group.name}」改为单选：{found.customers} 位客户有这组标签，其中 {found.several} 位同时有几个",
        f"企业微信：约 {found.calls} 次打标调用",
    ]
    return [*lines, *(f"「{one.name}」留下 {one.kept} 位，去掉 {one.lost} 位" for one in found.values)]


def _mirror_words(found: MirrorPreviewOut) -> list[str]:
    return [
        f"「{found.group.name}」同步到企业微信：新增 {found.tags} 个标签（已用 {found.tags_used}/{found.tags_most}）",
        f"首次：{found.customers} 位客户、{found.relations} 个好友关系，{found.first_calls} 次打标调用，"
        f"按现在的速度约 {span_words(timedelta(seconds=ceil(found.first_hours * 3600)))}",
        f"之后每天：按近 {found.days} 天的改动，约 {found.calls_a_day:.1f} 次打标调用，"
        f"占每天可用次数的 {mirror_costs.share_words(found.share)}",
        "每次打标前后各读一次客户资料；为欢迎语和侧边栏留出的次数不算在内",
    ]
