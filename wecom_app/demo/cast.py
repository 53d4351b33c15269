"""Who and what is in the story: staff, tag groups, channels and thirty customers, all made up."""

from dataclasses import dataclass, field
from typing import Any

Json = dict[str, Any]

STAFF = {"zhangwei": "张伟", "lina": "李娜", "wangfang": "王芳"}
REP = "zhangwei"
"""As whom the sidebar is shown first."""
MANAGER = ("chenjie", "陈杰")
"""Has no customers of his own, and the role that opens the console."""

GROUPS: tuple[Json, ...] = (
    {
        "name": "购买频次",
        "dimension": "consumption",
        "selection": "single",
        "tags": [{"name": "高频购买用户"}, {"name": "低频购买用户"}, {"name": "潜在客户"}],
    },
    {
        "name": "感兴趣的品类",
        "dimension": "behaviour",
        "tags": [{"name": "护肤"}, {"name": "彩妆"}, {"name": "香氛"}],
    },
    {"name": "常去门店", "dimension": "basic_info", "tags": [{"name": "南京路店"}, {"name": "徐家汇店"}]},
    {
        "name": "跟进阶段",
        "dimension": "journey",
        "selection": "single",
        "tags": [{"name": "新加好友"}, {"name": "已到店"}, {"name": "已下单"}],
    },
)


FIELDS: tuple[Json, ...] = (
    {"name": "肤质", "kind": "choice", "options": ["干性", "油性", "混合", "敏感"]},
    {"name": "生日", "kind": "date", "help": "可以只记月日"},
    {"name": "孩子生日", "kind": "date", "repeated": True, "help": "有几个孩子就填几个"},
    {"name": "常住地区", "kind": "region"},
    {"name": "备用电话", "kind": "phone", "sensitive": True},
)
"""What members may note of a customer."""


@dataclass(frozen=True)
class ChannelPlan:
    """A live code to make; tags by name. Without tags the source itself becomes the tag."""

    name: str
    source: str
    staff: tuple[str, ...]
    tags: tuple[str, ...]
    welcome: str


POSTER = ChannelPlan(
    "南京路店海报",
    "门店海报",
    ("zhangwei", "lina"),
    ("南京路店", "新加好友"),
    "{customer_name}您好，我是南京路店的{staff_name}。凭这条消息到店，可领一份护肤小样。",
)
NOTE = ChannelPlan(
    "小红书达人笔记",
    "小红书",
    ("lina",),
    ("护肤", "彩妆", "潜在客户"),
    "{customer_name}，谢谢你从小红书找到我们！肤质和护肤的问题，随时问{staff_name}。",
)
REFERRAL = ChannelPlan(
    "老客转介绍",
    "老客转介绍",
    ("wangfang",),
    ("潜在客户", "徐家汇店", "新加好友"),
    "{customer_name}您好，您的朋友向您推荐了我们，{staff_name}送您一张 30 元见面券。",
)
LIVE = ChannelPlan(
    "周五直播间",
    "直播间",
    ("zhangwei", "wangfang"),
    (),
    "{customer_name}，欢迎来到{channel_name}！今晚八点开播，我是{staff_name}，有事随时叫我。",
)
CHANNELS = (POSTER, NOTE, REFERRAL, LIVE)

FIRST = "林晓芸"
AT_THE_POSTER = ("陈思远", "周雨桐", "吴佳宁", "小鱼儿", "徐明轩", "孙丽华", "阿May", "朱文博", "何静怡")
FROM_THE_NOTE = ("高若曦", "橙子妈妈", "罗诗琪", "梁可欣", "宋嘉怡", "Momo")
IN_THE_STREAM = (
    *("郑浩然", "谢婷婷", "半夏", "韩志强", "唐慧敏", "豆豆爸"),
    *("冯家豪", "向日葵🌻", "于海燕", "董俊杰"),
)
REFERRED = ("萧一诺", "程春梅", "南风知我意")
LATE = "曹立新"


@dataclass(frozen=True)
class Scan:
    """One scan as it came out: who became whose contact, through which code."""

    external_userid: str
    name: str
    userid: str
    plan: ChannelPlan
    welcome_code: str

    @property
    def pair(self) -> tuple[str, str]:
        return self.external_userid, self.userid

    @property
    def greeting(self) -> str:
        """Return the welcome message as it should reach the customer."""
        names = {
            "customer_name": self.name,
            "staff_name": STAFF[self.userid],
            "channel_name": self.plan.name,
        }
        return self.plan.welcome.format(**names)


@dataclass
class Played:
    """What has happened so far, for the comparison and the expectations at the end."""

    scans: list[Scan] = field(default_factory=list)
    late: Scan | None = None
    """Whose callback came too late for a welcome."""
    marked: Scan | None = None
    """Whom a member tagged by hand, so that his tags have two sources."""
    expectations: list[tuple[bool, str]] = field(default_factory=list)

    def expect(self, holds: bool, text: str) -> None:
        self.expectations.append((holds, text))
