"""Schedules by the injected clock: each time once, what is missed, what is under way, and what people do to them."""

from datetime import UTC, datetime, timedelta
from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.flows.scheduling import DAY, HOUR, ZONE, Work, make, next_at, pass_time, runs, states
from wecom_app.errors import InvalidInput, NotFound, StaleEdit
from wecom_app.models import Job, Schedule, ScheduleRun
from wecom_app.services import runs as sync_runs
from wecom_app.services import schedule_times, schedules
from wecom_app.services.schedules import ScheduleDraft, ScheduleEdit


@pytest.mark.both
def test_each_time_fires_once_however_many_processes_look(company: Company, work: Work) -> None:
    hourly = make(company)
    company.clock.advance(HOUR)
    for _ in range(4):
        schedules.fire_due(company.runtime)
    company.settle()
    assert states(company, hourly) == ["done"]
    pass_time(company, HOUR)
    pass_time(company, HOUR)
    assert work.done == 3
    (first, *_) = runs(company, hourly)
    assert first.fire_at == datetime(2026, 11, 23, 3, tzinfo=UTC)
    assert first.started_at == first.finished_at == company.clock.now() - timedelta(hours=2)


def test_a_time_that_another_process_has_taken_meanwhile_is_left_to_it(company: Company, work: Work) -> None:
    hourly = make(company)
    moment = next_at(company, hourly)
    company.clock.advance(HOUR)
    with company.runtime.write() as session:
        first = session.get_one(Schedule, hourly)
        second = Schedule(id=hourly, version=first.version, next_at=moment)
        following = datetime(2026, 11, 23, 4, tzinfo=UTC)
        assert moment is not None
        assert schedules._take(session, first, moment, following)
        assert not schedules._take(session, second, moment, following)
    assert work.done == 0


@pytest.mark.both
def test_times_missed_in_sleep_are_made_up_for_once(company: Company, work: Work) -> None:
    hourly = make(company, misfire_grace_s=3 * HOUR)
    pass_time(company, 2.5 * HOUR)
    assert (work.done, states(company, hourly)) == (1, ["done"])
    assert next_at(company, hourly) == datetime(2026, 11, 23, 5, tzinfo=UTC)
    pass_time(company, 60)
    assert work.done == 1


def test_what_is_too_late_is_left_out_and_says_so_and_the_latest_in_its_grace_still_runs(
    company: Company, work: Work
) -> None:
    hourly = make(company, misfire_grace_s=45 * 60)
    pass_time(company, 5 * HOUR + 60)
    assert (work.done, states(company, hourly)) == (0, ["skipped"])
    assert runs(company, hourly)[0].reason == "晚了 4 小时，超过允许的时间，没有补做"
    pass_time(company, 5)
    assert (work.done, states(company, hourly)) == (1, ["skipped", "done"])
    assert next_at(company, hourly) == datetime(2026, 11, 23, 8, tzinfo=UTC)


def test_without_coalescing_each_missed_time_has_its_turn(company: Company, work: Work) -> None:
    hourly = make(company, misfire_grace_s=DAY, coalesce=False)
    company.clock.advance(3 * HOUR)
    for _ in range(6):
        schedules.fire_due(company.runtime)
        schedules.fire_due(company.runtime)
        company.settle()
    assert (work.done, states(company, hourly)) == (3, ["done"] * 3)


@pytest.mark.both
def test_while_one_is_under_way_the_next_is_left_out_and_says_so(company: Company, work: Work) -> None:
    hourly = make(company)
    pass_time(company, HOUR, settle=False)
    pass_time(company, HOUR, settle=False)
    assert [(run.state, run.reason) for run in runs(company, hourly)] == [
        ("waiting", None),
        ("skipped", "上一次还没有结束"),
    ]
    company.settle()
    pass_time(company, HOUR)
    assert (work.done, states(company, hourly)) == (2, ["done", "skipped", "done"])


@pytest.mark.both
@pytest.mark.parametrize("jump", [HOUR, -HOUR])
def test_a_clock_that_jumps_an_hour_and_comes_back_doubles_and_loses_nothing(
    company: Company, work: Work, jump: int
) -> None:
    quarterly = make(company, "*/15 * * * *")
    begin = company.clock.now()
    for _ in range(4):
        pass_time(company, 15 * 60)
    company.clock.advance(jump)
    pass_time(company, 5)
    company.clock.advance(-jump - 5)
    for _ in range(6):
        pass_time(company, 15 * 60)

    fired = [run.fire_at for run in runs(company, quarterly)]
    assert len(fired) == len(set(fired)) == work.done
    due = {begin + timedelta(minutes=15 * number) for number in range(1, 11)}
    # Forward, the times of the hour that seemed over are made up for by one; none is done twice.
    assert due - set(fired) <= ({begin + timedelta(minutes=15 * number) for number in (6, 7, 8)} if jump > 0 else set())
    assert not set(fired) - due


def test_a_jitter_is_the_same_everywhere_stays_in_bounds_and_off_the_crowded_minutes(company: Company) -> None:
    at = company.clock.now()
    for schedule_id in range(200):
        moment = schedule_times.moment_after(schedule_id, "30 3 * * *", ZONE, 1200, at)
        assert moment == schedule_times.moment_after(schedule_id, "30 3 * * *", ZONE, 1200, at)
        late = moment - datetime(2026, 11, 23, 19, 30, tzinfo=UTC)
        assert timedelta(minutes=1) <= late <= timedelta(seconds=1260)
        assert moment.minute not in (0, 30)


@pytest.mark.both
def test_an_edit_holds_at_once_and_for_a_stranger_process_too(company: Company, work: Work) -> None:
    nightly = make(company, "0 3 * * *")
    with company.runtime.write() as session:
        schedules.edit(session, nightly, ScheduleEdit(cron="5 * * * *"), "li", company.clock.now(), version=1)
    pass_time(company, 5 * 60)
    assert (work.done, states(company, nightly)) == (1, ["done"])
    with pytest.raises(StaleEdit), company.runtime.write() as session:
        schedules.edit(session, nightly, ScheduleEdit(name="旧"), "wang", company.clock.now(), version=1)


def test_a_new_name_leaves_the_time_alone(company: Company, work: Work) -> None:
    hourly = make(company)
    company.clock.advance(HOUR)
    with company.runtime.write() as session:
        schedules.edit(session, hourly, ScheduleEdit(name="新名字"), "li", company.clock.now())
    pass_time(company, 1)
    assert work.done == 1


def test_a_paused_schedule_rests_and_resumes_from_now_on(company: Company, work: Work) -> None:
    hourly = make(company)
    now = company.clock.now
    with company.runtime.write() as session:
        schedules.pause(session, hourly, "li", now())
    pass_time(company, 5 * HOUR)
    with company.runtime.write() as session:
        schedules.resume(session, hourly, "li", now())
    pass_time(company, 60)
    assert work.done == 0
    pass_time(company, HOUR)
    assert work.done == 1


def test_what_was_removed_fires_no_more_and_comes_back(company: Company, work: Work) -> None:
    hourly = make(company)
    queue, now = company.runtime.queue, company.clock.now
    with company.runtime.write() as session:
        schedules.remove(session, queue, hourly, "li", now())
    pass_time(company, 2 * HOUR)
    assert work.done == 0
    with company.runtime.read() as session:
        assert schedules.list_schedules(session, queue, now()) == []
        with pytest.raises(NotFound):
            schedules.get(session, hourly)
    with company.runtime.write() as session:
        schedules.restore(session, hourly, "li", now())
    pass_time(company, HOUR)
    assert work.done == 1


@pytest.mark.parametrize(
    ("wrong", "field"),
    [
        ({"kind": "poem"}, "kind"),
        ({"name": " "}, "name"),
        ({"cron": "99 * * * *"}, "cron"),
        ({"time_zone": "Mars/Base"}, "time_zone"),
        ({"time_zone": "../etc/passwd"}, "time_zone"),
        ({"misfire_grace_s": 8 * DAY}, "misfire_grace_s"),
        ({"jitter_s": 7 * HOUR}, "jitter_s"),
        ({"cron": "*/10 * * * *", "jitter_s": 600}, "jitter_s"),
    ],
)
def test_a_wrong_draft_is_refused_by_field(company: Company, work: Work, wrong: dict[str, Any], field: str) -> None:
    draft = ScheduleDraft(**{"kind": "work", "name": "试做", "cron": "0 3 * * *", "time_zone": ZONE, **wrong})
    with pytest.raises(InvalidInput) as refused, company.runtime.write() as session:
        schedules.create(session, draft, "li", company.clock.now())
    assert set(refused.value.details or {}) == {field}


def test_defaults_are_made_once_and_what_people_did_to_them_stays(company: Company) -> None:
    def all_rows() -> list[tuple[str, str, bool]]:
        with company.runtime.read() as session:
            found = schedules.list_schedules(session, company.runtime.queue, company.clock.now())
        return [(view.kind, view.words, view.enabled) for view in found]

    assert all_rows() == [
        ("directory", "每天 03:20", True),
        ("library", "每天 04:40", True),
        ("full_pull", "每天 02:15", False),
        ("push_retry", "每天 05:10", False),
        ("expiry", "每分钟", True),
        ("clean_up", "每小时第 7 分", True),
    ]
    with company.runtime.write() as session:
        first, second = session.scalars(select(Schedule.id).order_by(Schedule.id).limit(2)).all()
        schedules.remove(session, company.runtime.queue, first, "li", company.clock.now())
        schedules.edit(session, second, ScheduleEdit(cron="0 1 * * *"), "li", company.clock.now())
    changed = all_rows()
    company.restart()
    assert all_rows() == changed
    assert changed[0] == ("library", "每天 01:00", True)


@pytest.mark.both
def test_a_day_of_the_defaults_works_through_the_real_wire(company: Company) -> None:
    company.simulator.act("admin", "create_department", id=9, name="新门店")
    for _ in range(25):
        pass_time(company, HOUR)
    with company.runtime.read() as session:
        found = schedules.list_schedules(session, company.runtime.queue, company.clock.now())
        assert session.scalars(select(Job.id).where(Job.state == "dead")).all() == []
        ended = session.scalars(select(ScheduleRun.state).distinct()).all()
    assert ended == ["done"]
    last = {view.kind: view.last_run for view in found}
    assert {kind: run is not None for kind, run in last.items()} == {
        "directory": True,
        "library": True,
        "full_pull": False,
        "push_retry": False,
        "expiry": False,
        "clean_up": True,
    }
    directory_run = last["directory"]
    assert directory_run is not None
    assert dict(directory_run.count_words)["成员"] >= 3


def test_a_full_pull_begins_when_its_time_has_come_and_never_beside_another(company: Company) -> None:
    with company.runtime.read() as session:
        found = schedules.list_schedules(session, company.runtime.queue, company.clock.now())
    (full_pull,) = [view.id for view in found if view.kind == "full_pull"]
    with company.runtime.write() as session:
        schedules.resume(session, full_pull, "li", company.clock.now())
    for _ in range(49):
        pass_time(company, HOUR)

    with company.runtime.read() as session:
        pulls = sync_runs.list_runs(session, company.clock.now())
    assert [(view.asked_by, view.state) for view in pulls] == [("计划", "done")] * 2
