"""The forms of the tag library: what they show, what was typed, and the words of their choices."""

from collections.abc import Mapping
from dataclasses import dataclass, replace
from typing import Any, cast

from wecom_app.domain.definitions import POLICY_WORDS, Policy
from wecom_app.domain.vocabulary import LIFECYCLE_WORDS, Colour, EditableBy, Lifecycle, Mirror, Scope, Selection
from wecom_app.errors import AppError, InvalidInput
from wecom_app.models import Tag, TagGroup
from wecom_app.services.library_edits import GroupChanges, TagChanges
from wecom_app.web.admin import stale

SELECTION_WORDS = {Selection.MULTI: "多选：可以同时有几个", Selection.SINGLE: "单选：最多有一个"}
SELECTION_SHORT = {Selection.MULTI: "多选", Selection.SINGLE: "单选"}
SCOPE_WORDS = {Scope.CUSTOMER: "客户：所有成员看到的一样", Scope.RELATION: "好友关系：每位成员各打各的"}
MIRROR_WORDS = {
    Mirror.TWO_WAY: "双向同步",
    Mirror.PUSH: "推送到企业微信",
    Mirror.PULL: "以企业微信为准",
    Mirror.NONE: "只在本系统",
}
EDITABLE_WORDS = {
    EditableBy.EVERYBODY: "所有成员",
    EditableBy.LEADERS: "主管和管理员",
    EditableBy.NOBODY: "任何人都不能手动改",
}
CONFLICT_WORDS = POLICY_WORDS
COLOUR_WORDS = {
    "": "跟随维度",
    Colour.AMBER: "琥珀",
    Colour.BLUE: "蓝",
    Colour.GREEN: "绿",
    Colour.GREY: "灰",
    Colour.PURPLE: "紫",
    Colour.RED: "红",
    Colour.TEAL: "青",
}
GROUP_LIFECYCLE = dict(LIFECYCLE_WORDS)
TAG_LIFECYCLE = {key: words for key, words in LIFECYCLE_WORDS.items() if key != Lifecycle.DRAFT}
MOST_AT_ONCE = 500
"""Tags made by one form: one short write."""
LABELS = {
    "name": "名称",
    "aliases": "别名",
    "lifecycle": "状态",
    "description": "说明",
    "definition": "口径",
    "maintainer": "负责人",
    "ttl_days": "默认有效期（天）",
}
TAG_LABELS = {**LABELS, "replaced_by": "改用"}
GROUP_LABELS = {
    **LABELS,
    "dimension": "维度",
    "selection": "单选还是多选",
    "scope": "打在谁身上",
    "mirror": "与企业微信",
    "conflict_policy": "两边都改了名称或顺序时",
    "editable_by": "谁可以手动打",
    "colour": "颜色",
    "sensitive": "敏感",
}
CHOICES: Mapping[str, Mapping[Any, str]] = {
    "lifecycle": LIFECYCLE_WORDS,
    "selection": SELECTION_WORDS,
    "scope": SCOPE_WORDS,
    "mirror": MIRROR_WORDS,
    "conflict_policy": CONFLICT_WORDS,
    "editable_by": EDITABLE_WORDS,
    "colour": COLOUR_WORDS,
    "sensitive": {True: "是", False: "否"},
}
USE_WORDS = {"channel": "渠道活码", "content": "内容", "bot": "机器人"}


@dataclass(frozen=True)
class Texts:
    """What groups and tags have in common."""

    name: str = ""
    description: str = ""
    definition: str = ""
    maintainer: str = ""
    lifecycle: str = Lifecycle.ACTIVE.value
    ttl_days: str = ""
    version: int | None = None

    def texts(self) -> dict[str, Any]:
        """Return the common fields as they are kept; raise InvalidInput for a choice or number that is none."""
        return {
            "description": self.description.strip(),
            "definition": self.definition.strip(),
            "maintainer": self.maintainer.strip() or None,
            "lifecycle": _one_of(Lifecycle, "lifecycle", self.lifecycle),
            "ttl_days": _days(self.ttl_days),
        }


@dataclass(frozen=True)
class GroupForm(Texts):
    dimension: str = ""
    selection: str = Selection.MULTI.value
    scope: str = Scope.CUSTOMER.value
    mirror: str = Mirror.TWO_WAY.value
    editable_by: str = EditableBy.EVERYBODY.value
    conflict_policy: str = Policy.WECOM.value
    sensitive: bool = False
    colour: str = ""
    aliases: str = ""
    tags: str = ""

    @classmethod
    def of(cls, group: TagGroup) -> "GroupForm":
        """Return the form of a group as it is saved."""
        names = ("dimension", "selection", "scope", "mirror", "editable_by", "conflict_policy", "sensitive")
        shown = {name: getattr(group, name) for name in names}
        return cls(**_texts_of(group), **shown, colour=group.colour or "", aliases="、".join(group.aliases))

    def choices(self) -> dict[str, Any]:
        """Return the choices as they are kept; raise InvalidInput for one that is none."""
        return {
            "selection": _one_of(Selection, "selection", self.selection),
            "scope": _one_of(Scope, "scope", self.scope),
            "mirror": _one_of(Mirror, "mirror", self.mirror),
            "editable_by": _one_of(EditableBy, "editable_by", self.editable_by),
            "conflict_policy": _one_of(Policy, "conflict_policy", self.conflict_policy),
            "sensitive": self.sensitive,
            "colour": _one_of(Colour, "colour", self.colour) if self.colour else None,
        }

    def changes(self) -> GroupChanges:
        """Return the edit that the form asks for."""
        values = {"name": self.name, "dimension": self.dimension, **self.texts(), **self.choices()}
        values["aliases"] = _aliases(self.aliases)
        return cast("GroupChanges", values)


@dataclass(frozen=True)
class TagForm(Texts):
    aliases: str = ""
    replaced_by: str = ""

    @classmethod
    def of(cls, tag: Tag) -> "TagForm":
        """Return the form of a tag as it is saved."""
        return cls(**_texts_of(tag), aliases="、".join(tag.aliases), replaced_by=tag.replaced_by or "")

    def changes(self) -> TagChanges:
        """Return the edit that the form asks for."""
        values = {"name": self.name, **self.texts(), "aliases": _aliases(self.aliases)}
        if self.lifecycle == Lifecycle.DEPRECATED:
            values["replaced_by"] = self.replaced_by or None
        return cast("TagChanges", values)


def read_group(form: Mapping[str, str]) -> GroupForm:
    """Return what was typed into the form of a group."""
    names = ("dimension", "selection", "scope", "mirror", "editable_by", "conflict_policy", "colour", "aliases", "tags")
    given = {name: form[name] for name in names if name in form}
    return GroupForm(**_typed(form), **cast("Any", given), sensitive="sensitive" in form)


def read_tag(form: Mapping[str, str]) -> TagForm:
    """Return what was typed into the form of a tag."""
    return TagForm(**_typed(form), aliases=form.get("aliases", ""), replaced_by=form.get("replaced_by", ""))


def problems(error: AppError) -> dict[str, str]:
    """Return what a form says of a refusal, by field."""
    if isinstance(error, InvalidInput) and error.details:
        return {name: str(words) for name, words in error.details.items()}
    return {"form": error.message}


def lines(form: Mapping[str, str], name: str) -> list[str]:
    """Return what stands in a field one a line; raise InvalidInput where it is more than is made at once."""
    found = [line.strip() for line in form.get(name, "").splitlines() if line.strip()]
    if len(found) > MOST_AT_ONCE:
        words = f"一次最多 {MOST_AT_ONCE} 个，这里有 {len(found)} 个：请分几次添加，或用导入"
        raise InvalidInput(words, details={name: words})
    return found


def outdated_group(
    group: TagGroup, typed: GroupForm, dimensions: Mapping[str, str]
) -> tuple[GroupForm, dict[str, str]]:
    """Return the form, fit to be saved over what somebody else saved meanwhile, and what that was."""
    names = {"dimension": dimensions}
    told = stale.problems(_read_out(GroupForm.of(group), names), _read_out(typed, names), GROUP_LABELS)
    return replace(typed, version=group.version), told


def outdated_tag(tag: Tag, typed: TagForm, mates: Mapping[str, str]) -> tuple[TagForm, dict[str, str]]:
    """Return the same of a tag."""
    names = {"replaced_by": mates}
    told = stale.problems(_read_out(TagForm.of(tag), names), _read_out(typed, names), TAG_LABELS)
    return replace(typed, version=tag.version), told


def _read_out(form: Texts, names: Mapping[str, Mapping[str, str]]) -> dict[str, str]:
    """Return what stands in a form as people read it."""
    choices = {**CHOICES, **names}
    return {name: choices[name].get(value, value) if name in choices else value for name, value in vars(form).items()}


def _typed(form: Mapping[str, str]) -> dict[str, Any]:
    names = ("name", "description", "definition", "maintainer", "lifecycle", "ttl_days")
    version = form.get("version", "")[:9]
    return {
        **{name: form[name].strip() for name in names if name in form},
        "version": int(version) if version.isascii() and version.isdigit() else None,
    }


def _texts_of(one: Tag | TagGroup) -> dict[str, Any]:
    return {
        "name": one.name,
        "description": one.description,
        "definition": one.definition,
        "maintainer": one.maintainer or "",
        "lifecycle": one.lifecycle,
        "ttl_days": str(one.ttl_days or ""),
        "version": one.version,
    }


def _aliases(text: str) -> list[str]:
    return text.replace(",", "、").replace("，", "、").split("、")


def _one_of(kinds: Any, name: str, value: str) -> Any:
    if value not in list(kinds):
        raise InvalidInput("请从列表里选择", details={name: "请从列表里选择"})
    return kinds(value)


def _days(text: str) -> int | None:
    if not text:
        return None
    if not (text.isascii() and text.isdigit() and len(text) <= 4):
        raise InvalidInput("有效期请填天数，不填表示一直有效", details={"ttl_days": "请填天数，不填表示一直有效"})
    return int(text)
