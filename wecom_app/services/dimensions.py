"""The dimensions that groups are sorted by: made, renamed, put in order, archived while no group stands in them."""

import re
from collections.abc import Sequence

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.errors import Conflict, InvalidInput, NameTaken, NotFound, StaleEdit
from wecom_app.models import TagDimension, TagGroup
from wecom_app.services.context import Context

MAX_NAME = 12
MOST = 20
"""In use at a time: each is a section of the sidebar."""
KEY = re.compile(r"[a-z][a-z0-9_]{0,39}")


def create(session: Session, context: Context, name: str, key: str | None = None) -> TagDimension:
    """Make a dimension, at the end; raise InvalidInput or NameTaken."""
    if len(list_dimensions(session)) >= MOST:
        raise InvalidInput(f"最多 {MOST} 个维度，请先归档不用的")
    position = session.scalars(select(func.max(TagDimension.position))).one() or 0
    cleaned = _free_name(session, name)
    made = TagDimension(key=_key(session, context, cleaned, key), name=cleaned, position=position + 1)
    session.add(made)
    session.flush()
    return made


def rename(session: Session, key: str, name: str, version: int | None = None) -> TagDimension:
    """Rename a dimension; raise NotFound, StaleEdit, InvalidInput or NameTaken."""
    found = get(session, key)
    if version is not None and version != found.version:
        raise StaleEdit(details={"version": found.version})
    if name.strip() != found.name:
        found.name = _free_name(session, name)
        found.version += 1
        session.flush()
    return found


def reorder(session: Session, keys: Sequence[str]) -> list[TagDimension]:
    """Put the dimensions into this order; raise InvalidInput unless each is named once."""
    found = {one.key: one for one in list_dimensions(session)}
    if len(keys) != len(found) or set(keys) != set(found):
        raise InvalidInput("排序需要列出每个使用中的维度，各一次", details={"keys": sorted(found)})
    for position, key in enumerate(keys):
        found[key].position = position
    session.flush()
    return list_dimensions(session)


def archive(session: Session, context: Context, key: str) -> TagDimension:
    """Take an empty dimension out of use; raise Conflict while a group stands in it."""
    found = get(session, key)
    standing = session.scalars(
        select(TagGroup.name)
        .where(TagGroup.dimension == key, TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
        .order_by(TagGroup.id)
    ).all()
    if standing:
        raise Conflict(
            f"维度「{found.name}」下还有 {len(standing)} 个标签组，请先移走或归档", details={"groups": list(standing)}
        )
    found.archived_at = context.now
    found.version += 1
    session.flush()
    return found


def restore(session: Session, key: str) -> TagDimension:
    """Bring an archived dimension back; its name was kept for it."""
    found = _find(session, key)
    if found.archived_at is not None:
        found.archived_at = None
        found.version += 1
        session.flush()
    return found


def list_dimensions(session: Session, *, archived: bool = False) -> list[TagDimension]:
    """Return the dimensions in use, or the archived ones, in their order."""
    here = TagDimension.archived_at.is_not(None) if archived else TagDimension.archived_at.is_(None)
    return list(session.scalars(select(TagDimension).where(here).order_by(TagDimension.position, TagDimension.key)))


def count_groups(session: Session) -> dict[str, int]:
    """Return how many live groups stand in each dimension; those without any are left out."""
    query = (
        select(TagGroup.dimension, func.count())
        .where(TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
        .group_by(TagGroup.dimension)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def get(session: Session, key: str) -> TagDimension:
    """Return the dimension in use with this key; raise NotFound."""
    found = _find(session, key)
    if found.archived_at is not None:
        raise NotFound(f"维度「{found.name}」已归档")
    return found


def _find(session: Session, key: str) -> TagDimension:
    found = session.scalars(select(TagDimension).where(TagDimension.key == key).with_for_update()).one_or_none()
    if found is None:
        raise NotFound(f"没有维度「{key}」")
    return found


def _free_name(session: Session, name: str) -> str:
    cleaned = name.strip()
    if not 1 <= len(cleaned) <= MAX_NAME or any(ord(character) < 32 for character in cleaned):
        raise InvalidInput(f"维度名称需为 1 到 {MAX_NAME} 个字", details={"name": f"1 到 {MAX_NAME} 个字"})
    if session.scalars(select(TagDimension.key).where(TagDimension.name == cleaned)).first() is not None:
        raise NameTaken(f"已有维度「{cleaned}」（可能已归档，可以恢复）")
    return cleaned


def _key(session: Session, context: Context, name: str, key: str | None) -> str:
    taken = set(session.scalars(select(TagDimension.key)))
    if key is not None:
        if not KEY.fullmatch(key):
            raise InvalidInput("key 以小写字母开头，只含小写字母、数字、下划线，最多 40 个", details={"key": key})
        if key in taken:
            raise NameTaken(f"key「{key}」已被使用过，不能重复", details={"key": key})
        return key
    slug = context.slugify(name)[:30].strip("_")
    base = slug if KEY.fullmatch(slug) else f"dimension_{slug}".rstrip("_")
    numbers = (base if number == 1 else f"{base}_{number}" for number in range(1, len(taken) + 2))
    return next(one for one in numbers if one not in taken)
