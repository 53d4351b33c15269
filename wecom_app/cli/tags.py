"""`tags`: the tag library from a terminal: listed, exported, imported with a dry run, begun with a starter tree."""

import sys
from pathlib import Path

import click

from wecom_app.adapters.pinyin import PinyinSlugify
from wecom_app.cli import tag_changes, tag_sync
from wecom_app.cli.common import with_store
from wecom_app.cli.tables import echo_json, echo_table
from wecom_app.config import Settings
from wecom_app.services import audit, library_files, library_imports, library_reading, library_trial, starters, tag_lint
from wecom_app.services.context import Context
from wecom_app.services.library_files import LibraryFile
from wecom_app.services.library_import import Outcome
from wecom_app.services.runtime import Store

ACTION_WORDS = {"create": "新建", "change": "修改", "restore": "恢复"}
KIND_WORDS = {"dimension": "维度", "group": "标签组", "tag": "标签"}
dry_run_option = click.option("--dry-run", is_flag=True, help="只说明会做什么，不保存。")
as_json = click.option("--json", "as_json", is_flag=True, help="输出 JSON。")


@click.group("tags")
def tags_group() -> None:
    """标签库：列出、体检、导出、导入、起步标签、合并、改单选、同步到企业微信，以及重试、删除和重新创建。"""


for command in (*tag_changes.COMMANDS, *tag_sync.COMMANDS):
    tags_group.add_command(command)


@tags_group.command("list")
@as_json
@with_store
def list_tags(_settings: Settings, store: Store, as_json: bool) -> None:
    """列出使用中的标签。"""
    with store.read() as session:
        file = library_files.export(session)
    if as_json:
        echo_json(file)
        return
    rows = [(tag.key or "", tag.name, group.name, group.dimension) for group in file.groups for tag in group.tags]
    echo_table(("key", "标签", "标签组", "维度"), rows)


@tags_group.command("lint")
@as_json
@with_store
def lint(_settings: Settings, store: Store, as_json: bool) -> None:
    """体检：哪些标签难用或不可信，每条说明怎么办；有发现时以状态 1 结束。"""
    with store.read() as session:
        found = tag_lint.lint(session, PinyinSlugify(), store.clock.now())
    if as_json:
        echo_json({"items": [vars(finding) for finding in found]})
    elif found:
        rows = [(one.name, one.key, one.words, one.advice) for one in found]
        echo_table(("名称", "key", "发现", "怎么办"), rows)
    else:
        click.echo("没有发现问题")
    if found:
        raise click.exceptions.Exit(1)


@tags_group.command("export")
@click.option("--format", "kind", type=click.Choice(["yaml", "csv"]), default="yaml", show_default=True)
@click.option("--output", type=click.Path(dir_okay=False, path_type=Path), help="写到文件；不给则打印出来。")
@with_store
def export(_settings: Settings, store: Store, kind: str, output: Path | None) -> None:
    """导出标签库；key 不变，改好后可以再导入。"""
    with store.read() as session:
        file = library_files.export(session)
    text = library_files.to_csv(file) if kind == "csv" else library_files.to_yaml(file)
    if output is None:
        click.echo(text, nl=False)
        return
    output.write_text(text, encoding="utf-8", newline="")
    click.echo(f"已导出 {sum(len(group.tags) for group in file.groups)} 个标签到 {output}")


@tags_group.command("import")
@click.argument("path", metavar="文件", type=click.Path(exists=True, dir_okay=False, path_type=Path))
@dry_run_option
@click.option("--only-add", is_flag=True, help="只补缺少的，已有的保持不变。")
@as_json
@with_store
def import_file(_settings: Settings, store: Store, path: Path, dry_run: bool, only_add: bool, as_json: bool) -> None:
    """导入 YAML 或 CSV；有一行不对就全部不导入。文件里没有的保持不变。"""
    file = library_reading.read(path.read_bytes(), path.name)
    _carry(store, file, "file", dry_run=dry_run, only_add=only_add, as_json=as_json)


@tags_group.command("starter")
@click.argument("trade", metavar="行业", type=click.Choice(list(starters.NAMES)))
@dry_run_option
@as_json
@with_store
def starter(_settings: Settings, store: Store, trade: str, dry_run: bool, as_json: bool) -> None:
    """放入一套起步标签：retail 零售、mother_baby 母婴、beauty 美妆、education 教育、b2b 企业服务；已有的保持不变。"""
    _carry(store, starters.read(trade), trade, dry_run=dry_run, only_add=True, as_json=as_json)


def _carry(store: Store, file: LibraryFile, what: str, *, dry_run: bool, only_add: bool, as_json: bool) -> None:
    now = store.clock.now()
    context = Context(store.queue, PinyinSlugify(), now)
    if dry_run:
        done = library_trial.preview(store, context, file, only_add=only_add)
    else:
        done = _carry_in(store, context, file, only_add=only_add)
        with store.write() as session:
            details = {"from": what, "steps": len(done.steps)}
            audit.record_command(session, "library.import", "library:all", details, now=now)
    _tell(done, dry_run=dry_run, as_json=as_json)
    if done.problems:
        raise click.exceptions.Exit(1)


def _carry_in(store: Store, context: Context, file: LibraryFile, *, only_add: bool) -> Outcome:
    """Carry the file in with a progress bar; broken off, it is gone on with by the workers, or by importing again."""
    with click.progressbar(length=1, label="导入", file=sys.stderr) as bar:

        def advanced(done: int, total: int) -> None:
            bar.length = total
            bar.update(done - bar.pos)

        return library_imports.carry_in(store, context, file, by="command", only_add=only_add, advanced=advanced)


def _tell(done: Outcome, *, dry_run: bool, as_json: bool) -> None:
    if as_json:
        problems = [{"line": line, "words": words} for line, words in done.problems]
        echo_json({"dry_run": dry_run, "steps": [vars(step) for step in done.steps], "problems": problems})
        return
    if done.steps:
        rows = [
            (str(step.line or ""), ACTION_WORDS[step.action], KIND_WORDS[step.kind], step.name, step.details)
            for step in done.steps
        ]
        echo_table(("行", "做什么", "", "名称", ""), rows)
    for line, words in done.problems:
        click.echo(f"第 {line} 行：{words}", err=True)
    verb = "会有" if dry_run else "完成"
    click.echo(f"{verb} {len(done.steps)} 处改动" if done.steps else "没有要改的，标签库已经是这样")
