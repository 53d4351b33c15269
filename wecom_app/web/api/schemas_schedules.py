"""The API's shapes of schedules and their runs; additive changes only."""

from typing import Annotated, Any, Literal

from pydantic import BaseModel, ConfigDict, Field

from wecom_app.web.api.schemas import Given, Moment

Name = Annotated[str, Field(min_length=1, max_length=40)]
CronText = Annotated[str, Field(min_length=1, max_length=100)]
Zone = Annotated[str, Field(min_length=1, max_length=64)]
Grace = Annotated[int, Field(ge=0, le=604_800)]
Jitter = Annotated[int, Field(ge=0, le=21_600)]
KindKey = Annotated[str, Field(min_length=1, max_length=32)]


class ScheduleIn(Given):
    """A schedule to make; times in seconds, the time zone is the deployment's where it is missing."""

    kind: KindKey
    name: Name
    cron: CronText
    time_zone: Zone | None = None
    misfire_grace_s: Grace = 43_200
    coalesce: bool = True
    jitter_s: Jitter = 0


class ScheduleEditIn(Given):
    """What to change; `version` is the one that was read, and guards against overwriting somebody else's edit."""

    version: Annotated[int, Field(ge=1, lt=2**31)] | None = None
    name: Name | None = None
    cron: CronText | None = None
    time_zone: Zone | None = None
    misfire_grace_s: Grace | None = None
    coalesce: bool | None = None
    jitter_s: Jitter | None = None


class ItemErrorOut(BaseModel):
    item: str
    reason: str


class ScheduleRunOut(BaseModel):
    """One time; `asked_by` is null where the clock asked. `errors` are the first of `error_count`."""

    id: int
    fire_at: Moment
    asked_by: str | None
    state: Literal["waiting", "running", "done", "failed", "stopped", "skipped"]
    reason: str | None
    stop_asked: bool
    done: int
    total: int | None
    counts: dict[str, Any]
    errors: list[ItemErrorOut]
    error_count: int
    started_at: Moment | None
    finished_at: Moment | None


class ScheduleOut(BaseModel):
    """`words` say the cron in Chinese; `upcoming` are its next five times, `next_at` is the next with its jitter."""

    id: int
    kind: str
    name: str
    cron: str
    words: str
    upcoming: list[Moment]
    time_zone: str
    enabled: bool
    misfire_grace_s: int
    coalesce: bool
    jitter_s: int
    next_at: Moment | None
    version: int
    updated_by: str
    updated_at: Moment
    last_run: ScheduleRunOut | None


class SchedulesOut(BaseModel):
    items: list[ScheduleOut]


class ScheduleKindOut(BaseModel):
    """What can be scheduled, and its usual time."""

    key: str
    name: str
    help: str
    cron: str
    words: str


class ScheduleKindsOut(BaseModel):
    items: list[ScheduleKindOut]


class CronQuery(BaseModel):
    model_config = ConfigDict(extra="forbid")

    cron: CronText
    time_zone: Zone | None = None


class CronOut(BaseModel):
    words: str
    upcoming: list[Moment]


class RemovedOut(BaseModel):
    id: int
