"""The acts around a full pull: asked for by a person or by a schedule, stopped, resumed, approved, rejected, undone."""

from contextlib import suppress

from sqlalchemy import select

from tests.stateful.corp import Corp
from tests.stateful.course import Course
from tests.stateful.judge import Judge
from tests.stateful.scripted import act
from wecom_app.errors import Conflict
from wecom_app.models import Schedule, SyncRun
from wecom_app.services import run_undo, runs, schedules


class Pulling(Course):
    """A corp's full pulls; what they do themselves is done by the application's jobs."""

    def __init__(self, corp: Corp) -> None:
        super().__init__(corp)
        self.judge = Judge(corp)
        self.ledger = self.judge.ledger

    def look(self) -> None:
        self.judge.look()

    @act
    def pull(self, *, by_clock: bool = False) -> None:
        """Ask for a full pull, or let the schedule's time come; where one is not over, there is no second."""
        with suppress(Conflict), self.corp.runtime.write() as session:
            queue, now = self.corp.runtime.queue, self.corp.clock.now()
            if by_clock:
                schedule = session.execute(select(Schedule.id).where(Schedule.kind == "full_pull")).scalar_one()
                schedules.run_now(session, queue, schedule, "tests", now)
            else:
                runs.start_pull(session, queue, "tests", now)

    @act
    def pull_in_between(self) -> None:
        """A full pull is read in the middle of another job: lanes work side by side."""
        self.pull()
        self.corp.runtime.run_until_idle(max_steps=20)

    @act
    def stop_pull(self) -> None:
        """Stop the pull that is under way, between two pages or in the middle of one."""
        for run_id in self._runs("queued", "running"):
            with suppress(Conflict), self.corp.runtime.write() as session:
                runs.stop(session, run_id, "tests", self.corp.clock.now())

    @act
    def resume_pull(self) -> None:
        """Go on with the last pull that was stopped or has failed."""
        for run_id in self._runs("stopped", "failed")[-1:]:
            with suppress(Conflict), self.corp.runtime.write() as session:
                runs.resume(session, self.corp.runtime.queue, run_id, "tests")

    @act
    def approve(self) -> None:
        """Say yes to whatever waits for a person."""
        for run_id in self._runs("held", kind=None):
            self.judge.approvals += 1
            with self.corp.runtime.write() as session:
                runs.approve(session, self.corp.runtime.queue, run_id, "tests")

    @act
    def reject(self) -> None:
        """Say no to a pull that waits for a person."""
        for run_id in self._runs("held"):
            with self.corp.runtime.write() as session:
                runs.reject(session, self.corp.runtime.queue, run_id, "tests", self.corp.clock.now())

    @act
    def undo_pull(self) -> None:
        """Have what the last pull took over put back, at once: the judge must know when."""
        for run_id in self._runs("done", "stopped", "failed")[-1:]:
            self.judge.acting()
            with suppress(Conflict):
                with self.corp.runtime.write() as session:
                    now = self.corp.clock.now()
                    undo_id = runs.start_undo(session, self.corp.runtime.queue, run_id, "tests", now).id
                run_undo.undo_run(self.corp.runtime, {"run_id": undo_id})
                self.judge.undone()

    @act
    def strict_guard(self) -> None:
        """Let a tenth be the most that a pull may end by itself: at this size, nothing."""
        self.corp.guard_floor(0)
        self.judge.most_endings = 0

    def is_held(self) -> bool:
        """Say whether anything waits for a person."""
        return bool(self._runs("held", kind=None))

    def _runs(self, *states: str, kind: str | None = "pull") -> list[int]:
        with self.corp.runtime.read() as session:
            query = select(SyncRun.id).where(SyncRun.state.in_(states)).order_by(SyncRun.id)
            return list(session.scalars(query if kind is None else query.where(SyncRun.kind == kind)))
