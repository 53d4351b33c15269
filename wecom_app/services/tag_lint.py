"""The library's hygiene report: what makes tags hard to use or to trust, each with what to do about it."""

import unicodedata
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.keys import Slugify
from wecom_app.domain.vocabulary import PUSHED, Lifecycle, Selection
from wecom_app.models import Customer, CustomerTag, Tag, TagGroup
from wecom_app.services import tag_users, taxonomy

MOST_SINGLE = 24
"""Values of a single-choice group: more are a list that nobody reads to its end."""
YOUNG = timedelta(days=30)
"""A tag is not blamed for its figures before it had time to be used."""
STALE = timedelta(days=180)
FEWEST_CUSTOMERS = 100
"""Below, a share says nothing."""
LOW, HIGH = 0.01, 0.99
LEAST_LETTERS = 4
"""Shorter names, such as 一次 and 二次, differ by one letter on purpose."""
NUMERALS = "0123456789零一二三四五六七八九十百千万"
STEPS = frozenset(NUMERALS + "高中低大小多少新老男女上下前后早晚长短强弱冷热有无是否已未春夏秋冬东南西北")
"""Letters that tell values of one scale apart, as in 高频客户 and 低频客户: where one of them differs, it is meant."""


@dataclass(frozen=True)
class Finding:
    """One line of the report; `kind` is group or tag."""

    code: str
    kind: str
    key: str
    name: str
    words: str
    advice: str


@dataclass(frozen=True)
class _Library:
    groups: Mapping[int, TagGroup]
    tags: Sequence[Tag]
    customers: int
    """Customers known at all."""
    counts: Mapping[int, int]
    last_set: Mapping[int, datetime]
    now: datetime
    slugify: Slugify

    def group_of(self, tag: Tag) -> TagGroup:
        return self.groups[tag.group_id]

    def grown_up(self) -> Iterator[Tag]:
        """The tags whose figures count: in use, and not new."""
        for tag in self.tags:
            in_use = Lifecycle.ACTIVE == tag.lifecycle == self.group_of(tag).lifecycle
            if in_use and tag.created_at < self.now - YOUNG:
                yield tag


def lint(session: Session, slugify: Slugify, now: datetime) -> list[Finding]:
    """Return what is found, by kind of finding, in the library's order."""
    library = _read(session, slugify, now)
    used = tag_users.used_tag_ids(session)
    return [
        *_refused(library),
        *_near_duplicates(library),
        *_too_many_values(library),
        *_without_texts(library),
        *_unused(library, used),
        *_coverage(library),
        *_stale(library),
    ]


def _read(session: Session, slugify: Slugify, now: datetime) -> _Library:
    live = select(TagGroup).where(TagGroup.archived_at.is_(None), TagGroup.gone_at.is_(None)).order_by(TagGroup.id)
    groups = {group.id: group for group in session.scalars(live)}
    found = taxonomy.tags_of(session, list(groups))
    tags = [tag for group_id in groups for tag in found.get(group_id, [])]
    ids = [tag.id for tag in tags]
    last = (
        select(CustomerTag.tag_id, func.max(CustomerTag.set_at))
        .where(CustomerTag.tag_id.in_(ids))
        .group_by(CustomerTag.tag_id)
    )
    return _Library(
        groups=groups,
        tags=tags,
        customers=session.execute(select(func.count(Customer.id))).scalar_one(),
        counts=tag_users.count_customers(session, ids),
        last_set={row[0]: row[1] for row in session.execute(last)},
        now=now,
        slugify=slugify,
    )


def _refused(library: _Library) -> Iterator[Finding]:
    for tag in library.tags:
        if tag.blocked and tag.wecom_tag_id is None and library.group_of(tag).mirror in PUSHED:
            yield _tag("refused", tag, f"企业微信拒绝创建：{tag.blocked}", "按原因改名或清理，再在标签页面点“重试”")


def _near_duplicates(library: _Library) -> Iterator[Finding]:
    """Names that are the same but for width, case or one letter, or that sound the same; each later one once."""
    first: dict[str, Tag] = {}
    for tag in library.tags:
        marks = list(_marks(tag.name, library.slugify))
        other = next((first[mark] for mark in marks if mark in first), None)
        if other is not None:
            place = library.group_of(other).name
            yield _tag(
                "near_duplicate",
                tag,
                f"与「{place}」里的「{other.name}」很像",
                "确认是不是同一个意思：是就归档一个、加成别名",
            )
        for mark in marks:
            first.setdefault(mark, tag)


def _marks(name: str, slugify: Slugify) -> Iterator[str]:
    plain = unicodedata.normalize("NFKC", name).casefold()
    plain = "".join(letter for letter in plain if not letter.isspace() and unicodedata.category(letter) != "Cf")
    yield f"name:{plain}"
    sound = slugify(plain)
    if sound and not plain.isascii():
        yield f"sound:{sound}"
    if len(plain) < LEAST_LETTERS:
        return
    for place, letter in enumerate(plain):
        if letter not in STEPS:
            yield f"letter:{plain[:place]}\0{plain[place + 1 :]}"


def _too_many_values(library: _Library) -> Iterator[Finding]:
    sizes: dict[int, int] = {}
    for tag in library.tags:
        sizes[tag.group_id] = sizes.get(tag.group_id, 0) + 1
    for group in library.groups.values():
        size = sizes.get(group.id, 0)
        if group.selection == Selection.SINGLE and size > MOST_SINGLE:
            yield _group(
                "too_many_values",
                group,
                f"单选组有 {size} 个值，没人会看完",
                f"合并到 {MOST_SINGLE} 个以内，或拆成两组",
            )


def _without_texts(library: _Library) -> Iterator[Finding]:
    for group in library.groups.values():
        missing = [
            words
            for words, there in (("说明", group.description or group.definition), ("负责人", group.maintainer))
            if not there
        ]
        if missing:
            yield _group("missing_texts", group, f"没有写{'和'.join(missing)}", "打开标签组补上，大家才打得一致")


def _unused(library: _Library, used: set[int]) -> Iterator[Finding]:
    for tag in library.grown_up():
        if tag.id not in library.counts and tag.id not in used:
            yield _tag(
                "unused", tag, "建了 30 天以上，没有客户有它，也没有别处在用", "不需要就归档，需要就告诉导购怎么打"
            )


def _coverage(library: _Library) -> Iterator[Finding]:
    if library.customers < FEWEST_CUSTOMERS:
        return
    for tag in library.grown_up():
        count = library.counts.get(tag.id, 0)
        share = count / library.customers
        if count and (share < LOW or share > HIGH):
            words = f"{count:,} 位客户有它，占 {share:.1%}"
            advice = (
                "几乎人人都有，分不出谁：收紧口径或归档"
                if share > HIGH
                else "太少，难以用来筛选：放宽口径或并入别的标签"
            )
            yield _tag("coverage", tag, words, advice)


def _stale(library: _Library) -> Iterator[Finding]:
    for tag in library.grown_up():
        last = library.last_set.get(tag.id)
        if tag.id in library.counts and last is not None and last < library.now - STALE:
            yield _tag(
                "stale",
                tag,
                f"{(library.now - last).days} 天没有人再打过或移除过",
                "核对还准不准；会过时的设一个默认有效期",
            )


def _tag(code: str, tag: Tag, words: str, advice: str) -> Finding:
    return Finding(code, "tag", tag.key, tag.name, words, advice)


def _group(code: str, group: TagGroup, words: str, advice: str) -> Finding:
    return Finding(code, "group", group.key, group.name, words, advice)
