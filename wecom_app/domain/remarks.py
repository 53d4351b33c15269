"""A remark that was written here and one that stands at WeCom: which of them holds; decided on plain values.

Called by `services.remarks` with every look. A remark has four parts (remark, description, company, phones), each
decided for itself.
"""

from collections.abc import Sequence
from enum import StrEnum

PARTS = ("remark", "description", "company", "phones")
MAX_LENGTH = {"remark": 20, "description": 150, "company": 20}
"""externalcontact/remark, in characters."""
MAX_PHONES = 5
"""What WeCom's client has room for."""

Part = str | list[str]
"""Text, or the telephone numbers."""


class Verdict(StrEnum):
    AGREED = "agreed"
    OURS = "ours"
    """Not there yet: to be written, once more if it was."""
    THEIRS = "theirs"
    """A person changed it at WeCom later: that stands."""


def judge(wanted: Part, observed: Part, base: Part, pushed: Sequence[Part], *, is_later: bool) -> Verdict:
    """Return what a look means for one part.

    `base` was observed before, `pushed` are the values that we have sent since. `is_later`: whatever else stands
    there now was written after our edit, for WeCom was looked at in between, or has told of an edit since.
    A change that nobody can date does not take away what a member has just written here.
    """
    if observed == wanted:
        return Verdict.AGREED
    if observed == base or observed in pushed or not is_later:
        return Verdict.OURS
    return Verdict.THEIRS
