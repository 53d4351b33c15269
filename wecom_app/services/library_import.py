"""A library's file carried into the library, slice by slice, in the caller's transactions.

`library_trial` goes through all slices on a copy, `library_imports` through one a transaction. Whatever stands here and
not in the file stays.
"""

from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass, field
from typing import Any, cast

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.errors import AppError, Conflict, InvalidInput
from wecom_app.models import Tag, TagDimension, TagGroup
from wecom_app.services import dimensions, library_edits, library_restoring, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.library_edits import GroupChanges, TagChanges
from wecom_app.services.library_files import DimensionRow, GroupRow, LibraryFile, TagRow
from wecom_app.services.taxonomy import GroupDraft, TagDraft

SLICE = 10
"""Tags made or changed in one transaction: about 20 ms on SQLite."""
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
    """What an import did or would do, and the rows that are wrong."""

    steps: list[Step] = field(default_factory=list)
    problems: list[tuple[int, str]] = field(default_factory=list)


@dataclass(frozen=True)
class Slice:
    """A part of a file: the dimensions, or some tags of a group, made first and changed once all are there."""

    kind: str
    group: int = 0
    """The group's place in the file."""
    start: int = 0


def slices(file: LibraryFile) -> list[Slice]:
    """Return the parts of a file in their order; a tag may name another of the same file as its replacement."""
    found = [Slice("dimensions")]
    for kind in ("make", "change"):
        for place, row in enumerate(file.groups):
            found += [Slice(kind, place, start) for start in range(0, max(1, len(row.tags)), SLICE)]
    return found


@dataclass(frozen=True)
class Import:
    """An import under way in one transaction; what is wrong with a row is noted, and the next is looked at."""

    session: Session
    context: Context
    only_add: bool
    outcome: Outcome = field(default_factory=Outcome)
    pending: set[str] = field(default_factory=set)
    """Keys of tags that it made and whose replacement is still to be named."""

    def carry(self, file: LibraryFile, part: Slice) -> None:
        """Carry a slice in; a row of it as a whole or not at all."""
        if part.kind == "dimensions":
            for dimension in file.dimensions:
                with self._noting(dimension.line):
                    self._dimension(dimension)
            return
        row, stop = file.groups[part.group], part.start + SLICE
        with self._noting(row.line):
            group = self._group(row) if part == Slice("make", part.group) else standing_group(self.session, row)
            if group is not None and part.kind == "make":
                self._make(group, row.tags[part.start : stop], row.line, behind=len(row.tags[stop:]))
            elif group is not None:
                self._change(group, row.tags[part.start : stop], row.line)

    @contextmanager
    def _noting(self, line: int) -> Iterator[None]:
        done = len(self.outcome.steps)
        try:
            with self.session.begin_nested():
                yield
        except AppError as error:
            del self.outcome.steps[done:]
            problem = (line, error.message)
            if problem not in self.outcome.problems:
                self.outcome.problems.append(problem)

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
        group = standing_group(self.session, row)
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
            library_restoring.restore_group(self.session, self.context, group.key)
            self._did(row.line, "restore", "group", group.name)
        values = row.named("tags")
        changed = [] if self.only_add else _differing(group, values)
        if changed:
            library_edits.edit_group(self.session, self.context, group.key, cast("GroupChanges", values))
            self._did(row.line, "change", "group", group.name, _words(changed))
        return group

    def _make(self, group: TagGroup, rows: Sequence[TagRow], group_line: int, *, behind: int) -> None:
        """Make the tags that the group lacks, before as many others of the file as are `behind` them."""
        standing = _standing_tags(self.session, group)
        missing = []
        for row in (row for row in rows if standing.find(row) is None):
            if row.key is None:
                missing.append(row)
                continue
            with self._noting(row.line or group_line):
                if not self._stands_elsewhere(row.key, group, row.line or group_line):
                    missing.append(row)
        missing = [row for row in missing if self._can_be_made(row, group, group_line)]
        drafts = [TagDraft(row.name, row.key) for row in missing]
        made = taxonomy.add_tags(self.session, self.context, group, drafts, behind=behind)
        for row, tag in zip(missing, made, strict=True):
            line = row.line or group_line
            self._did(line, "create", "tag", tag.name, group.name)
            values = row.named("replaced_by")
            if _differing(tag, values):
                with self._noting(line):
                    library_edits.edit_tag(self.session, self.context, tag.key, cast("TagChanges", values))
            if row.replaced_by is not None:
                self.pending.add(tag.key)

    def _can_be_made(self, row: TagRow, group: TagGroup, group_line: int) -> bool:
        try:
            taxonomy.check_tag(self.session, group, TagDraft(row.name, row.key))
        except AppError as error:
            self.outcome.problems.append((row.line or group_line, error.message))
            return False
        return True

    def _stands_elsewhere(self, key: str, group: TagGroup, line: int) -> bool:
        """Bring an archived tag of the group back; raise InvalidInput for one of another group."""
        query = select(Tag).where(Tag.key == key, Tag.gone_at.is_(None))
        tag = self.session.scalars(query).one_or_none()
        if tag is None:
            return False
        if tag.group_id != group.id:
            raise InvalidInput(f"标签「{tag.name}」（{key}）在别的标签组里，不能换组")
        library_restoring.restore_tag(self.session, self.context, tag.key)
        self._did(line, "restore", "tag", tag.name, group.name)
        return True

    def _change(self, group: TagGroup, rows: Sequence[TagRow], group_line: int) -> None:
        """Give tags what the file says of them: those that stood there, and those just made their replacement."""
        standing = _standing_tags(self.session, group)
        for row in rows:
            tag = standing.find(row)
            if tag is None or (self.only_add and tag.key not in self.pending):
                continue
            line, values, version = row.line or group_line, row.named(), tag.version
            changed = _differing(tag, values)
            if not changed:
                continue
            with self._noting(line):
                library_edits.edit_tag(self.session, self.context, tag.key, cast("TagChanges", values))
                if tag.version != version and tag.key not in self.pending:
                    self._did(line, "change", "tag", tag.name, _words(changed))


@dataclass(frozen=True)
class _Standing:
    """The live tags of a group."""

    by_key: Mapping[str, Tag]
    by_name: Mapping[str, Tag]

    def find(self, row: TagRow) -> Tag | None:
        """Return the tag that a row means; its key counts before its name."""
        if row.key is not None and row.key in self.by_key:
            return self.by_key[row.key]
        return self.by_name.get(row.name) if row.key is None else None


def _standing_tags(session: Session, group: TagGroup) -> _Standing:
    tags = taxonomy.tags_of(session, [group.id]).get(group.id, [])
    return _Standing({tag.key: tag for tag in tags}, {tag.name: tag for tag in tags})


def standing_group(session: Session, row: GroupRow) -> TagGroup | None:
    """Return the group that a row means; raise Conflict where its name is another's."""
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
