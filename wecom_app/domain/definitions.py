"""Three-way decision on a name or an order of the tag library: ours, what both sides last agreed on, WeCom's.

`services.library_merge` loads the sides, asks `decide`, and writes the answer; this module touches nothing.
"""

import unicodedata
from dataclasses import dataclass
from enum import StrEnum
from typing import Generic, TypeVar

Value = TypeVar("Value", str, int)


class Policy(StrEnum):
    """Whose value holds where both sides changed it to different ones."""

    WECOM = "wecom"
    OURS = "ours"
    ASK = "ask"


POLICY_WORDS = {
    Policy.WECOM: "以企业微信为准，本系统的名称留作别名",
    Policy.OURS: "以本系统为准，企业微信的名称留作别名",
    Policy.ASK: "先不改，等人处理",
}


class Dispute(StrEnum):
    """What a disagreement about the library is about."""

    NAME = "name"
    ORDER = "order"
    DELETION = "deletion"


class Step(StrEnum):
    """What follows from the three sides."""

    AGREED = "agreed"
    TAKE = "take"
    """Only WeCom's changed: ours becomes theirs."""
    PUSH = "push"
    """Only ours changed: WeCom is told."""
    YIELD = "yield"
    """Both changed, and WeCom's holds."""
    INSIST = "insist"
    """Both changed, and ours holds."""
    ASK = "ask"
    """Both changed, and a person decides."""


BY_POLICY = {Policy.WECOM: Step.YIELD, Policy.OURS: Step.INSIST, Policy.ASK: Step.ASK}


@dataclass(frozen=True)
class Sides(Generic[Value]):
    """One value of one group or tag; `base` is None before WeCom was first seen to have it."""

    ours: Value
    theirs: Value
    base: Value | None = None
    sent: Value | None = None
    """What we told WeCom since `base` was observed: seen there, it is nobody else's edit."""


def decide(sides: Sides[Value], policy: Policy, *, leads: Policy | None = None) -> Step:
    """Return what to do; `leads` names the side that alone may change it, if there is one."""
    ours, theirs, base = same(sides.ours), same(sides.theirs), same(sides.base)
    if ours == theirs:
        return Step.AGREED
    is_theirs_new = theirs != base and theirs != same(sides.sent)
    if leads is Policy.WECOM or base is None:
        return Step.TAKE
    if not is_theirs_new:
        return Step.PUSH
    if leads is Policy.OURS:
        return Step.INSIST
    return Step.TAKE if ours == base else BY_POLICY[policy]


def same(value: Value | None) -> Value | None:
    """Return a value in the form in which two are compared: names as Unicode composes them, without outer space.

    Upper and lower case, full and half width, and every emoji are told apart, as WeCom does.
    """
    return canonical(value) if isinstance(value, str) else value


def canonical(name: str) -> str:
    """Return a name in NFC without surrounding space."""
    return unicodedata.normalize("NFC", name).strip()
