"""The profile fields that admins define for customers: made, changed, put in order, archived; values stand elsewhere.

Called by the API. A field's key and kind never change, so that what was filled in keeps its meaning.
"""

import re
from collections.abc import Sequence
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.field_kinds import Kind
from wecom_app.errors import Conflict, InvalidInput, NameTaken, NotFound
from wecom_app.models import ProfileField, ProfileValue
from wecom_app.services.context import Context

MAX_FIELDS = 50
"""In use at a time: a profile in a sidebar has no room for more."""
MAX_NAME = 20
MAX_OPTIONS = 100
MAX_OPTION = 30
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


@dataclass(frozen=True)
class FieldDraft:
    """A field to make; `key` is made from the name where it is None."""

    name: str
    kind: Kind
    key: str | None = None
    help: str | None = None
    required: bool = False
    repeated: bool = False
    sensitive: bool = False
    options: Sequence[str] = ()


@dataclass(frozen=True)
class FieldEdit:
    """What changes about a field; None leaves it as it is, an empty `help` takes it away."""

    name: str | None = None
    help: str | None = None
    required: bool | None = None
    repeated: bool | None = None
    sensitive: bool | None = None
    options: Sequence[str] | None = None


def create(session: Session, context: Context, draft: FieldDraft) -> ProfileField:
    """Make a field, at the end; raise InvalidInput or NameTaken."""
    if len(list_fields(session)) >= MAX_FIELDS:
        raise InvalidInput(f"最多使用 {MAX_FIELDS} 个资料字段，请先停用不用的")
    name = _free_name(session, draft.name)
    field = ProfileField(
        key=_key(session, context, draft, name),
        name=name,
        kind=draft.kind.value,
        repeated=draft.repeated,
        required=draft.required,
        sensitive=draft.sensitive,
        help=(draft.help or "").strip() or None,
        options=_options(draft.kind, draft.options),
        position=_last_position(session) + 1,
        created_at=context.now,
    )
    session.add(field)
    session.flush()
    return field


def update(session: Session, key: str, edit: FieldEdit) -> ProfileField:
    """Change a field; raise NotFound, InvalidInput, NameTaken, or Conflict where values stand in the way."""
    field = get(session, key)
    if edit.name is not None and edit.name.strip() != field.name:
        field.name = _free_name(session, edit.name)
    if edit.help is not None:
        field.help = edit.help.strip() or None
    if edit.options is not None:
        field.options = _options(Kind(field.kind), edit.options)
    if edit.repeated is False and field.repeated and _has_several(session, field.id):
        raise Conflict("已有客户填了多个值，不能改为只填一个")
    for name in ("required", "repeated", "sensitive"):
        value = getattr(edit, name)
        if value is not None:
            setattr(field, name, value)
    session.flush()
    return field


def archive(session: Session, context: Context, key: str) -> ProfileField:
    """Take a field out of use, once; what was filled in is kept. Raises NotFound."""
    field = _find(session, key)
    field.archived_at = field.archived_at or context.now
    session.flush()
    return field


def restore(session: Session, key: str) -> ProfileField:
    """Bring an archived field back, at the end; raise NotFound, or NameTaken where its name is in use again."""
    field = _find(session, key)
    if field.archived_at is not None:
        _free_name(session, field.name)
        field.archived_at, field.position = None, _last_position(session) + 1
        session.flush()
    return field


def reorder(session: Session, keys: Sequence[str]) -> list[ProfileField]:
    """Put the fields in use into this order; raise InvalidInput unless each is named once."""
    fields = {field.key: field for field in list_fields(session)}
    if len(keys) != len(fields) or set(keys) != set(fields):
        raise InvalidInput("排序需要列出每个使用中的字段，各一次", details={"keys": sorted(fields)})
    for position, key in enumerate(keys):
        fields[key].position = position
    session.flush()
    return list_fields(session)


def list_fields(session: Session, *, archived: bool = False) -> list[ProfileField]:
    """Return the fields in use in their order, or those that are archived, the last first."""
    if archived:
        query = select(ProfileField).where(ProfileField.archived_at.is_not(None))
        return list(session.scalars(query.order_by(ProfileField.archived_at.desc(), ProfileField.id)))
    query = select(ProfileField).where(ProfileField.archived_at.is_(None))
    return list(session.scalars(query.order_by(ProfileField.position, ProfileField.id)))


def get(session: Session, key: str) -> ProfileField:
    """Return the field in use with this key; raise NotFound."""
    field = _find(session, key)
    if field.archived_at is not None:
        raise NotFound(f"资料字段「{field.name}」已停用")
    return field


def _find(session: Session, key: str) -> ProfileField:
    field = session.scalars(select(ProfileField).where(ProfileField.key == key)).one_or_none()
    if field is None:
        raise NotFound(f"没有资料字段「{key}」")
    return field


def _free_name(session: Session, name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= MAX_NAME or any(ord(character) < 32 for character in cleaned):
        raise InvalidInput(f"字段名称需为 1 到 {MAX_NAME} 个字", details={"name": f"1 到 {MAX_NAME} 个字"})
    query = select(ProfileField.key).where(ProfileField.name == cleaned, ProfileField.archived_at.is_(None))
    if session.execute(query).first() is not None:
        raise NameTaken(f"已有资料字段「{cleaned}」")
    return cleaned


def _key(session: Session, context: Context, draft: FieldDraft, name: str) -> str:
    """Return the key given or made; one that was ever used is never used again."""
    taken = set(session.scalars(select(ProfileField.key)))
    if draft.key is None:
        slug = context.slugify(name)[:30].strip("_")
        base = slug if KEY.fullmatch(slug) else f"field_{slug}".rstrip("_")
        numbers = (base if number == 1 else f"{base}_{number}" for number in range(1, len(taken) + 2))
        return next(key for key in numbers if key not in taken)
    if not KEY.fullmatch(draft.key):
        raise InvalidInput("key 以小写字母开头，只含小写字母、数字、下划线，最多 40 个", details={"key": draft.key})
    if draft.key in taken:
        raise NameTaken(f"key「{draft.key}」已被使用过，不能重复", details={"key": draft.key})
    return draft.key


def _options(kind: Kind, options: Sequence[str]) -> list[str]:
    cleaned = list(dict.fromkeys(option.strip() for option in options))
    if kind is not Kind.CHOICE:
        if cleaned:
            raise InvalidInput("只有选择类字段有选项", details={"options": "只用于选择类字段"})
        return []
    if not 1 <= len(cleaned) <= MAX_OPTIONS or not all(1 <= len(option) <= MAX_OPTION for option in cleaned):
        words = f"1 到 {MAX_OPTIONS} 个选项，每个 1 到 {MAX_OPTION} 个字"
        raise InvalidInput(f"选择类字段需要 {words}", details={"options": words})
    return cleaned


def _has_several(session: Session, field_id: int) -> bool:
    query = (
        select(ProfileValue.customer_id)
        .where(ProfileValue.field_id == field_id, ProfileValue.ended_at.is_(None))
        .group_by(ProfileValue.customer_id)
        .having(func.count() > 1)
        .limit(1)
    )
    return session.execute(query).first() is not None


def _last_position(session: Session) -> int:
    return session.execute(select(func.max(ProfileField.position))).scalar_one() or 0
