"""The API's shapes about stored callbacks, jobs and the traffic with WeCom; additive changes only."""

from typing import Annotated, Any

from pydantic import BaseModel, Field

from wecom_app.web.api.schemas import Given, InboxOut, Moment, StateQuery

NO_NUL = r"^[^\x00]*$"
"""PostgreSQL takes no text with a NUL in it."""
Kind = Annotated[str, Field(min_length=1, max_length=64, pattern=NO_NUL)]
ErrorText = Annotated[str, Field(min_length=1, max_length=300, pattern=NO_NUL)]
Cursor = Annotated[int, Field(ge=1, lt=2**63)]


class JobsQuery(StateQuery):
    """`error` is a text that the job's last error contains."""

    kind: Kind | None = None
    error: ErrorText | None = None


class InboxDetailOut(InboxOut):
    """`fields` are the callback's elements; null once its retention has ended."""

    fields: dict[str, Any] | None


class InboxReplayOut(InboxDetailOut):
    """`job_id` is the job that handles it again; null where one was waiting already."""

    job_id: int | None


class ReplayJobsIn(Given):
    """Which failed jobs to run again: of one kind, or with one error, or all that nobody cancelled."""

    kind: Kind | None = None
    error: ErrorText | None = None
    cursor: Cursor | None = None


class ReplayJobsOut(BaseModel):
    """With a `next_cursor` there are more than were done at once."""

    replayed: int
    skipped: int
    next_cursor: str | None


class WindowOut(BaseModel):
    """Calls counted in a window, those included that a process has set aside for itself, and what is left of it.

    `left` is what calls that are not urgent may still use.
    """

    used: int
    left: int
    limit: int


class ReserveOut(BaseModel):
    """Calls kept for welcome messages and the sidebar."""

    minute: int
    hour: int


class ApiBudgetOut(BaseModel):
    api: str
    minute: WindowOut
    hour: WindowOut
    reserved: ReserveOut
    blocked_until: Moment | None


class TokenOut(BaseModel):
    """The access token's state; while the circuit is open nothing is sent to WeCom."""

    fetched_at: Moment | None
    expires_at: Moment | None
    refusals: int
    circuit_open: bool
    circuit_open_until: Moment | None
    last_error: str | None


class BudgetOut(BaseModel):
    """`waiting` are jobs by lane, `operations` tags not yet confirmed by WeCom, `eta_seconds` when they are."""

    apis: list[ApiBudgetOut]
    token: TokenOut
    waiting: dict[str, int]
    operations: int
    eta_seconds: int | None
