"""Runs of sync in the words of people; shared by the console and the command `sync`."""

from collections.abc import Mapping

KIND_WORDS: Mapping[str, str] = {"pull": "全量同步", "library": "标签删除", "undo": "撤销", "sources": "补打来源标签"}
STATE_WORDS: Mapping[str, str] = {
    "queued": "等待开始",
    "running": "进行中",
    "held": "等待确认",
    "done": "已完成",
    "failed": "失败",
    "stopped": "已停止",
}
PHASE_WORDS: Mapping[str, str] = {
    "start": "读取成员名单",
    "pages": "读取客户",
    "compare": "核对缺少的客户",
    "ask": "逐个复核",
    "release": "推送标签",
    "undo": "撤销",
    "sources": "补打来源标签",
}
ITEM_WORDS: Mapping[str, str] = {
    "removal": "标签不见了",
    "absent": "好友关系不见了",
    "tag_gone": "标签已删除",
    "unreadable": "成员读不到",
    "failed": "没读完",
    "adopted": "已采纳",
    "made": "新建标签",
}
RESULT_WORDS: Mapping[str, str] = {
    "noted": "已记录",
    "waiting": "待确认",
    "asked": "复核中",
    "seen": "已核对",
    "ended": "好友关系已解除",
    "applied": "已停用",
    "rejected": "已拒绝",
}
"""What became of a line: its state, of one that is looked at singly what the look has brought."""
GUARD_WORDS: Mapping[str, str] = {
    "absent": "将复核并解除的好友关系",
    "relations": "现有好友关系",
    "removals": "将移除的标签（每位成员名下各算一个）",
    "marks": "现有标签（每位成员名下各算一个）",
    "tags": "将停用的标签",
    "customers": "读到的好友关系",
    "adopted": "已采纳的标签",
    "push_relations": "将写入的好友关系",
    "push_marks": "将写入的标签",
    "push_seconds": "写入约需秒数",
}
COUNT_WORDS: Mapping[str, str] = {
    "members": "成员",
    "contacts": "读到的好友关系",
    "new": "新增好友关系",
    "adopted": "采纳标签",
    "removals": "不见的标签",
    "absent": "不见的好友关系",
    "asked": "单独复核",
    "unreadable": "读不到的成员",
    "pages": "页",
    "restored": "已恢复",
    "kept": "保持现状",
    "buried": "已停用标签",
    "assigned": "补打标签",
    "handed_over": "同事转来的",
    "unread": "还没读到来源的",
}
