"""The `WeCom` port over HTTP: what each call sends, and which answer it gives back; built by `bootstrap`.

wechatpy's endpoint wrappers are used where they send what Tencent's pages ask for, plain calls elsewhere.
"""

from collections.abc import Iterator, Sequence
from datetime import datetime, timedelta
from itertools import zip_longest
from typing import Any

import requests

from wecom_app.adapters.wecom import answers, apis
from wecom_app.adapters.wecom.answers import Reader
from wecom_app.adapters.wecom.apis import Api
from wecom_app.adapters.wecom.budget import push_time_s
from wecom_app.adapters.wecom.call_log import KEEP, CallLog
from wecom_app.adapters.wecom.client import CALL_S, Caller, WeComClient
from wecom_app.adapters.wecom.errcodes import NO_CUSTOMERS
from wecom_app.adapters.wecom.limiter import Limiter
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.adapters.wecom.message_calls import MessageCalls
from wecom_app.adapters.wecom.seal import Seal
from wecom_app.adapters.wecom.sign_in_calls import SignInGatewayCalls
from wecom_app.adapters.wecom.ticket_calls import TicketCalls
from wecom_app.adapters.wecom.token import Source, TokenKeeper
from wecom_app.adapters.wecom.token_rows import TokenRows
from wecom_app.adapters.wecom.transport import Deadline, build_session
from wecom_app.adapters.wecom.uploads import upload_name
from wecom_app.adapters.wecom.wire import Json, Wire
from wecom_app.clock import Clock
from wecom_app.config import WeComSettings
from wecom_app.db import Database
from wecom_app.errors import WeComGone, WeComUnavailable
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports import (
    ContactDetails,
    ContactPage,
    ContactWay,
    ContactWayDraft,
    CorpTagGroup,
    DepartmentDetails,
    FollowUser,
    MemberDetails,
    RemarkDraft,
    WelcomeMessage,
)
from wecom_app.services.wecom_status import ApiBudget, TokenState

SEVERAL_MEMBERS = 2
BY_QR_CODE = 2
"""add_contact_way: `type` 2 also for one member, since a code's type can never change; `scene` 2 is a QR code."""
MOST_WAYS = 1000
REMARK = "externalcontact/remark"
CLOCK_DIFFERENCE = timedelta(minutes=5)
MOST_ON_PAGE = 100


class Gateway(MessageCalls, SignInGatewayCalls, TicketCalls):
    """WeCom, for one self-built app."""

    def __init__(
        self,
        settings: WeComSettings,
        secret_key: str,
        database: Database,
        clock: Clock,
        metrics: Metrics,
        *,
        session: requests.Session | None = None,
        limits: Limits | None = None,
    ) -> None:
        self._clock = clock
        self._agent_id = settings.agent_id
        self._log = CallLog(database, clock, metrics)
        self._limiter = Limiter(limits or Limits(), database, clock)
        wire = Wire(session or build_session(settings.api_base_url), settings.api_base_url, self._log)
        caller = Caller(settings, wire, self._limiter, self._log)
        seal = Seal(secret_key)

        def keeper(name: str, source: Source) -> TokenKeeper:
            rows = TokenRows(_credential_name(name, settings, seal), database, clock, seal)
            return TokenKeeper(rows, source, clock, metrics.token_refreshes)

        self._tokens = keeper("access_token", caller.fetch_token)
        self._client = WeComClient(settings, caller, self._tokens, clock)
        self._keep_tickets(keeper)

    def get_member(self, userid: str) -> MemberDetails:
        """Return a member."""
        return answers.member(self._reader(apis.MEMBER, self._client.user.get(userid)))

    def list_departments(self) -> tuple[DepartmentDetails, ...]:
        """Return the departments that the app may see."""
        answer = self._client.get(apis.DEPARTMENTS.path)
        found = self._reader(apis.DEPARTMENTS, answer).children("department")
        return tuple(answers.department(entry) for entry in found)

    def list_members(self, department_id: int) -> tuple[MemberDetails, ...]:
        """Return the members of one department, not of those below it."""
        answer = self._client.get(apis.MEMBERS.path, params={"department_id": department_id})
        return tuple(answers.member(entry) for entry in self._reader(apis.MEMBERS, answer).children("userlist"))

    def list_follow_userids(self) -> tuple[str, ...]:
        """Return the members who may have customers and whom the app sees."""
        answer = self._client.external_contact.get_follow_user_list()
        return self._reader(apis.FOLLOW_USERS, answer).texts("follow_user")

    def list_external_userids(self, userid: str) -> tuple[str, ...]:
        """Return a member's customers; WeCom answers 84061 where there are none."""
        try:
            answer = self._client.external_contact.list(userid)
        except WeComGone as error:
            if error.errcode != NO_CUSTOMERS:
                raise
            return ()
        return self._reader(apis.EXTERNAL_USERIDS, answer).texts("external_userid")

    def get_contact(
        self, external_userid: str, *, urgent: bool = False, timeout_s: float | None = None
    ) -> ContactDetails:
        """Return a customer with all his followers, of whom WeCom tells 500 at a time."""
        deadline = Deadline(self._clock, timeout_s or CALL_S)
        followers: list[FollowUser] = []
        for found in self._contact_pages(external_userid, deadline, urgent):
            followers += [answers.follow_user(entry) for entry in found.children("follow_user")]
        details = answers.contact(found.child("external_contact"), tuple(followers))
        if details.external_userid != external_userid:
            raise WeComUnavailable("企业微信的回答说的是另一位客户，系统会自动重试", api=apis.CONTACT.path)
        return details

    def list_contacts(
        self, userids: Sequence[str], cursor: str | None = None, limit: int = MOST_ON_PAGE
    ) -> ContactPage:
        """Return a page of the customers of up to 100 members."""
        data = {"userid_list": list(userids), "cursor": cursor or "", "limit": min(limit, MOST_ON_PAGE)}
        found = answers.page(self._read(apis.CONTACTS, data))
        if cursor and found.next_cursor == cursor:
            raise _looping(apis.CONTACTS)
        return found

    def mark_tags(self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Add and remove enterprise tags of one relation in one call; nothing is sent if there are none."""
        if add or remove:
            self._client.external_contact.mark_tag(userid, external_userid, list(add), list(remove))

    def list_corp_tags(
        self,
        *,
        tag_ids: Sequence[str] = (),
        group_ids: Sequence[str] = (),
        urgent: bool = False,
        timeout_s: float | None = None,
    ) -> tuple[CorpTagGroup, ...]:
        """Return the tag library; if both kinds of ids are given WeCom looks at the groups only."""
        data = _given(tag_id=list(tag_ids), group_id=list(group_ids))
        deadline = Deadline(self._clock, timeout_s) if timeout_s is not None else None
        answer = self._client.post(apis.TAGS.path, data=data, urgent=urgent, deadline=deadline)
        return tuple(answers.tag_group(group) for group in self._reader(apis.TAGS, answer).children("tag_group"))

    def add_corp_tags(
        self,
        tag_names: Sequence[str],
        *,
        orders: Sequence[int] = (),
        group_id: str | None = None,
        group_name: str | None = None,
        group_order: int | None = None,
    ) -> CorpTagGroup:
        """Create tags in a group, made if it is new; an existing name is refused (40071)."""
        tags = [_given(name=name, order=order) for name, order in zip_longest(tag_names, orders)]
        order = group_order if group_id is None else None
        data = _given(group_id=group_id, group_name=group_name, order=order, tag=tags)
        return answers.tag_group(self._read(apis.ADD_TAGS, data).child("tag_group"))

    def edit_corp_tag(self, wecom_id: str, *, name: str | None = None, order: int | None = None) -> None:
        """Rename or reorder a tag or a group of our own."""
        self._client.external_contact.edit_corp_tag(wecom_id, name, order)

    def delete_corp_tags(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        """Delete tags or groups of our own."""
        self._post(apis.DELETE_TAGS, _given(tag_id=list(tag_ids), group_id=list(group_ids)))

    def add_contact_way(self, draft: ContactWayDraft) -> ContactWay:
        """Create a live code."""
        found = self._read(apis.ADD_WAY, {"type": SEVERAL_MEMBERS, "scene": BY_QR_CODE, **_way(draft)})
        config_id, qr_code = found.text("config_id"), found.optional_text("qr_code")
        return ContactWay(config_id, qr_code, draft.state, draft.userids)

    def update_contact_way(self, config_id: str, draft: ContactWayDraft) -> None:
        """Replace a live code's staff, state and remark."""
        self._post(apis.UPDATE_WAY, {"config_id": config_id, **_way(draft)})

    def delete_contact_way(self, config_id: str) -> None:
        """Delete a live code; what is printed of it leads nowhere from then on."""
        self._client.external_contact.del_contact_way(config_id)

    def find_contact_way(self, state: str, *, created_since: datetime) -> ContactWay | None:
        """Return the live code that carries `state`, looking through those created since then."""
        for config_id in self._way_ids(created_since - CLOCK_DIFFERENCE):
            answer = self._client.external_contact.get_contact_way(config_id)
            found = answers.contact_way(self._reader(apis.WAY, answer).child("contact_way"))
            if found.state == state:
                return found
        return None

    def send_welcome(self, welcome_code: str, message: WelcomeMessage) -> None:
        """Send the one welcome a code is good for; WelcomeTooLate or WelcomeTaken where it is not."""
        text = {"content": message.text} if message.text else None
        attachments = [dict(attachment) for attachment in message.attachments]
        data = _given(welcome_code=welcome_code, text=text, attachments=attachments)
        self._client.external_contact.send_welcome_msg(data)

    def upload_media(
        self, kind: str, filename: str, content: bytes, *, urgent: bool = False, timeout_s: float | None = None
    ) -> str:
        """Return the media_id of an uploaded image, video or file; it lives three days."""
        files = {"media": (upload_name(kind, filename), content)}
        deadline = Deadline(self._clock, timeout_s) if timeout_s is not None else None
        answer = self._client.post(
            apis.UPLOAD.path, params={"type": kind}, files=files, deadline=deadline, urgent=urgent
        )
        return self._reader(apis.UPLOAD, answer).text("media_id")

    def set_remark(self, userid: str, external_userid: str, draft: RemarkDraft) -> None:
        """Write what a member has noted of a customer; one empty number clears those that stand there."""
        parts = {
            "remark": draft.remark,
            "description": draft.description,
            "remark_company": draft.company,
            "remark_mobiles": None if draft.phones is None else list(draft.phones) or [""],
        }
        given = {name: value for name, value in parts.items() if value is not None}
        self._client.post(REMARK, data={"userid": userid, "external_userid": external_userid, **given})

    def budget(self) -> Sequence[ApiBudget]:
        """Return what is used and left of each API's budget."""
        return self._limiter.read()

    def token_state(self) -> TokenState:
        """Return how the access token stands: its end, refusals, and until when the circuit is open."""
        return self._tokens.state()

    def push_time_s(self, calls: int) -> float | None:
        """Return how long so many mark_tag calls take at our pace; None before the first one was made."""
        return push_time_s(self.budget(), calls, self._clock.now())

    def flush(self) -> None:
        """Write down the calls that wait to be logged, and give up our places in flight; called at the end."""
        self._log.flush()
        self._limiter.give_up_places()

    def purge(self, keep: timedelta = KEEP) -> int:
        """Delete what the call log keeps no longer; return how many rows."""
        return self._log.purge(keep)

    def _contact_pages(self, external_userid: str, deadline: Deadline, urgent: bool) -> Iterator[Reader]:
        cursor, seen = None, set[str]()
        while True:
            params = _given(external_userid=external_userid, cursor=cursor)
            answer = self._client.get(apis.CONTACT.path, params=params, deadline=deadline, urgent=urgent)
            found = self._reader(apis.CONTACT, answer)
            yield found
            cursor = _next_cursor(apis.CONTACT, found, seen)
            if cursor is None:
                return

    def _way_ids(self, since: datetime) -> Iterator[str]:
        cursor, seen = None, set[str]()
        times = {"start_time": int(since.timestamp()), "end_time": int(self._clock.now().timestamp())}
        while True:
            found = self._read(apis.WAYS, {**times, "limit": MOST_WAYS, **_given(cursor=cursor)})
            yield from (entry.text("config_id") for entry in found.children("contact_way"))
            cursor = _next_cursor(apis.WAYS, found, seen)
            if cursor is None:
                return


def _credential_name(kind: str, settings: WeComSettings, seal: Seal) -> str:
    """Name a token's row after the credentials: with a new secret the circuit starts closed again."""
    fingerprint = seal.fingerprint(settings.corp_id, str(settings.agent_id), settings.secret)
    return f"{kind}:{settings.agent_id}:{fingerprint}"


def _given(**fields: Any) -> Json:
    """Return the fields that are given: WeCom takes some empty ones for a wish."""
    return {name: value for name, value in fields.items() if value not in (None, [], "")}


def _way(draft: ContactWayDraft) -> Json:
    return {
        "user": list(draft.userids),
        "state": draft.state,
        "remark": draft.remark,
        "skip_verify": draft.skip_verify,
        "is_exclusive": draft.is_exclusive,
    }


def _next_cursor(api: Api, found: Reader, seen: set[str]) -> str | None:
    cursor = found.optional_text("next_cursor")
    if cursor in seen:
        raise _looping(api)
    if cursor is not None:
        seen.add(cursor)
    return cursor


def _looping(api: Api) -> WeComUnavailable:
    return WeComUnavailable("企业微信的翻页位置重复，系统会从头再试", api=api.path)
