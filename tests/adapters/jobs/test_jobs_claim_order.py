"""The embedded engine's claim against a small model of the contract, over random histories."""

import shutil
from dataclasses import dataclass
from datetime import datetime, timedelta
from typing import Any

from hypothesis import HealthCheck, settings
from hypothesis import strategies as st
from hypothesis.stateful import RuleBasedStateMachine, precondition, rule, run_state_machine_as_test

from wecom_app.adapters.jobs.embedded import EmbeddedQueue
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import AppError, WeComThrottled
from wecom_app.services.runtime import JobKind, SimulatedCrash

START = datetime.fromisoformat("2026-11-23T02:00:00+00:00")
LANES = {"event": 1, "bulk": 1}
LEASE = timedelta(seconds=10)
LOST_IN_A_ROW = 2
"""After the next loss a job rests for a while that chance decides, and a model cannot know."""


@dataclass
class ModelJob:
    id: int
    lane: str
    key: str | None
    unique: str | None
    priority: int
    due: datetime
    state: str = "waiting"
    lease_until: datetime | None = None
    lost: int = 0
    """In a row."""


class ClaimOrder(RuleBasedStateMachine):
    """Every rule does the same to the queue and to the model; `step` compares which job ran."""

    database_path: str

    def __init__(self) -> None:
        super().__init__()
        self.clock = ManualClock(START)
        self.database = Database(f"sqlite:///{self.database_path}")
        with self.database.write() as session:
            session.connection().exec_driver_sql("DELETE FROM job")
        self.queue = EmbeddedQueue(self.database, self.clock, {"work": JobKind(self.handle)}, LANES)
        runtime: Any = "the runtime"
        self.queue.bind(runtime)
        self.jobs: list[ModelJob] = []
        self.ending: BaseException | None = None
        self.ran: list[int] = []

    def teardown(self) -> None:
        self.database.close()

    def handle(self, _runtime: object, args: dict[str, int]) -> None:
        self.ran.append(args["number"])
        if self.ending is not None:
            raise self.ending

    @rule(
        lane=st.sampled_from(sorted(LANES)),
        key=st.sampled_from([None, "li", "chen"]),
        unique=st.sampled_from([None, None, "u", "v"]),
        priority=st.integers(-1, 1),
        delay_s=st.sampled_from([0, 0, 5]),
    )
    def enqueue(self, lane, key, unique, priority, delay_s):
        due = self.clock.now() + timedelta(seconds=delay_s if key is None else 0)
        with self.database.write() as session:
            job_id = self.queue.enqueue(
                session,
                "work",
                {"number": len(self.jobs)},
                lane=lane,
                key=key,
                unique=unique,
                priority=priority,
                run_at=due if key is None else None,
            )
        twin = unique is not None and any(job.unique == unique and job.state == "waiting" for job in self.jobs)
        assert (job_id is None) == twin
        if job_id is not None:
            self.jobs.append(ModelJob(job_id, lane, key, unique, priority, due))

    @rule(
        ending=st.sampled_from(
            [None, None, AppError(), WeComThrottled(retry_after_s=3.0), WeComThrottled(retry_after_s=0.0)]
        )
    )
    def step(self, ending):
        expected = self.next_job()
        self.ending, self.ran = ending, []
        assert self.queue.step() == (expected is not None)
        assert self.ran == ([] if expected is None else [self.jobs.index(expected)])
        if expected is not None:
            self.end(expected, ending)

    @rule()
    def crash(self):
        expected = self.next_job()
        if expected is not None and expected.lost == LOST_IN_A_ROW:
            return
        self.ending, self.ran = SimulatedCrash(), []
        try:
            assert not self.queue.step()
        except SimulatedCrash:
            assert expected is not None
            assert self.ran == [self.jobs.index(expected)]
            expected.state, expected.lease_until = "running", self.clock.now() + LEASE
        else:
            assert expected is None

    @rule(seconds=st.sampled_from([1, 3, 11]))
    def wait(self, seconds):
        self.clock.advance(seconds)

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def replay(self, data):
        job = data.draw(st.sampled_from(self.jobs))
        free = job.unique is None or not self.twins(job, "waiting")
        with self.database.write() as session:
            assert self.queue.replay(session, job.id) == (job.state == "dead" and free)
        if job.state == "dead" and free:
            job.state, job.due = "waiting", self.clock.now()

    @precondition(lambda self: self.jobs)
    @rule(data=st.data())
    def cancel(self, data):
        job = data.draw(st.sampled_from(self.jobs))
        with self.database.write() as session:
            assert self.queue.cancel(session, job.id) == (job.state in {"waiting", "retrying"})
        if job.state in {"waiting", "retrying"}:
            job.state = "dead"

    def next_job(self):
        for job in sorted(self.jobs, key=lambda job: job.id):
            if job.state == "running" and job.lease_until <= self.clock.now():
                self.put_back(job, self.clock.now())
                job.lost += 1
        free = [job for job in self.jobs if self.is_free(job)]
        for lane in LANES:
            ordered = sorted((job for job in free if job.lane == lane), key=lambda job: (-job.priority, job.id))
            if ordered:
                return ordered[0]
        return None

    def is_free(self, job):
        if job.state not in {"waiting", "retrying"} or job.due > self.clock.now():
            return False
        return job.key is None or not any(
            other.state == "running" or (other.state in {"waiting", "retrying"} and other.id < job.id)
            for other in self.jobs
            if (other.lane, other.key) == (job.lane, job.key) and other is not job
        )

    def end(self, job, ending):
        job.lost = 0
        if ending is None:
            job.state = "done"
        elif isinstance(ending, WeComThrottled):
            self.put_back(job, self.clock.now() + timedelta(seconds=ending.retry_after_s))
        else:
            job.state = "dead"

    def put_back(self, job, due):
        superseded = job.unique is not None and self.twins(job, "waiting", "retrying")
        job.state, job.due = ("done" if superseded else "retrying"), due

    def twins(self, job, *states):
        return [
            other for other in self.jobs if other is not job and other.unique == job.unique and other.state in states
        ]


def test_the_claim_agrees_with_the_model(sqlite_template, tmp_path):
    ClaimOrder.database_path = str(tmp_path / "claims.db")
    shutil.copy(sqlite_template, ClaimOrder.database_path)

    run_state_machine_as_test(
        ClaimOrder,
        settings=settings(
            max_examples=30,
            stateful_step_count=25,
            deadline=None,
            database=None,
            suppress_health_check=list(HealthCheck),
        ),
    )
