"""A library's file carried into the library: first tried out and taken back, then done, whole or not at all.

Called by the console, the API and the command line. Whatever stands here and not in the file stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.errors import AppError, Conflict, InvalidInput
from wecom_app.models import Tag, TagDimension, TagGroup
from wecom_app.services import dimensions, library_edits, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.library_edits import GroupChanges, TagChanges
from wecom_app.services.library_files import DimensionRow, GroupRow, LibraryFile, TagRow
from wecom_app.services.library_reading import Faulty
from wecom_app.services.runtime import Store
from wecom_app.services.taxonomy import GroupDraft, TagDraft

FIELD_WORDS = {
    "name": "名称",
    "dimension": "维度",
    "description": "说明",
    "definition": "口径",
    "maintainer": "负责人",
    "lifecycle": "状态",
    "ttl_days": "有效期",
    "sensitive": "敏感",
    "colour": "颜色",
    "editable_by": "谁可以打",
    "selection": "单选或多选",
    "scope": "打在谁身上",
    "mirror": "与企业微信",
    "conflict_policy": "两边都改时",
    "aliases": "别名",
    "replaced_by": "改用",
}


@dataclass(frozen=True)
class Step:
    """One thing that an import does: `action` is create, change or restore, `kind` dimension, group or tag."""

    line: int
    action: str
    kind: str
    name: str
    details: str = ""


@dataclass
class Outcome:
    """What an import did or would do; with problems it does nothing."""

    steps: list[Step] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


class _TakeBackError(Exception):
    """Leaves a transaction without a trace."""


def preview(store: Store, context: Context, file: LibraryFile, *, only_add: bool = False) -> Outcome:
    """Return what carrying the file in would do, and what is wrong with it; nothing is kept."""
    outcome = Outcome()
    try:
        with store.write() as session:
            _Import(session, context, only_add, outcome).carry(file)
            raise _TakeBackError
    except _TakeBackError:
        return outcome


def carry_in(store: Store, context: Context, file: LibraryFile, *, only_add: bool = False) -> Outcome:
    """Carry the file in; raise Faulty, with every line that is wrong, and nothing is kept.

    With `only_add` what stands already stays as it is, and only what is missing is made.
    """
    outcome = Outcome()
    with store.write() as session:
        _Import(session, context, only_add, outcome).carry(file)
        if outcome.problems:
            raise Faulty(outcome.problems)
    return outcome


@dataclass(frozen=True)
class _Meant:
    """A row of a tag, with the key of the tag that it means."""

    row: TagRow
    line: int
    key: str
    group: TagGroup
    is_new: bool


@dataclass(frozen=True)
class _Import:
    """One import under way; what is wrong with a row is noted, and the next is looked at."""

    session: Session
    context: Context
    only_add: bool
    outcome: Outcome

    def carry(self, file: LibraryFile) -> None:
        for dimension in file.dimensions:
            with self._noting(dimension.line):
                self._dimension(dimension)
        meant: list[_Meant] = []
        for row in file.groups:
            with self._noting(row.line):
                meant += self._tags(self._group(row), row)
        # Last, for a tag may name another of the same file as its replacement.
        for one in meant:
            with self._noting(one.line):
                self._change_tag(one)

    @contextmanager
    def _noting(self, line: int) -> Iterator[None]:
        try:
            yield
        except AppError as error:
            self.outcome.problems.append((line, error.message))

    def _did(self, line: int, action: str, kind: str, name: str, details: str = "") -> None:
        self.outcome.steps.append(Step(line, action, kind, name, details))

    def _dimension(self, row: DimensionRow) -> None:
        found = self.session.get(TagDimension, row.key)
        if found is None:
            dimensions.create(self.session, self.context, row.name, row.key)
            self._did(row.line, "create", "dimension", row.name)
            return
        if found.archived_at is not None:
            dimensions.restore(self.session, row.key)
            self._did(row.line, "restore", "dimension", found.name)
        if not self.only_add and found.name != row.name:
            dimensions.rename(self.session, row.key, row.name)
            self._did(row.line, "change", "dimension", row.name, FIELD_WORDS["name"])

    def _group(self, row: GroupRow) -> TagGroup:
        group = _standing_group(self.session, row)
        if group is None:
            values = row.named("tags", "name", "dimension", "aliases")
            library_edits.check_texts(values)
            draft = GroupDraft(row.name, row.dimension, key=row.key, **values)
            group = taxonomy.create_group(self.session, self.context, draft)
            if row.aliases:
                library_edits.edit_group(self.session, self.context, group.key, {"aliases": row.aliases})
            self._did(row.line, "create", "group", group.name)
            return group
        if group.archived_at is not None:
            library_edits.restore_group(self.session, self.context, group.key)
            self._did(row.line, "restore", "group", group.name)
        values = row.named("tags")
        changed = [] if self.only_add else _differing(group, values)
        if changed:
            library_edits.edit_group(self.session, self.context, group.key, cast("GroupChanges", values))
            self._did(row.line, "change", "group", group.name, _words(changed))
        return group

    def _tags(self, group: TagGroup, row: GroupRow) -> list[_Meant]:
        """Make the tags that the group lacks; return those to look through."""
        standing = taxonomy.tags_of(self.session, [group.id]).get(group.id, [])
        keys = {tag.key for tag in standing}
        by_name = {tag.name: tag.key for tag in standing}
        missing: list[tuple[TagRow, int]] = []
        meant: list[_Meant] = []
        for tag in row.tags:
            line = tag.line or row.line
            key = tag.key if tag.key in keys else by_name.get(tag.name) if tag.key is None else None
            if key is None and tag.key is not None:
                is_elsewhere = True
                with self._noting(line):
                    is_elsewhere = self._stands_elsewhere(tag.key, group, line)
                if is_elsewhere:
                    continue
            if key is None:
                with self._noting(line):
                    taxonomy.check_tag(self.session, group, TagDraft(tag.name, tag.key))
                    missing.append((tag, line))
            elif not self.only_add:
                meant.append(_Meant(tag, line, key, group, is_new=False))
        made = taxonomy.add_tags(self.session, self.context, group, [TagDraft(tag.name, tag.key) for tag, _ in missing])
        for (tag, line), new in zip(missing, made, strict=True):
            self._did(line, "create", "tag", new.name, group.name)
            meant.append(_Meant(tag, line, new.key, group, is_new=True))
        return meant

    def _stands_elsewhere(self, key: str, group: TagGroup, line: int) -> bool:
        """Bring an archived tag of the group back; raise InvalidInput for one of another group."""
        tag = self.session.scalars(select(Tag).where(Tag.key == key, Tag.gone_at.is_(None))).one_or_none()
        if tag is None:
            return False
        if tag.group_id != group.id:
            raise InvalidInput(f"标签「{tag.name}」（{key}）在别的标签组里，不能换组")
        library_edits.restore_tag(self.session, self.context, key)
        self._did(line, "restore", "tag", tag.name, group.name)
        return True

    def _change_tag(self, meant: _Meant) -> None:
        tag, _ = library_edits.find_tag(self.session, meant.key)
        values = meant.row.named()
        changed = _differing(tag, values)
        if not changed:
            return
        library_edits.edit_tag(self.session, self.context, meant.key, cast("TagChanges", values))
        if not meant.is_new:
            self._did(meant.line, "change", "tag", tag.name, _words(changed))


def _standing_group(session: Session, row: GroupRow) -> TagGroup | None:
    query = select(TagGroup).where(TagGroup.gone_at.is_(None))
    if row.key is not None:
        found = session.scalars(query.where(TagGroup.key == row.key)).one_or_none()
        if found is not None:
            return found
    found = session.scalars(query.where(TagGroup.name == row.name, TagGroup.archived_at.is_(None))).first()
    if found is not None and row.key is not None:
        raise Conflict(f"已有同名标签组「{found.name}」，它的 key 是 {found.key}，不是 {row.key}")
    return found


def _differing(one: Tag | TagGroup, values: Mapping[str, Any]) -> list[str]:
    return [name for name, value in values.items() if getattr(one, name) != value]


def _words(changed: Sequence[str]) -> str:
    return "、".join(words for name, words in FIELD_WORDS.items() if name in changed)
