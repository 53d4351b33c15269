"""WeCom's side of `crowd`: the same customers, friendships and tags, of which marks are kept."""

from collections import defaultdict
from functools import cache
from typing import Any, ClassVar

from benchmarks import far
from benchmarks.crowd import HELD, STAFF, TAGS
from benchmarks.far import Far

DAY_S = 86_400
IN_GROUP = 4
Friendship = tuple[int, int]
"""Numbers of the member and the customer."""


class FarCrowd(Far):
    """`customers` is how many there are, `now` the second at which the crowd was made."""

    customers: ClassVar[int] = 0
    now: ClassVar[int] = 0
    marked: ClassVar[defaultdict[Friendship, dict[int, bool]]] = defaultdict(dict)
    """What was put on and taken off since, by tag number."""

    def get_follow_user_list(self, _body: Any) -> dict[str, Any]:
        return {"follow_user": [f"staff{number}" for number in range(1, STAFF + 1)]}

    def get_corp_tag_list(self, _body: Any) -> dict[str, Any]:
        groups = [
            {"group_id": f"g{number}", "group_name": f"标签组{number}", "order": number, "tag": _tags_of(number)}
            for number in range(1, TAGS // IN_GROUP + 1)
        ]
        return {"tag_group": groups}

    def get(self, body: Any) -> dict[str, Any]:
        customer = int(body["external_userid"].removeprefix("wm"))
        followers = [self._follower(friendship) for friendship in friendships_of(customer)]
        for follower in followers:
            follower["tags"] = [{"tag_id": tag_id, "type": 1} for tag_id in follower.pop("tag_id")]
        return {"external_contact": _contact(customer), "follow_user": followers}

    def mark_tag(self, body: Any) -> dict[str, Any]:
        friendship = _number(body["userid"], "staff"), _number(body["external_userid"], "wm")
        for name, is_put_on in (("add_tag", True), ("remove_tag", False)):
            for tag_id in body.get(name) or ():
                self.marked[friendship][_number(tag_id, "et")] = is_put_on
        return {}

    def get_by_user(self, body: Any) -> dict[str, Any]:
        members = [_number(userid, "staff") for userid in body["userid_list"]]
        firsts = [(member, customer) for member in members for customer in _customers_of(member, self.customers)]
        places, following = far.page_of(len(firsts), body.get("cursor"))
        found = [
            {"external_contact": _contact(firsts[place][1]), "follow_info": self._follower(firsts[place])}
            for place in places
        ]
        return {"external_contact_list": found, "next_cursor": following}

    def _follower(self, friendship: Friendship) -> dict[str, Any]:
        member, customer = friendship
        number = customer if member == customer % STAFF + 1 else customer // 5
        held = {(customer + turn * 5) % TAGS + 1 for turn in range(1, HELD + 1)}
        for tag, is_put_on in self.marked.get(friendship, {}).items():
            (held.add if is_put_on else held.discard)(tag)
        return {
            "userid": f"staff{member}",
            "remark": f"备注{number}",
            "description": "",
            "createtime": self.now - number % 400 * DAY_S,
            "tag_id": [f"et{tag}" for tag in sorted(held)],
            "add_way": 3,
        }


def friendships_of(customer: int) -> list[Friendship]:
    """Return a customer's friendships: everybody has one, one in five has another."""
    second = [((customer + 1) % STAFF + 1, customer)] if customer % 5 == 0 else []
    return [(customer % STAFF + 1, customer), *second]


@cache
def _customers_of(member: int, customers: int) -> list[int]:
    firsts = [number for number in range(1, customers + 1) if number % STAFF + 1 == member]
    seconds = [number for number in range(5, customers + 1, 5) if (number + 1) % STAFF + 1 == member]
    return firsts + seconds


def _tags_of(group: int) -> list[dict[str, Any]]:
    first = (group - 1) * IN_GROUP + 1
    return [{"id": f"et{tag}", "name": f"标签{tag}", "order": tag} for tag in range(first, first + IN_GROUP)]


def _contact(customer: int) -> dict[str, Any]:
    return {
        "external_userid": f"wm{customer}",
        "name": f"客户{customer}",
        "type": 1,
        "avatar": f"https://wx.qlogo.cn/{customer}",
    }


def _number(text: str, prefix: str) -> int:
    return int(text.removeprefix(prefix))
