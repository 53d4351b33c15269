"""`/admin/sync`: how far both sides agree, the run under way, what could not be written, and every run there was."""

from collections.abc import Callable
from typing import Any

from flask import Blueprint, make_response, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.errors import Conflict
from wecom_app.models import SyncRun
from wecom_app.services import (
    audit,
    library,
    library_unlinked,
    revival,
    run_history,
    run_lines,
    run_words,
    runs,
    source_backfill,
    source_leftovers,
    source_preview,
    traffic,
)
from wecom_app.services.run_words import ITEM_WORDS
from wecom_app.web.admin import notices, paging
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR, Role.OPS)
ACT = (Role.ADMIN, Role.OPS)
SEES_CUSTOMERS = (Role.ADMIN, Role.AUDITOR)
PAGE = 20
LINES = 50


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/sync", "sync", overview)
    add("/sync/start", "sync_start", start, methods=["POST"])
    add("/sync/sources", "sync_sources", sources)
    add("/sync/sources", "sync_sources_start", start_sources, methods=["POST"])
    add("/sync/sources/preview", "sync_sources_preview", preview_sources)
    add("/sync/unlinked", "sync_unlinked", unlinked)
    add("/sync/push", "sync_push", push, methods=["POST"])
    add("/sync/revive", "sync_revive", revive, methods=["POST"])
    add("/sync/runs/<int:run_id>", "sync_run", one)
    add("/sync/runs/<int:run_id>/leftovers", "sync_archive_leftovers", archive_leftovers, methods=["POST"])
    add("/sync/runs/<int:run_id>/progress", "sync_progress", progress)
    for name, view in (("approve", approve), ("reject", reject), ("stop", stop), ("resume", resume), ("undo", undo)):
        add(f"/sync/runs/<int:run_id>/{name}", f"sync_{name}", view, methods=["POST"])


@signed_in(*READ)
def overview() -> str:
    """The first page."""
    now, before, budget = runtime().clock.now(), paging.before(), runtime().wecom_status.budget()
    with runtime().read() as session:
        going = run_history.under_way(session, now, budget)
        found = run_history.recent(session, before_id=before, limit=PAGE + 1)
        last = runs.last_pull(session, now)
        failures = revival.failures(session)
        outside = library_unlinked.count(session)
        people = run_history.names_of(session, [run.asked_by for run in found])
    return render_template(
        "admin/sync/overview.html",
        going=going,
        found=found[:PAGE],
        last=last,
        failures=failures,
        outside=outside,
        people=people,
        waiting=traffic.look(runtime()),
        first=url_for("admin.sync") if before else None,
        next=url_for("admin.sync", before=found[PAGE - 1].id) if len(found) > PAGE else None,
        **_words(),
    )


@signed_in(*ACT)
def start() -> Response:
    """Begin a full pull."""
    by, now, queue = _actor(), runtime().clock.now(), runtime().queue
    return _steer("start", "started", lambda session: runs.start_pull(session, queue, by, now))


@signed_in(*READ)
def sources() -> str:
    """What source tags are, and the way to give them; the counting is asked for by the page."""
    return render_template("admin/sync/sources.html", **_words())


@signed_in(*READ)
def preview_sources() -> str:
    """What giving source tags would do now."""
    with runtime().read() as session:
        found = source_preview.preview(session, runtime().wecom_status)
        going = runs.unfinished(session, source_backfill.KIND)
        pull = runs.unfinished(session, "pull")
    return render_template("admin/sync/_sources.html", preview=found, going=going, pull=pull, **_words())


@signed_in(*ACT)
def start_sources() -> Response:
    """Give source tags to customers from before go-live."""
    by, now, queue = _actor(), runtime().clock.now(), runtime().queue
    return _steer("backfill", "sources_started", lambda session: source_backfill.start(session, queue, by, now))


@signed_in(*ACT)
def push() -> Response:
    """Have what waits to be written to WeCom written now, for as many customers as one request takes."""
    done = revival.push_waiting(runtime())
    with runtime().write() as session:
        details = {"cells": done.cells, "customers": done.customers}
        audit.record(session, current_viewer(), "sync.push", "sync:waiting", details, now=runtime().clock.now())
    return notices.back_to("admin.sync", "sync.pushed" if done.cells else "sync.none_waiting")


@signed_in(*ACT)
def revive() -> Response:
    """Try again what could not be written, all of one reason or everything."""
    reason = request.form.get("reason", "")[:200] or None
    done = revival.revive_all(runtime(), reason=reason)
    with runtime().write() as session:
        details = {"cells": done.cells, "customers": done.customers}
        audit.record(session, current_viewer(), "sync.revive", "sync:failures", details, now=runtime().clock.now())
    notice = "none_failed" if not done.cells else "revived" if done.next_cursor is None else "revived_some"
    return notices.back_to("admin.sync", f"sync.{notice}")


@signed_in(*READ)
def unlinked() -> str:
    """Tags that WeCom has and the library has not taken in, and why."""
    after = paging.row_id(request.args.get("after", "")[:20])
    with runtime().read() as session:
        found = library_unlinked.list_page(session, after_id=after, limit=LINES + 1)
        total = library_unlinked.count(session)
    return render_template(
        "admin/sync/unlinked.html",
        found=found[:LINES],
        total=total,
        words=library_unlinked.OBSTACLE_WORDS,
        first=url_for("admin.sync_unlinked") if after else None,
        next=url_for("admin.sync_unlinked", after=found[LINES - 1].id) if len(found) > LINES else None,
        sees_library=current_viewer().may(Role.ADMIN, Role.AUDITOR),
    )


@signed_in(*READ)
def one(run_id: int) -> str:
    """One run: what it waits for, its numbers, and its lines."""
    now, budget = runtime().clock.now(), runtime().wecom_status.budget()
    kind = request.args.get("kind", "")
    kind = kind if kind in ITEM_WORDS else ""
    after = paging.row_id(request.args.get("after", "")[:20])
    with runtime().read() as session:
        run = runs.get_run(session, run_id, now, budget)
        counts = run_lines.count_by_kind(session, run_id)
        lines = run_lines.list_lines(session, run_id, kind=kind or None, after_id=after, limit=LINES + 1)
        undone_by = run_history.undo_of(session, run_id)
        has_changed = run_history.has_changed(session, run_id)
        people = run_history.names_of(session, [run.asked_by, run.settled_by])
        leftovers = source_leftovers.unused(session, run_id)
    page: dict[str, Any] = {"run_id": run_id, **({"kind": kind} if kind else {})}
    return render_template(
        "admin/sync/run.html",
        run=run,
        lines=lines[:LINES],
        kinds=[
            ("", "全部"),
            *((name, f"{ITEM_WORDS[name]}（{counts[name]:,}）") for name in ITEM_WORDS if name in counts),
        ],
        kind=kind,
        undone_by=undone_by,
        has_changed=has_changed,
        leftovers=leftovers,
        people=people,
        first=url_for("admin.sync_run", **page) if after else None,
        next=url_for("admin.sync_run", **page, after=lines[LINES - 1].id) if len(lines) > LINES else None,
        **_words(),
    )


@signed_in(*READ)
def progress(run_id: int) -> Response:
    """How far a run is; its end, or its waiting for somebody, renews the page."""
    now, budget = runtime().clock.now(), runtime().wecom_status.budget()
    with runtime().read() as session:
        run = runs.get_run(session, run_id, now, budget)
    answer = make_response(render_template("admin/sync/_progress.html", run=run, **_words()))
    if run.state not in ("queued", "running"):
        answer.headers["HX-Refresh"] = "true"
    return answer


@signed_in(*ACT)
def approve(run_id: int) -> Response:
    """Let a held run do what its preview lists."""
    by, queue = _actor(), runtime().queue
    return _steer("approve", "approved", lambda session: runs.approve(session, queue, run_id, by), run_id)


@signed_in(*ACT)
def reject(run_id: int) -> Response:
    """End a held run without it."""
    by, queue, now = _actor(), runtime().queue, runtime().clock.now()
    return _steer("reject", "rejected", lambda session: runs.reject(session, queue, run_id, by, now), run_id)


@signed_in(*ACT)
def stop(run_id: int) -> Response:
    """Stop a run that is under way."""
    by, now = _actor(), runtime().clock.now()
    return _steer("stop", "stopped", lambda session: runs.stop(session, run_id, by, now), run_id)


@signed_in(*ACT)
def resume(run_id: int) -> Response:
    """Go on where it was stopped."""
    by, queue = _actor(), runtime().queue
    return _steer("resume", "resumed", lambda session: runs.resume(session, queue, run_id, by), run_id)


@signed_in(*ACT)
def undo(run_id: int) -> Response:
    """Put back what it took over."""
    by, now, queue = _actor(), runtime().clock.now(), runtime().queue
    return _steer("undo", "undoing", lambda session: runs.start_undo(session, queue, run_id, by, now), run_id)


@signed_in(Role.ADMIN)
def archive_leftovers(run_id: int) -> Response:
    """Archive the source tags that an undone back-fill made and nobody has."""
    with runtime().write() as session:
        found = source_leftovers.archive(session, library.context(runtime()), run_id, _actor())
        details = {"tags": [tag.key for tag in found]}
        audit.record(session, current_viewer(), "tag.archive", f"sync_run:{run_id}", details, now=runtime().clock.now())
    return notices.back_to("admin.sync_run", "sync.leftovers_archived", run_id=run_id)


def _steer(verb: str, done: str, act: Callable[[Session], SyncRun], run_id: int | None = None) -> Response:
    """Carry it out and show the run; where the run has moved on meanwhile, show how it stands."""
    try:
        with runtime().write() as session:
            steered = act(session).id
            audit.record(session, current_viewer(), f"sync.{verb}", f"sync_run:{steered}", now=runtime().clock.now())
    except Conflict:
        if run_id is None:
            return notices.back_to("admin.sync", "sync.busy")
        return notices.back_to("admin.sync_run", "sync.refused", run_id=run_id)
    return notices.back_to("admin.sync_run", f"sync.{done}", run_id=steered)


def _words() -> dict[str, object]:
    viewer = current_viewer()
    return {
        "kind_words": run_words.KIND_WORDS,
        "state_words": run_words.STATE_WORDS,
        "phase_words": run_words.PHASE_WORDS,
        "item_words": ITEM_WORDS,
        "result_words": run_words.RESULT_WORDS,
        "count_words": run_words.COUNT_WORDS,
        "may_act": viewer.may(*ACT),
        "sees_customers": viewer.may(*SEES_CUSTOMERS),
        "can_be_undone": runs.BY_CURSOR,
        "was_rejected": runs.was_rejected,
    }


def _actor() -> str:
    viewer = current_viewer()
    return viewer.userid or viewer.name
