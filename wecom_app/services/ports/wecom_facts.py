"""What WeCom tells and is told, as frozen dataclasses, so that no bare dict of WeCom's travels inwards."""

from collections.abc import Mapping
from dataclasses import dataclass
from datetime import datetime
from typing import Any


@dataclass(frozen=True)
class FollowUser:
    """One member's view of a customer, as `externalcontact/get` and `batch/get_by_user` tell it."""

    userid: str
    createtime: datetime
    add_way: int | None
    state: str | None
    tag_ids: frozenset[str]
    """Enterprise tags (type 1) only; personal and rule-group tags are not ours to touch."""
    remark: str | None = None
    description: str | None = None
    remark_mobiles: tuple[str, ...] = ()
    remark_company: str | None = None


@dataclass(frozen=True)
class RemarkDraft:
    """What a member notes of a customer, to be written by externalcontact/remark; None leaves a part as it is.

    At most 20 characters of remark and company, 150 of description; no phones clear those that stand there.
    """

    remark: str | None = None
    description: str | None = None
    company: str | None = None
    phones: tuple[str, ...] | None = None


@dataclass(frozen=True)
class ContactDetails:
    """A customer as WeCom knows him, with every follower that the app may see."""

    external_userid: str
    name: str
    type: str
    avatar: str | None
    gender: int | None
    unionid: str | None
    corp_name: str | None
    follow_users: tuple[FollowUser, ...]


@dataclass(frozen=True)
class ContactPage:
    """One page of `batch/get_by_user`: each entry has exactly one follower."""

    contacts: tuple[ContactDetails, ...]
    next_cursor: str | None
    unlicensed_userids: tuple[str, ...] = ()


@dataclass(frozen=True)
class MemberDetails:
    """A member as user/get and user/list tell; departments with whether he leads them."""

    userid: str
    name: str
    status: str
    departments: Mapping[int, bool]


@dataclass(frozen=True)
class DepartmentDetails:
    id: int
    name: str
    parent_id: int
    order: int
    leaders: tuple[str, ...]


@dataclass(frozen=True)
class CorpTag:
    id: str
    name: str
    order: int
    deleted: bool = False


@dataclass(frozen=True)
class CorpTagGroup:
    id: str
    name: str
    order: int
    tags: tuple[CorpTag, ...]
    deleted: bool = False


@dataclass(frozen=True)
class ContactWay:
    """A live code at WeCom; `qr_code` is the picture's address."""

    config_id: str
    qr_code: str | None
    state: str | None = None
    userids: tuple[str, ...] = ()


@dataclass(frozen=True)
class ContactWayDraft:
    """What a live code is to be at WeCom (endpoints add_contact_way and update_contact_way)."""

    userids: tuple[str, ...]
    state: str
    remark: str
    skip_verify: bool = True
    is_exclusive: bool = False


@dataclass(frozen=True)
class WelcomeMessage:
    """What send_welcome_msg says: text of at most 4000 bytes, and at most nine attachments."""

    text: str | None
    attachments: tuple[Mapping[str, Any], ...] = ()
