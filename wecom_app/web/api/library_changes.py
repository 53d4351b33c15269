"""`/api/v1/library-changes` and what begins them: tags merged, groups turned single-choice or taken to WeCom."""

from collections.abc import Callable

from pydantic import BaseModel
from sqlalchemy.orm import Session

from wecom_app.domain.vocabulary import Mirror
from wecom_app.models import LibraryChange, Tag, TagGroup
from wecom_app.services import (
    library,
    library_change_jobs,
    library_changes,
    merge_deletions,
    mirror_costs,
    selection_changes,
    tag_merges,
)
from wecom_app.services.accounts import KeyScope
from wecom_app.services.library_changes import Actor
from wecom_app.services.mirror_costs import MirrorCost
from wecom_app.services.selection_changes import SelectionPreview
from wecom_app.services.tag_merges import MergePreview
from wecom_app.services.undo import KEPT_WORDS
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page, PageQuery
from wecom_app.web.api.schemas_library_changes import (
    KeptCustomerOut,
    KeptQuery,
    LibraryChangeOut,
    MergedTagOut,
    MergeIn,
    MergePreviewOut,
    MergeQuery,
    MirrorIn,
    MirrorPreviewOut,
    MirrorQuery,
    RewrittenUse,
    SelectionPreviewOut,
    SelectionValueOut,
    TagName,
    UseKept,
)


def preview_merge(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return merge_out(tag_merges.preview(session, call.path["key"], call.query.into, call.runtime.clock.now()))


def merge_tag(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        expected = tag_merges.count_expected(session, call.path["key"], call.body.into)
    return _begun(
        call,
        lambda session, actor: tag_merges.start(
            session,
            library.context(call.runtime),
            call.path["key"],
            call.body.into,
            actor,
            expected=expected,
            delete_at_wecom=call.body.delete_at_wecom,
        ),
    )


def unmerge_tag(call: Call) -> BaseModel:
    def undo(session: Session, actor: Actor) -> LibraryChange:
        change = tag_merges.find_merge(session, call.path["key"])
        return library_change_jobs.undo(session, library.context(call.runtime), change.id, actor)

    return _begun(call, undo)


def preview_single(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return selection_out(selection_changes.preview(session, call.path["key"], call.runtime.clock.now()))


def turn_single(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        expected = selection_changes.count_expected(session, call.path["key"])
    return _begun(
        call,
        lambda session, actor: selection_changes.start(
            session, library.context(call.runtime), call.path["key"], actor, expected=expected
        ),
    )


def preview_mirror(call: Call) -> BaseModel:
    runtime = call.runtime
    with runtime.read() as session:
        return mirror_out(
            mirror_costs.preview(
                session,
                call.path["key"],
                Mirror(call.query.mirror),
                runtime.clock.now(),
                most=runtime.settings.wecom_tag_limit,
                pace=runtime.wecom_status,
            )
        )


def start_mirror(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        expected = mirror_costs.count_expected(session, call.path["key"])
    return _begun(
        call,
        lambda session, actor: mirror_costs.start(
            session, library.context(call.runtime), call.path["key"], call.body.mirror, actor, expected=expected
        ),
    )


def list_changes(call: Call) -> BaseModel:
    query: PageQuery = call.query
    with call.runtime.read() as session:
        found = library_changes.list_changes(session, before_id=query.cursor, limit=query.limit + 1)
        return Page[LibraryChangeOut](
            **page_of(found, query.limit, lambda change: change.id, lambda change: change_out(session, change))
        )


def get_change(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return change_out(session, library_changes.find(session, call.path["change_id"]))


def list_kept(call: Call) -> BaseModel:
    query: KeptQuery = call.query
    with call.runtime.read() as session:
        change = library_changes.find(session, call.path["change_id"])
        found = library_changes.kept_items(session, change.id, after_id=query.cursor, limit=query.limit + 1)
    return Page[KeptCustomerOut](
        **page_of(
            found,
            query.limit,
            lambda row: row[0].id,
            lambda row: KeptCustomerOut.model_validate(
                {"external_userid": row[1], "reason": row[0].reason, "message": KEPT_WORDS[row[0].reason or ""]}
            ),
        )
    )


def undo_change(call: Call) -> BaseModel:
    return _begun(
        call,
        lambda session, actor: library_change_jobs.undo(
            session, library.context(call.runtime), call.path["change_id"], actor
        ),
    )


def _begun(call: Call, act: Callable[[Session, Actor], LibraryChange]) -> BaseModel:
    with call.runtime.write() as session:
        return change_out(session, act(session, Actor("api", call.caller.name)))


def name_of(one: Tag | TagGroup) -> TagName:
    return TagName(key=one.key, name=one.name)


def merge_out(found: MergePreview) -> MergePreviewOut:
    """Return the preview of a merge as the API and the command show it."""
    figures = ("customers_source", "customers_target", "customers_both", "relations", "contested", "calls", "as_of")
    return MergePreviewOut(
        source=name_of(found.pair.source),
        target=name_of(found.pair.target),
        **{name: getattr(found, name) for name in figures},
        uses=[RewrittenUse.model_validate(use, from_attributes=True) for use in found.uses],
        notes=list(found.notes),
        deletion_refusal=found.deletion_refusal,
    )


def selection_out(found: SelectionPreview) -> SelectionPreviewOut:
    """Return what turning a group single-choice would do as the API and the command show it."""
    return SelectionPreviewOut(
        group=name_of(found.group),
        customers=found.customers,
        several=found.several,
        values=[
            SelectionValueOut(key=one.tag.key, name=one.tag.name, kept=one.kept, lost=one.lost) for one in found.values
        ],
        calls=found.calls,
        as_of=found.as_of,
    )


def mirror_out(found: MirrorCost) -> MirrorPreviewOut:
    """Return what mirroring costs as the API and the command show it."""
    names = set(MirrorPreviewOut.model_fields) - {"group", "tags_most"}
    return MirrorPreviewOut(
        group=name_of(found.group), tags_most=found.tags_most, **{name: getattr(found, name) for name in names}
    )


def change_out(session: Session, change: LibraryChange) -> LibraryChangeOut:
    """Return a change as the API and the command show it."""
    names = set(LibraryChangeOut.model_fields) - {"words", "uses_kept", "undo_until", "merged_tag"}
    merged = merge_deletions.state_of(session, change)
    return LibraryChangeOut(
        **{name: getattr(change, name) for name in names},
        words=change.details.get("reason", ""),
        uses_kept=[UseKept.model_validate(one) for one in change.details.get("uses_kept", ())],
        undo_until=library_changes.undo_until(change),
        merged_tag=None if merged is None else MergedTagOut.model_validate(merged, from_attributes=True),
    )


ONE = "/library-changes/<int:change_id>"
ENDPOINTS = (
    Endpoint(
        "GET",
        "/tags/<key>/merge-preview",
        KeyScope.READ,
        "把标签合并到另一个之前：客户数、好友关系、调用次数、会改写的使用者",
        preview_merge,
        MergePreviewOut,
        MergeQuery,
    ),
    Endpoint(
        "POST",
        "/tags/<key>/merge",
        KeyScope.WRITE,
        "把标签合并到另一个：使用者立即改写，客户分批改；7 天内可撤销；可选从企业微信删除旧标签",
        merge_tag,
        LibraryChangeOut,
        body=MergeIn,
        status=202,
    ),
    Endpoint(
        "POST",
        "/tags/<key>/unmerge",
        KeyScope.WRITE,
        "撤销这个标签最近一次合并；之后又有改动的客户保持现状",
        unmerge_tag,
        LibraryChangeOut,
        status=202,
    ),
    Endpoint(
        "GET",
        "/tag-groups/<key>/single-preview",
        KeyScope.READ,
        "改为单选之前：多少客户同时有几个，会留下哪个",
        preview_single,
        SelectionPreviewOut,
    ),
    Endpoint(
        "POST",
        "/tag-groups/<key>/single",
        KeyScope.WRITE,
        "改为单选：每位客户留下来源优先级最高的值，分批改；7 天内可撤销",
        turn_single,
        LibraryChangeOut,
        status=202,
    ),
    Endpoint(
        "GET",
        "/tag-groups/<key>/mirror-preview",
        KeyScope.READ,
        "同步到企业微信之前：首次和每天要花多少调用",
        preview_mirror,
        MirrorPreviewOut,
        MirrorQuery,
    ),
    Endpoint(
        "POST",
        "/tag-groups/<key>/mirror",
        KeyScope.WRITE,
        "把只在本系统的标签组同步到企业微信，客户分批推送",
        start_mirror,
        LibraryChangeOut,
        body=MirrorIn,
        status=202,
    ),
    Endpoint(
        "GET",
        "/library-changes",
        KeyScope.READ,
        "标签库的改动，新的在前",
        list_changes,
        Page[LibraryChangeOut],
        PageQuery,
    ),
    Endpoint("GET", ONE, KeyScope.READ, "一次标签库改动：进度与结果", get_change, LibraryChangeOut),
    Endpoint("GET", f"{ONE}/kept", KeyScope.READ, "撤销时保持现状的客户", list_kept, Page[KeptCustomerOut], KeptQuery),
    Endpoint(
        "POST",
        f"{ONE}/undo",
        KeyScope.WRITE,
        "撤销一次合并或改单选；之后又有改动的客户保持现状",
        undo_change,
        LibraryChangeOut,
        status=202,
    ),
)
