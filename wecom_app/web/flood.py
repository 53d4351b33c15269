"""A token bucket for each address that sends invalid callbacks, so that a flood of them fills no log and no disk.

Whether a callback is genuine is decided before anybody asks here: what WeCom signed is never held up, from wherever it
comes. Used by `callback`; one `Flood` an application.
"""

import threading
from collections import OrderedDict
from dataclasses import dataclass
from enum import Enum, auto
from ipaddress import IPv6Address, ip_address

from wecom_app.clock import Clock

BURST = 30.0
PER_S = 0.5
WARN_EVERY_S = 60.0
MOST_ADDRESSES = 4096
"""About 1 MB. Addresses beyond share one bucket, until somebody's has filled up again."""
SHARED = ""


class Verdict(Enum):
    """What an invalid request is worth."""

    NOTE = auto()
    """It is written down."""
    WARN = auto()
    """Its address has used up its share: written down once a minute as a flood."""
    IGNORE = auto()


@dataclass
class _Bucket:
    tokens: float
    at: float
    warned_at: float | None = None

    def refill(self, now: float) -> None:
        self.tokens = min(BURST, self.tokens + (now - self.at) * PER_S)
        self.at = now


class Flood:
    """The buckets, the one used longest ago first."""

    def __init__(self, clock: Clock) -> None:
        self._clock = clock
        self._lock = threading.Lock()
        self._buckets: OrderedDict[str, _Bucket] = OrderedDict()

    def take(self, address: str | None) -> Verdict:
        """Count one invalid request of an address, and say what to do with it."""
        now = self._clock.monotonic()
        with self._lock:
            bucket = self._bucket(_network(address), now)
            if bucket.tokens >= 1:
                bucket.tokens -= 1
                return Verdict.NOTE
            if bucket.warned_at is None or now - bucket.warned_at >= WARN_EVERY_S:
                bucket.warned_at = now
                return Verdict.WARN
            return Verdict.IGNORE

    def __len__(self) -> int:
        return len(self._buckets)

    def _bucket(self, name: str, now: float) -> _Bucket:
        if name not in self._buckets:
            self._make_room(now)
        if name not in self._buckets and len(self._buckets) >= MOST_ADDRESSES:
            name = SHARED
        bucket = self._buckets.setdefault(name, _Bucket(BURST, now))
        self._buckets.move_to_end(name)
        bucket.refill(now)
        return bucket

    def _make_room(self, now: float) -> None:
        """Forget the address that was quiet for longest, if its bucket is as good as new."""
        if len(self._buckets) < MOST_ADDRESSES:
            return
        name = next(iter(self._buckets))
        bucket = self._buckets[name]
        if bucket.tokens + (now - bucket.at) * PER_S >= BURST:
            del self._buckets[name]


def _network(address: str | None) -> str:
    """Return what counts as one sender: an IPv4 address, or the /64 that one subscriber has of IPv6."""
    try:
        parsed = ip_address(address or "")
    except ValueError:
        return SHARED
    if isinstance(parsed, IPv6Address):
        return str(parsed.ipv4_mapped or int(parsed) >> 64)
    return str(parsed)
