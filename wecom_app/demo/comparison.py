"""Our database and WeCom, cell by cell: both are read into one shape and compared here, without any network."""

from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field
from datetime import UTC, datetime
from typing import Any

Json = Mapping[str, Any]
Facts = Mapping[tuple[str, ...], str]
"""What one side says of a kind of thing: where (ids) → its value in words."""

ENTERPRISE_TAG = 1
HAS = "有"
ABSENT = "没有"
EXPIRED = "已过期"
SYNC_WORDS = {"pending": "待同步", "failed": "同步失败"}
ENDED_WORDS = {"customer": "客户已删除成员", "staff": "成员已删除客户", "transfer": "已转给其他成员"}


@dataclass(frozen=True)
class Side:
    """One side's facts; `words` names the ids that occur in them for people."""

    customers: Facts
    relations: Facts
    tags: Facts
    cells: Facts
    sent: Facts
    expired: Facts
    words: Mapping[str, str] = field(default_factory=dict)


@dataclass(frozen=True)
class Difference:
    """One place in which the two sides do not say the same."""

    kind: str
    where: str
    ours: str
    theirs: str

    def __str__(self) -> str:
        return f"{self.kind} {self.where}：我们「{self.ours}」，企业微信「{self.theirs}」"


@dataclass(frozen=True)
class Row:
    """How many facts of a kind each side has, and in how many places they differ."""

    kind: str
    ours: int
    theirs: int
    differences: int


@dataclass(frozen=True)
class Comparison:
    rows: tuple[Row, ...]
    differences: tuple[Difference, ...]


KINDS = (
    ("客户", "customers"),
    ("好友关系", "relations"),
    ("标签库", "tags"),
    ("标签格", "cells"),
    ("欢迎语 已发送", "sent"),
    ("欢迎语 已过期", "expired"),
)


def compare(ours: Side, theirs: Side) -> Comparison:
    """Return where the two sides differ, in which kinds of things."""
    words = {**theirs.words, **ours.words}
    rows: list[Row] = []
    found: list[Difference] = []
    for kind, name in KINDS:
        left, right = getattr(ours, name), getattr(theirs, name)
        differences = _differences(kind, left, right, words)
        rows.append(Row(kind, len(left), len(right), len(differences)))
        found += differences
    return Comparison(tuple(rows), tuple(found))


def _differences(kind: str, ours: Facts, theirs: Facts, words: Mapping[str, str]) -> list[Difference]:
    return [
        Difference(
            kind,
            " × ".join(words.get(part, part) for part in where),
            ours.get(where, ABSENT),
            theirs.get(where, ABSENT),
        )
        for where in sorted({*ours, *theirs})
        if ours.get(where) != theirs.get(where)
    ]


def read_ours(
    customers: Iterable[Json], tags: Iterable[Json], groups: Iterable[Json], welcomes: Mapping[str, Facts]
) -> Side:
    """Return our side from the API's answers; `welcomes` has what we meant to say as `sent` and `expired`."""
    group_names = {group["key"]: str(group["name"]) for group in groups}
    tag_ids: dict[str, str] = {}
    library: dict[tuple[str, ...], str] = {}
    for tag in tags:
        # A tag that WeCom has not got yet keeps its key as id and so shows up as a difference.
        tag_ids[tag["key"]] = tag["wecom_tag_id"] or tag["key"]
        library[(tag_ids[tag["key"]],)] = f"{group_names[tag['group']]}/{tag['name']}"
    listed = list(customers)
    return Side(
        customers={(item["external_userid"],): item["name"] for item in listed},
        relations={
            (item["external_userid"], relation["userid"]): _relation(
                relation["lost_by"], relation["state"], relation["add_way"], _moment(relation["created_at"])
            )
            for item in listed
            for relation in item["relations"]
        },
        tags=library,
        cells={
            (item["external_userid"], userid, tag_ids[tag["key"]]): _cell(tag["sync"]["state"])
            for item in listed
            for tag in item["tags"]
            if tag["sync"]["state"] != "local"
            for userid in tag["relations"]
        },
        sent=welcomes["sent"],
        expired=welcomes["expired"],
        words={
            **{item["external_userid"]: item["name"] for item in listed if item["name"]},
            **{where[0]: name for where, name in library.items()},
        },
    )


def read_theirs(state: Json) -> Side:
    """Return WeCom's side from the simulator's state."""
    relations, welcomes = state["relations"], state["welcomes"]
    library: dict[tuple[str, ...], str] = {
        (tag["id"],): f"{group['group_name']}/{tag['name']}" for group in state["tag_groups"] for tag in group["tag"]
    }
    return Side(
        # Whom nobody has added yet is not one of the company's customers.
        customers={(item["external_userid"],): item["name"] for item in _added(state)},
        relations={
            (item["external_userid"], item["userid"]): _relation(
                item["deleted_by"],
                item["state"],
                item["add_way"],
                datetime.fromtimestamp(item["createtime"], UTC),
            )
            for item in relations
        },
        tags=library,
        cells={
            (item["external_userid"], item["userid"], tag["id"]): HAS
            for item in relations
            if item["deleted_by"] is None
            for tag in item["tags"]
            if tag["type"] == ENTERPRISE_TAG
        },
        sent={_pair(item): str(item["text"]) for item in welcomes if item["sent_at"]},
        expired={_pair(item): EXPIRED for item in welcomes if not item["sent_at"]},
        words={
            **{item["userid"]: item["name"] for item in state["members"]},
            **{item["external_userid"]: item["name"] for item in state["customers"]},
            **{where[0]: name for where, name in library.items()},
        },
    )


def _added(state: Json) -> list[Json]:
    added = {item["external_userid"] for item in state["relations"]}
    return [item for item in state["customers"] if item["external_userid"] in added]


def _pair(item: Json) -> tuple[str, str]:
    return item["external_userid"], item["userid"]


def _relation(ended_by: str | None, state: str | None, add_way: int | None, created_at: datetime) -> str:
    ended = ENDED_WORDS.get(ended_by or "", ended_by) or "好友"
    return f"{ended}，{created_at:%m-%d %H:%M:%S} UTC 添加，方式 {add_way}，state {state or '无'}"


def _moment(text: str) -> datetime:
    """Return the moment in whole seconds, which is all that WeCom tells."""
    return datetime.fromisoformat(text).replace(microsecond=0)


def _cell(sync_state: str) -> str:
    return HAS if sync_state == "synced" else f"{HAS}（{SYNC_WORDS.get(sync_state, sync_state)}）"
