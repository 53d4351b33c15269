"""`/api/v1/content`: what reps can send to customers, whom it fits, and how it is used."""

from typing import Any, cast

from pydantic import BaseModel

from wecom_app.services import content, content_preview, content_use, customers, library
from wecom_app.services.accounts import KeyScope
from wecom_app.services.content import ContentView, Filter
from wecom_app.services.content_drafts import ContentChanges, ContentDraft
from wecom_app.services.content_preview import Fit
from wecom_app.services.content_use import Use
from wecom_app.web.api.endpoint import Call, Endpoint
from wecom_app.web.api.paging import page_of
from wecom_app.web.api.schemas import Page
from wecom_app.web.api.schemas_content import (
    ContentIn,
    ContentMiniProgram,
    ContentOut,
    ContentPatch,
    ContentPreviewIn,
    ContentPreviewOut,
    ContentQuery,
    ContentUseOut,
    FitOut,
    StaffUseOut,
    TagNameOut,
    UseOut,
)


def list_content(call: Call) -> BaseModel:
    query: ContentQuery = call.query
    now = call.runtime.clock.now()
    with call.runtime.read() as session:
        wanted = Filter(query.q, query.kind, query.state)
        found = content.list_items(session, wanted, now, before_id=query.cursor, limit=query.limit + 1)
        use = content_use.figures(session, [view.id for view in found], now)
    return Page[ContentOut](
        **page_of(found, query.limit, lambda view: view.id, lambda view: content_out(view, use.get(view.id, Use())))
    )


def create_content(call: Call) -> BaseModel:
    given: ContentIn = call.body
    draft = ContentDraft(**_fields(given, set(type(given).model_fields)))
    with call.runtime.write() as session:
        return content_out(content.create(session, library.context(call.runtime), draft, call.caller.name))


def get_content(call: Call) -> BaseModel:
    now = call.runtime.clock.now()
    with call.runtime.read() as session:
        view = content.get(session, call.path["item_id"], now)
        use = content_use.figures(session, [view.id], now)
    return content_out(view, use.get(view.id, Use()))


def edit_content(call: Call) -> BaseModel:
    given: ContentPatch = call.body
    changes = cast("ContentChanges", _fields(given, given.model_fields_set - {"version"}))
    with call.runtime.write() as session:
        view = content.edit(
            session,
            library.context(call.runtime),
            call.path["item_id"],
            changes,
            version=given.version,
            actor=call.caller.name,
        )
    return _with_use(call, view)


def archive_content(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        view = content.archive(session, library.context(call.runtime), call.path["item_id"], call.caller.name)
    return _with_use(call, view)


def restore_content(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        view = content.restore(session, library.context(call.runtime), call.path["item_id"], call.caller.name)
    return _with_use(call, view)


def copy_content(call: Call) -> BaseModel:
    with call.runtime.write() as session:
        return content_out(content.copy(session, library.context(call.runtime), call.path["item_id"], call.caller.name))


def get_content_use(call: Call) -> BaseModel:
    now = call.runtime.clock.now()
    with call.runtime.read() as session:
        item_id = content.get(session, call.path["item_id"], now).id
        total = content_use.figures(session, [item_id], now).get(item_id, Use())
        staff = content_use.by_staff(session, item_id, now)
    return ContentUseOut(
        **vars(total),
        as_of=now,
        staff=[StaffUseOut(userid=one.userid, name=one.name, **vars(one.use)) for one in staff],
    )


def preview_content(call: Call) -> BaseModel:
    given: ContentPreviewIn = call.body
    now = call.runtime.clock.now()
    with call.runtime.read() as session:
        found = content_preview.preview(session, given.condition, now)
        fit = None
        if given.external_userid is not None:
            customer = customers.find(session, given.external_userid)
            fit = content_preview.fit(session, given.condition, customer, now)
    return ContentPreviewOut(
        words=found.words,
        fitting=found.count.fitting,
        customers=found.count.customers,
        as_of=found.as_of,
        customer=_fit_out(fit) if fit is not None else None,
    )


def content_out(view: ContentView, use: Use = Use()) -> ContentOut:  # noqa: B008  frozen
    """Return an item as the API shows it."""
    shown = {**vars(view.draft), **vars(view)}
    program = view.draft.mini_program
    shown["mini_program"] = (
        ContentMiniProgram(appid=program, page=view.draft.mini_program_page or "") if program else None
    )
    return ContentOut.model_validate({**shown, "use": UseOut(**vars(use))})


def _with_use(call: Call, view: ContentView) -> ContentOut:
    with call.runtime.read() as session:
        return content_out(view, content_use.figures(session, [view.id], call.runtime.clock.now()).get(view.id, Use()))


def _fields(given: ContentIn | ContentPatch, named: set[str]) -> dict[str, Any]:
    """Return what the body names, in the words of the service."""
    values: dict[str, Any] = {name: getattr(given, name) for name in named}
    if "mini_program" in values:
        program: ContentMiniProgram | None = values["mini_program"]
        values["mini_program"] = program.appid if program else None
        values["mini_program_page"] = program.page if program else None
    if "departments" in values:
        values["departments"] = tuple(values["departments"])
    return values


def _fit_out(fit: Fit) -> FitOut:
    return FitOut(
        external_userid=fit.customer.external_userid,
        name=fit.customer.name,
        fits=fit.fits,
        reason=fit.reason,
        tags=[TagNameOut(key=tag.key, name=tag.name) for tag in fit.tags],
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/content",
        KeyScope.READ,
        "内容库，新的在前；q 按标题、拼音、首字母或正文查找，state=archived 列出已归档的",
        list_content,
        Page[ContentOut],
        ContentQuery,
    ),
    Endpoint("POST", "/content", KeyScope.WRITE, "新建内容", create_content, ContentOut, body=ContentIn, status=201),
    Endpoint("GET", "/content/<int:item_id>", KeyScope.READ, "一条内容", get_content, ContentOut),
    Endpoint(
        "PATCH",
        "/content/<int:item_id>",
        KeyScope.WRITE,
        "修改内容；version 不是最新时返回 409，请重新读取后再改",
        edit_content,
        ContentOut,
        body=ContentPatch,
    ),
    Endpoint(
        "POST",
        "/content/<int:item_id>/archive",
        KeyScope.WRITE,
        "归档：不再推荐，数据保留",
        archive_content,
        ContentOut,
    ),
    Endpoint("POST", "/content/<int:item_id>/restore", KeyScope.WRITE, "恢复已归档的内容", restore_content, ContentOut),
    Endpoint(
        "POST",
        "/content/<int:item_id>/copy",
        KeyScope.WRITE,
        "复制为草稿",
        copy_content,
        ContentOut,
        status=201,
    ),
    Endpoint(
        "GET",
        "/content/<int:item_id>/use",
        KeyScope.READ,
        "近 30 天的展示、发送与不感兴趣次数，按成员列出",
        get_content_use,
        ContentUseOut,
    ),
    Endpoint(
        "POST",
        "/content/preview",
        KeyScope.READ,
        "试算条件：现有客户中有多少符合；给出 external_userid 时说明这位客户为何符合或不符合",
        preview_content,
        ContentPreviewOut,
        body=ContentPreviewIn,
    ),
)
