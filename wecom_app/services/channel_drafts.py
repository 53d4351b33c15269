"""What a channel is, as people write it: checked, written to its tables, read back, and taken back field by field.

Called by `services.channels` and `.channel_adoption`; nothing here speaks to WeCom.
"""

from collections.abc import Sequence
from dataclasses import dataclass, field, fields, replace
from typing import TypedDict

from sqlalchemy import delete, select
from sqlalchemy.orm import Session

from wecom_app.domain.messages import PLACEHOLDER, PLACEHOLDERS, placeholders_in
from wecom_app.domain.vocabulary import SOURCE_GROUP_NAME
from wecom_app.errors import InvalidInput
from wecom_app.models import Channel, ChannelStaff, ChannelTag, Staff, Tag, TagGroup
from wecom_app.services import greetings, media, staff, taxonomy
from wecom_app.services.context import Context
from wecom_app.services.greetings import Greeting

MAX_STATE = 30
MAX_STAFF = 100
"""add_contact_way: members per live code."""
MAX_REMARK = 20
"""externalcontact/remark: characters of `remark`."""
MAX_RULE = 100
REMARK_PLACEHOLDERS = (*PLACEHOLDERS, "source")


@dataclass(frozen=True)
class ChannelDraft:
    """Everything about a channel that people may edit; `state` is given at its making only."""

    name: str
    source: str
    staff: tuple[str, ...] = ()
    tags: tuple[str, ...] = ()
    greeting: Greeting = field(default_factory=Greeting)
    remark_rule: str | None = None
    skip_verify: bool = True
    exclusive: bool = False
    state: str | None = field(default=None, compare=False)


class ChannelChanges(TypedDict, total=False):
    """An edit: only what it names changes."""

    name: str
    source: str
    staff: tuple[str, ...]
    tags: tuple[str, ...]
    greeting: Greeting
    remark_rule: str | None
    skip_verify: bool
    exclusive: bool


EDITABLE = tuple(item.name for item in fields(ChannelDraft) if item.name != "state")


def check(session: Session, draft: ChannelDraft, *, fewest_staff: int = 1) -> None:
    """Raise InvalidInput, naming each field that is wrong."""
    few = f"请选择 {fewest_staff} 到 {MAX_STAFF} 名成员"
    problems = {
        "name": "请填写名称（不超过 64 字）" if not 0 < len(draft.name.strip()) <= 64 else "",
        "source": "请填写来源（不超过 30 字）" if not 0 < len(draft.source.strip()) <= 30 else "",
        "staff": few if not fewest_staff <= len(draft.staff) <= MAX_STAFF else "",
        "state": _state_problem(draft.state),
        "remark_rule": _rule_problem(draft.remark_rule or ""),
    }
    found = {name: problem for name, problem in problems.items() if problem}
    if found:
        raise InvalidInput("；".join(found.values()), details=found)
    greetings.check(session, draft.greeting)


def _state_problem(state: str | None) -> str:
    if state is None:
        return ""
    if not state or len(state) > MAX_STATE or not state.isprintable() or state != state.strip():
        return f"state 需为 1 到 {MAX_STATE} 个可见字符"
    return ""


def _rule_problem(rule: str) -> str:
    unknown = sorted(placeholders_in(rule) - set(REMARK_PLACEHOLDERS))
    if unknown:
        known = "、".join(f"{{{name}}}" for name in REMARK_PLACEHOLDERS)
        return f"备注规则里有不认识的占位符：{'、'.join(unknown)}；可用的是 {known}"
    if len(rule) > MAX_RULE or len(PLACEHOLDER.sub("", rule)) > MAX_REMARK:
        return f"备注最多 {MAX_REMARK} 个字，请缩短备注规则"
    return "" if rule.isprintable() else "备注规则不能含有换行等控制字符"


def read(session: Session, channel: Channel) -> ChannelDraft:
    """Return a channel as it is saved."""
    return ChannelDraft(
        name=channel.name,
        source=channel.source,
        staff=tuple(userids(session, channel.id)),
        tags=tuple(_tag_keys(session, channel.id)),
        greeting=greetings.of_channel(channel),
        remark_rule=channel.remark_rule,
        skip_verify=channel.skip_verify,
        exclusive=channel.exclusive,
    )


def userids(session: Session, channel_id: int) -> Sequence[str]:
    """Return a channel's staff, in their order."""
    query = (
        select(Staff.userid)
        .join(ChannelStaff, ChannelStaff.staff_id == Staff.id)
        .where(ChannelStaff.channel_id == channel_id)
        .order_by(ChannelStaff.position)
    )
    return session.execute(query).scalars().all()


def write_new(session: Session, context: Context, channel: Channel, draft: ChannelDraft) -> None:
    """Fill a channel that was just made; raise InvalidInput for tags that are not there.

    What it brings with it is not known to WeCom yet: `channel_traces.follow_up` sees to that.
    """
    tag_ids = _resolved(session, context, draft)
    _write_columns(channel, draft)
    session.add(channel)
    session.flush()
    _write_staff(session, context, channel.id, draft.staff)
    _write_tags(session, channel.id, tag_ids)
    media.keep_alive(session, context, draft.greeting.attachments)


def apply(session: Session, context: Context, channel: Channel, changes: ChannelChanges) -> ChannelDraft:
    """Write an edit and return the channel as it was before; raise InvalidInput, with nothing changed.

    Needs a follow-up as `write_new` does.
    """
    before = read(session, channel)
    after = _following_its_source(session, before, replace(before, **changes), changes)
    check(session, after, fewest_staff=1 if channel.code == "ours" else 0)
    tag_ids = _resolved(session, context, after) if after.tags != before.tags else None
    _write_differences(session, context, channel, before, after)
    if tag_ids is not None:
        _write_tags(session, channel.id, tag_ids)
    session.flush()
    if after.greeting != before.greeting:
        media.keep_alive(session, context, after.greeting.attachments)
    return before


def take_back(session: Session, context: Context, channel: Channel, before: ChannelDraft, after: ChannelDraft) -> None:
    """Undo an edit wherever what it wrote still stands: a later edit's fields stay."""
    current = read(session, channel)
    old = {name: getattr(before, name) for name in EDITABLE if getattr(current, name) == getattr(after, name)}
    restored = replace(current, **old)
    _write_differences(session, context, channel, current, restored)
    if restored.tags != current.tags:
        rows = session.execute(select(Tag.key, Tag.id).where(Tag.key.in_(restored.tags)))
        ids = {row.key: row.id for row in rows}
        _write_tags(session, channel.id, [ids[key] for key in restored.tags])
    session.flush()


def _following_its_source(
    session: Session, before: ChannelDraft, after: ChannelDraft, changes: ChannelChanges
) -> ChannelDraft:
    """A channel that gives just the tag named like its source gives the new source's after a change."""
    if "tags" in changes or after.source == before.source:
        return after
    query = (
        select(Tag.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(Tag.key.in_(before.tags), TagGroup.name == SOURCE_GROUP_NAME)
    )
    is_default = len(before.tags) == 1 and list(session.execute(query).scalars()) == [before.source]
    return replace(after, tags=()) if is_default else after


def _write_differences(
    session: Session, context: Context, channel: Channel, before: ChannelDraft, after: ChannelDraft
) -> None:
    _write_columns(channel, after)
    if after.staff != before.staff:
        _write_staff(session, context, channel.id, after.staff)


def _write_columns(channel: Channel, draft: ChannelDraft) -> None:
    channel.name, channel.source = draft.name.strip(), draft.source.strip()
    channel.welcome_text = draft.greeting.text or None
    channel.welcome_fallback_text = draft.greeting.fallback_text or None
    channel.attachments = [dict(attachment) for attachment in draft.greeting.attachments]
    channel.remark_rule = draft.remark_rule or None
    channel.skip_verify, channel.exclusive = draft.skip_verify, draft.exclusive


def _write_staff(session: Session, context: Context, channel_id: int, wanted: Sequence[str]) -> None:
    session.execute(delete(ChannelStaff).where(ChannelStaff.channel_id == channel_id))
    staff_ids = list(dict.fromkeys(staff.ensure(session, wanted, context.now).values()))
    session.add_all(
        ChannelStaff(channel_id=channel_id, staff_id=staff_id, position=position)
        for position, staff_id in enumerate(staff_ids)
    )
    session.flush()


def _write_tags(session: Session, channel_id: int, tag_ids: Sequence[int]) -> None:
    session.execute(delete(ChannelTag).where(ChannelTag.channel_id == channel_id))
    session.add_all(
        ChannelTag(channel_id=channel_id, tag_id=tag_id, position=position) for position, tag_id in enumerate(tag_ids)
    )
    session.flush()


def _resolved(session: Session, context: Context, draft: ChannelDraft) -> list[int]:
    """Return the tags given, or the one named like the source where none is."""
    keys = list(dict.fromkeys(draft.tags))
    if not keys:
        return [taxonomy.ensure_source_tag(session, context, draft.source.strip(), push=False)]
    found = taxonomy.find_tags(session, keys)
    return [found[key].id for key in keys]


def _tag_keys(session: Session, channel_id: int) -> Sequence[str]:
    query = (
        select(Tag.key)
        .join(ChannelTag, ChannelTag.tag_id == Tag.id)
        .where(ChannelTag.channel_id == channel_id)
        .order_by(ChannelTag.position)
    )
    return session.execute(query).scalars().all()
