"""Carries changes of the library out: one page a job, the next asked for in the same transaction; undo likewise."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass

from sqlalchemy.orm import Session

from wecom_app.domain.keys import Slugify
from wecom_app.errors import Conflict
from wecom_app.models import ChangeSet, LibraryChange
from wecom_app.services import library_changes, mirror_costs, push_backlog, selection_changes, tag_merges
from wecom_app.services.context import Context
from wecom_app.services.library_changes import Actor, Place
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime, Store


@dataclass(frozen=True)
class Kind:
    """What a kind of change does: where there is something to do, a page of it, and the undo of all but the customers.

    `look` reads before the page's transaction, for it may take longer than others can wait for the writer;
    `advance` returns False where nothing is left.
    """

    look: Callable[[Session, LibraryChange], list[Place]]
    advance: Callable[[Session, Context, LibraryChange, Sequence[Place]], bool]
    begin_undo: Callable[[Session, Context, LibraryChange, str], None]
    look_back: Callable[[Session, LibraryChange], list[Place]] = library_changes.nowhere
    put_back: Callable[[Session, Context, LibraryChange, Sequence[Place]], bool] = library_changes.put_back
    finish: Callable[[Session, Context, LibraryChange], None] = library_changes.nothing_more


KINDS: Mapping[str, Kind] = {
    tag_merges.MERGE: Kind(
        tag_merges.look,
        tag_merges.advance,
        tag_merges.begin_undo,
        tag_merges.look_back,
        tag_merges.put_back,
        tag_merges.finish,
    ),
    selection_changes.SINGLE: Kind(selection_changes.look, selection_changes.advance, selection_changes.begin_undo),
    mirror_costs.MIRROR: Kind(mirror_costs.look, mirror_costs.advance, mirror_costs.refuse_undo),
}


def run(runtime: Runtime, args: JobArgs) -> None:
    """Do one page of a change, and ask for the next."""
    change_id = int(args["change_id"])
    if push_backlog.is_full(runtime):
        with runtime.write() as session:
            library_changes.request(session, runtime.queue, change_id, run_at=runtime.clock.now() + push_backlog.PAUSE)
        return
    step(runtime, runtime.slugify, change_id)
    runtime.crash_point("library_change.after_page")


def step(store: Store, slugify: Slugify, change_id: int) -> bool:
    """Do one page in one transaction; return whether more is left."""
    with store.read() as session:
        change = library_changes.find(session, change_id)
        kind, before = KINDS[change.kind], change.state
        look = {"running": kind.look, "undoing": kind.look_back}.get(before, library_changes.nowhere)
        places = look(session, change)
    with store.write() as session:
        context = Context(store.queue, slugify, store.clock.now())
        change = library_changes.find(session, change_id, lock=True)
        if change.state not in library_changes.AT_WORK:
            return False
        if change.state != before:
            # Its undo was asked for meanwhile.
            is_more = True
        elif change.state == "undoing":
            is_more = kind.put_back(session, context, change, places)
        else:
            is_more = kind.advance(session, context, change, places)
        if is_more:
            library_changes.request(session, store.queue, change_id)
        elif change.state == "undoing":
            change.state, change.undone_at = "undone", context.now
        else:
            change.state, change.finished_at = "done", context.now
            kind.finish(session, context, change)
        return is_more


def undo(session: Session, context: Context, change_id: int, actor: Actor) -> LibraryChange:
    """Have a change taken back within seven days; raise NotFound or Conflict."""
    change = library_changes.find(session, change_id, lock=True)
    if change.state in ("undoing", "undone"):
        return change
    until = library_changes.undo_until(change)
    if until is not None and context.now >= until:
        raise Conflict(f"只能在 {library_changes.UNDO_FOR.days} 天内撤销")
    KINDS[change.kind].begin_undo(session, context, change, actor.name)
    change_set = ChangeSet(
        at=context.now,
        actor_kind=actor.kind,
        actor_ref=actor.name,
        reason="撤销标签库改动",
        parent_id=change.change_set_id,
    )
    session.add(change_set)
    session.flush()
    change.state, change.undone_by, change.undo_change_set_id = "undoing", actor.name, change_set.id
    library_changes.request(session, context.queue, change.id)
    return change
