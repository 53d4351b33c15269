"""The words in which pages and messages say a source, an agreement with WeCom, and the end of a friendship."""

from collections.abc import Mapping

SOURCE_WORDS: Mapping[str, str] = {
    "manual": "导购打标",
    "campaign": "活动打标",
    "channel": "渠道活码",
    "rule": "系统自动打标",
    "api": "接口",
    "import": "导入",
    "model": "模型打标",
    "wecom": "企微同步",
    "wecom_link": "企微同步",
}
ADD_WAY_SOURCE = "添加方式"
"""The source of the source tag of a contact who came through none of our live codes."""
FILLED_BY: Mapping[str, str] = {"manual": "成员填写", "api": "接口", "import": "导入"}
"""The words for who filled in a profile field."""
SYNC_WORDS: Mapping[str, str] = {
    "synced": "与企业微信一致",
    "pending": "等待同步到企业微信",
    "failed": "同步失败",
    "local": "仅在本系统",
}
SYNC_BY_URGENCY = ("failed", "pending", "synced", "local")
WELCOME_WORDS: Mapping[str, str] = {
    "waiting": "欢迎语发送中",
    "sent": "欢迎语已发送",
    "expired": "欢迎语已过期，未发送",
    "taken": "欢迎语已由其他应用发送",
    "failed": "欢迎语发送失败",
    "none": "没有设置欢迎语",
}
LOST_WORDS: Mapping[str, str] = {
    "customer": "客户已删除成员",
    "staff": "成员已删除客户",
    "transfer": "已转给其他成员",
}
OPERATION_WORDS: Mapping[str, str] = {"add": "添加", "remove": "移除", "expire": "到期"}
TYPE_WORDS: Mapping[str, str] = {"wechat": "微信客户", "wecom": "企业微信客户"}
STATE_WORDS: Mapping[str, str] = {"active": "好友", "half": "待成员通过", "lost": "已流失"}


def source_word(kind: str, evidence: Mapping[str, object]) -> str:
    """Return the word for a tag's source; a source tag given by WeCom's way of adding is no live code's."""
    if kind == "channel" and "channel_name" not in evidence:
        return ADD_WAY_SOURCE
    return SOURCE_WORDS.get(kind, kind)
