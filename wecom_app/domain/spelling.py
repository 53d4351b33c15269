"""Finding a Chinese name by what people type: itself, its pinyin, or the initials of its pinyin."""

from wecom_app.domain.keys import Slugify


def spellings(name: str, slugify: Slugify) -> str:
    """Return the forms of a name that a search looks into, one a line: 春季面霜, chunjimianshuang, cjms."""
    syllables = [part for part in slugify(name).split("_") if part]
    initials = "".join(part[0] for part in syllables)
    return "\n".join(dict.fromkeys((typed(name), "".join(syllables), initials)))


def typed(text: str) -> str:
    """Return what was typed in the form that spellings are kept in."""
    return "".join(text.lower().split())
