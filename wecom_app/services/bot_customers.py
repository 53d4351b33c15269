"""The bot's commands about customers: one by name, today's untagged, and the follow-ups due."""

from datetime import datetime

from sqlalchemy import select

from wecom_app.domain.bot_commands import Kind
from wecom_app.domain.days import day_bounds
from wecom_app.domain.vocabulary import source_name
from wecom_app.errors import NotInSight
from wecom_app.models import Channel, Customer, Relation
from wecom_app.services import bot_search, follow_ups, newcomers, rep_profile
from wecom_app.services.bot_search import NAMELESS, Friend
from wecom_app.services.bot_talk import CUSTOMER, Outcome, Question, Reply, Talk, ask_which, say
from wecom_app.services.rep_views import Chip, RepProfile

MOST_LISTED = 100
SHOWN_OF_NAME = 20
NO_LIST = "现在没有等你选的列表。发“帮助”看我能做什么。"
ANY_CUSTOMER = "客户 所选"
"""The command behind a list whose number shows the customer; the choice names him, the words do not."""


def show(talk: Talk) -> Outcome:
    """Show one customer, or ask which one is meant."""
    found = fitting(talk, talk.command.name)
    if len(found) == 1:
        return _profile(talk, found[0])
    if found:
        return ask_which(talk, found)
    if talk.command.kind is Kind.CHOICE:
        return say(NO_LIST)
    hint = "核对一下名字或备注。" if talk.command.explicit else "发“帮助”看我能做什么。"
    return say(not_found(talk.command.name), hint)


def fitting(talk: Talk, name: str) -> list[Friend]:
    """Return the customers who may be meant: the one who was chosen, else those whom the name fits."""
    chosen = talk.answers.get(CUSTOMER)
    if chosen is not None:
        friend = bot_search.find_friend(talk.session, talk.staff_id, chosen)
        return [friend] if friend else []
    return bot_search.search(talk.session, talk.staff_id, name, talk.slugify)


def not_found(name: str) -> str:
    """Return the one sentence for a customer who is unknown and for one who is somebody else's."""
    cut = name if len(name) <= SHOWN_OF_NAME else f"{name[:SHOWN_OF_NAME]}…"
    return f"没有找到「{cut}」。"


def untagged(talk: Talk) -> Outcome:
    """List today's new customers without a tag; a number shows one."""
    begin, end = day_bounds(talk.now, talk.time_zone)
    query = (
        select(
            Customer.external_userid, Customer.name, Relation.remark, Channel.name, Relation.add_way, Relation.opened_at
        )
        .join(Customer, Customer.id == Relation.customer_id)
        .outerjoin(Channel, Channel.id == Relation.channel_id)
        .where(Relation.staff_id == talk.staff_id, ~Relation.half, newcomers.is_new(begin, end))
        .where(~newcomers.is_tagged(talk.now))
        .order_by(Relation.opened_at.desc(), Relation.id.desc())
    )
    rows = talk.session.execute(query).all()
    if not rows:
        return say("今天的新客户都打过标签了，或者今天还没有新客户。")
    lines = [f"今天有 {len(rows)} 位新客户还没打标签，发序号看客户："]
    for number, (_, name, remark, channel, add_way, opened_at) in enumerate(rows[:MOST_LISTED], 1):
        lines.append(
            f"{number}. {_called(name, remark)} · {talk.time(opened_at)[-5:]} · {channel or source_name(add_way)}"
        )
    lines.append("打标签：标签 名字 +标签名")
    options = tuple(row[0] for row in rows[:MOST_LISTED])
    return Reply(tuple(lines), Question(CUSTOMER, options, ANY_CUSTOMER))


def todo(talk: Talk) -> Outcome:
    """List the member's follow-ups that are due by the end of today; a number shows the customer."""
    _, end = day_bounds(talk.now, talk.time_zone)
    due = follow_ups.due(talk.session, talk.viewer, end, limit=MOST_LISTED)
    if not due:
        return say("今天没有到期的跟进。")
    lines = [f"有 {len(due)} 条跟进到时间了，发序号看客户："]
    for number, note in enumerate(due, 1):
        assert note.remind_at is not None
        when = f"{talk.time(note.remind_at)}{_lateness(note.remind_at, talk)}"
        lines.append(f"{number}. {note.customer_name or NAMELESS}：{note.text.splitlines()[0][:60]}（{when}）")
    return Reply(tuple(lines), Question(CUSTOMER, tuple(note.external_userid for note in due), ANY_CUSTOMER))


def _profile(talk: Talk, friend: Friend) -> Reply:
    try:
        profile = rep_profile.load(talk.session, talk.viewer, friend.external_userid, talk.now)
    except NotInSight:
        return say(not_found(friend.label))
    shown, hidden = open_chips(profile)
    mine = next((owner for owner in profile.header.owners if owner.is_me), None)
    about = [profile.header.type_word]
    if mine is not None:
        about += [f"{talk.day(mine.since)} 添加", f"来自 {mine.came_by}"]
    lines = [friend.label, " · ".join(about)]
    if friend.half:
        lines.append("对方已添加，你还没通过；通过后才能打标签。")
    names = "、".join(chip.name for chip in shown) or "还没有"
    lines.append(f"标签：{names}{_hidden_words(hidden)}")
    lines += [
        f"待跟进：{talk.time(note.remind_at)} {note.text.splitlines()[0][:40]}"
        for note in profile.reminders[:3]
        if note.remind_at is not None
    ]
    lines.append(f"看来源或修改：标签 {friend.remark or friend.name} +标签名 -标签名")
    return Reply(tuple(lines))


def open_chips(profile: RepProfile) -> tuple[list[Chip], int]:
    """Return the tags that may be shown in a chat, and how many may not: those are covered in the sidebar too."""
    chips = [chip for dimension in profile.dimensions for chip in dimension.chips]
    shown = [chip for chip in chips if not chip.is_sensitive]
    return shown, len(chips) - len(shown)


def _hidden_words(hidden: int) -> str:
    return f"（另有 {hidden} 个敏感标签，请在侧边栏看）" if hidden else ""


def _called(name: str, remark: str | None) -> str:
    return remark or name or NAMELESS


def _lateness(moment: datetime, talk: Talk) -> str:
    days = (talk.now - moment).days
    if moment > talk.now:
        return "，今天"
    return f"，已过 {days} 天" if days else "，已到时间"
