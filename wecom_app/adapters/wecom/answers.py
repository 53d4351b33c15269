"""Reads WeCom's answers into the dataclasses of the ports; a wrong shape raises WeComUnavailable."""

from collections.abc import Iterable, Mapping
from datetime import UTC, datetime
from typing import Any, NoReturn

from wecom_app.errors import WeComUnavailable
from wecom_app.services.ports import (
    ContactDetails,
    ContactPage,
    ContactWay,
    CorpTag,
    CorpTagGroup,
    DepartmentDetails,
    FollowUser,
    MemberDetails,
)

ENTERPRISE_TAG = 1
CONTACT_TYPES: Mapping[int, str] = {1: "wechat", 2: "wecom"}
MEMBER_STATES: Mapping[int, str] = {1: "active", 2: "disabled", 4: "inactive", 5: "left"}
LATEST = 253_402_300_799
"""31 December 9999, the last second that a datetime can hold."""


class Reader:
    """One JSON object of an answer."""

    def __init__(self, api: str, value: object) -> None:
        self._api = api
        if not isinstance(value, dict):
            self._refuse("object")
        self._fields: Mapping[str, Any] = value

    def text(self, name: str) -> str:
        """Return a text that must be there and not be empty."""
        return self.optional_text(name) or self._refuse(name)

    def optional_text(self, name: str) -> str | None:
        """Return a text; None where it is missing or empty."""
        value = self._fields.get(name)
        if value is None:
            return None
        return self._clean(name, value) or None

    def integer(self, name: str) -> int | None:
        """Return a whole number; None where it is missing."""
        value = self._fields.get(name)
        if value is None or (isinstance(value, int) and not isinstance(value, bool)):
            return value
        return self._refuse(name)

    def integers(self, name: str) -> list[int]:
        """Return a list of whole numbers; empty where it is missing."""
        values = self._list(name, required=False)
        return values if all(isinstance(value, int) for value in values) else self._refuse(name)

    def flag(self, name: str) -> bool:
        """Return whether something is said to be so."""
        return self._fields.get(name) in (True, 1)

    def moment(self, name: str) -> datetime:
        """Return the UTC moment of a unix time that must be there."""
        seconds = self.integer(name)
        if seconds is None or not 0 <= seconds <= LATEST:
            self._refuse(name)
        return datetime.fromtimestamp(seconds, UTC)

    def texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts that must be there."""
        return tuple(self._clean(name, value) for value in self._list(name, required=True))

    def optional_texts(self, name: str) -> tuple[str, ...]:
        """Return a list of texts; empty where it is missing."""
        return tuple(self._clean(name, value) for value in self._list(name, required=False))

    def child(self, name: str) -> "Reader":
        """Return an object that must be there."""
        return Reader(self._api, self._fields.get(name))

    def optional_child(self, name: str) -> "Reader":
        """Return an object; an empty one where it is missing."""
        value = self._fields.get(name)
        return Reader(self._api, {} if value is None else value)

    def children(self, name: str) -> Iterable["Reader"]:
        """Return a list of objects that must be there."""
        return [Reader(self._api, value) for value in self._list(name, required=True)]

    def optional_children(self, name: str) -> Iterable["Reader"]:
        """Return a list of objects; empty where it is missing."""
        return [Reader(self._api, value) for value in self._list(name, required=False)]

    def _list(self, name: str, *, required: bool) -> list[Any]:
        value = self._fields.get(name)
        if value is None and not required:
            return []
        return value if isinstance(value, list) else self._refuse(name)

    def _clean(self, name: str, value: object) -> str:
        """Return a text that every database takes: no NUL, no halves of surrogate pairs."""
        if not isinstance(value, str):
            self._refuse(name)
        # A page of contacts has a thousand texts, most of them plain ids.
        text = value.replace("\0", "") if "\0" in value else value
        return text if text.isascii() else text.encode(errors="replace").decode()

    def _refuse(self, name: str) -> NoReturn:
        message = f"企业微信的回答无法读懂（{name}），系统会自动重试"
        raise WeComUnavailable(message, api=self._api, details={"field": name})


def contact(found: Reader, follow_users: tuple[FollowUser, ...]) -> ContactDetails:
    """Read an `external_contact`."""
    kind = found.integer("type")
    return ContactDetails(
        external_userid=found.text("external_userid"),
        name=found.optional_text("name") or "",
        type=CONTACT_TYPES.get(kind or 1, "wechat"),
        avatar=found.optional_text("avatar"),
        gender=found.integer("gender"),
        unionid=found.optional_text("unionid"),
        corp_name=found.optional_text("corp_name"),
        follow_users=follow_users,
    )


def follow_user(found: Reader) -> FollowUser:
    """Read a follower of externalcontact/get; only enterprise tags count, and personal ones have no id."""
    tags = found.optional_children("tags")
    ids = (tag.optional_text("tag_id") for tag in tags if tag.integer("type") == ENTERPRISE_TAG)
    return _follow_user(found, frozenset(tag_id for tag_id in ids if tag_id))


def page(found: Reader) -> ContactPage:
    """Read a page of batch/get_by_user."""
    return ContactPage(
        contacts=tuple(_listed(entry) for entry in found.children("external_contact_list")),
        next_cursor=found.optional_text("next_cursor"),
        unlicensed_userids=found.optional_child("fail_info").optional_texts("unlicensed_userid_list"),
    )


def member(found: Reader) -> MemberDetails:
    """Read a member; the two lists of his departments run side by side."""
    departments = found.integers("department")
    leads = found.integers("is_leader_in_dept") or [0] * len(departments)
    return MemberDetails(
        userid=found.text("userid"),
        name=found.optional_text("name") or "",
        status=MEMBER_STATES.get(found.integer("status") or 1, "active"),
        departments={number: bool(lead) for number, lead in zip(departments, leads, strict=False)},
    )


def department(found: Reader) -> DepartmentDetails:
    """Read a department."""
    return DepartmentDetails(
        id=found.integer("id") or 0,
        name=found.optional_text("name") or "",
        parent_id=found.integer("parentid") or 0,
        order=found.integer("order") or 0,
        leaders=found.optional_texts("department_leader"),
    )


def tag_group(found: Reader) -> CorpTagGroup:
    """Read a group of the tag library."""
    return CorpTagGroup(
        id=found.text("group_id"),
        name=found.optional_text("group_name") or "",
        order=found.integer("order") or 0,
        tags=tuple(_tag(tag) for tag in found.optional_children("tag")),
        deleted=found.flag("deleted"),
    )


def contact_way(found: Reader) -> ContactWay:
    """Read a `contact_way`."""
    return ContactWay(
        config_id=found.text("config_id"),
        qr_code=found.optional_text("qr_code"),
        state=found.optional_text("state"),
        userids=found.optional_texts("user"),
    )


def _listed(entry: Reader) -> ContactDetails:
    info = entry.child("follow_info")
    follower = _follow_user(info, frozenset(info.optional_texts("tag_id")))
    return contact(entry.child("external_contact"), (follower,))


def _follow_user(found: Reader, tag_ids: frozenset[str]) -> FollowUser:
    return FollowUser(
        userid=found.text("userid"),
        createtime=found.moment("createtime"),
        add_way=found.integer("add_way"),
        state=found.optional_text("state"),
        tag_ids=tag_ids,
        remark=found.optional_text("remark"),
        description=found.optional_text("description"),
        remark_mobiles=found.optional_texts("remark_mobiles"),
        remark_company=found.optional_text("remark_corp_name"),
    )


def _tag(found: Reader) -> CorpTag:
    return CorpTag(
        id=found.text("id"),
        name=found.optional_text("name") or "",
        order=found.integer("order") or 0,
        deleted=found.flag("deleted"),
    )
