"""What failed for good and waits for a person: jobs and callbacks; counted by `doctor`, the alerts and the digest."""

from collections import Counter
from dataclasses import dataclass

from sqlalchemy import func, select
from sqlalchemy.orm import Session

from wecom_app.models import InboxEvent
from wecom_app.services.ports import CANCELLED, JobQueue

MOST_COUNTED = 1_000


@dataclass(frozen=True)
class Leftovers:
    """Dead jobs by kind, without those that a person ended, and callbacks that could not be handled."""

    jobs: Counter[str]
    events: int
    more: str = ""
    """以上 where there are more jobs than were counted."""


def leftovers_of(session: Session, queue: JobQueue) -> Leftovers:
    """Count what failed for good."""
    page = queue.list_jobs(session, state="dead", limit=MOST_COUNTED)
    failed = select(func.count()).select_from(InboxEvent).where(InboxEvent.state == "failed")
    return Leftovers(
        jobs=Counter(job.kind for job in page.items if job.last_error != CANCELLED),
        events=session.execute(failed).scalar_one(),
        more="以上" if page.next_cursor is not None else "",
    )
