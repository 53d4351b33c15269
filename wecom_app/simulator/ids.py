"""Identifiers in the forms WeCom uses, and names of made-up customers; the same seed gives the same ones."""

from random import Random
from string import ascii_letters, digits, hexdigits

LETTERS = ascii_letters + digits
HEX = hexdigits[:16]

SURNAMES = "王李张刘陈杨赵黄周吴徐孙胡朱高林何郭马罗梁宋郑谢韩唐冯于董萧程曹袁邓许傅沈曾彭吕"
GIVEN_NAMES = (
    *("雨桐", "子涵", "欣怡", "浩然", "梓萱", "诗琪", "俊杰", "思远", "晓燕", "建国", "丽华", "志强"),
    *("秀英", "婷婷", "文博", "佳宁", "一诺", "明轩", "雅静", "海燕", "玉兰", "国庆", "小龙", "天宇"),
    *("若曦", "嘉怡", "泽宇", "春梅", "立新", "慧敏", "永康", "静怡", "家豪", "晨曦", "芷若", "云飞"),
    *("红梅", "少华", "可欣", "瑞雪"),
)
NICKNAMES = (
    *("一米阳光", "清风徐来", "小鱼儿", "橙子妈妈", "阿May", "老K", "半夏", "豆豆爸", "南风知我意", "Sunny"),
    *("木子李", "七月", "大白", "晚安🌙", "果果妈", "Leo", "山野", "向日葵🌻", "小确幸", "Momo"),
)


class Ids:
    """Maker of identifiers; call it under the world's lock."""

    def __init__(self, seed: int) -> None:
        self._random = Random(seed)  # noqa: S311  repeatable, not secret
        self._number = 0

    def letters(self, length: int) -> str:
        """Return random letters and digits."""
        return "".join(self._random.choices(LETTERS, k=length))

    def prefixed(self, prefix: str) -> str:
        """Return a 32-character identifier such as `wm…` (WeChat), `wo…` (WeCom) or `et…` (tags)."""
        return prefix + self.letters(32 - len(prefix))

    def hexadecimal(self, length: int = 32) -> str:
        """Return random hexadecimal digits."""
        return "".join(self._random.choices(HEX, k=length))

    def number(self) -> int:
        """Return the next number of a rising series, for MsgId and the like."""
        self._number += 1
        return 7_000_000_000_000_000_000 + self._number

    def customer_name(self) -> str:
        """Return a name as customers in China carry it: mostly real names, some WeChat nicknames."""
        if self._random.random() < 0.25:
            return self._random.choice(NICKNAMES)
        return self._random.choice(SURNAMES) + self._random.choice(GIVEN_NAMES)

    def gender(self) -> int:
        """Return 0 unknown, 1 male, 2 female."""
        return self._random.choice((0, 1, 2))
