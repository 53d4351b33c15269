"""What a name of the tag library may hold: whatever shows, emoji and the joiners in them included.

Called by `services.taxonomy` for what people enter; a name that WeCom has is taken as it is.
"""

import unicodedata

CONTROLS = frozenset(("Cc", "Cs", "Zl", "Zp"))
"""Unicode's categories of characters that control: line breaks, tabs, halves of a pair."""
UNSEEN = frozenset(("Cf", "Mn", "Me", "Zs"))
"""Categories that show nothing by themselves."""
BLANK = frozenset("\u115f\u1160\u2800\u3164\uffa0")
"""Letters by category that are blank all the same."""
TURNING = frozenset("\u200e\u200f\u061c\u202a\u202b\u202c\u202d\u202e\u2066\u2067\u2068\u2069")
"""They turn the direction of writing, of what stands behind the name as well."""


def fault(name: str) -> str:
    """Return what is wrong with the characters of a name, "" where nothing is."""
    if any(unicodedata.category(character) in CONTROLS for character in name):
        return "名称不能含有换行等控制字符"
    if TURNING.intersection(name):
        return "名称里有改变文字方向的隐藏字符，请删掉后重新输入"
    if not any(_shows(character) for character in name):
        return "名称里没有看得见的字，请重新输入"
    return ""


def _shows(character: str) -> bool:
    return character not in BLANK and unicodedata.category(character) not in UNSEEN
