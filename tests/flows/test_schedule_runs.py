"""Runs of schedules: by hand, how far they are, asked to stop, in several jobs, failed, tried again, cut short."""

import pytest

from tests.flows.company import Company
from tests.flows.scheduling import HOUR, Work, make, next_at, pass_time, runs, states
from wecom_app.errors import Conflict, WeComRejected, WeComUnavailable
from wecom_app.services import schedule_runs, schedules
from wecom_app.services.progress import Progress
from wecom_app.services.runtime import Runtime
from wecom_app.services.schedule_runs import RunView


@pytest.mark.both
def test_a_run_by_hand_waits_for_nobody_and_leaves_the_next_time_alone(company: Company, work: Work) -> None:
    hourly = make(company)
    before = next_at(company, hourly)
    company.clock.advance(60)
    with company.runtime.write() as session:
        schedules.run_now(session, company.runtime.queue, hourly, "li", company.clock.now())
    with pytest.raises(Conflict, match="正在执行"), company.runtime.write() as session:
        schedules.run_now(session, company.runtime.queue, hourly, "wang", company.clock.now())
    company.settle()
    (run,) = runs(company, hourly)
    assert (run.state, run.asked_by, work.done, next_at(company, hourly)) == ("done", "li", 1, before)


@pytest.mark.both
def test_progress_counts_and_errors_of_single_items_are_seen_while_it_runs(company: Company, work: Work) -> None:
    hourly = make(company)
    seen: list[RunView] = []

    def act(_runtime: Runtime, progress: Progress) -> None:
        progress.expect(4)
        for number in range(4):
            company.clock.advance(2)
            if number == 1:
                progress.error("部门「二店」", WeComRejected("没有权限", errcode=60011, api="user/list"))
            progress.advance(things=10)
            seen.extend(runs(company, hourly))

    work.act = act
    pass_time(company, HOUR)
    assert [(run.state, run.done, run.total) for run in seen] == [("running", number, 4) for number in (1, 2, 3, 4)]
    (ended,) = runs(company, hourly)
    assert (ended.state, ended.count_words, ended.error_count) == ("done", [("件", 40)], 1)
    assert ended.errors == [("部门「二店」", "没有权限")]


@pytest.mark.both
def test_a_run_that_is_asked_to_stop_ends_after_its_present_step(company: Company, work: Work) -> None:
    hourly = make(company)

    def act(runtime: Runtime, progress: Progress) -> None:
        for number in range(10):
            if number == 3:
                with runtime.write() as session:
                    schedule_runs.stop(session, runtime.queue, hourly, company.clock.now())
            progress.advance(things=1)

    work.act = act
    pass_time(company, HOUR)
    (run,) = runs(company, hourly)
    assert (run.state, run.counts) == ("stopped", {"things": 4})
    with pytest.raises(Conflict), company.runtime.write() as session:
        schedule_runs.stop(session, company.runtime.queue, hourly, company.clock.now())


def test_a_run_that_still_waits_is_stopped_at_once(company: Company, work: Work) -> None:
    hourly = make(company)
    pass_time(company, HOUR, settle=False)
    with company.runtime.write() as session:
        schedule_runs.stop(session, company.runtime.queue, hourly, company.clock.now())
    company.settle()
    assert (states(company, hourly), work.done) == (["stopped"], 0)


def test_work_that_leaves_a_rest_goes_on_in_another_job_of_the_same_run(company: Company, work: Work) -> None:
    hourly = make(company)

    def act(_runtime: Runtime, progress: Progress) -> bool:
        progress.advance(things=1)
        return work.done < 3

    work.act = act
    pass_time(company, HOUR)
    (run,) = runs(company, hourly)
    assert (run.state, run.counts, run.done) == ("done", {"things": 3}, 3)


@pytest.mark.both
def test_what_the_outside_refuses_fails_and_what_it_misses_is_tried_again(company: Company, work: Work) -> None:
    hourly = make(company)
    failures: list[Exception] = [
        WeComUnavailable("企业微信没有回应", api="user/list"),
        WeComRejected("没有权限", errcode=60011, api="user/list"),
    ]

    def act(_runtime: Runtime, _progress: Progress) -> None:
        raise failures.pop(0)

    work.act = act
    pass_time(company, HOUR)
    (run,) = runs(company, hourly)
    assert (run.state, run.reason) == ("running", "企业微信没有回应")
    company.settle_later(10)
    (run,) = runs(company, hourly)
    assert (run.state, run.reason) == ("failed", "没有权限")


@pytest.mark.both
def test_a_run_whose_job_is_given_up_counts_as_failed_and_holds_nobody_up(company: Company, work: Work) -> None:
    hourly = make(company)

    def act(_runtime: Runtime, _progress: Progress) -> None:
        raise ZeroDivisionError("a mistake")

    work.act = act
    pass_time(company, HOUR)
    company.settle_later(120)
    assert work.done == 5
    (run,) = runs(company, hourly)
    assert (run.state, "a mistake" in (run.reason or "")) == ("failed", True)
    work.act = lambda runtime, progress: None
    pass_time(company, HOUR)
    assert states(company, hourly) == ["failed", "done"]


@pytest.mark.both
def test_a_crash_in_a_run_leads_to_one_end(company: Company, work: Work) -> None:
    hourly = make(company)
    pass_time(company, HOUR)
    run_id = runs(company, hourly)[0].id
    schedule_runs.run(company.runtime, {"run_id": run_id})
    assert (work.done, states(company, hourly)) == (1, ["done"])
