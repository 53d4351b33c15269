"""media/upload, uploadimg and get (Tencent's pages 90253 to 90256)."""

from urllib.parse import quote

from werkzeug.wrappers import Response

from wecom_app.simulator.api.endpoint import Call, Endpoint
from wecom_app.simulator.errcodes import ApiError, Json
from wecom_app.simulator.media import MediaFile

MEGABYTE = 1024 * 1024
LARGEST = {"image": 10 * MEGABYTE, "voice": 2 * MEGABYTE, "video": 10 * MEGABYTE, "file": 20 * MEGABYTE}
SMALLEST = 5
"""A file must have more than five bytes."""


def upload(call: Call) -> Json:
    """Keep a file for three days."""
    kind = call.query.get("type", "")
    if kind not in LARGEST:
        raise ApiError(40004)
    file = _keep(call, kind, LARGEST[kind])
    return {
        "type": kind,
        "media_id": file.media_id,
        "created_at": str(int(file.created_at.timestamp())),
    }


def upload_image(call: Call) -> Json:
    """Keep a picture for good and answer its address."""
    file = _keep(call, "image", 2 * MEGABYTE)
    return {"url": f"{call.context.config.base_url}/wwpic/{file.media_id}/0"}


def _keep(call: Call, kind: str, largest: int) -> MediaFile:
    part = call.files.get("media") or next(iter(call.files.values()), None)
    content = part.read() if part is not None else b""
    if part is None or len(content) <= SMALLEST:
        raise ApiError(44001)
    if len(content) > largest:
        raise ApiError(45001)
    name, content_type = part.filename or "file", part.content_type or "application/octet-stream"
    return call.world.media.add(kind, name, content_type, content, call.world.now())


def get(call: Call) -> Response:
    """Answer the file itself."""
    media_id = call.query.get("media_id")
    if not media_id:
        raise ApiError(41006)
    file = call.world.media.get(media_id, call.world.now())
    disposition = f"attachment; filename*=UTF-8''{quote(file.filename)}"
    return Response(file.content, content_type=file.content_type, headers={"Content-Disposition": disposition})


ENDPOINTS = {
    "media/upload": Endpoint(upload),
    "media/uploadimg": Endpoint(upload_image),
    "media/get": Endpoint(get),
}
