"""WeCom's error numbers and texts, and the shape in which an API call is answered."""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

Json = dict[str, Any]

MESSAGES: Mapping[int, str] = {
    -1: "system error",
    6000: "data version conflict",
    40001: "invalid credential",
    40003: "invalid userid",
    40004: "invalid media type",
    40007: "invalid media_id",
    40008: "invalid message type",
    40013: "invalid corpid",
    40014: "invalid access_token",
    40029: "invalid code",
    40056: "invalid agentid",
    40057: "invalid callbackurl or validation failed",
    40058: "invalid Request Parameter",
    40063: "some parameters are empty",
    40068: "invalid tagid",
    40070: "invalid tag list",
    40071: "UserTag Name Already Exist",
    40072: "UserTag Name Length Invalid",
    40096: "invalid external userid",
    40097: "user not resigned from corp",
    40098: "user has not been authenticated",
    40099: "contact customer limit exceeded",
    40100: "customer is transferring",
    40126: "corp tag number exceed limit",
    40128: "customer transferred too often",
    40130: "handover and takeover user are the same",
    40131: "handover user is not follower of customer",
    41001: "access_token missing",
    41004: "corpsecret missing",
    41006: "media_id missing",
    41008: "missing code",
    41009: "missing userid",
    41010: "missing url",
    41011: "missing agentid",
    41016: "missing title",
    41017: "missing tagid",
    41018: "missing tagname",
    41033: "missing description",
    41035: "missing external userid",
    41037: "missing contact way type",
    41038: "missing contact way scene",
    41039: "invalid contact way type",
    41040: "invalid contact way scene",
    41041: "contact way user exceed limit",
    41042: "invalid contact way style",
    41043: "missing contact way config_id",
    41044: "invalid contact way config_id",
    41045: "contact way number exceed limit",
    41047: "invalid group msg id",
    41048: "no customer to send",
    41049: "missing welcome code",
    41050: "invalid welcome code",
    41051: "externaluser has started chatting",
    41054: "user has not been activated",
    41063: "group msg is still being dispatched",
    41096: "welcome msg is being sent by another app",
    42001: "access_token expired",
    42014: "invalid task_id",
    42022: "code already used",
    42045: "invalid response_code",
    43012: "app has no callback url",
    44001: "empty media data",
    44004: "empty content",
    45001: "multimedia file size exceed limit",
    45002: "content size out of limit",
    45003: "title size out of limit",
    45004: "description size out of limit",
    45008: "article size out of limit",
    45009: "api freq out of limit",
    45033: "api concurrent out of limit",
    45035: "conflicting concurrent operation",
    48002: "api forbidden",
    50001: "redirect_uri unauthorized",
    50002: "user is not in the visible range",
    50003: "app is disabled",
    50100: "invalid cursor",
    60003: "department not found",
    60011: "no privilege to access/modify contact/party/agent",
    60020: "not allow to access from your ip",
    60111: "userid not found",
    60123: "invalid party id",
    80001: "domain is not trusted",
    81011: "no permission to modify the tag",
    81013: "user & party & tag all invalid",
    82001: "all receivers are empty",
    82002: "too many receivers in touser",
    82003: "too many receivers in toparty",
    84061: "not external contact",
    84074: "user has no customer contact permission",
    91040: "invalid ticket type",
    93000: "invalid webhook url",
    301002: "not allow operate another agent with this accesstoken",
    701008: "no member with an interop licence",
}

BARE = frozenset({40014})
"""Codes whose text Tencent sends without the hint part."""

WRONG_JSON = "Warning: wrong json format. "
"""Put before errmsg when the body is not the JSON that the API asks for (Tencent's page 90455)."""


class ApiError(Exception):
    """An API call that WeCom answers with an error number."""

    def __init__(self, errcode: int, message: str | None = None) -> None:
        self.errcode = errcode
        self.message = message or MESSAGES.get(errcode, "error")
        super().__init__(f"{errcode} {self.message}")


@dataclass(frozen=True)
class Caller:
    """What the error text says about the call."""

    ip: str
    unix_time: int
    seq: int


def success(fields: Json, *, wrong_json: bool = False) -> Json:
    """Return the body of a call that went well."""
    return {"errcode": 0, "errmsg": f"{WRONG_JSON}ok" if wrong_json else "ok", **fields}


def failure(error: ApiError, defaults: Json, caller: Caller, *, wrong_json: bool = False) -> Json:
    """Return the body of a refused call, with the endpoint's empty fields as WeCom sends them."""
    text = error.message
    if error.errcode not in BARE:
        text += (
            f", hint: [{caller.unix_time}_{caller.seq % 1000}_{caller.seq:032x}], from ip: {caller.ip},"
            f" more info at https://open.work.weixin.qq.com/devtool/query?e={error.errcode}"
        )
    if wrong_json:
        text = WRONG_JSON + text
    return {"errcode": error.errcode, "errmsg": text, **defaults}
