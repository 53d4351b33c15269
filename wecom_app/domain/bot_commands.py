"""What a member can say to the app: a table of commands, and a parser that never fails; pure.

Whatever is no command is taken for a customer's name. `services.bot` carries commands out.
"""

import re
import unicodedata
from collections.abc import Sequence
from dataclasses import dataclass
from enum import StrEnum

MOST_CHARACTERS = 200
"""A longer message is no command."""
LONGEST_NAME = 64


class Kind(StrEnum):
    HELP = "help"
    MORE = "more"
    UNDO = "undo"
    UNTAGGED = "untagged"
    TODO = "todo"
    ON_DUTY = "on_duty"
    OFF_DUTY = "off_duty"
    TAGS = "tags"
    CUSTOMER = "customer"
    CHOICE = "choice"
    GREETING = "greeting"
    """Nothing was said: the member has opened the chat."""
    UNKNOWN = "unknown"
    """Too long to be anything."""


@dataclass(frozen=True)
class Word:
    """One command as `help` lists it; the first spelling is the usual one."""

    kind: Kind
    spellings: tuple[str, ...]
    example: str
    meaning: str


WORDS: Sequence[Word] = (
    Word(Kind.CUSTOMER, ("客户",), "林晓芸", "看这位客户（名字、备注或拼音都行）"),
    Word(Kind.TAGS, ("标签",), "标签 林晓芸", "看他有哪些标签、谁打的"),
    Word(Kind.TAGS, ("标签",), "标签 林晓芸 +高意向 -观望", "打上、去掉标签"),
    Word(Kind.UNDO, ("撤销",), "撤销", "撤回刚才的修改"),
    Word(Kind.UNTAGGED, ("今日未打标", "未打标"), "今日未打标", "今天新加、还没打标签的客户"),
    Word(Kind.TODO, ("待办",), "待办", "到时间该跟进的客户"),
    Word(Kind.ON_DUTY, ("上班",), "上班", "开始收卡片和提醒"),
    Word(Kind.OFF_DUTY, ("下班",), "下班", "先不收，上班时一起看"),
    Word(Kind.MORE, ("更多",), "更多", "看下一页"),
    Word(Kind.HELP, ("帮助", "?", "？", "help", "菜单"), "帮助", "看这份说明"),
)
NAMING = frozenset({Kind.TAGS, Kind.CUSTOMER})
"""Commands that are followed by a name."""
ALONE = {spelling: word.kind for word in WORDS if word.kind not in NAMING for spelling in word.spellings}
LEADING = {spelling: word.kind for word in WORDS if word.kind in NAMING for spelling in word.spellings}
PLUS, MINUS = "+＋﹢", "-－−﹣"
SIGNS = re.escape(PLUS + MINUS)
SEPARATORS = r"\s,，、;；"
STRICT = re.compile(rf"(?:^|(?<=[{SEPARATORS}]))[{SIGNS}]")
"""A sign that begins a tag: at the start or after a space, so that names such as A-Lin stay whole."""
LOOSE = re.compile(rf"[{SIGNS}]")
NUMBER = re.compile(r"(?:第\s*)?([0-9]{1,3})\s*(?:[个位号]|[.。、])?")
POLITE = re.compile(r"[。.!！~～]+$")


@dataclass(frozen=True)
class TagEdit:
    """Whose tags to change, and the names as they were written; without names the tags are only shown."""

    customer: str
    add: tuple[str, ...] = ()
    remove: tuple[str, ...] = ()


@dataclass(frozen=True)
class Command:
    kind: Kind
    name: str = ""
    """A customer's name, of CUSTOMER."""
    explicit: bool = False
    """Whether CUSTOMER was said with its word: then nobody wondered what was meant."""
    edits: tuple[TagEdit, ...] = ()
    """Readings of TAGS, the likelier first: they differ where signs stand inside words."""
    number: int = 0
    """Of CHOICE."""


def parse(message: str) -> Command:
    """Return what a member wants; never raises."""
    said = " ".join(message.split())
    if not said or len(said) > MOST_CHARACTERS:
        return Command(Kind.UNKNOWN)
    alone = ALONE.get(_plain(said))
    if alone is not None:
        return Command(alone)
    number = NUMBER.fullmatch(unicodedata.normalize("NFKC", said))
    if number is not None:
        return Command(Kind.CHOICE, name=said, number=int(number[1]))
    for word, kind in LEADING.items():
        rest = _after(said, word)
        if rest:
            return _naming(kind, rest)
    if len(said) > LONGEST_NAME:
        return Command(Kind.UNKNOWN)
    return Command(Kind.CUSTOMER, name=said)


def write_edit(edit: TagEdit) -> str:
    """Return an edit as a member would write it."""
    signed = [*(f"+{name}" for name in edit.add), *(f"-{name}" for name in edit.remove)]
    return " ".join(["标签", edit.customer, *signed])


def fold(text: str) -> str:
    """Return the text as names are compared: width, case and spacing do not count."""
    caseless = unicodedata.normalize("NFKC", text).casefold()
    return " ".join(unicodedata.normalize("NFKC", caseless).split())


def _naming(kind: Kind, rest: str) -> Command:
    if kind is Kind.CUSTOMER:
        return Command(kind, name=rest[:LONGEST_NAME], explicit=True)
    readings = [_read_edit(rest, STRICT), _read_edit(rest, LOOSE)]
    return Command(kind, edits=tuple(dict.fromkeys(reading for reading in readings if reading.customer)))


def _read_edit(rest: str, sign: re.Pattern[str]) -> TagEdit:
    """Split at the signs: what comes before the first is the name, what follows each is a tag."""
    marks = list(sign.finditer(rest))
    ends = [*(mark.start() for mark in marks[1:]), len(rest)][: len(marks)]
    tags = [(mark[0], _trim(rest[mark.end() : end])) for mark, end in zip(marks, ends, strict=True)]
    name = _trim(rest[: marks[0].start()] if marks else rest)
    add = dict.fromkeys(tag for mark, tag in tags if mark in PLUS and tag)
    remove = dict.fromkeys(tag for mark, tag in tags if mark in MINUS and tag)
    return TagEdit(name, tuple(add), tuple(remove))


def _after(said: str, word: str) -> str:
    """Return what follows a command's word and at least one space or colon; "" where it does not begin so."""
    if not said.startswith(word):
        return ""
    rest = said[len(word) :]
    return rest.lstrip(" :：") if rest[:1] in (" ", ":", "：") else ""


def _plain(said: str) -> str:
    folded = fold(said)
    return folded if folded in ALONE else POLITE.sub("", folded)


def _trim(text: str) -> str:
    return re.sub(rf"^[{SEPARATORS}]+|[{SEPARATORS}]+$", "", text)
