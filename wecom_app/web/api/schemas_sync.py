"""The API's shapes about the agreement with WeCom: failures, another attempt, conflicts; additive changes only."""

from typing import Annotated, Literal

from pydantic import BaseModel, Field

from wecom_app.web.api.schemas import Given, Moment, StateQuery
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
