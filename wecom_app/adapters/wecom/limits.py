"""How much may be asked of WeCom, by its own rules (Tencent's page 90454) and by ours."""

from dataclasses import dataclass


@dataclass(frozen=True)
class Limits:
    """Calls per API and window, and calls in flight."""

    per_minute: int = 10_000
    per_hour: int = 150_000
    reserve: float = 0.2
    """Share of each window that only urgent calls (welcome, sidebar) may use."""
    most_block: int = 200
    most_urgent_block: int = 16
    reads: int = 8
    marks: int = 4
    library_writes: int = 1
    urgent: int = 16
    wait_s: float = 5.0
    """How long a call waits for a place in flight before it is put off."""

    def ceiling(self, span: str, *, urgent: bool) -> int:
        """Return how many calls of a window ("minute" or "hour") there are for a kind of caller."""
        whole = self.per_minute if span == "minute" else self.per_hour
        return whole if urgent else int(whole * (1 - self.reserve))


OWN_LIMIT = "#"
"""Marks a name in `api_window` that is counted by itself and not against the app's budget for an API."""
ROBOT_LIMITS = Limits(per_minute=20, per_hour=1200, reserve=0.0, most_block=1)
"""Of each group robot (Tencent's page 91770)."""
