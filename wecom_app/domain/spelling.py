"""Finding a Chinese name by what people type: itself, its pinyin, or the initials of its pinyin."""

from dataclasses import dataclass

from wecom_app.domain.keys import Slugify


@dataclass(frozen=True)
class Spelling:
    """How a name is typed: `chunjimianshuang` and `cjms` for 春季面霜."""

    pinyin: str
    initials: str


def spell(name: str, slugify: Slugify) -> Spelling:
    """Return a name's pinyin and the initials of it; both empty where nothing can be transcribed."""
    syllables = [part for part in slugify(name).split("_") if part]
    return Spelling("".join(syllables), "".join(part[0] for part in syllables))


def spellings(name: str, slugify: Slugify) -> str:
    """Return the forms of a name that a search looks into, one a line: 春季面霜, chunjimianshuang, cjms."""
    spelling = spell(name, slugify)
    return "\n".join(dict.fromkeys((typed(name), spelling.pinyin, spelling.initials)))


def typed(text: str) -> str:
    """Return what was typed in the form that spellings are kept in."""
    return "".join(text.lower().split())
