"""Files that welcome messages carry: taken in, kept, and listed; `media_renewal` keeps them alive at WeCom.

An attachment names a file of ours as `{"msgtype": "image", "image": {"media": id}}`; a mini-program names its
picture as `pic_media`.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from pathlib import PurePosixPath
from typing import Any

from sqlalchemy import select
from sqlalchemy.orm import Session

from wecom_app.errors import InvalidInput, NotFound
from wecom_app.models import Media, MediaPiece
from wecom_app.services.context import Context
from wecom_app.services.runtime import Runtime
from wecom_app.services.upsert import insert_ignore

RENEW_KIND = "media.renew"
LIFE = timedelta(days=3)
"""How long WeCom keeps an uploaded file (page 90253)."""
RENEW_BEFORE = timedelta(hours=24)
"""With less than this left a file is uploaded again: time enough for a day of WeCom being out of reach."""
MEGABYTE = 1024 * 1024
PIECE_BYTES = MEGABYTE
"""About 10 ms of SQLite's writer lock; 20 MB at once would take 120 ms."""
SMALLEST = 6
"""media/upload: more than five bytes."""
MAX_FILENAME = 100
JPEG, PNG = b"\xff\xd8\xff", b"\x89PNG\r\n\x1a\n"
VIDEO_BRANDS = (b"iso", b"mp4", b"avc", b"M4V", b"MSNV", b"dash", b"mp7", b"f4v")
"""Beginnings of the major brand in an MP4's `ftyp` box; QuickTime, HEIC and audio have others."""


@dataclass(frozen=True)
class Kind:
    """What WeCom takes as this kind of file."""

    largest: int
    words: str
    wrong: str


KINDS: Mapping[str, Kind] = {
    "image": Kind(2 * MEGABYTE, "图片", "图片须为 JPG 或 PNG，请转换格式后再上传"),
    "video": Kind(10 * MEGABYTE, "视频", "视频须为 MP4，请转换格式后再上传"),
    "file": Kind(20 * MEGABYTE, "文件", ""),
}
"""media/upload: pictures of more than 2 MB are refused by some of WeCom's calls, so none are taken."""
LARGEST = max(kind.largest for kind in KINDS.values())


@dataclass(frozen=True)
class MediaView:
    """A file as the API shows it."""

    id: int
    kind: str
    filename: str
    size: int
    sha256: str
    sync_state: str
    sync_reason: str | None


def keep(runtime: Runtime, kind: str | None, filename: str, content: bytes) -> MediaView:
    """Keep a file; the same file under the same name is the same. Raises InvalidInput for what WeCom would refuse."""
    kind = kind or _kind_of(content)
    _check(kind, content)
    digest = hashlib.sha256(content).hexdigest()
    for position in range(0, len(content), PIECE_BYTES):
        piece = content[position : position + PIECE_BYTES]
        with runtime.write() as session:
            row = {"sha256": digest, "position": position // PIECE_BYTES, "content": piece}
            insert_ignore(session, MediaPiece, [row], ["sha256", "position"])
    now = runtime.clock.now()
    with runtime.write() as session:
        row = {
            "kind": kind,
            "filename": _clean_name(filename, kind),
            "size": len(content),
            "sha256": digest,
            "created_at": now,
        }
        insert_ignore(session, Media, [row], ["sha256", "kind", "filename"])
        here = (Media.sha256 == digest, Media.kind == kind, Media.filename == row["filename"])
        return view(session.execute(select(Media).where(*here)).scalar_one(), now)


def get(session: Session, media_id: int, now: datetime) -> MediaView:
    """Return a file's description; raise NotFound."""
    found = session.get(Media, media_id)
    if found is None:
        raise NotFound("没有这个素材")
    return view(found, now)


def content_of(session: Session, sha256: str) -> bytes:
    """Return a file's bytes."""
    query = select(MediaPiece.content).where(MediaPiece.sha256 == sha256).order_by(MediaPiece.position)
    return b"".join(session.execute(query).scalars())


def mimetype_of(kind: str, content: bytes) -> str:
    """Return how a file is announced; only what was checked when it came in is named."""
    if kind == "image":
        return "image/jpeg" if content.startswith(JPEG) else "image/png"
    return "video/mp4" if kind == "video" else "application/octet-stream"


def view(found: Media, now: datetime) -> MediaView:
    """Return a file's description: `synced` while WeCom has it, else why not."""
    if found.problem is not None:
        state, reason = "failed", found.problem
    elif is_alive(found, now):
        state, reason = "synced", None
    else:
        state, reason = "pending", None
    return MediaView(found.id, found.kind, found.filename, found.size, found.sha256, state, reason)


def is_alive(found: Media, now: datetime, *, margin: timedelta = timedelta(minutes=1)) -> bool:
    """Return whether WeCom still has the file, for `margin` at least."""
    return found.media_id is not None and found.uploaded_at is not None and now + margin < found.uploaded_at + LIFE


def media_ids(attachments: Iterable[Mapping[str, Any]]) -> list[int]:
    """Return the ids of the files that attachments name."""
    return [reference[2] for attachment in attachments if (reference := reference_in(attachment)) is not None]


def reference_in(attachment: Mapping[str, Any]) -> tuple[str, str, int] | None:
    """Return the field that names a file, the kind it must be of, and its id; None for a link."""
    msgtype = str(attachment["msgtype"])
    part = attachment[msgtype]
    if msgtype == "miniprogram":
        return "pic_media", "image", int(part["pic_media"])
    return ("media", msgtype, int(part["media"])) if msgtype in KINDS else None


def problem_of(session: Session, attachments: Sequence[Mapping[str, Any]]) -> str:
    """Return what is wrong with the files that attachments name; "" where nothing is."""
    wanted = [reference for item in attachments if (reference := reference_in(item)) is not None]
    query = select(Media.id, Media.kind).where(Media.id.in_([media_id for _, _, media_id in wanted]))
    kinds = {row.id: row.kind for row in session.execute(query)}
    for _, kind, media_id in wanted:
        if media_id not in kinds:
            return f"没有素材 {media_id}，请先上传文件（POST /api/v1/media）"
        if kinds[media_id] != kind:
            return f"素材 {media_id} 是{KINDS[kinds[media_id]].words}，这里需要{KINDS[kind].words}"
    return ""


def keep_alive(session: Session, context: Context, attachments: Sequence[Mapping[str, Any]]) -> None:
    """Have the files that attachments name uploaded where WeCom has not got them, and looked after from now on."""
    keep_files_alive(session, context, media_ids(attachments))


def keep_files_alive(session: Session, context: Context, wanted: Sequence[int]) -> None:
    """Have the files uploaded that WeCom has not got, and looked after from now on."""
    if not wanted:
        return
    rows = session.execute(select(Media).where(Media.id.in_(wanted)).order_by(Media.id)).scalars()
    for found in rows:
        if not is_alive(found, context.now, margin=RENEW_BEFORE):
            request_renewal(session, context, found.id)
    context.queue.enqueue(session, RENEW_KIND, {}, lane="bulk", unique="sweep")


def request_renewal(session: Session, context: Context, media_id: int) -> None:
    """Have one file uploaded again."""
    context.queue.enqueue(session, RENEW_KIND, {"media": media_id}, lane="bulk", unique=str(media_id))


def _kind_of(content: bytes) -> str:
    return next((kind for kind in ("image", "video") if _looks_like(kind, content)), "file")


def _looks_like(kind: str, content: bytes) -> bool:
    if kind == "image":
        return content.startswith((JPEG, PNG))
    if kind == "video":
        return content[4:8] == b"ftyp" and content[8:12].startswith(VIDEO_BRANDS)
    return True


def _check(kind: str, content: bytes) -> None:
    allowed = KINDS.get(kind)
    if allowed is None:
        raise InvalidInput("kind 只能是 image、video 或 file", details={"kind": "未知的类型"})
    if len(content) < SMALLEST:
        raise InvalidInput("文件是空的或过小，请重新选择文件", details={"file": "过小"})
    if not _looks_like(kind, content):
        raise InvalidInput(allowed.wrong, details={"file": "格式不符"})
    if len(content) > allowed.largest:
        limit = f"{allowed.words}不能超过 {allowed.largest // MEGABYTE} MB，请压缩后再上传"
        raise InvalidInput(limit, details={"file": "过大"})


def _clean_name(filename: str, kind: str) -> str:
    """Return the name without folders and control characters, its suffix kept where it is cut."""
    name = filename.replace("\\", "/").rpartition("/")[2]
    printable = "".join(character for character in name if character.isprintable()).strip()
    suffix = PurePosixPath(printable).suffix[-16:]
    stem = printable.removesuffix(suffix)[: MAX_FILENAME - len(suffix)]
    return f"{stem}{suffix}" or kind
