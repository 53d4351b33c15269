"""What a function that joins a transaction may need besides the session: the queue, the time, the event behind it."""

from dataclasses import dataclass
from datetime import datetime

from wecom_app.domain.keys import Slugify
from wecom_app.services.ports import JobQueue


@dataclass(frozen=True)
class Context:
    queue: JobQueue
    slugify: Slugify
    now: datetime
    event_id: int | None = None
    """The callback that set this off, if one did."""
    occurred_at: datetime | None = None
