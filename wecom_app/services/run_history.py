"""Runs of sync as the console lists them: those under way, and all that ever were, in a constant number of queries."""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.models import ChangeSet, Staff, SyncChain, SyncRun
from wecom_app.services import runs
from wecom_app.services.runs import RunView
from wecom_app.services.wecom_status import ApiBudget


@dataclass(frozen=True)
class Summary:
    """A run in one line."""

    id: int
    kind: str
    state: str
    asked_by: str
    reason: str | None
    counts: Mapping[str, int]
    began_at: datetime
    finished_at: datetime | None


def under_way(session: Session, now: datetime, budget: Sequence[ApiBudget] = ()) -> list[RunView]:
    """Return the runs that are not over, the oldest first; of each kind there is at most one."""
    found = session.scalars(select(SyncRun).where(SyncRun.state.in_(runs.UNFINISHED)).order_by(SyncRun.id))
    return [runs.view(session, run, now, budget) for run in found]


def names_of(session: Session, asked_by: Iterable[str | None]) -> dict[str, str]:
    """Return how people know those who asked for runs: members by name, others as they are written."""
    known = {one for one in asked_by if one}
    query = select(Staff.userid, Staff.name).where(Staff.userid.in_(known))
    return {userid: name or userid for userid, name in session.execute(query)}


def has_changed(session: Session, run_id: int) -> bool:
    """Return whether a run has changed any tag, so that there is something to undo."""
    made = select(ChangeSet.id).join(SyncRun, SyncRun.change_set_id == ChangeSet.parent_id).where(SyncRun.id == run_id)
    return session.scalars(made.limit(1)).first() is not None


def undo_of(session: Session, run_id: int) -> int | None:
    """Return the number of the run that last undid this one."""
    query = select(SyncRun.id).where(SyncRun.parent_id == run_id, SyncRun.kind == "undo")
    return session.scalar(query.order_by(SyncRun.id.desc()).limit(1))


def recent(session: Session, *, before_id: int | None = None, limit: int = 20) -> list[Summary]:
    """Return runs, newest first."""
    query = select(SyncRun).order_by(SyncRun.id.desc()).limit(limit)
    if before_id is not None:
        query = query.where(SyncRun.id < before_id)
    found = session.scalars(query).all()
    counts = counts_of(session, found)
    return [_summary(run, counts[run.id]) for run in found]


def counts_of(session: Session, found: Sequence[SyncRun]) -> dict[int, Counter[str]]:
    """Return the numbers of runs, by run, with those of their pages."""
    counts = {run.id: Counter[str](run.counts) for run in found}
    chains = select(SyncChain.run_id, SyncChain.counts).where(SyncChain.run_id.in_(counts))
    for run_id, more in session.execute(chains):
        counts[run_id].update({name: number for name, number in more.items() if isinstance(number, int)})
    return counts


def _summary(run: SyncRun, counts: Mapping[str, int]) -> Summary:
    began_at = run.started_at or run.created_at
    return Summary(
        run.id,
        run.kind,
        run.state,
        run.asked_by,
        run.reason,
        {**counts},
        began_at=began_at,
        finished_at=run.finished_at,
    )
