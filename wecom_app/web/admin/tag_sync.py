"""`/admin/tags` against WeCom: another attempt, deletion there with a preview first, and what was deleted made anew."""

from collections.abc import Callable

from flask import Blueprint, render_template, request, url_for
from sqlalchemy.orm import Session
from werkzeug.wrappers import Response

from wecom_app.domain.access import Role
from wecom_app.errors import Conflict, NameTaken
from wecom_app.services import library, library_deletions, library_edits, library_recreation, library_retries
from wecom_app.services.library_deletions import DeletionPreview
from wecom_app.services.ports import JobQueue
from wecom_app.web.admin import notices, tag_forms
from wecom_app.web.admin.tags import READ, Answer, actor, record
from wecom_app.web.session import current_viewer, signed_in
from wecom_app.web.state import runtime

PAGE = 50


def register(blueprint: Blueprint) -> None:
    """Add the pages."""
    add = blueprint.add_url_rule
    add("/tags/deleted", "tags_deleted", deleted)
    add("/tags/items/<key>/retry", "tags_retry", retry_tag, methods=["POST"])
    add("/tags/items/<key>/recreate", "tags_recreate", recreate_tag, methods=["POST"])
    add("/tags/items/<key>/deletion", "tags_deletion", preview_tag)
    add("/tags/items/<key>/deletion", "tags_delete", delete_tag, methods=["POST"])
    add("/tags/groups/<key>/retry", "tags_group_retry", retry_group, methods=["POST"])
    add("/tags/groups/<key>/recreate", "tags_group_recreate", recreate_group, methods=["POST"])
    add("/tags/groups/<key>/deletion", "tags_group_deletion", preview_group)
    add("/tags/groups/<key>/deletion", "tags_group_delete", delete_group, methods=["POST"])


@signed_in(*READ)
def deleted() -> str:
    """The tags that were deleted in WeCom, each to be made anew."""
    text = request.args.get("after", "")[:18]
    after = int(text) if text.isascii() and text.isdigit() else 0
    with runtime().read() as session:
        found = library_recreation.deleted(session, after_id=after, limit=PAGE + 1)
    more = url_for("admin.tags_deleted", after=found[PAGE - 1][0].id) if len(found) > PAGE else None
    return render_template(
        "admin/tags/deleted.html", found=found[:PAGE], next=more, may_edit=current_viewer().may(Role.ADMIN)
    )


@signed_in(Role.ADMIN)
def retry_tag(key: str) -> Response:
    """Have a tag told to WeCom once more."""
    with runtime().write() as session:
        tag = library_retries.retry_tag(session, runtime().queue, key)
        record(session, "tag.retry", f"tag:{key}")
        group = library_edits.find_tag(session, tag.key, archived=True)[1].key
    return notices.back_to("admin.tags_group", "tags.retried", key=group)


@signed_in(Role.ADMIN)
def retry_group(key: str) -> Response:
    """Have a group and its tags told to WeCom once more."""
    with runtime().write() as session:
        library_retries.retry_group(session, runtime().queue, key)
        record(session, "tag_group.retry", f"tag_group:{key}")
    return notices.back_to("admin.tags_group", "tags.retried", key=key)


@signed_in(Role.ADMIN)
def recreate_tag(key: str) -> Response:
    """Have a deleted tag made anew, and everybody marked again."""
    return _recreate("tag", key, library_recreation.request_tag)


@signed_in(Role.ADMIN)
def recreate_group(key: str) -> Response:
    """Have all deleted tags of a group made anew."""
    return _recreate("tag_group", key, library_recreation.request_group)


@signed_in(Role.ADMIN)
def preview_tag(key: str) -> str:
    """What deleting a tag in WeCom would cost, and the button."""
    with runtime().read() as session:
        tag, group = library_edits.find_tag(session, key, archived=True)
        found = library_deletions.preview_tag(session, key)
    return _preview(tag.name, found, url_for("admin.tags_delete", key=key), group.key)


@signed_in(Role.ADMIN)
def delete_tag(key: str) -> Answer:
    """Archive a tag and have it deleted in WeCom, as the preview said."""
    try:
        with runtime().write() as session:
            context = library.context(runtime())
            library_deletions.request_tag(session, context, key, cascade=True, actor=actor())
            record(session, "tag.delete", f"tag:{key}")
            group = library_edits.find_tag(session, key, archived=True)[1].key
    except Conflict:
        return preview_tag(key), 409
    return notices.back_to("admin.tags_group", "tags.deleting", key=group)


@signed_in(Role.ADMIN)
def preview_group(key: str) -> str:
    """What deleting a group in WeCom would cost, and the button."""
    with runtime().read() as session:
        group = library_edits.find_group(session, key, archived=True)
        found = library_deletions.preview_group(session, key)
    return _preview(group.name, found, url_for("admin.tags_group_delete", key=key), group.key)


@signed_in(Role.ADMIN)
def delete_group(key: str) -> Answer:
    """Archive a group and have it deleted in WeCom, as the preview said."""
    try:
        with runtime().write() as session:
            context = library.context(runtime())
            library_deletions.request_group(session, context, key, cascade=True, actor=actor())
            record(session, "tag_group.delete", f"tag_group:{key}")
    except Conflict:
        return preview_group(key), 409
    return notices.back_to("admin.tags", "tags.deleting")


def _preview(name: str, found: DeletionPreview, url: str, group_key: str) -> str:
    return render_template(
        "admin/tags/deletion.html", name=name, found=found, url=url, group_key=group_key, kinds=tag_forms.USE_WORDS
    )


def _recreate(noun: str, key: str, request_again: Callable[[Session, JobQueue, str], object]) -> Response:
    """Ask for what was deleted to be made anew; say where that cannot be."""
    words = "tags.recreating"
    try:
        with runtime().write() as session:
            request_again(session, runtime().queue, key)
            record(session, f"{noun}.recreate", f"{noun}:{key}")
    except NameTaken:
        words = "tags.recreate_taken"
    except Conflict:
        words = "tags.recreate_alive"
    return notices.back_to("admin.tags_deleted", words)
