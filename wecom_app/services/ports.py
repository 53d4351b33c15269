"""What the services need from the outside: WeCom, the job queue, the callback cipher and the intake.

`adapters` implement these, `bootstrap` puts them into the `Runtime`, and tests run them all against the
simulator. Answers are frozen dataclasses, so that no bare dict of WeCom's travels inwards.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from datetime import datetime
from typing import Any, Protocol

from sqlalchemy.orm import Session


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


class WeCom(Protocol):
    """WeCom's API. Every method may raise the WeComError family of `wecom_app.errors`.

    None of them may be called inside an open write transaction.
    """

    def get_member(self, userid: str) -> MemberDetails:
        """Return a member (user/get); WeComGone or WeComRejected where the app may not see him."""
        ...

    def list_departments(self) -> tuple[DepartmentDetails, ...]:
        """Return the departments that the app may see."""
        ...

    def list_members(self, department_id: int) -> tuple[MemberDetails, ...]:
        """Return the members of one department, not of those below it."""
        ...

    def list_follow_userids(self) -> tuple[str, ...]:
        """Return the members who may have customers and whom the app sees."""
        ...

    def list_external_userids(self, userid: str) -> tuple[str, ...]:
        """Return a member's customers; an errcode 84061 means none."""
        ...

    def get_contact(
        self, external_userid: str, *, urgent: bool = False, timeout_s: float | None = None
    ) -> ContactDetails:
        """Return a customer with all his followers (all pages); WeComGone if WeCom has no such contact."""
        ...

    def list_contacts(self, userids: Sequence[str], cursor: str | None = None, limit: int = 100) -> ContactPage:
        """Return a page of the customers of up to 100 members."""
        ...

    def mark_tags(self, userid: str, external_userid: str, *, add: Sequence[str], remove: Sequence[str]) -> None:
        """Add and remove enterprise tags of one relation in one call."""
        ...

    def list_corp_tags(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> tuple[CorpTagGroup, ...]:
        """Return the tag library; only a query by ids tells what is deleted."""
        ...

    def add_corp_tags(
        self, tag_names: Sequence[str], *, group_id: str | None = None, group_name: str | None = None
    ) -> CorpTagGroup:
        """Create tags in a group, made if it is new; an existing name is refused (40071)."""
        ...

    def edit_corp_tag(self, wecom_id: str, *, name: str | None = None, order: int | None = None) -> None:
        """Rename or reorder a tag or a group of our own."""
        ...

    def delete_corp_tags(self, *, tag_ids: Sequence[str] = (), group_ids: Sequence[str] = ()) -> None:
        """Delete tags or groups of our own."""
        ...

    def add_contact_way(self, draft: ContactWayDraft) -> ContactWay:
        """Create a live code. Not idempotent: after an unknown outcome look with `find_contact_way`."""
        ...

    def update_contact_way(self, config_id: str, draft: ContactWayDraft) -> None:
        """Replace a live code's staff, state, remark and switches."""
        ...

    def delete_contact_way(self, config_id: str) -> None: ...

    def find_contact_way(self, state: str, *, created_since: datetime) -> ContactWay | None:
        """Return the live code that carries `state`, looking through those created since then."""
        ...

    def send_welcome(self, welcome_code: str, message: WelcomeMessage) -> None:
        """Send the one welcome a code is good for; WelcomeTooLate or WelcomeTaken where it is not."""
        ...

    def upload_media(
        self, kind: str, filename: str, content: bytes, *, urgent: bool = False, timeout_s: float | None = None
    ) -> str:
        """Return the media_id of an uploaded image, video or file; it lives three days."""
        ...

    def set_remark(self, userid: str, external_userid: str, remark: str) -> None:
        """Write the remark that a member sees of a customer, at most 20 characters."""
        ...


class Scheduler(Protocol):
    """The clock of a process that runs jobs."""

    def start(self) -> None: ...

    def stop(self) -> None: ...


JobArgs = dict[str, Any]
CANCELLED = "cancelled"
"""The last error of a job that a person ended."""


@dataclass(frozen=True)
class JobView:
    """A job as lists show it."""

    id: int
    kind: str
    lane: str
    state: str
    key: str | None
    args: JobArgs
    attempts: int
    priority: int
    run_at: datetime
    last_error: str | None
    created_at: datetime
    finished_at: datetime | None


@dataclass(frozen=True)
class JobPage:
    items: tuple[JobView, ...]
    next_cursor: int | None


class JobQueue(Protocol):
    """Durable work, at least once; the contract that both engines keep (tests/adapters/jobs).

    *key*: jobs of one (lane, key) run one at a time in order of id, a job in retry back-off keeps its place,
    priority is ignored inside a key, and keyed jobs are never enqueued with run_at (ValueError).
    *unique*: at most one **waiting** job per (kind, unique); the second enqueue returns None and leaves the
    transaction usable; a retry that meets a waiting twin is dropped. Larger priority first.
    """

    def enqueue(
        self,
        session: Session,
        kind: str,
        args: JobArgs,
        *,
        lane: str,
        key: str | None = None,
        unique: str | None = None,
        run_at: datetime | None = None,
        priority: int = 0,
    ) -> int | None:
        """Add a job in the caller's transaction; return its id, or None if a waiting twin serves."""
        ...

    def list_jobs(
        self,
        session: Session,
        *,
        state: str | None = None,
        kind: str | None = None,
        error: str | None = None,
        before_id: int | None = None,
        limit: int = 50,
    ) -> JobPage:
        """Return jobs, newest first; `error` is a text that the last error must contain."""
        ...

    def get_job(self, session: Session, job_id: int) -> JobView | None: ...

    def count_by_state(self, session: Session) -> Mapping[tuple[str, str], int]:
        """Return how many jobs stand in each (lane, state) of waiting, retrying, running and dead."""
        ...

    def replay(self, session: Session, job_id: int) -> bool:
        """Put a dead job back to waiting; False if it is not dead (or a waiting twin serves)."""
        ...

    def cancel(self, session: Session, job_id: int) -> bool:
        """End a waiting or retrying job as dead; False if it is running or over."""
        ...

    def wake(self) -> None:
        """Tell this process's workers that something was committed."""
        ...

    def step(self) -> bool:
        """Run at most one due job in the calling thread; False if none was due. For threads=False."""
        ...

    def next_due(self) -> datetime | None:
        """Return when the earliest waiting or retrying job falls due, None if there is none."""
        ...

    def start(self, lanes: Sequence[str] | None = None) -> None:
        """Start the worker threads of the given lanes (default: all)."""
        ...

    def stop(self, timeout_s: float = 10.0) -> None:
        """Take no new job, let the running ones finish for `timeout_s`, then return."""
        ...

    def beat_age_s(self) -> float | None:
        """Return how long ago this process's workers last looked for work; None where it runs none."""
        ...

    def purge(self) -> int:
        """Delete at most a transaction's worth of done and dead jobs that were kept long enough; return how many."""
        ...


@dataclass(frozen=True)
class CallbackQuery:
    """The signed query parameters of a callback request."""

    msg_signature: str
    timestamp: str
    nonce: str


class CallbackCipher(Protocol):
    """Checks and opens callbacks; both methods raise CallbackRejected for whatever is not provably WeCom's."""

    def open_echo(self, query: CallbackQuery, echostr: str) -> str:
        """Return the text that proves the URL to WeCom."""
        ...

    def open_message(self, query: CallbackQuery, body: bytes) -> str:
        """Return the decrypted message."""
        ...


@dataclass(frozen=True)
class IncomingEvent:
    """A decrypted callback, read as far as storing it needs."""

    digest: str
    event: str
    change_type: str
    subject: str
    fields: Mapping[str, Any]
    body: str
    occurred_at: datetime | None
    received_at: datetime = field(compare=False)


class Intake(Protocol):
    """Makes callbacks durable."""

    def store(self, incoming: IncomingEvent) -> None:
        """Return once the event and its jobs are committed; raise Unavailable if they could not be."""
        ...

    def start(self) -> None: ...

    def stop(self) -> None: ...
