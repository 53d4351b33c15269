"""The field's closed word lists: sources and their precedence, group kinds, ways of adding a contact."""

from enum import StrEnum


class SourceKind(StrEnum):
    """Who or what wants a tag."""

    MANUAL = "manual"
    WECOM = "wecom"
    """A person marked it in WeCom: it differs from the state both sides had agreed on."""
    CAMPAIGN = "campaign"
    CHANNEL = "channel"
    RULE = "rule"
    API = "api"
    IMPORT = "import"
    WECOM_LINK = "wecom_link"
    """Found in WeCom at the first link, author unknown."""


RANK = {
    SourceKind.MANUAL: 90,
    SourceKind.WECOM: 90,
    SourceKind.CAMPAIGN: 70,
    SourceKind.CHANNEL: 65,
    SourceKind.RULE: 60,
    SourceKind.API: 50,
    SourceKind.IMPORT: 40,
    SourceKind.WECOM_LINK: 20,
}
"""Precedence: a lower rank never removes or replaces what a higher one holds."""
PERSON_RANK = 90

PUBLIC_SOURCE = {SourceKind.WECOM_LINK: "wecom"}
"""Source kinds that the API shows under another word."""


def is_person(kind: str) -> bool:
    """Return whether a tag of this source kind was set by a human being."""
    return RANK[SourceKind(kind)] == PERSON_RANK


def public_source(kind: str) -> str:
    """Return the word under which the API shows a source kind."""
    return PUBLIC_SOURCE.get(SourceKind(kind), kind)


class Selection(StrEnum):
    SINGLE = "single"
    MULTI = "multi"


class Scope(StrEnum):
    CUSTOMER = "customer"
    RELATION = "relation"


SCOPE_SHORT = {Scope.CUSTOMER: "客户", Scope.RELATION: "好友关系"}


class Colour(StrEnum):
    """Colours that a group may have its tags drawn in; each is readable (AA) on light and dark ground."""

    AMBER = "amber"
    BLUE = "blue"
    GREEN = "green"
    GREY = "grey"
    PURPLE = "purple"
    RED = "red"
    TEAL = "teal"


class Mirror(StrEnum):
    NONE = "none"
    PUSH = "push"
    PULL = "pull"
    TWO_WAY = "two_way"


PUSHED = (Mirror.PUSH, Mirror.TWO_WAY)
"""Mirror policies under which our tags are written to WeCom."""


class Lifecycle(StrEnum):
    """How far a group or tag has come; archived is a date of its own."""

    DRAFT = "draft"
    """Groups only: being prepared, not at WeCom yet."""
    ACTIVE = "active"
    DEPRECATED = "deprecated"
    """Who has it keeps it, nobody gets it any more."""


LIFECYCLE_WORDS = {Lifecycle.DRAFT: "草稿", Lifecycle.ACTIVE: "使用中", Lifecycle.DEPRECATED: "不再新打"}


class Owner(StrEnum):
    OURS = "ours"
    FOREIGN = "foreign"
    """Made by another app or in the admin console: WeCom lets us mark it, not rename or delete it."""


SOURCE_DIMENSION = "basic_info"
SOURCE_GROUP_KEY = "basic_info.source"
SOURCE_GROUP_NAME = "获客来源"
UNKNOWN_SOURCE = "来源未识别"

ADD_WAY_WORDS = {
    1: "扫描二维码",
    2: "搜索手机号",
    3: "名片分享",
    4: "群聊",
    5: "手机通讯录",
    6: "微信联系人",
    7: "微信好友申请",
    8: "第三方应用客服",
    9: "搜索邮箱",
    10: "视频号",
    11: "日程参与人",
    12: "会议参与人",
    13: "微信好友的企业微信",
    14: "智慧硬件客服",
    15: "上门服务客服",
    16: "获客链接",
    17: "定制开发",
    18: "需求回复",
    21: "第三方售前客服",
    22: "潜在商务伙伴",
    24: "接受微信好友申请",
    201: "内部成员共享",
    202: "管理员分配",
}
"""externalcontact/get, follow_user.add_way, in the words of WeCom's admin console."""


HANDED_OVER = frozenset({201, 202})
"""Ways in which a colleague's customer comes to a member: no acquisition, so no new source."""


def source_name(add_way: int | None) -> str:
    """Return the name of the source tag for a contact that came through none of our channels."""
    return ADD_WAY_WORDS.get(add_way or 0, UNKNOWN_SOURCE)


def came_by(channel: str | None, state: str | None, add_way: int | None) -> str:
    """Return how a friendship began in words: its channel's name, else the way of adding."""
    return channel or (UNKNOWN_SOURCE if state else source_name(add_way))


class EditableBy(StrEnum):
    """Who may put the tags of a group on a customer, or take them off, by hand."""

    EVERYBODY = "everybody"
    LEADERS = "leaders"
    """Those who lead a department, and admins."""
    NOBODY = "nobody"
    """Rules, channels, campaigns and programs only."""
