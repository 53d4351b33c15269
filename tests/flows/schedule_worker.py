"""A working process for tests: `schedule_worker.py URL` fires schedules and runs their jobs until its input ends.

Its one kind of work prints the number that its schedule was given.
"""

import os
import sys
from datetime import timedelta
from typing import Any, cast

from tests.adapters.jobs.job_worker import open_queue
from wecom_app.adapters.scheduler import BackgroundClock
from wecom_app.clock import SystemClock
from wecom_app.db import Database
from wecom_app.services import schedule_runs, schedules
from wecom_app.services.progress import Progress
from wecom_app.services.runtime import JobKind, Runtime, Store, Tick
from wecom_app.services.schedule_kinds import KINDS, ScheduleKind

JOBS = {schedule_runs.KIND: JobKind(schedule_runs.run)}


def work(_runtime: Runtime, args: dict[str, Any], progress: Progress) -> None:
    # One write of a short line stays whole, even from several processes.
    os.write(1, f"{args['number']}\n".encode())
    progress.advance()


WORK = ScheduleKind("试做", "", work, "0 0 1 1 *", lane="bulk")


def main(url: str) -> None:
    cast("dict[str, ScheduleKind]", KINDS)["work"] = WORK
    store = Store(clock=SystemClock(), database=Database(url))
    queue = open_queue(url, JOBS)
    store.queue = queue
    queue.bind(cast("Runtime", store))
    clock = BackgroundClock(store, [Tick("schedules", timedelta(milliseconds=200), schedules.fire_due)])
    queue.start()
    clock.start()
    sys.stdin.read()
    clock.stop()
    queue.stop(10.0)


if __name__ == "__main__":
    main(*sys.argv[1:])
