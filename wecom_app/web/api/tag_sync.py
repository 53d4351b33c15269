"""`/api/v1/tags` and `/tag-groups` against WeCom: another attempt, deletion there with a preview, and its undoing."""

from pydantic import BaseModel

from wecom_app.services import library, library_deletions, library_recreation, library_retries
from wecom_app.services.accounts import KeyScope
from wecom_app.services.library_deletions import DeletionPreview
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import GroupOut, Page, PageQuery, TagOut
from wecom_app.web.api.schemas_library import ArchiveIn, DeletionOut, RetriedOut
from wecom_app.web.api.tags import as_it_stands, tag_out, whole_tag


def deleted_tags(call: Call) -> BaseModel:
    query: PageQuery = call.query
    with call.runtime.read() as session:
        found = library_recreation.deleted(session, after_id=query.cursor, limit=query.limit + 1)
    return Page[TagOut](**page_of(found, query.limit, lambda row: row[0].id, lambda row: tag_out(*row)))


def recreate_tag(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        tag = library_recreation.request_tag(session, call.runtime.queue, call.path["key"])
        return whole_tag(session, tag)


def recreate_tag_group(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        group = library_recreation.request_group(session, call.runtime.queue, call.path["key"])
    return as_it_stands(call, group)


def preview_tag_deletion(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return deletion_out(library_deletions.preview_tag(session, call.path["key"]))


def delete_tag_there(call: Call) -> BaseModel:
    given: ArchiveIn = call.body
    with call.runtime.write() as session:
        context = library.context(call.runtime)
        tag = library_deletions.request_tag(
            session, context, call.path["key"], cascade=given.cascade, actor=call.caller.name
        )
        return whole_tag(session, tag)


def preview_group_deletion(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return deletion_out(library_deletions.preview_group(session, call.path["key"]))


def delete_group_there(call: Call) -> BaseModel:
    given: ArchiveIn = call.body
    with call.runtime.write() as session:
        context = library.context(call.runtime)
        group = library_deletions.request_group(
            session, context, call.path["key"], cascade=given.cascade, actor=call.caller.name
        )
    return as_it_stands(call, group)


def retry_tag(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        tag = library_retries.retry_tag(session, call.runtime.queue, call.path["key"])
        return whole_tag(session, tag)


def retry_tag_group(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        group = library_retries.retry_group(session, call.runtime.queue, call.path["key"])
    return as_it_stands(call, group)


def retry_library(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return RetriedOut(retried=library_retries.retry_all(session, call.runtime.queue))


def deletion_out(found: DeletionPreview) -> DeletionOut:
    return DeletionOut.model_validate(found, from_attributes=True)


ENDPOINTS = (
    Endpoint("GET", "/tags/deleted", KeyScope.READ, "已在企业微信中删除的标签", deleted_tags, Page[TagOut], PageQuery),
    Endpoint(
        "POST",
        "/tags/<key>/recreate",
        KeyScope.WRITE,
        "在企业微信重新创建已删除的标签（新的编号），并重新打给原有客户",
        recreate_tag,
        TagOut,
        status=202,
    ),
    Endpoint(
        "POST",
        "/tag-groups/<key>/recreate",
        KeyScope.WRITE,
        "重新创建一组里所有已在企业微信删除的标签，并重新打给原有客户",
        recreate_tag_group,
        GroupOut,
        status=202,
    ),
    Endpoint(
        "GET", "/tags/<key>/deletion", KeyScope.READ, "从企业微信删除标签会影响什么", preview_tag_deletion, DeletionOut
    ),
    Endpoint(
        "POST",
        "/tags/<key>/deletion",
        KeyScope.WRITE,
        "归档标签并从企业微信删除；只限本系统建的，还有使用者时拒绝，cascade 一并处理",
        delete_tag_there,
        TagOut,
        body=ArchiveIn,
        body_optional=True,
        status=202,
    ),
    Endpoint(
        "GET",
        "/tag-groups/<key>/deletion",
        KeyScope.READ,
        "从企业微信删除标签组会影响什么",
        preview_group_deletion,
        DeletionOut,
    ),
    Endpoint(
        "POST",
        "/tag-groups/<key>/deletion",
        KeyScope.WRITE,
        "归档标签组并从企业微信删除；只限本系统建的，还有使用者时拒绝，cascade 一并处理",
        delete_group_there,
        GroupOut,
        body=ArchiveIn,
        body_optional=True,
        status=202,
    ),
    Endpoint("POST", "/tags/<key>/retry", KeyScope.WRITE, "重新向企业微信推送一个标签", retry_tag, TagOut),
    Endpoint(
        "POST", "/tag-groups/<key>/retry", KeyScope.WRITE, "重新向企业微信推送标签组及其标签", retry_tag_group, GroupOut
    ),
    Endpoint(
        "POST",
        "/sync/library/retry",
        KeyScope.WRITE,
        "重新推送所有没有被企业微信接受或因上限等待的标签和标签组",
        retry_library,
        RetriedOut,
    ),
)
