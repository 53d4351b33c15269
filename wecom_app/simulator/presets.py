"""The disturbances that the page offers as buttons."""

from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any


@dataclass(frozen=True)
class Preset:
    """One button: a rule to add, or settings to change."""

    label: str
    explanation: str
    rule: Mapping[str, Any] | None = None
    settings: Mapping[str, Any] = field(default_factory=dict)


MARK_TAG = "externalcontact/mark_tag"
WELCOME = "externalcontact/send_welcome_msg"

PRESETS: Mapping[str, Preset] = {
    "down": Preset("宕机 1 分钟", "所有接口连不上", {"kind": "down", "for_s": 60}),
    "slow": Preset("变慢 5 秒", "每次调用多等 5 秒，持续 1 分钟", {"kind": "latency", "latency_s": 5, "for_s": 60}),
    "lost_reply": Preset(
        "打标签回包丢失",
        "接下来 3 次打标签都生效，但应用收不到结果",
        {"api": MARK_TAG, "kind": "lost_reply", "times": 3},
    ),
    "silent_ok": Preset(
        "打标签假成功",
        "接下来 3 次打标签返回成功，实际没有生效",
        {"api": MARK_TAG, "kind": "silent_ok", "times": 3},
    ),
    "busy": Preset(
        "打标签超频 1 分钟",
        "打标签返回 45009",
        {"api": MARK_TAG, "kind": "errcode", "errcode": 45009, "for_s": 60},
    ),
    "welcome_taken": Preset(
        "欢迎语被抢先",
        "下一次发欢迎语返回 41051",
        {"api": WELCOME, "kind": "errcode", "errcode": 41051, "times": 1},
    ),
    "token": Preset("令牌提前失效", "现在的 access_token 立即作废", settings={"token": {"invalidate_now": True}}),
    "duplicates": Preset("回调重复 3 次", "每个事件推送三遍", settings={"callbacks": {"duplicates": 3}}),
    "loss": Preset("回调丢失三成", "十个事件里约三个不推送", settings={"callbacks": {"loss": 0.3}}),
    "hold": Preset("暂停回调", "事件先攒着，恢复后再推送", settings={"callbacks": {"hold": True}}),
    "reorder": Preset("回调乱序", "攒着的事件乱序推送", settings={"callbacks": {"reorder": True}}),
    "echo": Preset("接口操作也回调", "应用自己打的标签也会推送事件", settings={"echo_api_writes": True}),
}

KIND_LABELS = {
    "errcode": "返回错误码",
    "latency": "变慢",
    "lost_reply": "回包丢失",
    "partial_lost": "只做了一半且回包丢失",
    "lost_request": "请求丢失",
    "silent_ok": "假成功",
    "partial": "只生效一部分",
    "doubled": "列表重复一遍",
    "circle": "翻页原地打转",
    "http_502": "HTTP 502",
    "html": "返回网页",
    "timeout": "超时",
    "down": "宕机",
}
