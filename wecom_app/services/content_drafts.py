"""What a content item is, as people write it: checked, written, read back. Called by `services.content`."""

from collections.abc import Mapping
from dataclasses import dataclass, fields
from datetime import datetime
from typing import Any, TypedDict

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain import conditions, contents
from wecom_app.domain.contents import File, Kind, Sendable
from wecom_app.domain.spelling import spellings
from wecom_app.errors import InvalidInput
from wecom_app.models import ContentItem, Department, Media
from wecom_app.services import condition_queries, media
from wecom_app.services.context import Context

MAX_TITLE, MAX_TEXT, MAX_LINK, MAX_APPID = 64, 2000, 1024, 64
MOST_PRIORITY, MOST_REST_DAYS = 100, 365
STATUSES = ("draft", "active")


@dataclass(frozen=True)
class ContentDraft:
    """Everything about an item that people may edit."""

    kind: str
    title: str
    text: str = ""
    link: str | None = None
    media: int | None = None
    mini_program: str | None = None
    mini_program_page: str | None = None
    condition: Mapping[str, Any] | None = None
    priority: int = 50
    valid_from: datetime | None = None
    valid_until: datetime | None = None
    status: str = "draft"
    departments: tuple[int, ...] = ()
    rest_days: int = 30


class ContentChanges(TypedDict, total=False):
    """An edit: only what it names changes."""

    kind: str
    title: str
    text: str
    link: str | None
    media: int | None
    mini_program: str | None
    mini_program_page: str | None
    condition: Mapping[str, Any] | None
    priority: int
    valid_from: datetime | None
    valid_until: datetime | None
    status: str
    departments: tuple[int, ...]
    rest_days: int


NAMES = tuple(item.name for item in fields(ContentDraft))


def check(session: Session, draft: ContentDraft, before: ContentDraft | None = None) -> None:
    """Raise InvalidInput, saying for each field what to change; a condition that stays is not asked for its tags."""
    found = {name: words for name, words in _plain_problems(draft).items() if words}
    file = _file(session, draft.media)
    if draft.media is not None and file is None:
        found["media"] = f"没有素材 {draft.media}，请先上传文件"
    elif file is not None and draft.kind != Kind.MATERIAL and file.kind != "image":
        found["media"] = "这里需要一张图片（JPG 或 PNG）"
    if draft.kind in list(Kind):
        found = {**contents.problems(sendable(draft, file)), **found}
    found |= _department_problems(session, draft)
    if draft.condition is not None and (before is None or draft.condition != before.condition):
        found |= _condition_problems(session, draft.condition)
    if found:
        raise InvalidInput("；".join(dict.fromkeys(found.values())), details=found)


def _plain_problems(draft: ContentDraft) -> dict[str, str]:
    title = draft.title.strip()
    return {
        "kind": f"类型只能是 {'、'.join(contents.KIND_WORDS.values())}" if draft.kind not in list(Kind) else "",
        "title": f"请填写标题（不超过 {MAX_TITLE} 字）" if not 0 < len(title) <= MAX_TITLE else "",
        "text": f"内容不能超过 {MAX_TEXT} 字" if len(draft.text) > MAX_TEXT else "",
        "link": _link_problem(draft.link),
        "mini_program": "AppID 不能超过 64 个字符" if len(draft.mini_program or "") > MAX_APPID else "",
        "mini_program_page": "页面路径太长" if len(draft.mini_program_page or "") > MAX_LINK else "",
        "priority": f"优先级请填 0 到 {MOST_PRIORITY}" if not 0 <= draft.priority <= MOST_PRIORITY else "",
        "valid_until": _period_problem(draft),
        "status": "状态只能是草稿或使用中" if draft.status not in STATUSES else "",
        "rest_days": f"请填 0 到 {MOST_REST_DAYS} 天" if not 0 <= draft.rest_days <= MOST_REST_DAYS else "",
    }


def _link_problem(link: str | None) -> str:
    if link is None:
        return ""
    fits = len(link) <= MAX_LINK and contents.is_web_address(link)
    return "" if fits else "链接要以 https:// 或 http:// 开头，且不含空格"


def _period_problem(draft: ContentDraft) -> str:
    if draft.valid_from is None or draft.valid_until is None or draft.valid_from < draft.valid_until:
        return ""
    return "结束时间要晚于开始时间"


def _department_problems(session: Session, draft: ContentDraft) -> dict[str, str]:
    known = set(session.scalars(select(Department.id).where(Department.id.in_(draft.departments))))
    missing = [number for number in draft.departments if number not in known]
    return {"departments": f"没有部门 {missing[0]}，请改选"} if missing else {}


def _condition_problems(session: Session, document: Mapping[str, Any]) -> dict[str, str]:
    try:
        condition_queries.check_tags(session, conditions.parse(document))
    except InvalidInput as error:
        details = {f"condition{path}": str(words) for path, words in (error.details or {}).items() if path[0] == "/"}
        return {"condition": error.message, **details}
    return {}


def _file(session: Session, media_id: int | None) -> File | None:
    found = session.get(Media, media_id) if media_id is not None else None
    return File(found.sha256, found.kind, found.filename) if found is not None else None


def sendable(draft: ContentDraft, file: File | None) -> Sendable:
    """Return what of a draft matters for sending it."""
    return Sendable(draft.kind, draft.title, draft.text, draft.link, draft.mini_program, draft.mini_program_page, file)


def read(item: ContentItem) -> ContentDraft:
    """Return an item as it is saved."""
    values = {name: getattr(item, name) for name in NAMES if name not in ("media", "departments")}
    return ContentDraft(**values, media=item.media_id, departments=tuple(item.departments))


def write(session: Session, context: Context, item: ContentItem, draft: ContentDraft) -> None:
    """Fill an item's columns; a file that is sent as such is kept at WeCom from now on."""
    for name in NAMES:
        if name not in ("media", "departments", "title", "condition"):
            setattr(item, name, getattr(draft, name))
    item.title = draft.title.strip()
    item.spellings = spellings(item.title, context.slugify)
    item.media_id = draft.media
    item.departments = list(draft.departments)
    item.condition = dict(draft.condition) if draft.condition is not None else None
    session.add(item)
    session.flush()
    if draft.kind == Kind.MATERIAL and draft.media is not None:
        media.keep_files_alive(session, context, [draft.media])
