"""`/admin/tags/…/merge`, `…/single`, `…/mirror`: what a change would do to every customer, the change, and its undo."""

from collections.abc import Callable

from flask import Blueprint, redirect, render_template, request, url_for
from sqlalchemy import select
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.domain.vocabulary import Lifecycle, Mirror
from wecom_app.errors import AppError, Conflict, InvalidInput, NotFound
from wecom_app.models import LibraryChange, Tag, TagGroup
from wecom_app.services import (
    audit,
    library,
    library_change_jobs,
    library_changes,
    library_edits,
    merge_deletions,
    mirror_costs,
    selection_changes,
    tag_merges,
)
from wecom_app.services.context import Context
from wecom_app.services.library_changes import Actor
from wecom_app.services.merge_deletions import DeletionState
from wecom_app.services.undo import KEPT_WORDS
from wecom_app.web.admin import notices, tag_forms
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

READ = (Role.ADMIN, Role.AUDITOR)
MOST_CHOICES = 500
MOST_KEPT = 50
STATE_WORDS = {"running": "进行中", "done": "已完成", "undoing": "正在撤销", "undone": "已撤销"}
STATE_MARKS = {"running": "pending", "done": "synced", "undoing": "pending", "undone": "local"}
DELETION_MARKS = {
    "kept": "local",
    "none": "local",
    "waiting": "pending",
    "deleting": "pending",
    "failed": "failed",
    "deleted": "synced",
}
USE_WORDS = {**tag_forms.USE_WORDS, "tag": "标签"}
Answer = str | Response | tuple[str, int]


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/tags/items/<key>/merge", "tags_merge", merge)
    add("/tags/items/<key>/merge", "tags_merge_start", start_merge, methods=["POST"])
    add("/tags/groups/<key>/single", "tags_single", single)
    add("/tags/groups/<key>/single", "tags_single_start", start_single, methods=["POST"])
    add("/tags/groups/<key>/mirror", "tags_mirror", mirror)
    add("/tags/groups/<key>/mirror", "tags_mirror_start", start_mirror, methods=["POST"])
    add("/tags/changes", "tags_changes", changes)
    add("/tags/changes/<int:change_id>", "tags_change", change)
    add("/tags/changes/<int:change_id>/progress", "tags_change_progress", progress)
    add("/tags/changes/<int:change_id>/deletion", "tags_change_deletion", delete_merged, methods=["POST"])
    add("/tags/items/<key>/merged", "tags_merged", merged)
    add("/tags/changes/<int:change_id>/undo", "tags_change_undo", undo, methods=["POST"])


@signed_in(Role.ADMIN)
def merge(key: str) -> Answer:
    """Choose the tag that this one goes into, and see what that would do."""
    return _merge_page(key, request.args.get("into", "")[:200], looked_for=request.args.get("q", "").strip()[:64])


@signed_in(Role.ADMIN)
def start_merge(key: str) -> Answer:
    """Merge into the tag that was looked at."""
    into, deletes = request.form.get("into", "")[:200], request.form.get("delete_at_wecom") == "yes"
    try:
        with runtime().read() as session:
            expected = tag_merges.count_expected(session, key, into)
        return _begun(
            "tag.merge",
            lambda session, by: tag_merges.start(
                session, _context(), key, into, by, expected=expected, delete_at_wecom=deletes
            ),
        )
    except (Conflict, InvalidInput) as error:
        return _merge_page(key, into, error)


@signed_in(*READ)
def single(key: str) -> str:
    """What turning a group single-choice would do."""
    with runtime().read() as session:
        found = selection_changes.preview(session, key, runtime().clock.now())
    return render_template("admin/tag_changes/single.html", found=found, seconds=_seconds(found.calls))


@signed_in(Role.ADMIN)
def start_single(key: str) -> Answer:
    """Turn a group single-choice."""
    with runtime().read() as session:
        expected = selection_changes.count_expected(session, key)
    return _begun(
        "tag_group.single",
        lambda session, by: selection_changes.start(session, _context(), key, by, expected=expected),
    )


@signed_in(*READ)
def mirror(key: str) -> str:
    """What taking a group to WeCom would cost."""
    wanted = _mirror(request.args.get("mirror", ""))
    pace, most, now = runtime().wecom_status, runtime().settings.wecom_tag_limit, runtime().clock.now()
    with runtime().read() as session:
        found = mirror_costs.preview(session, key, wanted, now, most=most, pace=pace)
    return render_template(
        "admin/tag_changes/mirror.html", found=found, words=tag_forms.MIRROR_WORDS, share_words=mirror_costs.share_words
    )


@signed_in(Role.ADMIN)
def start_mirror(key: str) -> Answer:
    """Take a group to WeCom."""
    wanted = _mirror(request.form.get("mirror", ""))
    with runtime().read() as session:
        expected = mirror_costs.count_expected(session, key)
    return _begun(
        "tag_group.mirror",
        lambda session, by: mirror_costs.start(session, _context(), key, wanted, by, expected=expected),
    )


@signed_in(*READ)
def changes() -> str:
    """The changes of late, newest first."""
    with runtime().read() as session:
        found = library_changes.list_changes(session)
    return render_template("admin/tag_changes/list.html", changes=found, states=STATE_WORDS, marks=STATE_MARKS)


@signed_in(*READ)
def change(change_id: int) -> str:
    """One change: how far it is, what an undo left, and the undo."""
    with runtime().read() as session:
        found = library_changes.find(session, change_id)
        deletion = merge_deletions.state_of(session, found)
        kept = library_changes.kept_items(session, change_id, limit=MOST_KEPT)
    return _change_page("admin/tag_changes/change.html", found, deletion, kept=kept, reasons=KEPT_WORDS)


@signed_in(*READ)
def progress(change_id: int) -> str:
    """The part of a change's page that moves."""
    with runtime().read() as session:
        found = library_changes.find(session, change_id)
        deletion = merge_deletions.state_of(session, found)
    return _change_page("admin/tag_changes/_progress.html", found, deletion)


@signed_in(*READ)
def merged(key: str) -> Response:
    """To the merge by which a tag went into another."""
    with runtime().read() as session:
        found = tag_merges.find_merge(session, key)
    return redirect(url_for("admin.tags_change", change_id=found.id))


@signed_in(Role.ADMIN)
def delete_merged(change_id: int) -> Answer:
    """Have the tag of a merge deleted in WeCom once its marks have moved, or try again."""

    def ask(session: Session, _: Actor) -> LibraryChange:
        found = library_changes.find(session, change_id, lock=True)
        merge_deletions.request(session, _context(), found)
        return found

    return _begun("tag.delete", ask, notice="tags.merged_deleting")


@signed_in(Role.ADMIN)
def undo(change_id: int) -> Answer:
    """Have a change taken back."""
    return _begun(
        "library_change.undo", lambda session, by: library_change_jobs.undo(session, _context(), change_id, by)
    )


def _context() -> Context:
    return library.context(runtime())


def _begun(action: str, act: Callable[[Session, Actor], LibraryChange], *, notice: str = "tags.changing") -> Response:
    viewer, now = current_viewer(), runtime().clock.now()
    by = Actor("staff" if viewer.userid else "admin", viewer.userid or viewer.name)
    with runtime().write() as session:
        change_id = act(session, by).id
        audit.record(session, viewer, action, f"library_change:{change_id}", now=now)
    return notices.back_to("admin.tags_change", notice, change_id=change_id)


def _merge_page(key: str, into: str, refusal: AppError | None = None, *, looked_for: str = "") -> Answer:
    found = None
    with runtime().read() as session:
        tag, group = library_edits.find_tag(session, key)
        choices = _choices(session, tag, group, looked_for)
        if into and refusal is None:
            try:
                found = tag_merges.preview(session, key, into, runtime().clock.now())
            except (Conflict, InvalidInput, NotFound) as error:
                refusal = error
    page = render_template(
        "admin/tag_changes/merge.html",
        tag=tag,
        group=group,
        choices=[("", "请选择" if choices else "没有可以合并到的标签"), *choices[:MOST_CHOICES]],
        most_choices=MOST_CHOICES if len(choices) > MOST_CHOICES else None,
        looked_for=looked_for,
        into=into,
        found=found,
        refusal=refusal.message if refusal else "",
        seconds=_seconds(found.calls) if found else None,
        deletion_warning=merge_deletions.WARNING.format(name=tag.name),
        kinds=USE_WORDS,
    )
    return page if refusal is None else (page, refusal.http_status)


def _choices(session: Session, tag: Tag, group: TagGroup, looked_for: str) -> list[tuple[str, str]]:
    """Return the tags that this one could go into, those of its own group first, and one more than are shown."""
    query = (
        select(Tag.key, Tag.name, TagGroup.name)
        .join(TagGroup, TagGroup.id == Tag.group_id)
        .where(
            Tag.id != tag.id,
            Tag.archived_at.is_(None),
            Tag.gone_at.is_(None),
            Tag.lifecycle == Lifecycle.ACTIVE,
            TagGroup.lifecycle == Lifecycle.ACTIVE,
            TagGroup.scope == group.scope,
            TagGroup.mirror != Mirror.PULL,
            Tag.name.contains(looked_for, autoescape=True) | TagGroup.name.contains(looked_for, autoescape=True),
        )
        .order_by(TagGroup.id != group.id, TagGroup.id, Tag.position.desc(), Tag.id)
        .limit(MOST_CHOICES + 1)
    )
    return [(row[0], f"{row[1]}（{row[2]}）") for row in session.execute(query)]


def _mirror(text: str) -> Mirror:
    return Mirror(text) if text in (Mirror.TWO_WAY, Mirror.PUSH) else Mirror.TWO_WAY


def _seconds(calls: int) -> float | None:
    return runtime().wecom_status.push_time_s(calls)


def _change_page(template: str, found: LibraryChange, deletion: DeletionState | None, **more: object) -> str:
    until = library_changes.undo_until(found)
    keys = {name: found.details[name]["key"] for name in ("source", "target", "group") if name in found.details}
    return render_template(
        template,
        change=found,
        deletion=deletion,
        deletion_mark=DELETION_MARKS[deletion.state] if deletion else "",
        deletion_warning=merge_deletions.WARNING.format(name=found.details["source"]["name"]) if deletion else "",
        state=STATE_WORDS[found.state],
        mark=STATE_MARKS[found.state],
        undo_until=until if until is not None and until > runtime().clock.now() else None,
        back=url_for("admin.tags_tag", key=keys["target"])
        if "target" in keys
        else url_for("admin.tags_group", key=keys["group"]),
        uses_kept=found.details.get("uses_kept", ()),
        kinds=USE_WORDS,
        **more,
    )
