"""Runs of sync as people see and steer them: started, held by a guard, approved, rejected, stopped, resumed.

Called by the API and the command `sync`; the work itself is `pulls` and `library`.
"""

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.errors import Conflict, NotFound
from wecom_app.models import Relation, SyncChain, SyncRun, SyncRunItem
from wecom_app.services import run_items
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.run_items import Item
from wecom_app.services.runtime import Runtime
from wecom_app.services.wecom_status import ApiBudget

START_KIND = "sync.pull"
PAGE_KIND = "sync.pull_page"
FINISH_KIND = "sync.pull_finish"
BURY_KIND = "sync.bury"
REJECT_KIND = "sync.reject"
UNDO_KIND = "sync.undo"
SOURCES_KIND = "sync.sources"
JOB_KINDS = (START_KIND, PAGE_KIND, FINISH_KIND, BURY_KIND, UNDO_KIND, SOURCES_KIND)
PAGE_API = "externalcontact/batch/get_by_user"
STATES = ("queued", "running", "held", "done", "failed", "stopped")
UNFINISHED = ("queued", "running", "held")
BY_CURSOR = ("pull", "sources")
"""Kinds that go through many rows: they can be gone on with where they stopped, and undone."""
COUNTED_PHASES = ("pages", "sources")
"""Phases in which relations are gone through, so that their pace tells how long it still takes."""
GUARD_FLOOR, GUARD_SHARE = 20, 0.10
"""No step ends more than the larger of 20 and a tenth of what there is before somebody has said yes."""


@dataclass(frozen=True)
class Progress:
    """How far a run is: `done` of `total` (0 where that is not known), and how long it still takes."""

    done: int
    total: int
    eta_s: int | None


@dataclass(frozen=True)
class RunView:
    """A run; `drift` counts what differed: found, mended and pending."""

    id: int
    kind: str
    state: str
    phase: str
    asked_by: str
    settled_by: str | None
    reason: str | None
    parent_id: int | None
    counts: Mapping[str, int]
    guard: Mapping[str, Any]
    drift: Mapping[str, int]
    progress: Progress
    created_at: datetime
    started_at: datetime | None
    finished_at: datetime | None


@dataclass(frozen=True)
class ItemView:
    """One line of what a run found; `state` is noted, waiting, asked, applied or rejected."""

    id: int
    kind: str
    subject: str
    state: str
    detail: Mapping[str, Any]


def is_within(count: int, known: int) -> bool:
    """Return whether so many of so many may be ended without asking."""
    return count <= max(GUARD_FLOOR, known * GUARD_SHARE)


def unfinished(session: Session, kind: str) -> SyncRun | None:
    """Return the run of a kind that is not over."""
    query = select(SyncRun).where(SyncRun.kind == kind, SyncRun.state.in_(UNFINISHED))
    return session.execute(query).scalar_one_or_none()


def start_pull(session: Session, queue: JobQueue, asked_by: str, now: datetime) -> SyncRun:
    """Have the customers of every member read; raise Conflict while another full pull is not over."""
    standing = unfinished(session, "pull")
    if standing is not None:
        words = "等待确认" if standing.state == "held" else "正在进行"
        message = f"已有一次全量同步{words}（编号 {standing.id}），请先处理它"
        raise Conflict(message, details={"run_id": standing.id})
    run = SyncRun(kind="pull", state="queued", phase="start", asked_by=asked_by[:64], created_at=now)
    session.add(run)
    session.flush()
    enqueue(session, queue, START_KIND, run.id)
    return run


def start_undo(session: Session, queue: JobQueue, run_id: int, asked_by: str, now: datetime) -> SyncRun:
    """Have what a run changed put back, where nothing has changed since; raise Conflict where it cannot be."""
    parent = locked(session, run_id)
    if parent.kind not in BY_CURSOR or parent.change_set_id is None:
        raise Conflict("这次同步没有改动过标签，不需要撤销")
    if parent.state in UNFINISHED:
        raise Conflict("这次同步还没有结束：请先停止或拒绝它，再撤销")
    standing = unfinished(session, "undo")
    if standing is not None:
        raise Conflict(f"正在撤销另一次同步（编号 {standing.id}）", details={"run_id": standing.id})
    run = SyncRun(
        kind="undo",
        state="running",
        phase="undo",
        asked_by=asked_by[:64],
        parent_id=run_id,
        created_at=now,
        started_at=now,
        change_set_id=None,
    )
    session.add(run)
    session.flush()
    enqueue(session, queue, UNDO_KIND, run.id)
    return run


def hold_tags(session: Session, tag_ids: Sequence[int], now: datetime, words: Mapping[int, str]) -> bool:
    """Have a person asked whether these tags, deleted at WeCom, are to be buried here; False where he was asked before.

    `words` names each tag. What was rejected once is not asked again.
    """
    asked = select(SyncRunItem.subject).where(
        SyncRunItem.kind == "tag_gone", SyncRunItem.state.in_(("waiting", "rejected"))
    )
    known = set(session.scalars(asked))
    new = [tag_id for tag_id in tag_ids if str(tag_id) not in known]
    if not new:
        return False
    run = unfinished(session, "library")
    if run is None:
        run = SyncRun(kind="library", state="held", phase="ask", asked_by="system", created_at=now, started_at=now)
        session.add(run)
        session.flush()
    items = [Item("tag_gone", str(tag_id), detail={"name": words[tag_id]}, waits=True) for tag_id in new]
    run_items.add(session, run.id, items)
    number = run.guard.get("deletions", {}).get("tags", 0) + len(new)
    run.guard = {"deletions": {"tags": number}}
    run.reason = f"企业微信里一次删除了 {number} 个标签，已暂停处理：请查看预览，确认或拒绝"
    return True


def enqueue(session: Session, queue: JobQueue, kind: str, run_id: int, *, run_at: datetime | None = None) -> None:
    """Have a step of a run made."""
    queue.enqueue(session, kind, {"run_id": run_id}, lane="bulk", unique=str(run_id), run_at=run_at)


def enqueue_page(session: Session, queue: JobQueue, run_id: int, number: int) -> None:
    """Have the next page of a chain read."""
    args = {"run_id": run_id, "number": number}
    queue.enqueue(session, PAGE_KIND, args, lane="bulk", unique=f"{run_id}:{number}")


def locked(session: Session, run_id: int) -> SyncRun:
    """Return a run that nobody else changes meanwhile; raise NotFound."""
    query = select(SyncRun).where(SyncRun.id == run_id).with_for_update().execution_options(populate_existing=True)
    run = session.execute(query).scalar_one_or_none()
    if run is None:
        raise NotFound("没有这次同步")
    return run


def approve(session: Session, queue: JobQueue, run_id: int, by: str) -> SyncRun:
    """Let a held run do what its preview lists, where it is still true; raise Conflict where it is not held."""
    run = _held(session, run_id)
    run.state, run.settled_by = "running", by[:64]
    run.guard = {name: {**facts, "approved": True} for name, facts in run.guard.items()}
    enqueue(session, queue, BURY_KIND if run.kind == "library" else FINISH_KIND, run.id)
    return run


def reject(session: Session, queue: JobQueue, run_id: int, by: str, now: datetime) -> SyncRun:
    """End a held run without what it asked for; raise Conflict where it is not held."""
    run = _held(session, run_id)
    run.settled_by, run.reason = by[:64], "已拒绝：待确认的内容都没有执行"
    run.guard = {name: {**facts, "approved": facts.get("approved", False)} for name, facts in run.guard.items()}
    end(run, "stopped", now)
    if run_items.reject(session, run_id):
        enqueue(session, queue, REJECT_KIND, run.id)
    return run


def reject_more(runtime: Runtime, args: JobArgs) -> None:
    """Say no to the next page of what a rejected run had listed."""
    run_id = int(args["run_id"])
    with runtime.write() as session:
        if run_items.reject(session, run_id):
            enqueue(session, runtime.queue, REJECT_KIND, run_id)


def stop(session: Session, run_id: int, by: str, now: datetime) -> SyncRun:
    """Stop a run that is under way: the page in hand is finished, no other begun; raise Conflict where it is over."""
    run = locked(session, run_id)
    if run.state not in ("queued", "running"):
        raise Conflict("只有进行中的同步可以停止；等待确认的请用“拒绝”")
    run.settled_by, run.reason = by[:64], "已手动停止，可以从停下的地方继续"
    end(run, "stopped", now)
    return run


def resume(session: Session, queue: JobQueue, run_id: int, by: str) -> SyncRun:
    """Go on with a run where it was stopped or failed; raise Conflict where that makes no sense."""
    run = locked(session, run_id)
    other = unfinished(session, run.kind)
    if other is not None and other.id != run.id:
        raise Conflict(f"另一次同步还没有结束（编号 {other.id}）", details={"run_id": other.id})
    rejected = select(SyncRunItem.id).where(SyncRunItem.run_id == run_id, SyncRunItem.state == "rejected").limit(1)
    is_rejected = was_rejected(run.guard) or session.scalar(rejected) is not None
    if run.kind not in BY_CURSOR or run.state not in ("stopped", "failed", "running") or is_rejected:
        raise Conflict("这次同步不能继续，请重新开始一次")
    run.state, run.reason, run.finished_at, run.settled_by = "running", None, None, by[:64]
    session.flush()
    if run.phase == "start":
        enqueue(session, queue, START_KIND, run.id)
    elif run.phase == "sources":
        enqueue(session, queue, SOURCES_KIND, run.id)
    elif run.phase == "pages":
        _go_on(session, queue, run.id)
    else:
        enqueue(session, queue, FINISH_KIND, run.id)
    return run


def was_rejected(guard: Mapping[str, Any]) -> bool:
    """Return whether a person has said no to what a run was held for."""
    return any(facts.get("approved") is False for facts in guard.values())


def _go_on(session: Session, queue: JobQueue, run_id: int) -> None:
    query = select(SyncChain.number).where(SyncChain.run_id == run_id, SyncChain.state == "open")
    numbers = session.scalars(query).all()
    for number in numbers:
        enqueue_page(session, queue, run_id, number)
    if not numbers:
        enqueue(session, queue, FINISH_KIND, run_id)


def end(run: SyncRun, state: str, now: datetime) -> None:
    """Note that a run is over."""
    run.state, run.finished_at = state, now


def _held(session: Session, run_id: int) -> SyncRun:
    run = locked(session, run_id)
    if run.state != "held":
        raise Conflict("这次同步没有在等待确认")
    return run


def get_run(session: Session, run_id: int, now: datetime, budget: Sequence[ApiBudget] = ()) -> RunView:
    """Return one run; raise NotFound."""
    run = session.get(SyncRun, run_id)
    if run is None:
        raise NotFound("没有这次同步")
    return view(session, run, now, budget)


def last_pull(session: Session, now: datetime) -> RunView | None:
    """Return the last full pull that has compared both sides, or None before the first."""
    query = select(SyncRun).where(SyncRun.kind == "pull", SyncRun.phase.in_(("ask", "release")))
    run = session.scalars(query.order_by(SyncRun.id.desc()).limit(1)).first()
    return None if run is None else view(session, run, now)


def list_runs(
    session: Session, now: datetime, *, state: str | None = None, before_id: int | None = None, limit: int = 50
) -> list[RunView]:
    """Return runs, newest first."""
    query = select(SyncRun).order_by(SyncRun.id.desc()).limit(limit)
    if state is not None:
        query = query.where(SyncRun.state == state)
    if before_id is not None:
        query = query.where(SyncRun.id < before_id)
    return [view(session, run, now) for run in session.scalars(query)]


def list_items(
    session: Session, run_id: int, *, kind: str | None = None, after_id: int | None = None, limit: int = 50
) -> list[ItemView]:
    """Return what a run found, in order; raise NotFound for a run that is not there."""
    if session.get(SyncRun, run_id) is None:
        raise NotFound("没有这次同步")
    query = select(SyncRunItem).where(SyncRunItem.run_id == run_id).order_by(SyncRunItem.id).limit(limit)
    if kind is not None:
        query = query.where(SyncRunItem.kind == kind)
    if after_id is not None:
        query = query.where(SyncRunItem.id > after_id)
    return [ItemView(item.id, item.kind, item.subject, item.state, item.detail) for item in session.scalars(query)]


def view(session: Session, run: SyncRun, now: datetime, budget: Sequence[ApiBudget] = ()) -> RunView:
    """Return a run with its numbers as they are now."""
    chains = session.execute(
        select(SyncChain.state, SyncChain.pages, SyncChain.counts).where(SyncChain.run_id == run.id)
    ).all()
    counts: Counter[str] = Counter(run.counts)
    for _, pages, found in chains:
        counts.update({name: number for name, number in found.items() if isinstance(number, int)})
        counts["pages"] += pages
        counts["unreadable"] += len(found.get("unread", ()))
    progress = Progress(counts["contacts"], max(run.expected, counts["contacts"]), None)
    if run.state == "running" and run.phase in COUNTED_PHASES:
        progress = _progress(run, counts, [state for state, _, _ in chains], now, budget)
    return RunView(
        id=run.id,
        kind=run.kind,
        state=run.state,
        phase=run.phase,
        asked_by=run.asked_by,
        settled_by=run.settled_by,
        reason=run.reason,
        parent_id=run.parent_id,
        counts=dict(counts),
        guard=run.guard,
        drift=_drift(session, run.id, counts),
        progress=progress,
        created_at=run.created_at,
        started_at=run.started_at,
        finished_at=run.finished_at,
    )


def _progress(
    run: SyncRun, counts: Counter[str], chains: Sequence[str], now: datetime, budget: Sequence[ApiBudget]
) -> Progress:
    """Return how far the pages are, by relations where we know how many there are, else by chains."""
    done, total = counts["contacts"], run.expected
    if done > total:
        done, total = sum(state != "open" for state in chains), len(chains)
    if not done or run.started_at is None:
        return Progress(done, total, None)
    rest = (total - done) / done
    by_pace = (now - run.started_at).total_seconds() * rest
    per_minute = next((b.minute_limit - b.minute_reserve for b in budget if b.api == PAGE_API), 0)
    by_budget = counts["pages"] * rest / per_minute * 60 if per_minute > 0 else 0.0
    return Progress(done, total, round(max(by_pace, by_budget)))


def _drift(session: Session, run_id: int, counts: Counter[str]) -> dict[str, int]:
    """Count what differed: what was taken over at once, and what a single look has settled or will."""
    mended = Relation.lost_at.is_not(None) | (Relation.seen_seq > SyncRunItem.asked_seq)
    query = (
        select(SyncRunItem.state, mended, func.count())
        .join(Relation, Relation.id == SyncRunItem.relation_id)
        .where(SyncRunItem.run_id == run_id, SyncRunItem.kind.in_(("removal", "absent")))
        .group_by(SyncRunItem.state, mended)
    )
    found = Counter({"found": counts["adopted"], "mended": counts["adopted"]})
    for state, is_mended, number in session.execute(query):
        found["found"] += number
        found["mended" if state == "asked" and is_mended else "pending"] += 0 if state == "rejected" else number
    return {name: found[name] for name in ("found", "mended", "pending")}
