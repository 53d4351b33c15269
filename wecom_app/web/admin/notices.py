"""What a page says once after something was done: `?notice=content.archived&of=7`, with a way back where there is one.

The words stand here and not in the address, so that nobody can make our page say something.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import redirect, request, url_for
from werkzeug.routing import BuildError
from werkzeug.wrappers import Response

from wecom_app.services.conflicts import LEFT_WORDS

OF = re.compile(r"[0-9a-z_.]{1,200}")
"""The id or key of what was changed."""


@dataclass(frozen=True)
class NoticeKind:
    """The words, and the view that undoes what was done to `argument`."""

    words: str
    undo: str | None = None
    argument: str = ""


@dataclass(frozen=True)
class Notice:
    """What the page says; `undo` is where its button posts to."""

    words: str
    undo: str | None = None


KINDS: Mapping[str, NoticeKind] = {
    "content.created": NoticeKind("内容已新建"),
    "content.saved": NoticeKind("修改已保存"),
    "content.copied": NoticeKind("已复制为草稿，可在这里修改"),
    "content.archived": NoticeKind("内容已归档，不再推荐", "admin.content_restore", "item_id"),
    "content.restored": NoticeKind("内容已恢复"),
    "field.created": NoticeKind("字段已新建，导购马上能填"),
    "field.saved": NoticeKind("修改已保存"),
    "field.archived": NoticeKind("字段已停用，填过的内容仍保留", "admin.profile_fields_restore", "key"),
    "field.restored": NoticeKind("字段已恢复，排在最后"),
    "field.moved": NoticeKind("顺序已调整"),
    "tags.group_created": NoticeKind("标签组已新建，正在同步到企业微信"),
    "tags.created": NoticeKind("标签已添加，正在同步到企业微信"),
    "tags.saved": NoticeKind("修改已保存"),
    "tags.moved": NoticeKind("顺序已调整"),
    "tags.archived": NoticeKind("标签已归档，不再打给客户", "admin.tags_restore", "key"),
    "tags.group_archived": NoticeKind("标签组已归档，不再打给客户", "admin.tags_group_restore", "key"),
    "tags.dimension_created": NoticeKind("维度已新建"),
    "tags.dimension_archived": NoticeKind("维度已归档", "admin.tags_dimension_restore", "key"),
    "tags.imported": NoticeKind("标签库已导入，正在同步到企业微信"),
    "tags.importing": NoticeKind("已开始导入，进度和没有导入的行在“最近的导入”里"),
    "tags.restored": NoticeKind("已恢复"),
    "tags.changing": NoticeKind("已开始，客户在后台分批改"),
    "tags.retried": NoticeKind("已重新排队，马上推送到企业微信"),
    "tags.deleting": NoticeKind("已归档，正在从企业微信删除"),
    "tags.merged_deleting": NoticeKind("客户都换完、核对完之后会从企业微信删除"),
    "tags.recreating": NoticeKind("正在企业微信重新创建，并重新打给原有客户"),
    "tags.recreate_taken": NoticeKind("没有重新创建：这个名称已被另一个标签使用，请先改掉那一个"),
    "tags.recreate_alive": NoticeKind("没有重新创建：它没有在企业微信中删除，或已经重新创建了"),
    "roles.saved": NoticeKind("角色已保存，立即生效"),
    "schedule.created": NoticeKind("计划已新建，立即生效"),
    "schedule.saved": NoticeKind("修改已保存，立即生效"),
    "schedule.started": NoticeKind("已开始排队，马上执行"),
    "schedule.stopping": NoticeKind("已要求停止，做完手上的一步就停"),
    "schedule.paused": NoticeKind("计划已暂停", "admin.schedules_resume", "schedule_id"),
    "schedule.resumed": NoticeKind("计划已继续，从现在算起"),
    "schedule.removed": NoticeKind("计划已删除", "admin.schedules_restore", "schedule_id"),
    "schedule.restored": NoticeKind("计划已恢复"),
    "schedule.busy": NoticeKind("没有成功：正在执行，请等它结束或先停止"),
    "schedule.idle": NoticeKind("已经结束了，不用停止"),
    "sync.started": NoticeKind("全量同步已开始"),
    "sync.sources_started": NoticeKind("已开始补打来源标签"),
    "sync.busy": NoticeKind("没有成功：上一次同步还没结束，请先处理它"),
    "sync.refused": NoticeKind("没有成功：它的状态已经变了，请看最新情况"),
    "sync.approved": NoticeKind("已确认，正在执行"),
    "sync.rejected": NoticeKind("已拒绝，待确认的内容都没有执行"),
    "sync.stopped": NoticeKind("已停止，可以从停下的地方继续"),
    "sync.resumed": NoticeKind("已从停下的地方继续"),
    "sync.undoing": NoticeKind("正在撤销；之后又改过的标签保持现状"),
    "sync.leftovers_archived": NoticeKind("已归档；再有客户从那里来时会自动恢复"),
    "sync.revived": NoticeKind("已重新排队，马上推送到企业微信"),
    "sync.revived_some": NoticeKind("太多了，先重新排队了一部分，请再点一次"),
    "sync.pushed": NoticeKind("已排队，马上推送到企业微信"),
    "sync.none_waiting": NoticeKind("没有等待推送的标签"),
    "sync.none_failed": NoticeKind("没有推送失败的标签"),
    "conflicts.none": NoticeKind("没有选中任何一条"),
    "conflicts.theirs": NoticeKind("已采纳企业微信的值", "admin.conflicts_undo", "conflict_id"),
    "conflicts.ours": NoticeKind("已保留系统里的值，会再写到企业微信", "admin.conflicts_undo", "conflict_id"),
    "conflicts.undone": NoticeKind("已撤销，恢复到处理之前，重新等您决定"),
    "conflicts.kept": NoticeKind("没有撤销：之后又有改动，原因见这一条"),
    **{f"conflicts.left_{reason}": NoticeKind(f"有的没有处理：{words}") for reason, words in LEFT_WORDS.items()},
    "undo.all": NoticeKind("已撤销，标签恢复到修改之前"),
    "undo.some": NoticeKind("已撤销一部分；之后又改过的标签保持现状"),
    "undo.none": NoticeKind("没有可撤销的：这些标签之后又改过，保持现状"),
}


def back_to(endpoint: str, notice: str, of: int | str | None = None, **values: Any) -> Response:
    """Send the browser to a page that will say so; a reload there does nothing twice."""
    assert notice in KINDS
    return redirect(url_for(endpoint, notice=notice, of=of, **values), 303)


def current() -> Notice | None:
    """Return what the present page has to say."""
    kind = KINDS.get(request.args.get("notice", ""))
    if kind is None:
        return None
    return Notice(kind.words, _undo(kind, request.args.get("of", "")))


def _undo(kind: NoticeKind, of: str) -> str | None:
    if kind.undo is None or not OF.fullmatch(of):
        return None
    values: dict[str, Any] = {kind.argument: of}
    try:
        return url_for(kind.undo, **values)
    except (ValueError, BuildError):
        # A word where the view wants a number: somebody wrote the address himself.
        return None
