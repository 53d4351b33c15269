"""WeCom's tag library merged into ours: groups and tags linked and taken in, names and orders decided three ways.

Called by `services.library` with what WeCom lists; what a list does not name stays as it is.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from wecom_app.domain.definitions import canonical
from wecom_app.domain.keys import make_key
from wecom_app.domain.vocabulary import Mirror, Owner, Scope, Selection
from wecom_app.models import Tag, TagGroup
from wecom_app.services import definition_merge, library_release, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.definition_entries import Entry
from wecom_app.services.ports import CorpTag, CorpTagGroup

DEFAULT_DIMENSION = "basic_info"
"""Where groups that were made in WeCom stand until an admin sorts them."""

BY_NAME = "name"
"""What blocks a tag that cannot be made because another one there bears its name."""


@dataclass(frozen=True)
class Listing:
    """What WeCom showed of its library, and the number that was drawn before it was asked."""

    seq: int
    groups: tuple[CorpTagGroup, ...]

    @property
    def tags(self) -> int:
        """How many tags it shows."""
        return sum(len(group.tags) for group in self.groups)


def take_groups(session: Session, given: Context, listing: Listing, *, make: bool = True) -> list[Entry]:
    """Link and merge the groups themselves, new ones made here with `make`; return those that WeCom must be told of."""
    groups, seq = listing.groups, listing.seq
    listed = frozenset(standing.id for standing in groups)
    known = _known_groups(session, listed)
    entries: list[Entry] = []
    for standing in groups:
        group = known.get(standing.id) or _group_by_name(session, standing, listed)
        if group is None:
            if make and not _is_name_held(session, standing):
                _new_group(session, given, standing, seq)
            continue
        if group.mirror == Mirror.NONE:
            continue
        if group.wecom_group_id != standing.id:
            _link_group(group, standing)
        entries.append(Entry(group, group, standing.name, standing.order))
    _ask_for_freed_names(session, given, listing)
    live = select(TagGroup).where(TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None))
    return definition_merge.merge(session, entries, session.scalars(live).all(), seq=seq, now=given.now)


def take_tags(session: Session, given: Context, standing: CorpTagGroup, seq: int) -> list[Entry]:
    """Link and merge the tags of one group; return those that WeCom must be told of."""
    group = session.scalars(select(TagGroup).where(TagGroup.wecom_group_id == standing.id)).one_or_none()
    if group is None or group.mirror == Mirror.NONE:
        return []
    ids = [tag.id for tag in standing.tags]
    rows = session.scalars(select(Tag).where(or_(Tag.group_id == group.id, Tag.wecom_tag_id.in_(ids)))).all()
    by_id = {tag.wecom_tag_id: tag for tag in rows if tag.wecom_tag_id is not None}
    live = [tag for tag in rows if tag.archived_at is None and tag.gone_at is None and tag.group_id == group.id]
    entries, linked = list[Entry](), list[int]()
    unknown = [shown for shown in standing.tags if not shown.deleted and shown.id not in by_id]
    for shown in unknown:
        tag = _unlinked(live, shown)
        if tag is None:
            continue
        owner = Owner.OURS if tag.sent_name == shown.name else Owner.FOREIGN
        tag.wecom_tag_id, tag.owner, by_id[shown.id] = shown.id, owner.value, tag
        tag.sent_name = tag.blocked = tag.blocked_by = None
        linked.append(tag.id)
    for shown in standing.tags:
        found = by_id.get(shown.id)
        if found is not None and not shown.deleted and found.gone_at is None:
            entries.append(Entry(found, group, shown.name, shown.order))
    new = [shown for shown in unknown if shown.id not in by_id]
    told = definition_merge.merge(session, entries, live, seq=seq, now=given.now, has_strangers=bool(new))
    _take_new(session, given, group, new, live, seq)
    held = {canonical(shown.name) for shown in standing.tags}
    if any(tag.blocked_by == BY_NAME and canonical(tag.name) not in held for tag in live):
        taxonomy.enqueue_push(session, given.queue, group.id)
    session.flush()
    library_release.begin(session, given.queue, linked)
    return told


def is_listed(listing: Listing, name: str) -> bool:
    """Return whether WeCom shows a group of this name."""
    return any(canonical(standing.name) == canonical(name) for standing in listing.groups)


def _ask_for_freed_names(session: Session, given: Context, listing: Listing) -> None:
    """Have groups made that could not be, since another one there bore their name, and does so no more."""
    held = select(Tag.group_id).where(Tag.blocked_by == BY_NAME, Tag.gone_at.is_(None))
    for group in session.scalars(select(TagGroup).where(TagGroup.id.in_(held), TagGroup.wecom_group_id.is_(None))):
        if not is_listed(listing, group.name):
            taxonomy.enqueue_push(session, given.queue, group.id)


def _known_groups(session: Session, listed: Iterable[str]) -> Mapping[str, TagGroup]:
    query = select(TagGroup).where(TagGroup.wecom_group_id.in_(list(listed)))
    return {group.wecom_group_id: group for group in session.scalars(query) if group.wecom_group_id is not None}


def _group_by_name(session: Session, standing: CorpTagGroup, listed: frozenset[str]) -> TagGroup | None:
    """Return our group of this name, unless WeCom has it under another id.

    A group goes with its last tag: made anew it has another id, and is the same group to us.
    """
    query = select(TagGroup).where(
        TagGroup.name.in_({standing.name, canonical(standing.name)}),
        or_(TagGroup.wecom_group_id.is_(None), TagGroup.wecom_group_id.not_in(listed)),
        TagGroup.archived_at.is_(None),
        TagGroup.gone_at.is_(None),
    )
    return session.scalars(query.order_by(TagGroup.id).limit(1)).one_or_none()


def _is_name_held(session: Session, standing: CorpTagGroup) -> bool:
    """Return whether another group has the name: two of one name stay told apart, and one of them outside."""
    query = select(TagGroup.id).where(
        TagGroup.name == standing.name, TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None)
    )
    return session.execute(query).first() is not None


def _link_group(group: TagGroup, standing: CorpTagGroup) -> None:
    if group.sent_name != standing.name:
        group.owner = Owner.FOREIGN.value
    group.wecom_group_id, group.sent_name = standing.id, None
    group.base_name, group.base_order = None, None


def _new_group(session: Session, given: Context, standing: CorpTagGroup, seq: int) -> TagGroup:
    prefix = DEFAULT_DIMENSION
    group = TagGroup(
        key=make_key(prefix, given.slugify(standing.name), taxonomy.taken_keys(session, TagGroup, prefix)),
        name=standing.name,
        dimension=DEFAULT_DIMENSION,
        selection=Selection.MULTI.value,
        scope=Scope.CUSTOMER.value,
        mirror=Mirror.TWO_WAY.value,
        owner=Owner.FOREIGN.value,
        wecom_group_id=standing.id,
        position=standing.order,
        base_name=standing.name,
        base_order=standing.order,
        touched_seq=seq,
        created_at=given.now,
    )
    session.add(group)
    session.flush()
    return group


def _unlinked(live: Sequence[Tag], shown: CorpTag) -> Tag | None:
    """Return our tag of this name that WeCom was not known to have."""
    name = canonical(shown.name)
    return next((tag for tag in live if tag.wecom_tag_id is None and canonical(tag.name) == name), None)


def _take_new(
    session: Session, given: Context, group: TagGroup, unknown: Sequence[CorpTag], live: Sequence[Tag], seq: int
) -> None:
    """Make here what was made there; a name that one of ours has taken without WeCom's consent is given up for it."""
    by_name = {tag.name: tag for tag in live}
    for shown in unknown:
        holder = by_name.get(shown.name)
        if holder is not None and not definition_merge.give_up_name(session, holder, live, given.now):
            # A deleted tag holds the name until its burial is approved: `library_unlinked` tells of this one.
            continue
        by_name[shown.name] = tag = _new_tag(session, given, group, shown, seq)
        session.add(tag)
        session.flush()


def _new_tag(session: Session, given: Context, group: TagGroup, shown: CorpTag, seq: int) -> Tag:
    return Tag(
        key=make_key(group.key, given.slugify(shown.name), taxonomy.taken_keys(session, Tag, group.key)),
        group_id=group.id,
        name=shown.name,
        owner=Owner.FOREIGN.value,
        wecom_tag_id=shown.id,
        position=shown.order,
        base_name=shown.name,
        base_order=shown.order,
        touched_seq=seq,
        created_at=given.now,
    )
