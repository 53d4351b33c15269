"""Source tags for customers from before go-live, by the state and the way in which they were added.

A run of sync of its own, page by page in short transactions. What it gives goes through `tagging.apply` as a channel's
tags do: nothing is removed, what a person took off stays off, and undoing the run puts everything back. Called by the
console, the API and the command `sync backfill`.
"""

from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime
from typing import Any

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.domain.tagging import Source
from wecom_app.domain.vocabulary import Scope, SourceKind
from wecom_app.errors import Conflict
from wecom_app.models import ChangeSet, Channel, Relation, SyncRun
from wecom_app.models.tagging import CUSTOMER_LEVEL
from wecom_app.services import (
    back_tagging,
    customers,
    library,
    push_backlog,
    run_ends,
    runs,
    source_leftovers,
    source_origins,
    sources,
    tagging,
    taxonomy,
)
from wecom_app.services.context import Context
from wecom_app.services.history import Act
from wecom_app.services.ports import JobArgs, JobQueue
from wecom_app.services.runtime import Runtime
from wecom_app.services.source_origins import BEFORE_GO_LIVE, Origin, Placed
from wecom_app.services.tagging import TagChange

KIND = "sources"
MOST_ON_PAGE = 200
CHANGES_ON_PAGE = 120
"""Each change writes four rows: a page stays within a short write transaction."""
STEPS = 50
"""Pages in one job, so that the lane's other jobs get their turn."""
PULL_FIRST = "全量同步还没有结束：请等它结束再补打来源标签"
REASON = "补打来源标签"


@dataclass(frozen=True)
class Wish:
    """A tag for the customer of a relation."""

    relation_id: int
    change: TagChange


def start(session: Session, queue: JobQueue, asked_by: str, now: datetime) -> SyncRun:
    """Have the source tags given; raise Conflict while that, or a full pull, is not over."""
    standing = runs.unfinished(session, KIND)
    if standing is not None:
        raise Conflict(f"正在补打来源标签（编号 {standing.id}）", details={"run_id": standing.id})
    pull = runs.unfinished(session, "pull")
    if pull is not None:
        raise Conflict(PULL_FIRST, details={"run_id": pull.id})
    change_set = ChangeSet(at=now, actor_kind="channel", actor_ref=asked_by[:128], reason=REASON)
    session.add(change_set)
    session.flush()
    run = SyncRun(
        kind=KIND,
        state="running",
        phase=KIND,
        asked_by=asked_by[:64],
        expected=session.scalar(select(func.count()).select_from(Relation).where(*BEFORE_GO_LIVE)) or 0,
        change_set_id=change_set.id,
        created_at=now,
        started_at=now,
    )
    session.add(run)
    session.flush()
    runs.enqueue(session, queue, runs.SOURCES_KIND, run.id)
    return run


def run(runtime: Runtime, args: JobArgs) -> None:
    """Go through the next pages; running it again goes on where it ended."""
    run_id = int(args["run_id"])
    for _ in range(STEPS):
        is_full = push_backlog.is_full(runtime)
        with runtime.write() as session:
            standing = runs.locked(session, run_id)
            if standing.state != "running":
                return
            context = library.context(runtime)
            if is_full:
                later = context.now + push_backlog.PAUSE
                runs.enqueue(session, runtime.queue, runs.SOURCES_KIND, run_id, run_at=later)
                return
            if not _take_page(session, context, standing):
                run_ends.end(runtime, standing, "done")
                return
            runtime.crash_point("sources.before_commit")
    with runtime.write() as session:
        runs.enqueue(session, runtime.queue, runs.SOURCES_KIND, run_id)


def _take_page(session: Session, context: Context, standing: SyncRun) -> bool:
    """Tag the customers of the next relations; return whether there were any."""
    query = (
        select(Relation.id, Relation.customer_id)
        .where(*BEFORE_GO_LIVE, Relation.id > standing.cursor)
        .order_by(Relation.id)
        .limit(MOST_ON_PAGE)
    )
    rows = session.execute(query).all()
    if not rows:
        return False
    customers.lock(session, sorted({row.customer_id for row in rows}))
    # Read under the lock: a callback may have ended a friendship or begun it anew meanwhile.
    page = source_origins.place(session, [row.id for row in rows])
    wishes, cut = _within_room(_wishes(session, context, standing.id, page))
    changes = [wish.change for wish in wishes]
    act = Act("channel", actor_ref=standing.asked_by, reason=REASON, parent_id=standing.change_set_id)
    applied = tagging.apply(session, changes, act, queue=context.queue, now=context.now)
    standing.cursor = rows[-1].id if cut is None else cut
    passed = [one for one in page if one.relation.id <= standing.cursor]
    counts = Counter(one.why for one in passed if one.origin is None)
    counts.update(contacts=sum(row.id <= standing.cursor for row in rows), assigned=len(changes) - len(applied.skipped))
    standing.counts = dict(Counter(standing.counts) + counts)
    return True


def _within_room(wishes: Iterable[Wish]) -> tuple[list[Wish], int | None]:
    """Return as many wishes as one transaction takes, and the relation after which there was no room for more."""
    found = sorted(wishes, key=lambda wish: wish.relation_id)
    if len(found) <= CHANGES_ON_PAGE:
        return found, None
    first_over = found[CHANGES_ON_PAGE].relation_id
    kept = [wish for wish in found if wish.relation_id < first_over]
    kept = kept or [wish for wish in found if wish.relation_id == first_over]
    return kept, kept[-1].relation_id


def _wishes(session: Session, context: Context, run_id: int, page: Sequence[Placed]) -> Iterable[Wish]:
    """Return what the customers of these relations are to get and have not got."""
    members: dict[Origin, dict[int, Relation]] = {}
    for one in page:
        if one.origin is not None:
            members.setdefault(one.origin, {})[one.relation.id] = one.relation
    for origin, relations in members.items():
        yield from _wishes_of(session, _tag_ids(session, context, run_id, origin), origin, relations)


def _wishes_of(
    session: Session, tag_ids: Sequence[int], origin: Origin, relations: Mapping[int, Relation]
) -> Iterable[Wish]:
    given = back_tagging.plan(session, tag_ids)
    channel = None if origin.channel_id is None else session.get_one(Channel, origin.channel_id)
    for tag_id in tag_ids:
        query = select(Relation.id).where(Relation.id.in_(relations), *back_tagging.wanting(given, tag_id))
        for relation_id in session.scalars(query.order_by(Relation.id)):
            relation = relations[relation_id]
            level = relation_id if given.facts.tags[tag_id].scope == Scope.RELATION else CUSTOMER_LEVEL
            source = Source(SourceKind.CHANNEL, _ref(origin, relation))
            evidence = _evidence(channel, relation)
            yield Wish(relation_id, TagChange(relation.customer_id, tag_id, True, source, evidence, level))


def _tag_ids(session: Session, context: Context, run_id: int, origin: Origin) -> list[int]:
    if origin.channel_id is not None:
        return sources.live_tag_ids(session, origin.channel_id)
    is_new = sources.find_source_tag(session, origin.name) is None
    tag_id = taxonomy.ensure_source_tag(session, context, origin.name)
    if is_new:
        source_leftovers.note(session, run_id, tag_id)
    return [tag_id]


def _ref(origin: Origin, relation: Relation) -> str:
    """As `sources` writes it for customers who come now."""
    return f"{sources.ADD_WAY_REF}{relation.add_way or 0}" if origin.channel_id is None else str(origin.channel_id)


def _evidence(channel: Channel | None, relation: Relation) -> dict[str, Any]:
    if channel is not None:
        return {"before_go_live": True, **back_tagging.evidence_of(channel, relation)}
    return {
        "before_go_live": True,
        "add_way": relation.add_way,
        "state": relation.state,
        "relation_id": relation.id,
        "added_at": (relation.epoch_at or relation.opened_at).isoformat(),
    }
