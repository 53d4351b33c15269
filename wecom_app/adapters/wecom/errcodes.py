"""What WeCom's error numbers mean here: which error is raised and what a person should do, as data.

Sources: Tencent's page 90313 and wecom-protocol §8; unknown numbers become WeComRejected.
"""

import re
from collections.abc import Mapping
from typing import Any, NamedTuple

from wecom_app.errors import (
    LoginCodeRefused,
    WeComError,
    WeComGone,
    WeComMemberBarred,
    WeComMisconfigured,
    WeComRejected,
    WeComTagGone,
    WeComThrottled,
    WeComUnavailable,
    WelcomeTaken,
    WelcomeTooLate,
)

TOKEN_STALE = frozenset({40014, 42001})
"""The access token is dead: fetch one and try once more. Never 40001, which means a wrong secret."""
NO_CUSTOMERS = 84061
RATE_LIMITED = 45009
TOO_PARALLEL = 45033
SOON_S = 2.0
"""Pause after a collision that is over in a moment (6000, 45033, 45035, 41096)."""
MAX_ERRMSG = 300


class Meaning(NamedTuple):
    """What an error number leads to."""

    error: type[WeComError]
    advice: str


UNAVAILABLE, THROTTLED, REJECTED = WeComUnavailable, WeComThrottled, WeComRejected
SETUP, BARRED, GONE = WeComMisconfigured, WeComMemberBarred, WeComGone

MEANINGS: Mapping[int, Meaning] = {
    -1: Meaning(UNAVAILABLE, "企业微信系统繁忙，系统会自动重试"),
    6000: Meaning(THROTTLED, "数据正被他处修改，系统会稍后重试"),
    40001: Meaning(SETUP, "Secret 不正确或应用已停用：请在企业微信后台核对应用的 Secret，更新 WECOM_SECRET"),
    40003: Meaning(GONE, "企业微信中没有这个成员，请重新同步成员"),
    40007: Meaning(REJECTED, "素材无效或已过期（有效期 3 天），请重新上传"),
    40008: Meaning(REJECTED, "消息类型不合要求"),
    40013: Meaning(SETUP, "企业 ID 不正确：请在「我的企业」页面核对 WECOM_CORP_ID"),
    40014: Meaning(UNAVAILABLE, "企业微信不接受刚取得的访问令牌，系统会自动重试"),
    40032: Meaning(REJECTED, "一次最多发给 1000 名成员"),
    40029: Meaning(LoginCodeRefused, "登录凭证无效或已过期，请重新登录"),
    40056: Meaning(SETUP, "应用编号不正确：请核对 WECOM_AGENT_ID 与 WECOM_SECRET 属于同一个应用"),
    40058: Meaning(REJECTED, "提交给企业微信的参数不合要求"),
    40063: Meaning(REJECTED, "提交给企业微信的参数不完整"),
    40068: Meaning(WeComTagGone, "企业微信中没有这个标签，可能已被删除，请重新同步标签库"),
    40071: Meaning(REJECTED, "企业微信的同一标签组里已有同名标签"),
    40072: Meaning(REJECTED, "标签或标签组名称过长（最多 30 个字）"),
    40091: Meaning(SETUP, "Secret 属于另一家企业：请核对 WECOM_CORP_ID 与 WECOM_SECRET"),
    40096: Meaning(GONE, "企业微信中没有这个客户"),
    40098: Meaning(BARRED, "成员尚未实名认证，请该成员在企业微信中完成实名认证"),
    40099: Meaning(REJECTED, "成员的客户数已达上限，请换一位成员或申请扩容"),
    40126: Meaning(REJECTED, "企业标签数量已达上限，请先在企业微信后台清理标签"),
    41001: Meaning(UNAVAILABLE, "请求没有带上访问令牌，系统会自动重试"),
    41004: Meaning(SETUP, "没有填写 Secret：请设置 WECOM_SECRET"),
    41017: Meaning(REJECTED, "没有指定标签"),
    41018: Meaning(REJECTED, "标签名称不能为空"),
    41035: Meaning(REJECTED, "没有指定客户"),
    41041: Meaning(REJECTED, "一个渠道活码最多 100 名成员"),
    41044: Meaning(GONE, "企业微信中没有这个渠道活码，可能已被删除"),
    41045: Meaning(REJECTED, "渠道活码数量已达企业上限，请先删除不用的活码"),
    41049: Meaning(WelcomeTooLate, "没有欢迎语凭证，未发送"),
    41050: Meaning(WelcomeTooLate, "欢迎语凭证已使用或已过期（20 秒），未发送"),
    41051: Meaning(WelcomeTaken, "客户已收到其他欢迎语或已开始聊天"),
    41053: Meaning(REJECTED, "客户尚未同意会话存档，欢迎语未发送"),
    41054: Meaning(BARRED, "成员尚未激活企业微信"),
    41096: Meaning(THROTTLED, "另一个应用正在发送欢迎语，系统会立即再试"),
    42001: Meaning(UNAVAILABLE, "访问令牌已过期，系统会自动重试"),
    42014: Meaning(REJECTED, "卡片的任务编号不合要求或已用过"),
    42045: Meaning(REJECTED, "卡片已更新过或已超过 72 小时，不能再更新"),
    43012: Meaning(
        SETUP, "应用没有设置接收消息的服务器：请在应用的「接收消息」中设置 API 接收，否则不能发送带按钮的卡片"
    ),
    44004: Meaning(REJECTED, "消息内容不能为空"),
    42022: Meaning(LoginCodeRefused, "登录凭证已使用过，请重新登录"),
    45002: Meaning(REJECTED, "内容过长"),
    45009: Meaning(THROTTLED, "企业微信接口调用已达上限，系统会稍后自动继续"),
    45033: Meaning(THROTTLED, "企业微信接口并发过高，系统已自动降低并发"),
    45035: Meaning(THROTTLED, "同一好友关系正在被修改，系统会稍后重试"),
    46004: Meaning(GONE, "企业微信中没有这个成员，请重新同步成员"),
    48001: Meaning(SETUP, "应用没有调用此接口的权限"),
    48002: Meaning(SETUP, "应用没有客户联系权限：请在「客户联系 → 可调用接口的应用」中加入本应用"),
    48004: Meaning(SETUP, "接口已被企业微信禁用，请在企业微信后台查看原因"),
    48006: Meaning(SETUP, "应用没有调用此接口的权限"),
    48009: Meaning(SETUP, "此 Secret 不能调用该接口，请使用自建应用的 Secret"),
    50002: Meaning(BARRED, "成员不在应用的可见范围内：请在企业微信后台调整应用可见范围"),
    50003: Meaning(SETUP, "应用已被停用：请在企业微信后台重新启用"),
    50100: Meaning(REJECTED, "翻页位置已失效，请从头开始"),
    60011: Meaning(BARRED, "没有权限访问此成员：请检查应用可见范围"),
    60020: Meaning(SETUP, "本服务器的 IP 不在「企业可信IP」中：请在应用详情页添加，约 1 分钟后生效"),
    60021: Meaning(BARRED, "成员不在应用的可见范围内：请在企业微信后台调整应用可见范围"),
    60111: Meaning(GONE, "企业微信中没有这个成员，请重新同步成员"),
    81011: Meaning(REJECTED, "没有权限修改此标签：它由其他应用或后台创建，只能使用、不能修改"),
    81012: Meaning(REJECTED, "没有权限操作此对象"),
    81013: Meaning(REJECTED, "接收人都收不到消息：不在应用的可见范围内、未激活或已离职"),
    82001: Meaning(REJECTED, "没有指定接收人"),
    82002: Meaning(REJECTED, "一次最多发给 1000 名成员"),
    84061: Meaning(GONE, "企业微信中没有这个好友关系"),
    84074: Meaning(BARRED, "成员没有客户联系权限：请在「客户联系 → 权限配置」中加入该成员"),
    84083: Meaning(BARRED, "成员没有客户联系权限：请在「客户联系 → 权限配置」中加入该成员"),
    93000: Meaning(SETUP, "群机器人的地址无效或机器人已被移除：请重新复制 Webhook 地址到 GROUP_ROBOT_URL"),
    93004: Meaning(SETUP, "群机器人已被停用：请在群里重新启用，或更换 GROUP_ROBOT_URL"),
    93008: Meaning(SETUP, "群机器人已不在群里：请重新添加，并更新 GROUP_ROBOT_URL"),
    301002: Meaning(SETUP, "访问令牌不属于此应用：请核对 WECOM_AGENT_ID 与 WECOM_SECRET"),
    301042: Meaning(SETUP, "本服务器的 IP 不在「企业可信IP」中：请在应用详情页添加，约 1 分钟后生效"),
    610004: Meaning(BARRED, "成员不在客户联系的使用范围内：请在企业微信后台调整"),
    701008: Meaning(BARRED, "成员没有互通许可：请在企业微信后台为成员分配许可"),
}
FOREIGN_TAG = Meaning(REJECTED, MEANINGS[81011].advice)
UNSEEN_MEMBER = Meaning(REJECTED, "成员不在应用的可见范围内，无法读取其姓名")
SPECIAL: Mapping[tuple[str, int], Meaning] = {
    # Which number WeCom answers for another app's tag is not documented; both have been seen (protocol §4.3).
    ("externalcontact/edit_corp_tag", 301002): FOREIGN_TAG,
    ("externalcontact/del_corp_tag", 301002): FOREIGN_TAG,
    # A name that may not be read is no reason to stop anything.
    ("user/get", 60011): UNSEEN_MEMBER,
    ("user/get", 60021): UNSEEN_MEMBER,
    ("user/get", 50002): UNSEEN_MEMBER,
}
SOURCE_IP = re.compile(r"from ip: ([0-9a-fA-F.:]{3,45})")
UNTRUSTED_IP = frozenset({60020, 301042})


def meaning_of(api: str, errcode: int) -> Meaning:
    """Return what an error number means for an API."""
    special = SPECIAL.get((api, errcode))
    return special or MEANINGS.get(errcode) or Meaning(REJECTED, f"企业微信拒绝了这次操作（错误码 {errcode}）")


def error_for(api: str, errcode: int, errmsg: str = "", *, retry_after_s: float = SOON_S) -> WeComError:
    """Return the error to raise for a refusal; `errmsg` must already be free of secrets."""
    meaning = meaning_of(api, errcode)
    if issubclass(meaning.error, WeComThrottled):
        return meaning.error(meaning.advice, api=api, errcode=errcode, retry_after_s=retry_after_s)
    details: dict[str, Any] = {"errmsg": errmsg[:MAX_ERRMSG]} if errmsg else {}
    return meaning.error(_advice(meaning, errcode, errmsg), api=api, errcode=errcode, details=details)


def _advice(meaning: Meaning, errcode: int, errmsg: str) -> str:
    """Name our own address where that is what the admin must enter; only errmsg tells it."""
    address = SOURCE_IP.search(errmsg) if errcode in UNTRUSTED_IP else None
    return f"{meaning.advice}（IP：{address[1]}）" if address else meaning.advice
