"""The bot's commands about tags: whose tags and from where, putting them on and taking them off, and undoing that.

A name that fits several tags is asked about, never guessed; what the member may not edit is refused with the reason.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.domain import editing
from wecom_app.domain.access import Role
from wecom_app.domain.bot_commands import TagEdit, fold
from wecom_app.errors import AppError, NotFound, NotInSight
from wecom_app.models import ChangeSet, Staff, Tag, TagEvent, TagGroup
from wecom_app.services import bot_search, profiles, rep_edits, rep_profile, undo
from wecom_app.services.access import Viewer
from wecom_app.services.bot_customers import fitting, not_found, open_chips
from wecom_app.services.bot_search import Friend
from wecom_app.services.bot_talk import (
    CUSTOMER,
    MOST_OPTIONS,
    Deed,
    Errand,
    Outcome,
    Question,
    Reply,
    Talk,
    ask_which,
    say,
)
from wecom_app.services.context import Context
from wecom_app.services.rep_edits import EditDraft
from wecom_app.services.rep_views import Chip, RepProfile
from wecom_app.services.runtime import Runtime

VIA = "bot"
SLASHES = "/／"
HOW = "写成：标签 林晓芸 +高意向 -观望"
UNDO_HINT = "发“撤销”可以撤回。"
NOTHING_TO_UNDO = "没有可以撤销的修改：只能撤回你刚才用消息或卡片做的那一次。"
ADD, REMOVE = "+", "-"
MOST_ASKING = 200


@dataclass(frozen=True)
class TagName:
    """A live tag as names are resolved."""

    key: str
    name: str
    group: str
    refusal: str | None
    """Why the member may not edit it; None where he may."""


@dataclass(frozen=True)
class Chosen:
    """A name that was resolved."""

    sign: str
    tag: TagName


@dataclass(frozen=True)
class Library:
    """The live tags, and those that the customer has."""

    tags: Sequence[TagName]
    held: frozenset[str]


def tags(talk: Talk) -> Outcome:
    """Show a customer's tags with their sources, or edit them."""
    if not talk.command.edits:
        return say("要看谁的标签？", HOW)
    edit, found = _meant(talk)
    if not found:
        return say(not_found(talk.command.edits[0].customer), "核对一下名字或备注。")
    if len(found) > 1:
        return ask_which(talk, found)
    try:
        profile = rep_profile.load(talk.session, talk.viewer, found[0].external_userid, talk.now)
    except NotInSight:
        return say(not_found(found[0].label))
    if not edit.add and not edit.remove:
        return _shown(talk, found[0], profile)
    if found[0].half:
        return say(f"{found[0].label} 已添加你，你还没通过；通过后才能打标签。")
    return _edit(talk, found[0], edit, profile)


def take_back(talk: Talk) -> Outcome:
    """Undo the member's last edit."""
    change_set_id, viewer = talk.dialogue.change_set_id, talk.viewer
    if change_set_id is None:
        return say(NOTHING_TO_UNDO)
    return Errand(lambda runtime: _undone(runtime, viewer, change_set_id))


def describe(session: Session, change_set_id: int | None) -> str:
    """Return in words what an edit changed; "" where it changed nothing."""
    if change_set_id is None:
        return ""
    query = (
        select(TagEvent.op, Tag.name)
        .join(Tag, Tag.id == TagEvent.tag_id)
        .where(TagEvent.change_set_id == change_set_id)
        .order_by(TagEvent.id)
    )
    changed: dict[str, list[str]] = {}
    for op, name in session.execute(query):
        changed.setdefault(op, []).append(name)
    words = {"add": "已打上", "remove": "已去掉", "expire": "已到期"}
    return "，".join(f"{words[op]} {'、'.join(dict.fromkeys(names))}" for op, names in sorted(changed.items()))


def _meant(talk: Talk) -> tuple[TagEdit, list[Friend]]:
    """Return the reading of the command whose name fits somebody, and whom; the first where none does."""
    chosen = talk.answers.get(CUSTOMER)
    for edit in talk.command.edits:
        found = bot_search.search(talk.session, talk.staff_id, edit.customer, talk.slugify)
        if chosen is not None and chosen in {friend.external_userid for friend in found}:
            return edit, fitting(talk, edit.customer)
        if found and chosen is None:
            return edit, found
    return talk.command.edits[0], []


def _shown(talk: Talk, friend: Friend, profile: RepProfile) -> Reply:
    chips, hidden = open_chips(profile)
    if not chips and not hidden:
        return say(f"{friend.label} 还没有标签。", f"打标签：标签 {friend.remark or friend.name} +标签名")
    lines = [f"{friend.label}："]
    actors = _actors(talk, profile.header.external_userid)
    lines += [f"{chip.name}（{chip.group_name}）{_source(talk, chip, actors.get(chip.key, ''))}" for chip in chips]
    if hidden:
        lines.append(f"另有 {hidden} 个敏感标签，请在侧边栏看。")
    return Reply(tuple(lines))


def _source(talk: Talk, chip: Chip, actor: str) -> str:
    by = f" {actor}" if actor else ""
    sync = f"，{chip.sync.word}" if chip.sync.state in ("pending", "failed") else ""
    return f"：{chip.source_word}{by} {talk.day(chip.set_at)}{sync}"


def _actors(talk: Talk, external_userid: str) -> dict[str, str]:
    """Return who put each tag on, by the tag's key: members by their names."""
    views = profiles.get(talk.session, external_userid, talk.now).tags
    actors = {view.key: view.actor for view in views if view.actor}
    query = select(Staff.userid_key, Staff.name).where(
        Staff.userid_key.in_({actor.lower() for actor in actors.values()})
    )
    names = {row.userid_key: row.name for row in talk.session.execute(query)}
    return {key: names.get(actor.lower()) or actor for key, actor in actors.items()}


def _edit(talk: Talk, friend: Friend, edit: TagEdit, profile: RepProfile) -> Outcome:
    held = frozenset(chip.key for dimension in profile.dimensions for chip in dimension.chips)
    library = Library(_live_tags(talk.session, talk.viewer), held)
    chosen = []
    for sign, name in [*((ADD, name) for name in edit.add), *((REMOVE, name) for name in edit.remove)]:
        tag = _resolve(talk, sign, name, library)
        if isinstance(tag, Reply):
            return tag
        chosen.append(Chosen(sign, tag))
    absent = [each.tag.name for each in chosen if each.sign == REMOVE and each.tag.key not in held]
    draft = EditDraft(
        add=[each.tag.key for each in chosen if each.sign == ADD],
        remove=[each.tag.key for each in chosen if each.sign == REMOVE and each.tag.key in held],
        via=VIA,
    )
    notes = [f"本来就没有「{'」「'.join(absent)}」。"] if absent else []
    if not draft.keys:
        return say(f"{friend.label}：没有变化。", *notes)
    viewer = talk.viewer
    return Deed(lambda session, context: _edited(session, context, viewer, friend, draft, notes))


def _edited(
    session: Session, context: Context, viewer: Viewer, friend: Friend, draft: EditDraft, notes: Sequence[str]
) -> Reply:
    try:
        with session.begin_nested():
            edited = rep_edits.edit(session, context, viewer, friend.external_userid, draft)
    except AppError as error:
        if error.retryable:
            raise
        return say(f"{friend.label} 没有改成：{error.message}")
    diff = describe(session, edited.change_set_id)
    if edited.change_set_id is None:
        return say(f"{friend.label}：没有变化，已经是这样了。", *notes)
    return Reply((f"{friend.label}：{diff}。", *notes, UNDO_HINT), change_set_id=edited.change_set_id)


def _resolve(talk: Talk, sign: str, written: str, library: Library) -> TagName | Reply:
    """Return the tag that a name means, or what to answer where it must be asked about or is not there."""
    asking = f"{sign}{written}"[:MOST_ASKING]
    chosen = [tag for tag in library.tags if tag.key == talk.answers.get(asking)]
    exact = chosen or _fits(written, library.tags)
    if sign == REMOVE:
        exact = [tag for tag in exact if tag.key in library.held] or exact
    allowed = [tag for tag in exact if tag.refusal is None]
    if len(allowed) == 1:
        return allowed[0]
    if allowed:
        return _ask_tag(asking, f"「{written}」在几个标签组里都有，发序号选一个：", allowed)
    if exact:
        return say(f"「{exact[0].name}」不能这样改：{exact[0].refusal}。什么都没改。")
    like = [tag for tag in library.tags if tag.refusal is None and fold(written) in fold(tag.name)]
    like = [tag for tag in like if sign == ADD or tag.key in library.held]
    if like:
        return _ask_tag(asking, f"没有叫「{written}」的标签，是这个吗？发序号选：", like)
    return say(f"没有叫「{written}」的标签，什么都没改。", "标签名要写全，或写成 标签组/标签。")


def _fits(written: str, library: Sequence[TagName]) -> list[TagName]:
    """Return the tags of that name; where there is none, those that are written as group and tag."""
    wanted = fold(written)
    found = [tag for tag in library if fold(tag.name) == wanted]
    if found:
        return found
    for index in (index for index, character in enumerate(written) if character in SLASHES):
        group, name = fold(written[:index]), fold(written[index + 1 :])
        found += [tag for tag in library if (fold(tag.group), fold(tag.name)) == (group, name)]
    return found


def _ask_tag(asking: str, question: str, fitting_tags: Sequence[TagName]) -> Reply:
    shown = fitting_tags[:MOST_OPTIONS]
    lines = [question, *(f"{number}. {tag.group}/{tag.name}" for number, tag in enumerate(shown, 1))]
    if len(fitting_tags) > len(shown):
        lines.append(f"还有 {len(fitting_tags) - len(shown)} 个没列出，把名字写全一些试试。")
    return Reply(tuple(lines), Question(asking, tuple(tag.key for tag in shown)))


def _live_tags(session: Session, viewer: Viewer) -> list[TagName]:
    """Return every live tag with whether the member may edit it."""
    is_leader = viewer.may(Role.LEADER, Role.ADMIN)
    columns = (Tag.archived_at, Tag.gone_at, TagGroup.archived_at, TagGroup.gone_at)
    query = (
        select(Tag.key, Tag.name, TagGroup.name, TagGroup.editable_by, TagGroup.mirror)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(*(column.is_(None) for column in columns))
        .order_by(TagGroup.position.desc(), TagGroup.id, Tag.position.desc(), Tag.id)
    )
    return [
        TagName(key, name, group, editing.refusal(editable_by, mirror, is_leader=is_leader))
        for key, name, group, editable_by, mirror in session.execute(query)
    ]


def _undone(runtime: Runtime, viewer: Viewer, change_set_id: int) -> Reply:
    with runtime.read() as session:
        again = session.execute(select(ChangeSet.id).where(ChangeSet.parent_id == change_set_id)).first() is not None
    if again:
        return Reply(("已经撤回了。",), undone=True)
    try:
        done = undo.by_viewer(runtime, viewer, change_set_id)
    except NotFound:
        return Reply(("这位客户已不在你名下，不能再撤回。",), undone=True)
    runtime.crash_point("bot.after_undo")
    with runtime.read() as session:
        diff = describe(session, done.change_set_id)
    kept: Mapping[str, str] = {tag.name: tag.words for tag in done.kept}
    lines = [f"已撤回：{diff}。"] if diff else ["没有能撤回的。"]
    return Reply((*lines, *(f"「{name}」{words}。" for name, words in kept.items())), undone=True)
