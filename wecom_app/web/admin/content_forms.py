"""What the form of a content item sends, read into a draft; what it cannot mean is told field by field."""

import json
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any
from zoneinfo import ZoneInfo

from werkzeug.datastructures import MultiDict

from wecom_app.domain import condition_form, conditions
from wecom_app.domain.condition_form import Choice
from wecom_app.errors import InvalidInput
from wecom_app.services.content_drafts import ContentDraft

Form = MultiDict[str, str]
TAGS, JSON = "tags", "json"
"""The two ways of writing a condition: the fieldsets, and its document."""


@dataclass(frozen=True)
class ConditionInput:
    """A condition as the form shows it: the tags chosen, and the text of the document."""

    mode: str = TAGS
    choice: Choice = field(default_factory=Choice)
    text: str = ""

    def document(self) -> Mapping[str, Any] | None:
        """Return the condition's document; raise InvalidInput for a text that is none."""
        if self.mode != JSON:
            return condition_form.to_document(self.choice)
        if not self.text.strip():
            return None
        try:
            document = json.loads(self.text)
        except RecursionError:
            raise InvalidInput("条件嵌套太深") from None
        except ValueError as error:
            where = f"第 {error.lineno} 行第 {error.colno} 个字符" if isinstance(error, json.JSONDecodeError) else ""
            raise InvalidInput(f"这不是有效的 JSON：请检查{where}附近的引号、逗号和括号") from None
        conditions.parse(document)
        found: Mapping[str, Any] = document
        return found


def condition_of(document: Mapping[str, Any] | None) -> ConditionInput:
    """Return how the form shows a saved condition: by tags where they can say it."""
    choice = condition_form.from_document(document)
    text = json.dumps(document, ensure_ascii=False, indent=2) if document is not None else ""
    return ConditionInput(TAGS, choice, text) if choice is not None else ConditionInput(JSON, Choice(), text)


def read_condition(form: Form) -> ConditionInput:
    """Return the condition's part of a form."""
    choice = Choice(*(tuple(dict.fromkeys(form.getlist(name))) for name in ("all", "any", "none")))
    return ConditionInput(JSON if form.get("mode") == JSON else TAGS, choice, form.get("condition", ""))


@dataclass(frozen=True)
class Read:
    """A form that was read: the draft as far as it could be, the condition as it was written, and what was wrong."""

    draft: ContentDraft
    condition: ConditionInput
    problems: dict[str, str]


def read(form: Form, time_zone: str) -> Read:
    """Return what a form says."""
    problems: dict[str, str] = {}
    written = read_condition(form)
    document: Mapping[str, Any] | None = None
    try:
        document = written.document()
    except InvalidInput as error:
        problems["condition"] = error.message
    draft = ContentDraft(
        kind=form.get("kind", ""),
        title=form.get("title", ""),
        text=form.get("text", "").replace("\r\n", "\n"),
        link=_words(form, "link"),
        media=_number(form, "media", problems, "请重新选择文件"),
        mini_program=_words(form, "mini_program"),
        mini_program_page=_words(form, "mini_program_page"),
        condition=document,
        priority=_number(form, "priority", problems, "优先级请填 0 到 100 的整数", 50) or 0,
        valid_from=_moment(form, "valid_from", problems, time_zone),
        valid_until=_moment(form, "valid_until", problems, time_zone),
        status=form.get("status", "draft"),
        departments=_numbers(form.getlist("departments")),
        rest_days=_number(form, "rest_days", problems, "天数请填整数", 30) or 0,
    )
    return Read(draft, written, problems)


def local_value(moment: datetime | None, time_zone: str) -> str:
    """Return a moment as a field of type datetime-local shows it."""
    return moment.astimezone(ZoneInfo(time_zone)).strftime("%Y-%m-%dT%H:%M") if moment else ""


def _words(form: Form, name: str) -> str | None:
    return form.get(name, "").strip() or None


def _number(form: Form, name: str, problems: dict[str, str], words: str, default: int | None = None) -> int | None:
    text = form.get(name, "").strip()
    if not text:
        return default
    if not text.isascii() or not text.isdigit() or len(text) > 9:
        problems[name] = words
        return default
    return int(text)


def _numbers(texts: Sequence[str]) -> tuple[int, ...]:
    return tuple(dict.fromkeys(int(text) for text in texts if text.isascii() and text.isdigit() and len(text) < 16))


def _moment(form: Form, name: str, problems: dict[str, str], time_zone: str) -> datetime | None:
    text = form.get(name, "").strip()
    if not text:
        return None
    try:
        return datetime.fromisoformat(text).replace(tzinfo=ZoneInfo(time_zone))
    except ValueError:
        problems[name] = "时间请按 年-月-日 时:分 填写"
        return None
