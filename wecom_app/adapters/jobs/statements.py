"""The embedded engine's statements on the `job` table, built once and given only parameters when they run."""

from functools import cache
from typing import Any, cast

from sqlalchemy import (
    ColumnElement,
    CompoundSelect,
    Executable,
    FromClause,
    Integer,
    Select,
    Table,
    bindparam,
    case,
    delete,
    exists,
    func,
    literal,
    literal_column,
    or_,
    select,
    union_all,
    update,
)
from sqlalchemy.dialects.sqlite import insert

from wecom_app.adapters.jobs.outcomes import SUPERSEDED
from wecom_app.db import UtcDateTime
from wecom_app.models.queue import Job
from wecom_app.prepared import Prepared

JOB = cast("Table", Job.__table__)
FREE_LEASE: dict[str, Any] = {"lease_owner": None, "lease_until": None}


def in_states(table: FromClause, *states: str) -> ColumnElement[bool]:
    """Return `state IN (…)` in plain text: SQLite uses a partial index only where it can read the states."""
    return cast("ColumnElement[bool]", table.c.state.in_([literal_column(f"'{state}'") for state in states]))


def _time(name: str) -> ColumnElement[Any]:
    return bindparam(name, type_=UtcDateTime())


def _is_blocked(ready: FromClause) -> ColumnElement[bool]:
    """True while an older live job of the key exists, or any that runs: an old one may have been replayed."""
    other = JOB.alias("other")
    return exists().where(
        other.c.lane == ready.c.lane,
        other.c.key == ready.c.key,
        in_states(other, "waiting", "retrying", "running"),
        other.c.id != ready.c.id,
        or_(other.c.id < ready.c.id, other.c.state == "running"),
    )


def _ready() -> tuple[FromClause, Select[Any]]:
    ready = JOB.alias("ready")
    return ready, select(ready.c.id).where(
        in_states(ready, "waiting", "retrying"),
        or_(ready.c.key.is_(None), ~_is_blocked(ready)),
    )


def _due(lane: str) -> tuple[FromClause, Select[Any]]:
    ready, rows = _ready()
    return ready, rows.where(ready.c.lane == lane, ready.c.run_at <= _time("now"))


def _next_of(lane: str) -> Select[Any]:
    ready, rows = _due(lane)
    chosen = rows.order_by(ready.c.priority.desc(), ready.c.id).limit(bindparam(f"free_{lane}", type_=Integer()))
    return select(chosen.subquery().c.id)


ONE_MORE_DUE = Prepared(
    select(JOB.c.id)
    .where(JOB.c.lane == bindparam("lane"), in_states(JOB, "waiting", "retrying"), JOB.c.run_at <= _time("now"))
    .limit(1)
    .offset(bindparam("than", type_=Integer()))
)
"""Finds a job if more than so many of a lane are due; walks along the index of what is ready, no further."""


@cache
def claim(lanes: tuple[str, ...]) -> Prepared:
    """Take the next jobs: parameters now, until, owner and a `free_<lane>` for each lane."""
    ids: Select[Any] | CompoundSelect[Any] = union_all(*[_next_of(lane) for lane in lanes])
    return Prepared(
        update(JOB)
        .where(JOB.c.id.in_(ids))
        .values(
            state="running",
            attempts=JOB.c.attempts + 1,
            started_at=_time("now"),
            lease_until=_time("until"),
            lease_owner=bindparam("owner"),
        )
        .returning(
            JOB.c.id,
            JOB.c.kind,
            JOB.c.lane,
            JOB.c.args,
            JOB.c.unique,
            JOB.c.attempts,
            JOB.c.created_at,
            JOB.c.priority,
        )
    )


@cache
def lanes_with_due(lanes: tuple[str, ...]) -> Prepared:
    """Name the lanes in which a job could be claimed: parameter now."""
    return Prepared(union_all(*[select(literal(lane).label("lane")).where(exists(_due(lane)[1])) for lane in lanes]))


@cache
def next_due(lanes: tuple[str, ...]) -> Executable:
    """Find when the earliest job falls due that nothing but time holds back."""
    ready, rows = _ready()
    return rows.where(ready.c.lane.in_(lanes)).with_only_columns(func.min(ready.c.run_at))


def _held(condition: ColumnElement[bool]) -> Any:
    return update(JOB).where(condition, JOB.c.state == "running", JOB.c.lease_owner == bindparam("owner"))


ADD = Prepared(insert(JOB).on_conflict_do_nothing().returning(JOB.c.id))

_one = JOB.c.id == bindparam("job_id")
_several = JOB.c.id.in_(bindparam("job_ids", expanding=True))


def has_twin(state: str) -> ColumnElement[bool]:
    """True while another job of the kind and unique name is in this state."""
    twin = JOB.alias("twin")
    return exists().where(
        twin.c.kind == JOB.c.kind, twin.c.unique == JOB.c.unique, twin.c.state == literal_column(f"'{state}'")
    )


FINISH = Prepared(_held(_several).values(state="done", finished_at=_time("now"), last_error=None, **FREE_LEASE))
BURY = Prepared(_held(_one).values(state="dead", finished_at=_time("now"), last_error=bindparam("error"), **FREE_LEASE))
RETRY = Prepared(_held(_one).values(state="retrying", run_at=_time("due"), last_error=bindparam("error"), **FREE_LEASE))
# A job in back-off counts here: else every enqueue during an outage would leave one more that retries.
SUPERSEDE = Prepared(
    _held(_one & or_(has_twin("waiting"), has_twin("retrying"))).values(
        state="done", finished_at=_time("now"), last_error=SUPERSEDED, **FREE_LEASE
    )
)
RELEASE = Prepared(
    _held(_one).values(
        # A run that we ended is no failed attempt. No twin waits: SUPERSEDE is run first.
        state=case((JOB.c.attempts > 1, "retrying"), else_="waiting"),
        attempts=JOB.c.attempts - 1,
        run_at=_time("now"),
        **FREE_LEASE,
    )
)
HEARTBEAT = Prepared(_held(_several).values(lease_until=_time("until")))

RUNNING = Prepared(
    select(JOB.c.id, JOB.c.lease_owner, JOB.c.lease_until, JOB.c.last_error).where(in_states(JOB, "running"))
)


def _oldest(state: str) -> Select[Any]:
    # Only the lowest ids are looked at: they finished first but for stragglers, and a full scan takes long.
    oldest = select(JOB.c.id, JOB.c.finished_at).where(in_states(JOB, state)).order_by(JOB.c.id)
    window = oldest.limit(bindparam("limit", type_=Integer())).subquery()
    return select(window.c.id).where(window.c.finished_at < _time(f"{state}_before"))


EXPIRED = union_all(_oldest("done"), _oldest("dead"))
DELETE = delete(JOB).where(_several)
