"""A worker process for tests: `job_worker.py URL MODE` prints a line for each job and ends when its input does.

Mode `run` prints "key number"; mode `hang` prints "begun" and never finishes a job.
"""

import os
import sys
import threading
from collections.abc import Mapping
from typing import Any

from wecom_app.adapters.jobs.cluster import ClusterQueue
from wecom_app.adapters.jobs.embedded import EmbeddedQueue
from wecom_app.clock import SystemClock
from wecom_app.db import Database
from wecom_app.services.runtime import JobKind


def run(_runtime: object, args: dict[str, Any]) -> None:
    # One write of a short line: whole lines, in the order in which the jobs ran, even from several processes.
    os.write(1, f"{args['key']} {args['number']}\n".encode())


def hang(_runtime: object, _args: dict[str, Any]) -> None:
    os.write(1, b"begun\n")
    threading.Event().wait()


def open_queue(url: str, kinds: Mapping[str, JobKind]) -> EmbeddedQueue | ClusterQueue:
    database = Database(url)
    if database.is_sqlite:
        return EmbeddedQueue(database, SystemClock(), kinds)
    return ClusterQueue(database, SystemClock(), kinds, heartbeat_s=0.3, stalled_after_s=1.5)


def main(url: str, mode: str) -> None:
    queue = open_queue(url, {"work": JobKind(run if mode == "run" else hang)})
    runtime: Any = "the runtime"
    queue.bind(runtime)
    queue.start()
    sys.stdin.read()
    queue.stop(10.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
