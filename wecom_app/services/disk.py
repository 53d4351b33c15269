"""Room on the disk that the database lies on; asked by `doctor`, by `/readyz` and by the alerts."""

import shutil
from dataclasses import dataclass
from pathlib import Path

from wecom_app.db import Database

LOW_SHARE = 0.10


@dataclass(frozen=True)
class Room:
    """What is free, in bytes and as a share of the whole."""

    free: int
    share: float


def room(database: Database) -> Room | None:
    """Return the room where an SQLite file lies; None where the database is on another machine."""
    if not database.is_sqlite:
        return None
    usage = shutil.disk_usage(Path(database.url.database or ".").resolve().parent)
    return Room(usage.free, usage.free / usage.total)
