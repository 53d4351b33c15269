"""Why a tag stands, in a Chinese sentence, and what taking it off means; pure, called by the sidebar's services.

Evidence is what the source wrote down when it set the tag. A source that has a sentence of its own to say puts it
under `text`; the others are worded here.
"""

from collections.abc import Callable, Mapping
from typing import Any

from wecom_app.domain.vocabulary import ADD_WAY_WORDS, PUSHED, UNKNOWN_SOURCE, Scope, SourceKind

NameOf = Callable[[str], str]
"""Returns a member's name by userid; the userid itself where there is none."""

RULE_STAYS_AWAY = "移除后，除非客户数据变化使规则重新成立，不会再自动添加。"
AT_WECOM_TOO = "企业微信里的这个标签也会一并移除。"


def evidence_sentence(kind: str, ref: str | None, evidence: Mapping[str, Any], name_of: NameOf) -> str:
    """Return what the tag rests on, ending in a full stop; `kind` is the stored source kind."""
    said = evidence.get("text")
    if isinstance(said, str) and said.strip():
        return _stopped(said.strip())
    word = _SENTENCES.get(kind, _unknown)
    return _stopped(word(ref, evidence, name_of) + _because(evidence))


def party(kind: str, ref: str | None, actor: str | None, evidence: Mapping[str, Any], name_of: NameOf) -> str:
    """Return who or what set the tag: a member's name, or the channel, rule, campaign, key or file."""
    person = actor or _text(evidence, "userid")
    if kind in (SourceKind.MANUAL, SourceKind.WECOM) and person:
        return name_of(person)
    if kind == SourceKind.CHANNEL:
        channel = _text(evidence, "channel_name")
        return f"渠道活码「{channel}」" if channel else "系统（按添加方式）"
    for label, names in _NAMED.get(kind, ()):
        found = next((text for name in names if (text := _text(evidence, name))), ref)
        if found:
            return f"{label}「{found}」"
    return "企业微信" if kind == SourceKind.WECOM_LINK else "系统"


def removal_sentence(kind: str, mirror: str, scope: str, owner: str | None) -> str:
    """Return what taking the tag off means; `owner` is the member whose relation a tag of scope `relation` is on."""
    parts = []
    if scope == Scope.RELATION and owner:
        parts.append(f"只移除{owner}与这位客户之间的这个标签，其他成员的不变。")
    if kind == SourceKind.RULE:
        parts.append(RULE_STAYS_AWAY)
    if mirror in PUSHED:
        parts.append(AT_WECOM_TOO)
    return "".join(parts) or "只在本系统移除，不影响企业微信。"


def _by_hand(_ref: str | None, evidence: Mapping[str, Any], name_of: NameOf) -> str:
    where = {"sidebar": "在侧边栏", "bot": "在应用消息里", "mine": "在我的客户里"}.get(str(evidence.get("via")), "")
    userid = _text(evidence, "userid")
    who = name_of(userid) if userid else "成员"
    return f"{who}{where}手动打标"


def _in_wecom(_ref: str | None, evidence: Mapping[str, Any], name_of: NameOf) -> str:
    userid = _text(evidence, "userid")
    return f"{name_of(userid) if userid else '成员'}在企业微信中打标{_as_merged(evidence)}"


def _linked(_ref: str | None, evidence: Mapping[str, Any], name_of: NameOf) -> str:
    userid = _text(evidence, "userid")
    whose = f"（{name_of(userid)}的好友关系上）" if userid else ""
    return f"首次同步时企业微信里已有这个标签{whose}{_as_merged(evidence)}，打标人未知"


def _as_merged(evidence: Mapping[str, Any]) -> str:
    merged = _text(evidence, "merged_tag")
    return f"（打的是已合并的「{merged}」）" if merged else ""


def _by_channel(_ref: str | None, evidence: Mapping[str, Any], _name_of: NameOf) -> str:
    channel, source = _text(evidence, "channel_name"), _text(evidence, "source")
    if channel:
        return f"客户扫描渠道活码「{channel}」添加" + (f"，获客来源是{source}" if source else "")
    if evidence.get("state"):
        return "客户来自系统之外的渠道码，来源未识别"
    way = ADD_WAY_WORDS.get(evidence.get("add_way") or 0)
    return f"客户通过「{way}」添加" if way else f"企业微信没有说明添加方式，记为{UNKNOWN_SOURCE}"


def _by_rule(ref: str | None, evidence: Mapping[str, Any], _name_of: NameOf) -> str:
    return f"符合规则「{_text(evidence, 'rule_name') or ref or '未命名'}」"


def _by_campaign(ref: str | None, evidence: Mapping[str, Any], _name_of: NameOf) -> str:
    return f"参加活动「{_text(evidence, 'campaign_name') or ref or '未命名'}」"


def _by_api(ref: str | None, evidence: Mapping[str, Any], _name_of: NameOf) -> str:
    key = _text(evidence, "api_key") or ref
    return f"由接口写入（密钥「{key}」）" if key else "由接口写入"


def _by_import(ref: str | None, evidence: Mapping[str, Any], _name_of: NameOf) -> str:
    return f"由文件「{_text(evidence, 'filename') or ref or '未命名'}」导入"


def _unknown(_ref: str | None, _evidence: Mapping[str, Any], _name_of: NameOf) -> str:
    return "来历没有记录"


_SENTENCES: Mapping[str, Callable[[str | None, Mapping[str, Any], NameOf], str]] = {
    SourceKind.MANUAL: _by_hand,
    SourceKind.WECOM: _in_wecom,
    SourceKind.WECOM_LINK: _linked,
    SourceKind.CHANNEL: _by_channel,
    SourceKind.RULE: _by_rule,
    SourceKind.CAMPAIGN: _by_campaign,
    SourceKind.API: _by_api,
    SourceKind.IMPORT: _by_import,
}
_NAMED: Mapping[str, tuple[tuple[str, tuple[str, ...]], ...]] = {
    SourceKind.RULE: (("规则", ("rule_name",)),),
    SourceKind.CAMPAIGN: (("活动", ("campaign_name",)),),
    SourceKind.API: (("接口密钥", ("api_key",)),),
    SourceKind.IMPORT: (("导入文件", ("filename",)),),
}


def _because(evidence: Mapping[str, Any]) -> str:
    reason = _text(evidence, "reason")
    return f"，说明：{reason}" if reason else ""


def _text(evidence: Mapping[str, Any], name: str) -> str:
    value = evidence.get(name)
    return str(value).strip() if value is not None else ""


def _stopped(sentence: str) -> str:
    return sentence if sentence.endswith(("。", "！", "？")) else f"{sentence}。"
