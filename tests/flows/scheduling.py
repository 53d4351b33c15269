"""A kind of work for schedules that counts, and what tests look at in its runs; for the tests of schedules and runs."""

from datetime import datetime
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from wecom_app.models import Schedule
from wecom_app.services import schedule_kinds, schedule_runs, schedules
from wecom_app.services.ports import JobArgs
from wecom_app.services.progress import Progress
from wecom_app.services.runtime import Runtime
from wecom_app.services.schedule_kinds import ScheduleKind
from wecom_app.services.schedule_runs import RunView
from wecom_app.services.schedules import ScheduleDraft

HOUR, DAY = 3600, 86_400
ZONE = "Asia/Shanghai"


class Work:
    """A kind of work that counts how often it was done, and does what a test wants."""

    def __init__(self) -> None:
        self.done = 0
        self.act: Any = lambda runtime, progress: None

    def __call__(self, runtime: Runtime, _args: JobArgs, progress: Progress) -> bool | None:
        self.done += 1
        found: bool | None = self.act(runtime, progress)
        return found


def only_work(company: Company, monkeypatch: pytest.MonkeyPatch) -> Work:
    """Have one kind of work, and no schedules but a test's own."""
    made = Work()
    kind = ScheduleKind("试做", "", made, "0 * * * *", count_words={"things": "件"})
    monkeypatch.setattr(schedule_kinds, "KINDS", {"work": kind})
    for module in (schedules, schedule_runs):
        monkeypatch.setattr(module, "KINDS", schedule_kinds.KINDS)
    with company.runtime.write() as session:
        for schedule in session.scalars(select(Schedule)):
            session.delete(schedule)
    return made


def make(company: Company, cron: str = "0 * * * *", **more: Any) -> int:
    draft = ScheduleDraft("work", "试做", cron, ZONE, **more)
    with company.runtime.write() as session:
        return schedules.create(session, draft, "tests", company.clock.now()).id


def runs(company: Company, schedule_id: int) -> list[RunView]:
    with company.runtime.read() as session:
        found = schedule_runs.list_runs(session, company.runtime.queue, schedule_id, limit=200)
    return found[::-1]


def states(company: Company, schedule_id: int) -> list[str]:
    return [run.state for run in runs(company, schedule_id)]


def next_at(company: Company, schedule_id: int) -> datetime | None:
    with company.runtime.read() as session:
        return schedules.get(session, schedule_id).next_at


def pass_time(company: Company, seconds: float, *, settle: bool = True) -> None:
    company.clock.advance(seconds)
    schedules.fire_due(company.runtime)
    if settle:
        company.settle()
