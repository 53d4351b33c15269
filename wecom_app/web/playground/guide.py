"""The guided path: five steps, each checked off by what both sides have written down since it was begun."""

from collections.abc import Callable, Iterable
from dataclasses import dataclass
from datetime import datetime

from wecom_app.services.customer_record import Intent
from wecom_app.services.profiles import HistoryView
from wecom_app.web.playground.corp import Json
from wecom_app.web.playground.story import Sides, moment


@dataclass(frozen=True)
class Seen:
    """What the steps look at."""

    sides: Sides
    since: datetime
    explained_at: datetime | None
    """When the sidebar last said why the customer has a tag."""

    def changes(self, kind: str) -> list[HistoryView]:
        return [item for item in self.sides.ours.changes if item.source_kind == kind and item.at >= self.since]

    def outages(self) -> Iterable[datetime]:
        """Return when calls about him met a WeCom that was down."""
        calls: Iterable[Json] = self.sides.theirs["calls"]
        return [at for call in calls if call["fault"] == "down" and (at := moment(call["at"])) >= self.since]


@dataclass(frozen=True)
class Step:
    """One step: what to do, and what its tick shows."""

    title: str
    task: str
    lesson: str
    is_done: Callable[[Seen], bool]


def _scanned(seen: Seen) -> bool:
    welcomed = any(item["sent_at"] and moment(item["sent_at"]) >= seen.since for item in seen.sides.theirs["welcomes"])
    return welcomed and bool(seen.changes("channel"))


def _explained(seen: Seen) -> bool:
    return seen.explained_at is not None and seen.explained_at >= seen.since


def _edited(seen: Seen) -> bool:
    """A member's edit counts once a look at WeCom has confirmed it."""
    keys = {item.key for item in seen.changes("manual")}
    return any(item.key in keys and item.state == "verified" for item in _intents_since(seen))


def _edited_in_wecom(seen: Seen) -> bool:
    by_hand = seen.changes("manual")
    return any(there.key == here.key and there.id > here.id for there in seen.changes("wecom") for here in by_hand)


def _survived_outage(seen: Seen) -> bool:
    """An intent that WeCom was down for, and that a later look has confirmed."""
    outages = list(seen.outages())
    return any(
        item.closed_at is not None and any(item.created_at <= at <= item.closed_at for at in outages)
        for item in _intents_since(seen)
        if item.state == "verified"
    )


def _intents_since(seen: Seen) -> Iterable[Intent]:
    return (item for item in seen.sides.ours.intents if item.created_at >= seen.since)


STEPS = (
    Step(
        "扫码",
        "在客户的手机上扫一个渠道活码",
        "欢迎语几秒内送达，标签两边都有了",
        _scanned,
    ),
    Step(
        "这个标签为什么在",
        "在侧边栏点一个标签",
        "每个标签都说得出谁、何时、凭什么打上",
        _explained,
    ),
    Step(
        "导购改标签",
        "在侧边栏点「打标签」，加一个或去一个，保存",
        "立刻生效，再到企业微信核对过才算数",
        _edited,
    ),
    Step(
        "同一个标签在企业微信里被改",
        "打开聊天下方「企业微信里的标签」，点刚改过的那个",
        "人在企业微信里的改动，这里跟着改",
        _edited_in_wecom,
    ),
    Step(
        "企业微信断线一分钟",
        "打开「断线一分钟」，再到侧边栏改一个标签，等它恢复",
        "断线时照样能改，恢复后自己补上",
        _survived_outage,
    ),
)


def ticks(seen: Seen | None) -> list[bool]:
    """Return for each step whether it has been done; without a customer none has."""
    return [seen is not None and step.is_done(seen) for step in STEPS]
