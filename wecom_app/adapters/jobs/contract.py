"""The part of the `JobQueue` contract that both engines share: what they refuse, and how long they keep jobs."""

from collections.abc import Collection, Mapping, Sequence
from datetime import datetime, timedelta

KEEP_DONE = timedelta(days=3)
KEEP_DEAD = timedelta(days=90)
PURGE_ROWS = 500
"""At most this many in a transaction, so that the deletion holds nobody up."""


def refuse_wrong_job(
    kinds: Collection[str],
    lanes: Collection[str],
    *,
    kind: str,
    lane: str,
    key: str | None,
    run_at: datetime | None,
) -> None:
    """Raise ValueError for what could never run, or not in the order promised."""
    if kind not in kinds:
        raise ValueError(f"no such kind of job: {kind}")
    if lane not in lanes:
        raise ValueError(f"no such lane: {lane}")
    if key is not None and run_at is not None:
        raise ValueError("a job with a key takes its turn; it cannot have run_at as well")


def choose_lanes(lanes: Mapping[str, int], wanted: Sequence[str] | None) -> dict[str, int]:
    """Return the threads of the wanted lanes, of all if None; ValueError for a lane that there is not."""
    chosen = list(lanes) if wanted is None else list(wanted)
    for lane in chosen:
        if lane not in lanes:
            raise ValueError(f"no such lane: {lane}")
    return {lane: lanes[lane] for lane in chosen}
