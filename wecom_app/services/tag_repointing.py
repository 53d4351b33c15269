"""How what uses a tag comes to use another, and goes back again: one `Repointing` a kind, in `tag_users.CONSUMERS`.

Called when tags are merged. Each rewriting leaves a record with which it is taken back where nothing changed since.
"""

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from typing import Any

from sqlalchemy import Select, delete, select, update
from sqlalchemy.orm import Session

from wecom_app.domain import conditions
from wecom_app.domain.conditions import Condition
from wecom_app.errors import Conflict, InvalidInput
from wecom_app.models import BotSettings, Channel, ChannelTag, ContentItem, Tag
from wecom_app.services import condition_queries, content
from wecom_app.services.context import Context
from wecom_app.services.upsert import insert_ignore


@dataclass(frozen=True)
class TagUse:
    """One thing that uses tags: what it is, its id, its name, and what becomes of it where its tags go."""

    kind: str
    id: int
    name: str
    otherwise: str


@dataclass(frozen=True)
class Rewrite:
    """One thing that was rewritten, with what it takes to put it back."""

    kind: str
    id: int
    name: str
    before: Any
    after: Any


@dataclass(frozen=True)
class Repointing:
    """What would be rewritten, and how in words; the rewriting; its taking back, False where it was changed since."""

    plan: Callable[[Session, Tag, Tag], list[TagUse]]
    carry_out: Callable[[Session, Context, Tag, Tag, str], list[Rewrite]]
    take_back: Callable[[Session, Context, Rewrite, str], bool]


def _giving(tag: Tag) -> Select[int, str, int]:
    """Archived channels too: brought back, they are to give what there is."""
    return (
        select(Channel.id, Channel.name, ChannelTag.position)
        .join(ChannelTag, ChannelTag.channel_id == Channel.id)
        .where(ChannelTag.tag_id == tag.id)
        .order_by(Channel.id)
    )


def _plan_channels(session: Session, source: Tag, target: Tag) -> list[TagUse]:
    return [TagUse("channel", row.id, row.name, f"改打「{target.name}」") for row in session.execute(_giving(source))]


def _repoint_channels(session: Session, _: Context, source: Tag, target: Tag, __: str) -> list[Rewrite]:
    giving = session.execute(_giving(source)).all()
    with_both = {row.id for row in session.execute(_giving(target))}
    done = []
    for row in giving:
        here = (ChannelTag.channel_id == row.id, ChannelTag.tag_id == source.id)
        has_both = row.id in with_both
        session.execute(
            delete(ChannelTag).where(*here) if has_both else update(ChannelTag).where(*here).values(tag_id=target.id)
        )
        before = {"tag_id": source.id, "position": row.position}
        done.append(Rewrite("channel", row.id, row.name, before, {"tag_id": target.id, "had_both": has_both}))
    return done


def _put_channel_back(session: Session, _: Context, rewrite: Rewrite, __: str) -> bool:
    source_id, target_id = rewrite.before["tag_id"], rewrite.after["tag_id"]
    query = select(ChannelTag.tag_id).where(ChannelTag.channel_id == rewrite.id)
    standing = set(session.scalars(query.with_for_update()))
    if target_id not in standing or source_id in standing:
        return False
    if rewrite.after["had_both"]:
        row = {"channel_id": rewrite.id, **rewrite.before}
        insert_ignore(session, ChannelTag, [row], ["channel_id", "tag_id"])
    else:
        here = (ChannelTag.channel_id == rewrite.id, ChannelTag.tag_id == target_id)
        session.execute(update(ChannelTag).where(*here).values(tag_id=source_id))
    return True


def _asking(session: Session, tag: Tag) -> list[tuple[int, str, Mapping[str, Any], Condition]]:
    """Return the content whose condition names a tag; drafts and archived items too, for they may come back."""
    query = select(ContentItem.id, ContentItem.title, ContentItem.condition).where(ContentItem.condition.is_not(None))
    found = ((row.id, row.title, row.condition, conditions.parse(row.condition)) for row in session.execute(query))
    return [one for one in found if tag.key in condition_queries.keys_in(one[3])]


def _plan_content(session: Session, source: Tag, target: Tag) -> list[TagUse]:
    return [
        TagUse("content", item_id, title, f"条件改看「{target.name}」")
        for item_id, title, _, _ in _asking(session, source)
    ]


def _repoint_content(session: Session, context: Context, source: Tag, target: Tag, actor: str) -> list[Rewrite]:
    done = []
    for item_id, title, before, condition in _asking(session, source):
        after = conditions.to_json(conditions.with_tag_replaced(condition, source.key, target.key))
        try:
            content.edit(session, context, item_id, {"condition": after}, version=None, actor=actor)
        except InvalidInput as error:
            raise Conflict(f"内容「{title}」的条件不能改写：{error.message}；请先改好它再合并") from error
        done.append(Rewrite("content", item_id, title, dict(before), after))
    return done


def _put_content_back(session: Session, context: Context, rewrite: Rewrite, actor: str) -> bool:
    item = session.get(ContentItem, rewrite.id)
    if item is None or item.condition != rewrite.after:
        return False
    try:
        content.edit(session, context, rewrite.id, {"condition": rewrite.before}, version=None, actor=actor)
    except InvalidInput:
        return False
    return True


def _offered(session: Session, source: Tag, target: Tag) -> BotSettings | None:
    """Return the settings where the cards' group has no other tag left, and the tag goes to another group."""
    settings = session.scalars(select(BotSettings)).first()
    if settings is None or settings.card_group_id != source.group_id or target.group_id == source.group_id:
        return None
    others = select(Tag.id).where(
        Tag.group_id == source.group_id, Tag.id != source.id, Tag.archived_at.is_(None), Tag.gone_at.is_(None)
    )
    return None if session.scalars(others).first() is not None else settings


def _plan_bot(session: Session, source: Tag, target: Tag) -> list[TagUse]:
    settings = _offered(session, source, target)
    return [] if settings is None else [TagUse("bot", settings.id, "意向卡片", f"改用「{target.name}」所在的标签组")]


def _repoint_bot(session: Session, _: Context, source: Tag, target: Tag, __: str) -> list[Rewrite]:
    settings = _offered(session, source, target)
    if settings is None:
        return []
    settings.card_group_id = target.group_id
    session.flush()
    return [Rewrite("bot", settings.id, "意向卡片", source.group_id, target.group_id)]


def _put_bot_back(session: Session, _: Context, rewrite: Rewrite, __: str) -> bool:
    settings = session.get(BotSettings, rewrite.id)
    if settings is None or settings.card_group_id != rewrite.after:
        return False
    settings.card_group_id = rewrite.before
    session.flush()
    return True


CHANNELS = Repointing(_plan_channels, _repoint_channels, _put_channel_back)
CONTENT = Repointing(_plan_content, _repoint_content, _put_content_back)
BOT = Repointing(_plan_bot, _repoint_bot, _put_bot_back)
