"""What can be made to go wrong with one switch, as the simulator's faults; the state is read back from it."""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from typing import Any

from wecom_app.errors import NotFound
from wecom_app.web.playground.corp import Corp, Json

MARK_TAG = "externalcontact/mark_tag"
RULE_FIELDS = ("api", "kind", "errcode", "latency_s", "probability", "applied", "seed")
"""What a rule keeps when the list of rules is written anew, besides what is left of it."""


@dataclass(frozen=True)
class Switch:
    """One fault: a rule for API calls, or settings of which `on` differs from `off`."""

    name: str
    label: str
    meaning: str
    rule: Mapping[str, Any] | None = None
    on: Mapping[str, Any] = field(default_factory=dict)
    off: Mapping[str, Any] = field(default_factory=dict)


SWITCHES = (
    Switch("down", "断线一分钟", "所有接口都连不上，一分钟后自己恢复", {"api": "*", "kind": "down", "for_s": 60}),
    Switch(
        "slow",
        "变慢 3 秒",
        "每次调用多等 3 秒，持续一分钟",
        {"api": "*", "kind": "latency", "latency_s": 3, "for_s": 60},
    ),
    Switch(
        "lost_reply",
        "丢一次回包",
        "下一次打标签在企业微信生效，但我们收不到结果",
        {"api": MARK_TAG, "kind": "lost_reply", "times": 1},
    ),
    Switch(
        "silent_ok",
        "假成功一次",
        "下一次打标签回答 errcode 0，其实什么也没发生",
        {"api": MARK_TAG, "kind": "silent_ok", "times": 1},
    ),
    Switch(
        "duplicates",
        "回调重复",
        "每个回调推送三遍",
        on={"callbacks": {"duplicates": 3}},
        off={"callbacks": {"duplicates": 1}},
    ),
    Switch(
        "reorder",
        "回调乱序",
        "等着推送的回调打乱先后",
        on={"callbacks": {"reorder": True}},
        off={"callbacks": {"reorder": False}},
    ),
    Switch(
        "loss",
        "回调丢失",
        "企业微信一个回调也不推送",
        on={"callbacks": {"loss": 1.0}},
        off={"callbacks": {"loss": 0.0}},
    ),
    Switch(
        "echo",
        "回声",
        "我们自己打的标签也当成改动推送回来",
        on={"echo_api_writes": True},
        off={"echo_api_writes": False},
    ),
)
BY_NAME = {switch.name: switch for switch in SWITCHES}


@dataclass(frozen=True)
class Shown:
    """A switch as it stands; `left` says what remains of a fault that ends by itself."""

    switch: Switch
    is_on: bool
    left: str = ""


def shown(faults: Json) -> list[Shown]:
    """Return all switches as the simulator's document says."""
    return [_shown(switch, faults) for switch in SWITCHES]


def turn(corp: Corp, name: str, *, on: bool) -> None:
    """Turn one switch and leave all other faults as they are; raise NotFound for a name that is none."""
    switch = BY_NAME.get(name)
    if switch is None:
        raise NotFound("没有这个开关")
    if switch.rule is None:
        corp.send("PATCH", "faults", dict(switch.on if on else switch.off))
        return
    others = [_kept(rule) for rule in _live(corp.get("faults")["rules"]) if not _is_of(rule, switch)]
    corp.send("PATCH", "faults", {"rules": [*others, *([dict(switch.rule)] if on else [])]})


def _shown(switch: Switch, faults: Json) -> Shown:
    if switch.rule is None:
        return Shown(switch, _holds(switch.on, faults))
    rule = next((rule for rule in _live(faults["rules"]) if _is_of(rule, switch)), None)
    return Shown(switch, rule is not None, _left(rule) if rule else "")


def _holds(wanted: Mapping[str, Any], document: Mapping[str, Any]) -> bool:
    return all(
        _holds(value, document[name]) if isinstance(value, Mapping) else document[name] == value
        for name, value in wanted.items()
    )


def _is_of(rule: Json, switch: Switch) -> bool:
    return switch.rule is not None and (rule["api"], rule["kind"]) == (switch.rule["api"], switch.rule["kind"])


def _live(rules: Sequence[Json]) -> list[Json]:
    return [rule for rule in rules if rule["left"] != 0 and rule["left_s"] != 0]


def _kept(rule: Json) -> Json:
    """Return a rule with what is left of it: writing it anew must not begin its minute again."""
    return {**{name: rule[name] for name in RULE_FIELDS}, "times": rule["left"], "for_s": rule["left_s"]}


def _left(rule: Json) -> str:
    if rule["left_s"] is not None:
        return f"还剩 {math.ceil(rule['left_s'])} 秒"
    return "等下一次打标签" if rule["left"] is not None else ""
