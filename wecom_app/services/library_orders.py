"""Groups of a dimension, and tags of a group, put into an order here; WeCom is told by the library's job."""

from collections.abc import Sequence

from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import PUSHED, Owner
from wecom_app.errors import Conflict, InvalidInput
from wecom_app.models import Tag, TagGroup
from wecom_app.services import library_edits, sequence, taxonomy
from wecom_app.services.ports import JobQueue

ALL_GROUPS = 0
"""`library_push` of this group number tells the names and orders of the groups themselves."""


def order_tags(session: Session, queue: JobQueue, group_key: str, keys: Sequence[str]) -> None:
    """Put a group's tags into this order; raise InvalidInput unless each is named once, Conflict for another's."""
    group = library_edits.find_group(session, group_key, lock=True)
    tags = {tag.key: tag for tag in taxonomy.tags_of(session, [group.id]).get(group.id, [])}
    _check_keys(keys, list(tags), "标签")
    if _place(session, [tags[key] for key in keys]) and group.mirror in PUSHED:
        taxonomy.enqueue_push(session, queue, group.id)


def order_groups(session: Session, queue: JobQueue, dimension: str, keys: Sequence[str]) -> None:
    """Put a dimension's groups into this order; raise as `order_tags`."""
    groups = {group.key: group for group in taxonomy.groups_of(session, dimension)}
    _check_keys(keys, list(groups), "标签组")
    if _place(session, [groups[key] for key in keys]):
        taxonomy.enqueue_push(session, queue, ALL_GROUPS)


def _check_keys(keys: Sequence[str], known: Sequence[str], what: str) -> None:
    if len(keys) != len(known) or set(keys) != set(known):
        raise InvalidInput(f"排序需要列出其中每个{what}，各一次", details={"keys": sorted(known)})


def _place(session: Session, found: Sequence[Tag | TagGroup]) -> bool:
    """Write the new places; return whether any is new. Raises Conflict where somebody else's would have to move."""
    moved = False
    for index, one in enumerate(found):
        position = len(found) - index
        if one.position == position:
            continue
        wecom_id = one.wecom_group_id if isinstance(one, TagGroup) else one.wecom_tag_id
        if wecom_id is not None and one.owner == Owner.FOREIGN:
            raise Conflict(f"「{one.name}」是在企业微信后台或其他应用里建的，顺序只能在企业微信里调整")
        one.position, one.touched_seq, moved = position, sequence.draw(session), True
        library_edits.forget_failure(one)
    session.flush()
    return moved
