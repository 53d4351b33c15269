"""Keeping files alive at WeCom, where they die after three days: by a job that comes back by itself, and at need.

`attach` is what a welcome asks right before it is sent; it uploads what is dead if there is time for it.
"""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

import structlog
from sqlalchemy import or_, select, update
from sqlalchemy.orm import Session

from wecom_app.domain.contents import Kind
from wecom_app.errors import WeComError
from wecom_app.models import Channel, ContentItem, DefaultWelcome, Media
from wecom_app.services import library, media
from wecom_app.services.context import Context
from wecom_app.services.ports import JobArgs
from wecom_app.services.runtime import Runtime

SWEEP_EVERY = timedelta(hours=6)
"""A file has a day left when its renewal is due: four sweeps to find it."""
SEND_S = 3.0
"""Kept of a welcome's time for the message itself."""
CALL_PARTS = 2
"""A time-out bounds the sending of a file, and then again the wait for the answer."""
LAST_WAIT_S = 12.0
"""With less time than this left, a welcome goes without a file rather than ask again: a call may have hung."""

log = structlog.get_logger(__name__)


@dataclass(frozen=True)
class Attached:
    """Attachments as send_welcome_msg wants them, and the names of files that had to stay behind."""

    attachments: tuple[Mapping[str, Any], ...] = ()
    missing: tuple[str, ...] = ()

    @property
    def note(self) -> str | None:
        """Words for the welcome's record."""
        return f"未带附件：{'、'.join(self.missing)}（素材上传失败）" if self.missing else None


def renew(runtime: Runtime, args: JobArgs) -> None:
    """Upload one file again if it is due; without a file named, find all that are and come back in six hours."""
    if "media" in args:
        _renew_one(runtime, int(args["media"]))
        return
    with runtime.write() as session:
        _sweep(session, library.context(runtime))


def attach(
    runtime: Runtime,
    attachments: Sequence[Mapping[str, Any]],
    deadline: datetime,
    *,
    afresh: bool = False,
) -> Attached:
    """Return the attachments with files WeCom has; what is dead (all, if `afresh`) is uploaded while time allows.

    Raises a retryable WeComError while there is time to try again.
    """
    ready: list[Mapping[str, Any]] = []
    missing: list[str] = []
    for attachment in attachments:
        reference = media.reference_in(attachment)
        if reference is None:
            ready.append(attachment)
            continue
        field, _, media_id = reference
        with runtime.read() as session:
            found = session.get_one(Media, media_id)
        wecom_id = _usable(runtime, found, deadline, afresh=afresh)
        if wecom_id is None:
            missing.append(found.filename)
        else:
            ready.append(_with_wecom_id(attachment, field, wecom_id))
    return Attached(tuple(ready), tuple(missing))


def without_files(session: Session, attachments: Sequence[Mapping[str, Any]]) -> Attached:
    """Return only the attachments that need no file of ours, and the names of the files left out."""
    names = session.execute(select(Media.filename).where(Media.id.in_(media.media_ids(attachments)))).scalars()
    return Attached(tuple(item for item in attachments if media.reference_in(item) is None), tuple(names))


def _with_wecom_id(attachment: Mapping[str, Any], field: str, wecom_id: str) -> Mapping[str, Any]:
    msgtype = attachment["msgtype"]
    part = {name: value for name, value in attachment[msgtype].items() if name != field}
    return {"msgtype": msgtype, msgtype: {**part, f"{field}_id": wecom_id}}


def _usable(runtime: Runtime, found: Media, deadline: datetime, *, afresh: bool) -> str | None:
    """Return a media_id that WeCom takes now, None if there is none in time."""
    now = runtime.clock.now()
    if media.is_alive(found, now) and not afresh:
        if not media.is_alive(found, now, margin=media.RENEW_BEFORE):
            with runtime.write() as session:
                media.request_renewal(session, library.context(runtime), found.id)
        return found.media_id
    left = (deadline - now).total_seconds() - SEND_S
    if left <= 0:
        return None
    try:
        return _upload(runtime, found, urgent=True, timeout_s=left / CALL_PARTS)
    except WeComError as error:
        if error.retryable and (deadline - runtime.clock.now()).total_seconds() > LAST_WAIT_S:
            raise
        log.warning("media.left_behind", media=found.id, errcode=error.errcode)
        return None


def _upload(runtime: Runtime, found: Media, *, urgent: bool = False, timeout_s: float | None = None) -> str:
    with runtime.read() as session:
        content = media.content_of(session, found.sha256)
    began = runtime.clock.now()
    try:
        wecom_id = runtime.wecom.upload_media(found.kind, found.filename, content, urgent=urgent, timeout_s=timeout_s)
    except WeComError as error:
        if not error.retryable:
            _write(runtime, found.id, problem=error.message[:300])
        raise
    runtime.crash_point("media.after_upload")
    _write(runtime, found.id, media_id=wecom_id, uploaded_at=began, problem=None)
    return wecom_id


def _write(runtime: Runtime, file_id: int, /, **values: object) -> None:
    with runtime.write() as session:
        session.execute(update(Media).where(Media.id == file_id).values(**values))


def _renew_one(runtime: Runtime, media_id: int) -> None:
    with runtime.read() as session:
        found = session.get(Media, media_id)
    if found is not None and not media.is_alive(found, runtime.clock.now(), margin=media.RENEW_BEFORE):
        _upload_if_taken(runtime, found)


def _upload_if_taken(runtime: Runtime, found: Media) -> None:
    """Upload; a definite refusal stands on the file, where people see it, and the next sweep tries again."""
    try:
        _upload(runtime, found)
    except WeComError as error:
        if error.retryable:
            raise
        log.warning("media.refused", media=found.id, errcode=error.errcode)


def _sweep(session: Session, context: Context) -> None:
    used = _in_use(session)
    if not used:
        return
    rows = session.execute(select(Media).where(Media.id.in_(used)).order_by(Media.id)).scalars()
    for found in rows:
        if not media.is_alive(found, context.now, margin=media.RENEW_BEFORE):
            media.request_renewal(session, context, found.id)
    context.queue.enqueue(session, media.RENEW_KIND, {}, lane="bulk", unique="sweep", run_at=context.now + SWEEP_EVERY)


def _in_use(session: Session) -> set[int]:
    """Return the files that may be sent: by the default welcome, by channels that can still be scanned, by reps."""
    scannable = or_(Channel.archived_at.is_(None), Channel.code.in_(("ours", "foreign")))
    lists = [
        *session.execute(select(Channel.attachments).where(scannable)).scalars(),
        *session.execute(select(DefaultWelcome.attachments)).scalars(),
    ]
    materials = select(ContentItem.media_id).where(
        ContentItem.kind == Kind.MATERIAL, ContentItem.media_id.is_not(None), ContentItem.archived_at.is_(None)
    )
    sent_by_reps = {media_id for media_id in session.scalars(materials) if media_id is not None}
    return sent_by_reps | {media_id for attachments in lists for media_id in media.media_ids(attachments)}
