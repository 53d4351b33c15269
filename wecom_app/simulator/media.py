"""Temporary files (临时素材): uploaded by an app, good for three days, shared by the corp's apps."""

from dataclasses import dataclass
from datetime import datetime, timedelta

from wecom_app.simulator.errcodes import ApiError
from wecom_app.simulator.ids import Ids


@dataclass(slots=True)
class MediaFile:
    """An uploaded file."""

    media_id: str
    type: str
    filename: str
    content_type: str
    content: bytes
    created_at: datetime
    expires_at: datetime


class Media:
    """All uploaded files; call it under the world's lock."""

    def __init__(self, ids: Ids, life_s: float) -> None:
        self._ids = ids
        self._life = timedelta(seconds=life_s)
        self._files: dict[str, MediaFile] = {}

    def add(self, kind: str, filename: str, content_type: str, content: bytes, now: datetime) -> MediaFile:
        """Keep a file and give it an id."""
        media_id = "3" + self._ids.letters(63)
        file = MediaFile(media_id, kind, filename, content_type, content, now, now + self._life)
        self._files[media_id] = file
        return file

    def get(self, media_id: object, now: datetime) -> MediaFile:
        """Return a file, or refuse an unknown or expired id with 40007."""
        file = self._files.get(media_id) if isinstance(media_id, str) else None
        if file is None or file.expires_at <= now:
            raise ApiError(40007)
        return file
