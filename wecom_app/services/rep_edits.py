"""Tags that a member puts on a customer, or takes off, by hand: checked as a whole, then done as a whole.

Called by the sidebar, my customers and the bot. The answer does not wait for WeCom: what is to change there is a
job of the same transaction.
"""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import or_, select
from sqlalchemy.orm import Session

from wecom_app.domain import editing
from wecom_app.domain.access import Purpose, Role
from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Scope, Selection, SourceKind
from wecom_app.errors import InvalidInput, StaleEdit
from wecom_app.models import Customer, CustomerTag, Tag, TagGroup
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import customers, tagging, taxonomy
from wecom_app.services.access import Seen, Viewer, find_customer
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.tagging import TagChange

MAX_KEYS = 50
MAX_REASON = 300
PRIORITY = 10
"""Of the pushing job: before what batches did."""


@dataclass(frozen=True)
class EditDraft:
    """Tags to add and to remove, by key; `version` is that of the profile the edit was made on, None for any.

    `via` says where it was made (sidebar, mine, bot), for the evidence.
    """

    add: Sequence[str] = ()
    remove: Sequence[str] = ()
    version: int | None = None
    reason: str | None = None
    via: str = "sidebar"

    @property
    def keys(self) -> list[str]:
        return list(dict.fromkeys([*self.remove, *self.add]))


@dataclass(frozen=True)
class Edited:
    """The change set, None where nothing was different, and the version to edit on."""

    change_set_id: int | None
    version: int


def edit(session: Session, context: Context, viewer: Viewer, external_userid: str, draft: EditDraft) -> Edited:
    """Carry out an edit or nothing of it.

    Raises NotInSight, StaleEdit (`details.version` is the present one), or InvalidInput that names the keys.
    """
    seen = find_customer(session, viewer, external_userid, Purpose.EDIT)
    check_shape(draft)
    customers.lock(session, [seen.customer.id])
    version = _version(session, seen.customer.id)
    if draft.version is not None and draft.version != version:
        raise StaleEdit(details={"version": version})
    tags = find_tags(session, viewer, draft, has_relation=seen.relation is not None)
    _check_presence(session, seen, draft, tags, context.now)
    applied = tagging.apply(
        session,
        changes(seen.customer.id, seen.relation.id if seen.relation else CUSTOMER_LEVEL, viewer, draft, tags),
        act(viewer, draft.reason),
        queue=context.queue,
        now=context.now,
        priority=PRIORITY,
    )
    return Edited(applied.change_set_id, _version(session, seen.customer.id))


def check_shape(draft: EditDraft) -> None:
    """Raise InvalidInput for an edit that no customer could be given."""
    if not draft.keys:
        raise InvalidInput("没有要保存的修改")
    if len(draft.keys) > MAX_KEYS:
        raise InvalidInput(f"一次最多修改 {MAX_KEYS} 个标签", details={"keys": f"最多 {MAX_KEYS} 个"})
    if draft.reason is not None and len(draft.reason) > MAX_REASON:
        raise InvalidInput(f"原因最多 {MAX_REASON} 字", details={"reason": f"最多 {MAX_REASON} 字"})
    both = sorted(set(draft.add) & set(draft.remove))
    if both:
        raise InvalidInput(f"同一个标签不能既添加又移除：{'、'.join(both)}", details={"tags": both})


def find_tags(session: Session, viewer: Viewer, draft: EditDraft, *, has_relation: bool) -> Mapping[str, Tag]:
    """Return the tags of an edit by key; raise InvalidInput for those that are not there or not his to change."""
    tags = taxonomy.find_tags(session, draft.keys)
    groups = _groups(session, tags.values())
    _check_rights(tags, groups, viewer, has_relation=has_relation)
    _check_choices(draft, tags, groups)
    return tags


def _check_rights(
    tags: Mapping[str, Tag], groups: Mapping[int, TagGroup], viewer: Viewer, *, has_relation: bool
) -> None:
    is_leader = viewer.may(Role.LEADER, Role.ADMIN)
    refused: dict[str, object] = {}
    for key, tag in tags.items():
        group = groups[tag.group_id]
        reason = editing.refusal(group.editable_by, group.mirror, is_leader=is_leader)
        if reason is None and group.scope == Scope.RELATION and not has_relation:
            reason = "按好友关系打的标签，只有该客户的好友成员可以修改"
        if reason is not None:
            refused[key] = f"「{tag.name}」：{reason}"
    if refused:
        raise InvalidInput("；".join(str(words) for words in refused.values()), details=refused)


def _check_choices(draft: EditDraft, tags: Mapping[str, Tag], groups: Mapping[int, TagGroup]) -> None:
    chosen: dict[int, list[str]] = {}
    for key in dict.fromkeys(draft.add):
        if groups[tags[key].group_id].selection == Selection.SINGLE:
            chosen.setdefault(tags[key].group_id, []).append(key)
    for group_id, keys in chosen.items():
        if len(keys) > 1:
            names = "、".join(tags[key].name for key in keys)
            raise InvalidInput(f"「{groups[group_id].name}」只能选一个，不能同时选 {names}", details={"tags": keys})


def _check_presence(session: Session, seen: Seen, draft: EditDraft, tags: Mapping[str, Tag], now: datetime) -> None:
    """Refuse to take off what the customer has not got: the page that offered it was not the present one."""
    own_id = seen.relation.id if seen.relation is not None else CUSTOMER_LEVEL
    query = select(CustomerTag.tag_id).where(
        CustomerTag.customer_id == seen.customer.id,
        CustomerTag.tag_id.in_([tags[key].id for key in draft.remove]),
        CustomerTag.relation_id.in_([CUSTOMER_LEVEL, own_id]),
        CustomerTag.wanted,
        or_(CustomerTag.expires_at.is_(None), CustomerTag.expires_at > now),
    )
    held = set(session.scalars(query))
    absent = [key for key in dict.fromkeys(draft.remove) if tags[key].id not in held]
    if absent:
        names = "、".join(tags[key].name for key in absent)
        raise InvalidInput(f"客户没有这些标签，请刷新后再改：{names}", details={"tags": absent})


def _groups(session: Session, tags: Iterable[Tag]) -> dict[int, TagGroup]:
    query = select(TagGroup).where(TagGroup.id.in_({tag.group_id for tag in tags}))
    return {group.id: group for group in session.scalars(query)}


def _version(session: Session, customer_id: int) -> int:
    return session.execute(select(Customer.version).where(Customer.id == customer_id)).scalar_one()


def changes(
    customer_id: int, relation_id: int, viewer: Viewer, draft: EditDraft, tags: Mapping[str, Tag]
) -> list[TagChange]:
    """Return the wishes of an edit for one customer, removals first; `relation_id` is the viewer's own friendship."""
    source = Source(SourceKind.MANUAL, "", viewer.userid or viewer.name)
    evidence = {"via": draft.via} | ({"reason": draft.reason} if draft.reason else {})
    return [
        TagChange(customer_id, tags[key].id, add, source, dict(evidence), relation_id)
        for keys, add in ((draft.remove, False), (draft.add, True))
        for key in dict.fromkeys(keys)
    ]


def act(viewer: Viewer, reason: str | None) -> Act:
    """Return the change set that an edit by hand becomes."""
    if viewer.userid is None:
        return Act("admin", actor_ref=viewer.name, reason=reason)
    return Act("staff", actor_ref=viewer.userid, reason=reason)
