"""How each API of WeCom's is to be called, as data: its group in flight, its time-outs, and what its answer holds."""

from collections.abc import Mapping
from dataclasses import dataclass
from enum import StrEnum

from wecom_app.adapters.wecom.transport import CONNECT_S, READ_S

UPLOAD_S = 60.0
"""Sending a 10 MB video at 200 KB/s; Python's socket time-out covers the whole send."""


class Group(StrEnum):
    """Calls of one group share places in flight."""

    READ = "read"
    MARK = "mark"
    LIBRARY = "library"
    FREE = "free"


@dataclass(frozen=True)
class Api:
    """One endpoint below `/cgi-bin/`."""

    path: str
    group: Group = Group.FREE
    expects: str | None = None
    """A field that makes an answer without `errcode` a success; None where only `errcode` 0 is one."""
    urgent: bool = False
    connect_s: float = CONNECT_S
    read_s: float = READ_S

    @property
    def repeatable(self) -> bool:
        """Whether a call whose connection broke may simply be made again."""
        return self.group is Group.READ


def _read(path: str, expects: str) -> Api:
    return Api(path, Group.READ, expects)


TOKEN = _read("gettoken", "access_token")
CORP_TICKET = _read("get_jsapi_ticket", "ticket")
APP_TICKET = _read("ticket/get", "ticket")
MEMBER = _read("user/get", "userid")
MEMBERS = _read("user/list", "userlist")
DEPARTMENTS = _read("department/list", "department")
FOLLOW_USERS = _read("externalcontact/get_follow_user_list", "follow_user")
EXTERNAL_USERIDS = _read("externalcontact/list", "external_userid")
CONTACT = _read("externalcontact/get", "external_contact")
CONTACTS = _read("externalcontact/batch/get_by_user", "external_contact_list")
LOGIN = Api("auth/getuserinfo", urgent=True)
"""Never made again by itself: a code is good once."""
MARK = Api("externalcontact/mark_tag", Group.MARK)
TAGS = _read("externalcontact/get_corp_tag_list", "tag_group")
ADD_TAGS = Api("externalcontact/add_corp_tag", Group.LIBRARY, "tag_group")
EDIT_TAG = Api("externalcontact/edit_corp_tag", Group.LIBRARY)
DELETE_TAGS = Api("externalcontact/del_corp_tag", Group.LIBRARY)
ADD_WAY = Api("externalcontact/add_contact_way", expects="config_id")
UPDATE_WAY = Api("externalcontact/update_contact_way")
DELETE_WAY = Api("externalcontact/del_contact_way")
WAY = _read("externalcontact/get_contact_way", "contact_way")
WAYS = _read("externalcontact/list_contact_way", "contact_way")
WELCOME = Api("externalcontact/send_welcome_msg", urgent=True)
SEND_MESSAGE = Api("message/send", expects="msgid")
UPDATE_CARD = Api("message/update_template_card")
ROBOT = Api("webhook/send")
UPLOAD = Api("media/upload", expects="media_id", connect_s=UPLOAD_S, read_s=UPLOAD_S)

APIS: Mapping[str, Api] = {
    api.path: api
    for api in (
        TOKEN,
        CORP_TICKET,
        APP_TICKET,
        MEMBER,
        MEMBERS,
        DEPARTMENTS,
        FOLLOW_USERS,
        EXTERNAL_USERIDS,
        CONTACT,
        CONTACTS,
        LOGIN,
        MARK,
        TAGS,
        ADD_TAGS,
        EDIT_TAG,
        DELETE_TAGS,
        ADD_WAY,
        UPDATE_WAY,
        DELETE_WAY,
        WAY,
        WAYS,
        WELCOME,
        SEND_MESSAGE,
        UPDATE_CARD,
        ROBOT,
        UPLOAD,
    )
}


def api_for(path: str) -> Api:
    """Return how to call a path; one without an entry is called like a write that nothing is known of."""
    return APIS.get(path) or Api(path)
