"""The bot: what members write to the app is carried out once, in order for each member, and answered by a message.

`hear` takes a callback in; the job `bot.answer` carries the command out and writes the answer down in one
transaction, so that a crash or a second delivery changes nothing. Nobody but members is answered, and a member
reaches his own customers only.
"""

from collections.abc import Callable, Mapping
from datetime import datetime, timedelta
from typing import Any

from sqlalchemy.orm import Session

from wecom_app.domain.bot_commands import WORDS, Command, Kind, parse
from wecom_app.domain.messages import text
from wecom_app.domain.pages import paginate
from wecom_app.models import BotDialogue, Staff
from wecom_app.services import bot_customers, bot_tags, duty, inbox, intention_cards, notices, reminders, staff
from wecom_app.services.access import staff_viewer
from wecom_app.services.bot_talk import Deed, Errand, Outcome, Question, Reply, Talk, say
from wecom_app.services.context import Context
from wecom_app.services.inbox import Message
from wecom_app.services.ports import JobArgs
from wecom_app.services.ports.app_messages import MAX_MESSAGE_BYTES
from wecom_app.services.runtime import Runtime

ANSWER_KIND = "bot.answer"
ENTER = "enter_agent"
ASKED_FOR = timedelta(minutes=10)
"""How long the number of an option is understood."""
GONE = frozenset({"disabled", "left"})
HELP = "\n".join(["我能做这些：", *(f"{word.example}：{word.meaning}" for word in WORDS)])
ONLY_WORDS = "我只看得懂文字。发“帮助”看我能做什么。"
TOO_LONG = "这句话太长，我没看懂。发“帮助”看我能做什么。"
WELCOME = "你好，我是客户标签助手。发客户的名字就能看标签；发“帮助”看全部说明。"


def hear(session: Session, context: Context, event: Message) -> None:
    """Have what a member wrote or pressed answered, after what he wrote before."""
    staff_id = _staff_id(session, context, event)
    if staff_id is not None:
        _request(session, context, event.id, staff_id)


def enter(session: Session, context: Context, event: Message) -> None:
    """A member has opened the chat with the app: he is greeted the first time."""
    staff_id = _staff_id(session, context, event)
    if staff_id is not None and session.get(BotDialogue, staff_id) is None:
        _request(session, context, event.id, staff_id)


def answer(runtime: Runtime, args: JobArgs) -> None:
    """Carry out one command and have it answered; running it again changes nothing."""
    event_id, staff_id = int(args["event_id"]), int(args["staff_id"])
    with runtime.read() as session:
        talk = None if notices.is_told(session, _cause(event_id)) else _talk(session, runtime, event_id, staff_id)
        if talk is None:
            return
        outcome = _carry_out(talk)
    if isinstance(outcome, Errand):
        outcome = outcome.run(runtime)
    with runtime.write() as session:
        if notices.is_told(session, _cause(event_id)):
            return
        context = Context(runtime.queue, runtime.slugify, runtime.clock.now(), event_id)
        reply = outcome.act(session, context) if isinstance(outcome, Deed) else outcome
        _write_down(session, context, talk, reply)
        session.flush()
        runtime.crash_point("bot.before_commit")
    runtime.crash_point("bot.after_commit")


def _staff_id(session: Session, context: Context, event: Message) -> int | None:
    """Return the member behind an event; None where it names none, or one who has left."""
    userid = text(event.fields, "FromUserName")
    if not userid or len(userid) > 64:
        return None
    staff_id = staff.ensure(session, [userid], context.now)[userid]
    staff.request_names(session, context.queue, [staff_id])
    return None if session.get_one(Staff, staff_id).status in GONE else staff_id


def _request(session: Session, context: Context, event_id: int, staff_id: int) -> None:
    context.queue.enqueue(
        session,
        ANSWER_KIND,
        {"event_id": event_id, "staff_id": staff_id},
        lane="event",
        key=f"bot:{staff_id}",
        unique=str(event_id),
    )


def _talk(session: Session, runtime: Runtime, event_id: int, staff_id: int) -> Talk | None:
    event = inbox.get_message(session, event_id)
    if not event.fields:
        return None
    now = runtime.clock.now()
    dialogue = session.get(BotDialogue, staff_id) or _new_dialogue(staff_id)
    words, answers, command = _understood(dialogue, event, now)
    return Talk(
        session=session,
        viewer=staff_viewer(session, session.get_one(Staff, staff_id)),
        dialogue=dialogue,
        command=command,
        words=words,
        answers=answers,
        slugify=runtime.slugify,
        now=now,
        time_zone=runtime.settings.time_zone,
    )


def _said(event: Message) -> str:
    """Return the words of a message, or the key of a menu entry; "" for what has none."""
    return text(event.fields, "Content" if event.event == "text" else "EventKey")


def _understood(dialogue: BotDialogue, event: Message, now: datetime) -> tuple[str, Mapping[str, Any], Command]:
    """Return words, choices and command: a number that answers an open question carries its command on."""
    said = _said(event)
    command = Command(Kind.GREETING) if event.event == ENTER else parse(said)
    is_open = dialogue.asking is not None and dialogue.ask_until is not None and now < dialogue.ask_until
    if command.kind is not Kind.CHOICE or not is_open or not 1 <= command.number <= len(dialogue.options):
        return said, {}, command
    assert dialogue.asking is not None
    answers = {**dialogue.answers, dialogue.asking: dialogue.options[command.number - 1]}
    words = dialogue.command or ""
    return words, answers, parse(words)


def _carry_out(talk: Talk) -> Outcome:
    if talk.command.kind is Kind.CHOICE and _is_asking(talk):
        return Reply((f"请发 1 到 {len(talk.dialogue.options)} 之间的序号。",), keeps_question=True)
    return COMMANDS[talk.command.kind](talk)


def _is_asking(talk: Talk) -> bool:
    until = talk.dialogue.ask_until
    return talk.dialogue.asking is not None and until is not None and talk.now < until


def _help(_talk: Talk) -> Outcome:
    return say(HELP)


def _greet(_talk: Talk) -> Outcome:
    return say(WELCOME)


def _unknown(talk: Talk) -> Outcome:
    return say(TOO_LONG if talk.words else ONLY_WORDS)


def _more(talk: Talk) -> Outcome:
    """Show the next page; a list's numbers stay good."""
    pages = [str(page) for page in talk.dialogue.pages]
    if not pages:
        return Reply(("没有更多了。",), keeps_question=True)
    return Reply((pages[0],), pages=tuple(pages[1:]), keeps_question=True)


def _on_duty(talk: Talk) -> Outcome:
    staff_id = talk.staff_id

    def begin(session: Session, context: Context) -> Reply:
        duty.set_to(session, staff_id, on_duty=True, now=context.now)
        held = reminders.release(session, staff_id, context.now)
        cards = intention_cards.release(session, context, staff_id)
        lines = ["已上班，开始给你发卡片和提醒。"]
        if held:
            lines += [f"下班期间有 {len(held)} 条提醒：", *(f"{number}. {one}" for number, one in enumerate(held, 1))]
        if cards:
            lines.append(f"另有 {cards} 位新客户还没打意向，卡片马上发来。")
        return Reply(tuple(lines))

    return Deed(begin)


def _off_duty(talk: Talk) -> Outcome:
    staff_id = talk.staff_id

    def end(session: Session, context: Context) -> Reply:
        duty.set_to(session, staff_id, on_duty=False, now=context.now)
        return say("已下班。卡片和提醒先替你收着，发“上班”一起看。")

    return Deed(end)


COMMANDS: Mapping[Kind, Callable[[Talk], Outcome]] = {
    Kind.HELP: _help,
    Kind.MORE: _more,
    Kind.UNDO: bot_tags.take_back,
    Kind.UNTAGGED: bot_customers.untagged,
    Kind.TODO: bot_customers.todo,
    Kind.ON_DUTY: _on_duty,
    Kind.OFF_DUTY: _off_duty,
    Kind.TAGS: bot_tags.tags,
    Kind.CUSTOMER: bot_customers.show,
    Kind.CHOICE: bot_customers.show,
    Kind.GREETING: _greet,
    Kind.UNKNOWN: _unknown,
}


def _write_down(session: Session, context: Context, talk: Talk, reply: Reply) -> None:
    """Keep the answer and where the talk stands."""
    assert context.event_id is not None
    first, *rest = paginate(reply.lines, MAX_MESSAGE_BYTES)
    notices.say(session, context.queue, talk.staff_id, _cause(context.event_id), first, context.now)
    dialogue = session.get(BotDialogue, talk.staff_id) or _new_dialogue(talk.staff_id)
    session.add(dialogue)
    dialogue.pages = list(rest if reply.pages is None else reply.pages)
    if reply.change_set_id is not None or reply.undone:
        dialogue.change_set_id = reply.change_set_id
    if not reply.keeps_question:
        _ask(dialogue, talk, reply.question, context.now)


def _ask(dialogue: BotDialogue, talk: Talk, question: Question | None, now: datetime) -> None:
    """Put the new question, or none, in the place of the one before."""
    dialogue.asking = question.asking if question else None
    dialogue.options = list(question.options) if question else []
    dialogue.command = (question.command or talk.words) if question else None
    dialogue.answers = dict(talk.answers) if question and question.command is None else {}
    dialogue.ask_until = now + ASKED_FOR if question else None


def _new_dialogue(staff_id: int) -> BotDialogue:
    return BotDialogue(staff_id=staff_id, options=[], answers={}, pages=[])


def _cause(event_id: int) -> str:
    return f"event:{event_id}"
