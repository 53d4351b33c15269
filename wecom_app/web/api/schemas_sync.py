"""The API's shapes about the agreement with WeCom: failures, another attempt, conflicts; additive changes only."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from wecom_app.services.library_unlinked import Obstacle
from wecom_app.web.api.schemas import Given, Moment, PageQuery, StateQuery
from wecom_app.web.api.schemas_repair import NO_NUL, Cursor

Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]


class ConflictsQuery(StateQuery):
    """`external_userid` names one customer; `subject` is mark, or library for names, orders and deletions."""

    external_userid: Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)] | None = None
    subject: Literal["mark", "library"] | None = None


UndoReason = Literal[
    "open", "rule", "old", "newer", "changed", "gone", "expired", "told", "recreated", "taken", "again"
]


class ConflictOut(BaseModel):
    """A disagreement between the two sides that a person should know of, though a rule has settled the values.

    About a mark (`subject`), `ours` and `theirs` are keys of tags, and `kind` is concurrent (both changed it and the
    order is not known), repush (pushed again over something else), single (several values of a single-choice group),
    link (found at the first link) or policy (the group is not adopted). About a tag or group of the library they are
    names or orders, `external_userid` and `userid` are null, and `kind` is name, order or deletion (`theirs` empty,
    `uses` what relies on it here). `resolution` is whose value held, same where both came to
    agree, or newer where a person has decided anew since. `undo_reason` says why the word that settled it cannot be
    taken back; null where it can.
    """

    id: int
    kind: Literal["concurrent", "repush", "single", "link", "policy", "name", "order", "deletion"]
    state: Literal["open", "settled"]
    subject: Literal["mark", "tag", "group"]
    external_userid: str | None
    userid: str | None
    key: str
    name: str
    group: str
    ours: list[str]
    theirs: list[str]
    uses: list[str]
    resolution: Literal["ours", "theirs", "same", "newer"] | None
    settled_by: str | None
    created_at: Moment
    settled_at: Moment | None
    can_undo: bool
    undo_reason: UndoReason | None


class SettleIn(Given):
    """`keep`: `ours` leaves what stands here, `theirs` takes over what WeCom had shown.

    About the library, `ours` is told WeCom (after a deletion: made there anew, with a new id, and marked again) and
    `theirs` is taken over (after a deletion: it stays deleted).
    """

    ids: Annotated[list[Cursor], Field(min_length=1, max_length=100)]
    keep: Literal["ours", "theirs"]


class LeftOut(BaseModel):
    """A disagreement that was not settled; `message` is for people."""

    id: int
    reason: Literal["missing", "settled", "gone", "taken"]
    message: str


class SettledOut(BaseModel):
    """`change_set_id` can be undone; null where no tag changed."""

    settled: int
    change_set_id: int | None
    left: list[LeftOut]


class FailureOut(BaseModel):
    reason: str
    cells: int
    customers: int


class FailuresOut(BaseModel):
    """Why tags could not be pushed; a cell is one tag on one friendship."""

    items: list[FailureOut]


class ReviveIn(Given):
    """`reason` is a text that the reason contains; without it every failed tag is tried again."""

    reason: Reason | None = None
    cursor: Cursor | None = None


class RevivedOut(BaseModel):
    """With a `next_cursor` there are more than were done at once."""

    cells: int
    customers: int
    next_cursor: str | None


RunState = Literal["queued", "running", "held", "done", "failed", "stopped"]
ItemKind = Literal["removal", "absent", "tag_gone", "unreadable", "failed", "adopted", "made"]


class ProgressOut(BaseModel):
    """`done` of `total` customers (or, on a first pull, of chains of members); `total` 0 where it is not known."""

    done: int
    total: int
    eta_s: int | None


class DriftOut(BaseModel):
    """What differed between the two sides: found in all, settled since, and still to be settled."""

    found: int
    mended: int
    pending: int


class RunOut(BaseModel):
    """A run of sync: `pull` reads every member's customers, `library` asks about deleted tags, `undo` undoes another,
    `sources` gives source tags to customers from before go-live.

    `guard` says what a held run waits for: `deletions` (how many friendships, marks or tags it would end, and of how
    many) or `first_link` (what the first pull would write to other members' customers, and how long that takes).
    """

    id: int
    kind: Literal["pull", "library", "undo", "sources"]
    state: RunState
    phase: str
    asked_by: str
    settled_by: str | None
    reason: str | None
    parent_id: int | None
    counts: dict[str, int]
    guard: dict[str, dict[str, Any]]
    drift: DriftOut
    progress: ProgressOut
    created_at: Moment
    started_at: Moment | None
    finished_at: Moment | None


class RunIn(Given):
    """Nothing to choose yet: a full pull."""

    kind: Literal["pull"] = "pull"


class ItemsQuery(PageQuery):
    kind: ItemKind | None = None


class RunItemOut(BaseModel):
    """One line of what a run found. `removal`, `absent` and `tag_gone` wait for an answer; the others are notes.

    `subject` is a relation's id, a tag's id or a userid; of notes at most 200 of a kind are kept.
    """

    id: int
    kind: ItemKind
    subject: str
    state: Literal["noted", "waiting", "asked", "applied", "rejected"]
    detail: dict[str, Any]


class SourceShareOut(BaseModel):
    """One origin: `customers` would get a tag that they have not got, with so many `calls` to WeCom."""

    kind: Literal["channel", "add_way", "unknown"]
    name: str
    tags: list[str]
    relations: int
    customers: int
    calls: int


class SourcesOut(BaseModel):
    """What giving source tags would do now. A customer of two origins counts with each.

    `unread` friendships have never been read, `handed_over` ones came from a colleague: both get nothing.
    """

    shares: list[SourceShareOut]
    relations: int
    unread: int
    handed_over: int
    customers: int
    calls: int
    seconds: int


class DriftReportOut(DriftOut):
    """The drift that the last full pull measured, with samples; all zero and without a run before the first."""

    run_id: int | None
    finished_at: Moment | None
    items: list[RunItemOut]


class UnlinkedTagOut(BaseModel):
    """A tag that WeCom has and the library has not taken in; marks of it are not seen here.

    `obstacle` says what keeps it out: not_mirrored (our group of its group's name stands here alone), group_name (that
    group is linked with another group of WeCom's), tag_name (another tag of the group bears the name), deletion (that
    tag is deleted at WeCom and `run_id` waits for a yes) or none (it comes in when the library is next read).
    `holder_key` is the key of the group or tag in the way.
    """

    wecom_tag_id: str
    name: str
    group: str
    obstacle: Obstacle
    holder_key: str | None
    run_id: int | None
    seen_at: Moment
