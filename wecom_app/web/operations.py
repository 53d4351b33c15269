"""`/healthz`, `/readyz` and `/metrics`, for the machine that watches us."""

import hmac
from collections.abc import Callable

from flask import Blueprint, Response, jsonify, request
from prometheus_client import CONTENT_TYPE_LATEST, CollectorRegistry, Gauge, generate_latest
from sqlalchemy import func, select, text

from wecom_app.errors import AppError, NotFound
from wecom_app.migrations import runner
from wecom_app.models import InboxEvent
from wecom_app.services import disk
from wecom_app.services.runtime import Runtime
from wecom_app.version import __version__
from wecom_app.web.state import runtime

LEAST_DISK_SHARE = 0.05
LONGEST_BEAT_S = 30.0
"""Workers look for jobs several times a second; silent for so long they hang or cannot reach the database."""
LOOPBACK = ("127.0.0.1", "::1")

blueprint = Blueprint("operations", __name__)


@blueprint.get("/healthz")
def healthz() -> Response:
    """The process is alive; nothing is looked at."""
    return jsonify({"status": "ok", "version": __version__})


@blueprint.get("/readyz")
def readyz() -> tuple[Response, int]:
    """Our own parts work; whether WeCom can be reached is not asked."""
    asked = {name: _passes(check) for name, check in CHECKS.items()}
    found = {name: passes for name, passes in asked.items() if passes is not None}
    ready = all(found.values())
    body = {"status": "ready" if ready else "not_ready", "checks": found}
    return jsonify(body), 200 if ready else 503


@blueprint.get("/metrics")
def metrics() -> Response:
    """Prometheus text, for loopback or with METRICS_TOKEN."""
    _allow_metrics()
    payload = generate_latest(runtime().metrics.registry) + generate_latest(_gauges(runtime()))
    return Response(payload, content_type=CONTENT_TYPE_LATEST)


def _passes(check: Callable[[Runtime], bool | None]) -> bool | None:
    try:
        return check(runtime())
    except (AppError, OSError):
        return False


def _database_writes(given: Runtime) -> bool:
    with given.write() as session:
        session.execute(text("SELECT 1"))
    return True


def _schema_is_current(given: Runtime) -> bool:
    return runner.is_at_head(given.database)


def _disk_has_room(given: Runtime) -> bool:
    room = disk.room(given.database)
    return room is None or room.share > LEAST_DISK_SHARE


def _workers_are_alive(given: Runtime) -> bool | None:
    """Return None where this process runs no jobs: another one does."""
    age_s = given.queue.beat_age_s()
    return None if age_s is None else age_s < LONGEST_BEAT_S


CHECKS: dict[str, Callable[[Runtime], bool | None]] = {
    "database": _database_writes,
    "schema": _schema_is_current,
    "disk": _disk_has_room,
    "worker": _workers_are_alive,
}


def _allow_metrics() -> None:
    """Refuse as if the address did not exist. A request that a proxy forwarded is not from loopback."""
    token = runtime().settings.metrics_token
    given = request.headers.get("Authorization", "").removeprefix("Bearer ")
    if token is not None and hmac.compare_digest(given.encode(), token.get_secret_value().encode()):
        return
    forwarded = "X-Forwarded-For" in request.headers or "Forwarded" in request.headers
    if request.remote_addr not in LOOPBACK or forwarded:
        raise NotFound


def _gauges(given: Runtime) -> CollectorRegistry:
    """Return what stands in the tables at this moment."""
    registry = CollectorRegistry()
    waiting = Gauge("wecom_app_jobs_waiting", "Jobs that are still to run", ["lane", "state"], registry=registry)
    running = Gauge("wecom_app_jobs_running", "Jobs that run", ["lane"], registry=registry)
    dead = Gauge("wecom_app_jobs_dead", "Jobs that failed for good or were cancelled", ["lane"], registry=registry)
    events = Gauge("wecom_app_inbox_events", "Stored callbacks by state", ["state"], registry=registry)
    oldest = Gauge("wecom_app_inbox_oldest_age_seconds", "Age of the oldest waiting event", registry=registry)
    with given.read() as session:
        for (lane, state), count in given.queue.count_by_state(session).items():
            if state in ("waiting", "retrying"):
                waiting.labels(lane, state).set(count)
            else:
                (running if state == "running" else dead).labels(lane).set(count)
        query = select(InboxEvent.state, func.count(), func.min(InboxEvent.received_at)).group_by(InboxEvent.state)
        for state, count, first in session.execute(query):
            events.labels(state).set(count)
            if state == "waiting" and first is not None:
                oldest.set((given.clock.now() - first).total_seconds())
    return registry
