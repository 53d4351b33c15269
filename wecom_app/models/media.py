"""Files that welcome messages carry, kept here so that they can be uploaded again; written by `services.media`."""

from datetime import datetime

from sqlalchemy import LargeBinary, String, UniqueConstraint
from sqlalchemy.orm import Mapped, mapped_column

from wecom_app.db import Base, BigId


class MediaPiece(Base):
    """A piece of a file's bytes, small enough that writing it keeps nobody waiting; shared by all its names."""

    __tablename__ = "media_piece"

    sha256: Mapped[str] = mapped_column(String(64), primary_key=True)
    position: Mapped[int] = mapped_column(primary_key=True, autoincrement=False)
    content: Mapped[bytes] = mapped_column(LargeBinary)


class Media(Base):
    """A file under the name that customers see, with the media_id under which WeCom has it for three days."""

    __tablename__ = "media"
    __table_args__ = (UniqueConstraint("sha256", "kind", "filename"),)

    id: Mapped[int] = mapped_column(BigId, primary_key=True)
    kind: Mapped[str] = mapped_column(String(8))
    """image, video or file."""
    filename: Mapped[str] = mapped_column(String(128))
    size: Mapped[int]
    sha256: Mapped[str] = mapped_column(String(64))
    created_at: Mapped[datetime]
    media_id: Mapped[str | None] = mapped_column(String(256))
    uploaded_at: Mapped[datetime | None]
    """When the upload that brought the media_id began."""
    problem: Mapped[str | None] = mapped_column(String(300))
    """Why WeCom definitely refused the last upload."""
