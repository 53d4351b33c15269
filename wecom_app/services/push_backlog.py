"""How bulk work makes way for people: while many pushes wait, its next page waits as well.

Asked by back-tagging, full pulls, the back-fill of sources and changes of the library before each page.
"""

from datetime import timedelta

from wecom_app.services.runtime import Store

MOST_WAITING = 1000
PAUSE = timedelta(seconds=5)
"""After which it is asked again: what somebody does meanwhile is not to queue behind a whole pull."""


def is_full(runtime: Store) -> bool:
    """Return whether so many pushes wait already that a page should come later."""
    with runtime.read() as session:
        return runtime.queue.is_queue_longer(session, "push", MOST_WAITING)
