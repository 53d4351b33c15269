"""The API's shapes about the agreement with WeCom: failures, another attempt, conflicts; additive changes only."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, Field

from wecom_app.web.api.schemas import Given, Moment, PageQuery, StateQuery
from wecom_app.web.api.schemas_repair import NO_NUL, Cursor

Reason = Annotated[str, Field(min_length=1, max_length=200, pattern=NO_NUL)]


class ConflictsQuery(StateQuery):
    """`external_userid` names one customer."""

    external_userid: Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)] | None = None


class ConflictOut(BaseModel):
    """A disagreement between the two sides that a person should know of, though a rule has settled the values.

    `kind`: concurrent (both changed it and the order is not known), repush (pushed again over something else), single
    (several values of a single-choice group), link (found at the first link) or policy (the group is not adopted).
    """

    id: int
    kind: Literal["concurrent", "repush", "single", "link", "policy"]
    state: Literal["open", "settled"]
    external_userid: str
    userid: str
    key: str
    name: str
    ours: list[str]
    theirs: list[str]
    created_at: Moment


class SettleIn(Given):
    """`keep`: `ours` leaves what stands here, `theirs` takes over what WeCom had shown."""

    ids: Annotated[list[Cursor], Field(min_length=1, max_length=100)]
    keep: Literal["ours", "theirs"]


class LeftOut(BaseModel):
    """A disagreement that was not settled; `message` is for people."""

    id: int
    reason: Literal["missing", "settled", "gone"]
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
ItemKind = Literal["removal", "absent", "tag_gone", "unreadable", "failed", "adopted"]


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
    """A run of sync: `pull` reads every member's customers, `library` asks about deleted tags, `undo` undoes a pull.

    `guard` says what a held run waits for: `deletions` (how many friendships, marks or tags it would end, and of how
    many) or `first_link` (what the first pull would write to other members' customers, and how long that takes).
    """

    id: int
    kind: Literal["pull", "library", "undo"]
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


class DriftReportOut(DriftOut):
    """The drift that the last full pull measured, with samples; all zero and without a run before the first."""

    run_id: int | None
    finished_at: Moment | None
    items: list[RunItemOut]
