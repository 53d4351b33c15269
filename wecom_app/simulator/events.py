"""The plain XML of what WeCom pushes: events of customers, tags and contacts, and members' messages."""

from collections.abc import Mapping
from dataclasses import dataclass
from html import escape

PLAIN = frozenset({"CreateTime", "MsgId", "AgentID"})
"""Elements that Tencent writes as bare numbers; all other text stands in CDATA."""

Fields = Mapping[str, object]
"""Elements by name: text, a number, a mapping of elements, or a list for a repeated element."""


@dataclass(frozen=True)
class Event:
    """One push; `plaintext` stays the same over all tries and duplicates."""

    seq: int
    event: str
    change_type: str
    plaintext: str
    agent_id: str = ""
    """The AgentID of the outer envelope: only what belongs to an app has one."""


def contact_event(change_type: str, userid: str, external_userid: str, **extra: str | None) -> dict[str, object]:
    """Return the fields of `change_external_contact`; an extra of None is left out."""
    fields: dict[str, object] = {
        "Event": "change_external_contact",
        "ChangeType": change_type,
        "UserID": userid,
        "ExternalUserID": external_userid,
    }
    return fields | {name: value for name, value in extra.items() if value is not None}


def tag_event(change_type: str, item_id: str, tag_type: str | None) -> dict[str, object]:
    """Return the fields of `change_external_tag`; `shuffle` carries no TagType."""
    fields: dict[str, object] = {"Event": "change_external_tag", "ChangeType": change_type, "Id": item_id}
    return fields if tag_type is None else fields | {"TagType": tag_type}


def directory_event(change_type: str, **extra: object) -> dict[str, object]:
    """Return the fields of `change_contact`."""
    return {"Event": "change_contact", "ChangeType": change_type, **extra}


def to_xml(corp_id: str, create_time: int, fields: Fields, sender: str = "sys") -> str:
    """Return the whole plaintext; the head comes first, as in Tencent's samples."""
    head: dict[str, object] = {"ToUserName": corp_id, "FromUserName": sender, "CreateTime": create_time}
    if "MsgType" not in fields:
        head["MsgType"] = "event"
    return f"<xml>{_elements(head | dict(fields))}</xml>"


def envelope(corp_id: str, agent_id: str, sealed: str) -> bytes:
    """Return the body that is posted."""
    elements = {"ToUserName": corp_id, "Encrypt": sealed, "AgentID": Cdata(agent_id)}
    return f"<xml>{_elements(elements)}</xml>".encode()


class Cdata(str):
    """Text that is written as CDATA whatever its element's name is."""

    __slots__ = ()


def _elements(fields: Fields) -> str:
    return "".join(_element(name, value) for name, value in fields.items())


def _element(name: str, value: object) -> str:
    if isinstance(value, Mapping):
        return f"<{name}>{_elements(value)}</{name}>"
    if isinstance(value, list):
        return "".join(_element(name, item) for item in value)
    return f"<{name}>{_text(name, value)}</{name}>"


def _text(name: str, value: object) -> str:
    if not isinstance(value, Cdata) and (name in PLAIN or isinstance(value, int)):
        return escape(str(value))
    # "]]>" would end the section early; it is split over two.
    return f"<![CDATA[{str(value).replace(']]>', ']]]]><![CDATA[>')}]]>"
