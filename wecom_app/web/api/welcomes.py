"""`/api/v1/welcome` and `/api/v1/media`: the default welcome, and files that welcomes carry."""

from flask import request
from pydantic import BaseModel

from wecom_app.errors import InvalidInput
from wecom_app.services import greetings, library, media
from wecom_app.services.accounts import KeyScope
from wecom_app.services.greetings import Greeting
from wecom_app.services.media import MediaView
from wecom_app.web.api.endpoint import Binary, Call, Endpoint
from wecom_app.web.api.schemas import Sync
from wecom_app.web.api.schemas_channels import MediaOut, WelcomeIn, WelcomeOut

MAX_UPLOAD = media.LARGEST + 64 * 1024
"""The largest file, and the form around it."""
UPLOAD_FORM = {
    "type": "object",
    "required": ["file"],
    "properties": {
        "file": {"type": "string", "contentMediaType": "application/octet-stream"},
        "kind": {"type": "string", "enum": list(media.KINDS), "description": "不填则按内容判断"},
    },
}


def get_default_welcome(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return welcome_out(greetings.default(session))


def set_default_welcome(call: Call) -> BaseModel:
    greeting = greeting_from(call.body)
    with call.runtime.write() as session:
        return welcome_out(greetings.set_default(session, library.context(call.runtime), greeting))


def upload_media(call: Call) -> BaseModel:
    """Take a file in as multipart/form-data: the part `file`, and optionally `kind`."""
    if (request.content_length or 0) > MAX_UPLOAD:
        raise InvalidInput(
            f"文件不能超过 {media.LARGEST // media.MEGABYTE} MB，请压缩后再上传", details={"file": "过大"}
        )
    part = request.files.get("file")
    if part is None:
        raise InvalidInput("请以 multipart/form-data 提交，文件放在 file 字段", details={"file": "必填"})
    content = part.read(MAX_UPLOAD)
    return media_out(media.keep(call.runtime, request.form.get("kind"), part.filename or "", content))


def get_media(call: Call) -> BaseModel:
    with call.runtime.read() as session:
        return media_out(media.get(session, call.path["media_id"], call.runtime.clock.now()))


def get_media_content(call: Call) -> Binary:
    with call.runtime.read() as session:
        found = media.get(session, call.path["media_id"], call.runtime.clock.now())
        content = media.content_of(session, found.sha256)
    return Binary(content, media.mimetype_of(found.kind, content), found.filename, found.sha256)


def greeting_from(given: WelcomeIn) -> Greeting:
    """Return a welcome of a body in the words of the services."""
    attachments = tuple(attachment.model_dump(exclude_none=True) for attachment in given.attachments)
    return Greeting(given.text or None, given.fallback_text or None, attachments)


def welcome_out(greeting: Greeting) -> WelcomeOut:
    return WelcomeOut(
        text=greeting.text,
        fallback_text=greeting.fallback_text,
        attachments=[dict(attachment) for attachment in greeting.attachments],
    )


def media_out(view: MediaView) -> MediaOut:
    return MediaOut.model_validate(
        {
            "id": view.id,
            "kind": view.kind,
            "filename": view.filename,
            "size": view.size,
            "sha256": view.sha256,
            "sync": Sync.model_validate({"state": view.sync_state, "reason": view.sync_reason}),
        }
    )


ENDPOINTS = (
    Endpoint(
        "GET",
        "/welcome/default",
        KeyScope.READ,
        "默认欢迎语：用于没有自己欢迎语的渠道和渠道之外的客户",
        get_default_welcome,
        WelcomeOut,
    ),
    Endpoint(
        "PUT",
        "/welcome/default",
        KeyScope.WRITE,
        "设置默认欢迎语",
        set_default_welcome,
        WelcomeOut,
        body=WelcomeIn,
    ),
    Endpoint(
        "POST",
        "/media",
        KeyScope.WRITE,
        "上传欢迎语附件（multipart/form-data：file，可选 kind）：图片 2 MB、视频 10 MB、文件 20 MB 以内",
        upload_media,
        MediaOut,
        status=201,
        max_body=MAX_UPLOAD,
        form=UPLOAD_FORM,
    ),
    Endpoint("GET", "/media/<int:media_id>", KeyScope.READ, "一个欢迎语附件", get_media, MediaOut),
    Endpoint(
        "GET", "/media/<int:media_id>/content", KeyScope.READ, "一个欢迎语附件的文件内容", get_media_content, Binary
    ),
)
