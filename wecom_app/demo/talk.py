"""What the demo's reps can send: items of each kind, for the tags that the story's customers get."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from wecom_app.demo.sides import Application

Json = dict[str, Any]


@dataclass(frozen=True)
class Talk:
    """An item; its condition by names of tags: all of these, any of those, none of these."""

    kind: str
    title: str
    text: str
    all: tuple[str, ...] = ()
    any: tuple[str, ...] = ()
    none: tuple[str, ...] = ()
    link: str | None = None
    priority: int = 50
    status: str = "active"


TALKS = (
    Talk(
        "script",
        "新朋友第一次打招呼",
        "您好呀，我把您的微信置顶了，新品和小样第一时间留给您。您平时更关注护肤还是彩妆？我记一下，只发用得上的。",
        all=("新加好友",),
        none=("已到店", "已下单"),
        priority=70,
    ),
    Talk(
        "script",
        "问问肤质再推荐",
        "最近换季，先不急着推荐。您现在是两颊干还是出油多一些？发我一张素颜照也行，我帮您挑两样适合的。",
        any=("护肤",),
        priority=80,
    ),
    Talk(
        "coupon",
        "30 元见面券",
        "到店就能用，不限金额，本月内有效。",
        all=("潜在客户",),
        link="https://shop.example/coupons/meet",
        priority=75,
    ),
    Talk(
        "article",
        "换季护肤三步走",
        "清洁、保湿、修护各做对一件事，附店里同款清单。",
        any=("护肤", "香氛"),
        link="https://shop.example/articles/autumn",
        priority=60,
    ),
    Talk(
        "product",
        "柔雾口红 6 色试色",
        "黄皮显白的是 03 和 05，可以先看试色再决定。",
        any=("彩妆",),
        link="https://shop.example/products/lipstick",
        priority=65,
    ),
    Talk(
        "script",
        "约到店试用",
        "这周末我都在店里。您来之前跟我说一声，我把试用装和座位给您留好，不用排队。",
        any=("南京路店", "徐家汇店"),
        none=("已到店",),
        priority=55,
    ),
    Talk(
        "script",
        "老客专属问候",
        "上次您带走的那款用得还顺手吗？会员日给您留了一份，想要的话我先帮您锁住。",
        any=("高频购买用户", "已下单"),
        priority=90,
    ),
    Talk(
        "coupon",
        "双十二满 300 减 60（待定稿）",
        "十二月十日起可领，全场正价商品可用。",
        link="https://shop.example/coupons/1212",
        status="draft",
    ),
)


def put_in(app: Application, keys: Mapping[str, str]) -> int:
    """Make the items through the API; `keys` are the tags' by name. Return how many can be suggested."""
    for talk in TALKS:
        app.create_content(_body(talk, keys))
    return sum(talk.status == "active" for talk in TALKS)


def _body(talk: Talk, keys: Mapping[str, str]) -> Json:
    named = (("has_all", talk.all), ("has_any", talk.any), ("has_none", talk.none))
    parts = [{"on": "tag", "op": op, "tags": [keys[name] for name in names]} for op, names in named if names]
    body = {"kind": talk.kind, "title": talk.title, "text": talk.text, "priority": talk.priority, "status": talk.status}
    return {
        **body,
        **({"link": talk.link} if talk.link else {}),
        **({"condition": {"all": parts}} if parts else {}),
    }
