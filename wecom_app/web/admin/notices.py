"""What a page says once after something was done: `?notice=content.archived&of=7`, with a way back where there is one.

The words stand here and not in the address, so that nobody can make our page say something.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from flask import redirect, request, url_for
from werkzeug.wrappers import Response


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
    "roles.saved": NoticeKind("角色已保存，立即生效"),
    "undo.all": NoticeKind("已撤销，标签恢复到修改之前"),
    "undo.some": NoticeKind("已撤销一部分；之后又改过的标签保持现状"),
    "undo.none": NoticeKind("没有可撤销的：这些标签之后又改过，保持现状"),
}


def back_to(endpoint: str, notice: str, of: int | None = None, **values: Any) -> Response:
    """Send the browser to a page that will say so; a reload there does nothing twice."""
    assert notice in KINDS
    return redirect(url_for(endpoint, notice=notice, of=of, **values), 303)


def current() -> Notice | None:
    """Return what the present page has to say."""
    kind = KINDS.get(request.args.get("notice", ""))
    if kind is None:
        return None
    of = request.args.get("of", type=int)
    if kind.undo is None or of is None or of < 1:
        return Notice(kind.words)
    values: dict[str, Any] = {kind.argument: of}
    return Notice(kind.words, url_for(kind.undo, **values))
