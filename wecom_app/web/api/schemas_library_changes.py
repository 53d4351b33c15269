"""The API's shapes for changes that reach every customer with a tag: merges, groups turned single, groups mirrored."""

from datetime import datetime
from typing import Literal

from pydantic import BaseModel

from wecom_app.domain.vocabulary import Mirror
from wecom_app.web.api.schemas import Given, Key, PageQuery

ChangeKind = Literal["merge", "single", "mirror"]
ChangeState = Literal["running", "done", "undoing", "undone"]


class MergeQuery(BaseModel):
    """`into` is the key of the tag that takes the other over."""

    into: Key


class MergeIn(Given):
    """`into` is the key of the tag that takes the other over.

    With `delete_at_wecom` the other is deleted at WeCom by itself once its marks have moved on every friendship. That
    cannot be taken back there: undoing the merge makes it anew, with another id at WeCom.
    """

    into: Key
    delete_at_wecom: bool = False


class TagName(BaseModel):
    key: str
    name: str


class RewrittenUse(BaseModel):
    """Something that uses the tag, and what it will do instead."""

    kind: Literal["channel", "content", "bot", "tag"]
    id: int
    name: str
    otherwise: str


class MergePreviewOut(BaseModel):
    """What a merge would do, counted at `as_of`: customers each once, relations live, calls of mark_tag.

    `contested` are customers with another value of a single-choice group: the higher precedence wins.
    `deletion_refusal` says why the tag that goes cannot be deleted at WeCom from here; null where it can.
    """

    source: TagName
    target: TagName
    customers_source: int
    customers_target: int
    customers_both: int
    relations: int
    contested: int
    calls: int
    uses: list[RewrittenUse]
    notes: list[str]
    deletion_refusal: str | None
    as_of: datetime


class SelectionValueOut(BaseModel):
    key: str
    name: str
    kept: int
    lost: int


class SelectionPreviewOut(BaseModel):
    """What turning a group single-choice would do: of the customers who hold several, who keeps and loses what."""

    group: TagName
    customers: int
    several: int
    values: list[SelectionValueOut]
    calls: int
    as_of: datetime


class MirrorQuery(BaseModel):
    mirror: Literal["none", "push", "pull", "two_way"] = "two_way"


class MirrorIn(Given):
    mirror: Mirror = Mirror.TWO_WAY


class MirrorPreviewOut(BaseModel):
    """What taking a group to WeCom costs; a call is one mark_tag, which comes with two reads.

    `first_hours` is at the pace of the moment, `share` of a day's budget for calls that are not urgent.
    """

    group: TagName
    mirror: Mirror
    tags: int
    tags_used: int
    tags_most: int
    customers: int
    relations: int
    first_calls: int
    first_hours: float
    calls_a_day: float
    days: int
    share: float
    as_of: datetime


class UseKept(BaseModel):
    """Something that was changed since and therefore not put back by an undo."""

    kind: Literal["channel", "content", "bot"]
    id: int
    name: str


class MergedTagOut(BaseModel):
    """How the tag that a merge takes out of use stands at WeCom; `reason` says what stands in the way."""

    state: Literal["kept", "none", "waiting", "deleting", "failed", "deleted"]
    reason: str | None
    words: str


class LibraryChangeOut(BaseModel):
    """A change of the library carried out customer by customer; `undo_until` is null where it cannot be undone.

    `restored` and `kept` count customers: put back by an undo, or left because somebody has acted since.
    `merged_tag` is null for other changes than merges, and once the merge is undone.
    """

    id: int
    kind: ChangeKind
    state: ChangeState
    words: str
    expected: int
    changed: int
    restored: int
    kept: int
    uses_kept: list[UseKept]
    merged_tag: MergedTagOut | None
    asked_by: str
    undone_by: str | None
    change_set_id: int | None
    undo_change_set_id: int | None
    created_at: datetime
    finished_at: datetime | None
    undone_at: datetime | None
    undo_until: datetime | None


class KeptQuery(PageQuery):
    """A page of what an undo left."""


class KeptCustomerOut(BaseModel):
    """A customer whom an undo left as he stands; `message` is for people."""

    external_userid: str
    reason: Literal["changed", "gone", "expired"]
    message: str
