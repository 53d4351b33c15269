"""What an endpoint is, and how its handler reads the call and looks people up."""

import base64
import binascii
import json
import zlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from typing import Any

from werkzeug.datastructures import FileStorage
from werkzeug.wrappers import Response

from wecom_app.simulator.config import AppConfig
from wecom_app.simulator.context import Context
from wecom_app.simulator.customers import Customer, Relation
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.members import Member
from wecom_app.simulator.world import World


@dataclass
class Call:
    """One API call, as its handler sees it."""

    context: Context
    api: str
    query: Mapping[str, str]
    body: Json
    remote: str
    files: Mapping[str, FileStorage] = field(default_factory=dict)
    wrong_json: bool = False
    """The body was not what the API asks for, but could be used in part."""
    caller: AppConfig | None = None

    @property
    def app(self) -> AppConfig:
        """The app whose token was given."""
        if self.caller is None:
            raise ApiError(41001)
        return self.caller

    @property
    def world(self) -> World:
        return self.context.world

    def text(self, name: str, missing: int = 40063) -> str:
        """Return a text of the body or refuse the call with `missing`."""
        value = self.body.get(name)
        if isinstance(value, int) and not isinstance(value, bool):
            self.wrong_json, value = True, str(value)
        if not isinstance(value, str) or not value:
            raise ApiError(missing)
        return value

    def optional_text(self, name: str, limit: int | None = None) -> str | None:
        """Return a text of the body or None; one of more than `limit` characters is refused."""
        value = self.body.get(name)
        if value is None:
            return None
        if not isinstance(value, str) or (limit is not None and len(value) > limit):
            raise ApiError(40058)
        return value

    def texts(self, name: str) -> list[str]:
        """Return a list of texts; a plain text in its place is taken with a warning."""
        value = self.body.get(name)
        if value is None:
            return []
        if isinstance(value, str):
            self.wrong_json = True
            return [value] if value else []
        if not isinstance(value, list) or not all(isinstance(item, str) for item in value):
            raise ApiError(40058)
        return list(value)

    def integer(self, name: str, default: int, low: int, high: int) -> int:
        """Return a number of the body; one outside the range is refused."""
        value = self.body.get(name)
        if value is None:
            return default
        if isinstance(value, bool) or not isinstance(value, int) or not low <= value <= high:
            raise ApiError(40058)
        return value

    def member(self, userid: str) -> Member:
        """Return a member in the app's range: 60111 if empty, 40003 if unknown, 60011 if outside."""
        if not userid:
            raise ApiError(60111)
        member = self.world.members.find(userid)
        if member is None:
            raise ApiError(40003)
        if not self.context.sees(self.app, member.userid):
            raise ApiError(60011)
        return member

    def customer(self, external_userid: str) -> Customer:
        """Return a customer: 41035 if empty, 40096 if unknown."""
        if not external_userid:
            raise ApiError(41035)
        customer = self.world.customers.find(external_userid)
        if customer is None:
            raise ApiError(40096)
        return customer

    def relation(self) -> Relation:
        """Return the relation that `userid` and `external_userid` name, if it can be written to."""
        member = self.member(str(self.body.get("userid") or ""))
        customer = self.customer(str(self.body.get("external_userid") or ""))
        relation = self.world.customers.relation(member.userid, customer.external_userid)
        if relation is None or not relation.is_writable or not member.customer_contact:
            raise ApiError(84061)
        return relation

    def echo(self, fields: Mapping[str, object]) -> None:
        """Push an event about an API write, if the simulator is told to; by Tencent's pages it is not."""
        if self.context.faults.settings.echo_api_writes:
            self.context.callbacks.emit(fields)


Handler = Callable[[Call], Json | Response]


@dataclass(frozen=True)
class Endpoint:
    """One path: who answers it, what it answers empty, and what it needs."""

    handler: Handler
    defaults: Mapping[str, Any] = field(default_factory=dict)
    """Empty fields that also stand in an error answer."""
    needs_token: bool = True
    is_customer_contact: bool = False
    """Only for apps under 客户联系 → 可调用接口的应用 (48002)."""
    request_lists: tuple[str, ...] = ()
    """Lists of the body of which a `partial` fault drops the second half."""
    answer_list: str | None = None
    """List of the answer of which a `partial` fault drops the second half."""
    is_limited: bool = True


def write_cursor(position: int, scope: object = None) -> str:
    """Return an opaque cursor that is good for the same question only."""
    raw = json.dumps([position, zlib.crc32(json.dumps(scope).encode())])
    return base64.urlsafe_b64encode(raw.encode()).decode()


def read_cursor(cursor: object, scope: object = None) -> int:
    """Return the position in a cursor, 0 for none; 50100 if it is not one of ours."""
    if not cursor:
        return 0
    try:
        position, check = json.loads(base64.urlsafe_b64decode(str(cursor)))
    except (ValueError, TypeError, binascii.Error):
        raise ApiError(50100) from None
    if check != zlib.crc32(json.dumps(scope).encode()) or not isinstance(position, int) or position < 0:
        raise ApiError(50100)
    return position


def page(items: list[Any], cursor: object, limit: int, scope: object = None) -> tuple[list[Any], str]:
    """Return one page of a list and the cursor of the next one, empty at the end."""
    start = read_cursor(cursor, scope)
    end = start + limit
    return items[start:end], write_cursor(end, scope) if end < len(items) else ""
