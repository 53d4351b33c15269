"""How the traffic with WeCom stands: calls used and left, what waits for them, and how long that takes."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from math import ceil

from sqlalchemy import func, select

from wecom_app.models import TagOperation
from wecom_app.models.sync import OPEN
from wecom_app.services.runtime import LANES, Runtime
from wecom_app.services.wecom_status import ApiBudget, TokenState


@dataclass(frozen=True)
class Traffic:
    """One look at it; `waiting` are jobs by lane, `operations` cells that WeCom has not confirmed."""

    apis: Sequence[ApiBudget]
    token: TokenState
    circuit_open: bool
    """gettoken was refused so often that it is not called for a while: nothing moves."""
    waiting: Mapping[str, int]
    operations: int
    eta_seconds: int | None
    """At the pace that the budget allows, one call a relation; None if that is not known."""


def look(runtime: Runtime) -> Traffic:
    """Return how things stand; calls nobody."""
    status, now = runtime.wecom_status, runtime.clock.now()
    token = status.token_state()
    with runtime.read() as session:
        counts = runtime.queue.count_by_state(session)
        # OPEN is plain text, so that SQLite finds the partial index.
        opened, relations = session.execute(
            select(func.count(), func.count(TagOperation.relation_id.distinct())).where(OPEN)
        ).one()
    circuit_open = token.blocked_until is not None and now < token.blocked_until
    seconds = None if circuit_open else status.push_time_s(relations)
    if relations == 0:
        seconds = 0.0
    return Traffic(
        apis=status.budget(),
        token=token,
        circuit_open=circuit_open,
        waiting={lane: _waiting(counts, lane) for lane in LANES},
        operations=opened,
        eta_seconds=None if seconds is None else ceil(seconds),
    )


def _waiting(counts: Mapping[tuple[str, str], int], lane: str) -> int:
    return counts.get((lane, "waiting"), 0) + counts.get((lane, "retrying"), 0)
