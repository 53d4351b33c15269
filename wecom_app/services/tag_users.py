"""Who uses a tag: customers, channels, content, the bot; asked before a tag goes out of use.

What comes to use tags later adds its functions to `CONSUMERS`.
"""

from collections.abc import Callable, Sequence
from dataclasses import dataclass
from typing import NamedTuple, Protocol

from sqlalchemy import delete, func, select
from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.errors import Conflict
from wecom_app.models import BotSettings, Channel, ChannelTag, ContentItem, CustomerTag, Tag
from wecom_app.services import condition_queries, content, tag_repointing
from wecom_app.services.context import Context
from wecom_app.services.tag_repointing import Repointing, Rewrite, TagUse

CONDITIONS = select(ContentItem.id, ContentItem.title, ContentItem.condition).where(
    ContentItem.archived_at.is_(None), ContentItem.status == "active", ContentItem.condition.is_not(None)
)


class Named(Protocol):
    """What a tag's uses are found by."""

    @property
    def id(self) -> int: ...
    @property
    def key(self) -> str: ...
    @property
    def group_id(self) -> int: ...


class Name(NamedTuple):
    """That much of a tag, and no more: of a group they may be thousands."""

    id: int
    key: str
    group_id: int


@dataclass(frozen=True)
class Consumer:
    """How uses of one kind are found, for some tags or over all, ended with `cascade`, and repointed in a merge."""

    kind: str
    find: Callable[[Session, Sequence[Named]], list[TagUse]]
    release: Callable[[Session, Context, Sequence[Named], str], None]
    tag_ids: Callable[[Session], set[int]]
    repointing: Repointing | None
    """None where a use cannot come to use another tag: a tag used so is not merged away."""


def uses_of(session: Session, tags: Sequence[Named]) -> list[TagUse]:
    """Return what would stop working as it does without these tags."""
    return [use for consumer in CONSUMERS for use in consumer.find(session, tags)] if tags else []


def used_tag_ids(session: Session) -> set[int]:
    """Return every tag that something other than a customer uses."""
    return {tag_id for consumer in CONSUMERS for tag_id in consumer.tag_ids(session)}


def release(session: Session, context: Context, tags: Sequence[Named], actor: str) -> None:
    """End every use of these tags as `TagUse.otherwise` says."""
    for consumer in CONSUMERS:
        consumer.release(session, context, tags, actor)


def plan_repointing(session: Session, source: Tag, target: Tag) -> list[TagUse]:
    """Return what would come to use another tag, and how; raise Conflict naming what cannot."""
    stuck = [use for one in CONSUMERS if one.repointing is None for use in one.find(session, [source])]
    if stuck:
        shown = "、".join(f"「{use.name}」" for use in stuck[:5])
        raise Conflict(
            f"{shown}用着「{source.name}」，不能自动改用别的标签；请先改掉再合并",
            details={"uses": [vars(use) for use in stuck]},
        )
    planned = (one.repointing.plan(session, source, target) for one in CONSUMERS if one.repointing is not None)
    return [use for uses in planned for use in uses]


def repoint(session: Session, context: Context, source: Tag, target: Tag, actor: str) -> list[Rewrite]:
    """Have everything that uses a tag use another; raise Conflict naming what cannot."""
    plan_repointing(session, source, target)
    rewritten = (
        one.repointing.carry_out(session, context, source, target, actor)
        for one in CONSUMERS
        if one.repointing is not None
    )
    return [rewrite for rewrites in rewritten for rewrite in rewrites]


def take_back(session: Session, context: Context, rewrite: Rewrite, actor: str) -> bool:
    """Have something use the tag again that it used before; False where it was changed since."""
    repointing = next(one.repointing for one in CONSUMERS if one.kind == rewrite.kind)
    return repointing is not None and repointing.take_back(session, context, rewrite, actor)


def count_customers(session: Session, tag_ids: Sequence[int]) -> dict[int, int]:
    """Return how many customers have each of the tags; tags that nobody has are left out."""
    query = (
        select(CustomerTag.tag_id, func.count(CustomerTag.customer_id.distinct()))
        .where(CustomerTag.tag_id.in_(tag_ids), CustomerTag.wanted)
        .group_by(CustomerTag.tag_id)
    )
    return {row[0]: row[1] for row in session.execute(query)}


def has_customers(session: Session, tag_id: int) -> bool:
    """Return whether any customer has the tag; unlike counting them it is quick enough for a write transaction."""
    query = select(CustomerTag.customer_id).where(CustomerTag.tag_id == tag_id, CustomerTag.wanted)
    return session.execute(query.limit(1)).first() is not None


def customers_with(session: Session, tag_ids: Sequence[int]) -> int:
    """Return how many customers have at least one of the tags; it takes long where they are many."""
    query = select(func.count(CustomerTag.customer_id.distinct()))
    return session.execute(query.where(CustomerTag.tag_id.in_(tag_ids), CustomerTag.wanted)).scalar_one()


def _channels(session: Session, tags: Sequence[Named]) -> list[TagUse]:
    query = (
        select(Channel.id, Channel.name)
        .join(ChannelTag, ChannelTag.channel_id == Channel.id)
        .where(ChannelTag.tag_id.in_([tag.id for tag in tags]), Channel.archived_at.is_(None))
        .distinct()
        .order_by(Channel.id)
    )
    return [TagUse("channel", row.id, row.name, "不再打这个标签") for row in session.execute(query)]


def _release_channels(session: Session, _: Context, tags: Sequence[Named], __: str) -> None:
    ending = delete(ChannelTag).where(ChannelTag.tag_id.in_([tag.id for tag in tags]))
    session.execute(ending.execution_options(synchronize_session=False))


def _of_channels(session: Session) -> set[int]:
    query = select(ChannelTag.tag_id).join(Channel, Channel.id == ChannelTag.channel_id)
    return set(session.scalars(query.where(Channel.archived_at.is_(None))))


def _content(session: Session, tags: Sequence[Named]) -> list[TagUse]:
    keys = {tag.key for tag in tags}
    query = CONDITIONS.order_by(ContentItem.id)
    return [
        TagUse("content", row.id, row.title, "改为草稿，不再推荐")
        for row in session.execute(query)
        if keys & condition_queries.keys_in(conditions.parse(row.condition))
    ]


def _release_content(session: Session, context: Context, tags: Sequence[Named], actor: str) -> None:
    for use in _content(session, tags):
        content.edit(session, context, use.id, {"status": "draft"}, version=None, actor=actor)


def _of_content(session: Session) -> set[int]:
    read = (conditions.parse(row.condition) for row in session.execute(CONDITIONS))
    keys = {key for condition in read for key in condition_queries.keys_in(condition)}
    return set(session.scalars(select(Tag.id).where(Tag.key.in_(keys))))


def _bot(session: Session, tags: Sequence[Named]) -> list[TagUse]:
    """The cards offer a group; it is used up once all its live tags go."""
    group_id = session.scalars(select(BotSettings.card_group_id)).first()
    if group_id is None:
        return []
    live = select(Tag.id).where(Tag.group_id == group_id, Tag.archived_at.is_(None), Tag.gone_at.is_(None))
    going = {tag.id for tag in tags if tag.group_id == group_id}
    if not going or not going.issuperset(session.scalars(live)):
        return []
    return [TagUse("bot", group_id, "意向卡片", "不再发送意向卡片")]


def _release_bot(session: Session, _: Context, tags: Sequence[Named], __: str) -> None:
    if _bot(session, tags):
        settings = session.scalars(select(BotSettings)).one()
        settings.card_group_id = None


def _of_bot(session: Session) -> set[int]:
    return set(session.scalars(select(Tag.id).where(Tag.group_id.in_(select(BotSettings.card_group_id)))))


CONSUMERS: tuple[Consumer, ...] = (
    Consumer("channel", _channels, _release_channels, _of_channels, tag_repointing.CHANNELS),
    Consumer("content", _content, _release_content, _of_content, tag_repointing.CONTENT),
    Consumer("bot", _bot, _release_bot, _of_bot, tag_repointing.BOT),
)
