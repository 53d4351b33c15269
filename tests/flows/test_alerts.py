"""Each trouble is told to the group exactly once, its end once, and a robot that is down loses nothing."""

import secrets
from collections.abc import Callable, Iterator
from datetime import timedelta

import pytest
from sqlalchemy import insert, update

from tests.flows.company import Company
from tests.flows.test_channels import crash, once
from tests.flows.watching import alerts_said, look, open_watched, pass_minutes, said
from wecom_app.clock import ManualClock
from wecom_app.errors import WeComError
from wecom_app.models import CustomerTag, InboxEvent, ScheduleRun, SyncChain, SyncRun
from wecom_app.services import bot_settings, runs
from wecom_app.services.alert_conditions import CONDITIONS, TITLES
from wecom_app.services.bot_settings import Choices
from wecom_app.services.disk import Room
from wecom_app.services.runtime import SimulatedCrash

MARK = "externalcontact/mark_tag"
WELCOME = "externalcontact/send_welcome_msg"


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    # Before nine in Shanghai, so that no digest comes between.
    clock.advance(-timedelta(hours=7).total_seconds())
    opened = open_watched(database_url, clock)
    yield opened
    opened.close()


def scan(company: Company, **channel: object) -> str:
    made = company.make_channel(tags=company.make_tags("护肤"), **channel)
    external_userid: str = company.simulator.scan(made["config_id"], name="林晓芸")["external_userid"]
    return external_userid


def leave_callbacks_waiting(company: Company, _patch: pytest.MonkeyPatch) -> None:
    old = company.clock.now() - timedelta(seconds=90)
    row = {"digest": secrets.token_hex(32), "event": "x", "received_at": old, "last_received_at": old}
    with company.runtime.write() as session:
        session.execute(insert(InboxEvent), [{**row, "state": "waiting"}])


def handle_what_waits(company: Company, _patch: pytest.MonkeyPatch) -> None:
    with company.runtime.write() as session:
        session.execute(update(InboxEvent).where(InboxEvent.state == "waiting").values(state="done"))


def miss_welcomes(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.add(WELCOME, "errcode", errcode=40098, times=1)
    scan(company)
    company.settle()


def let_an_hour_pass(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.clock.advance(3601)


def kill_a_job(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.add("externalcontact/get", "errcode", errcode=48002)
    scan(company)
    company.settle_later(30)


def cancel_dead_jobs(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.clear()
    company.post("/jobs/replay", {}, expect=200)
    company.settle_later(60)


def leave_a_cell_dead(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.add(MARK, "silent_ok")
    scan(company)
    company.settle_later(120)


def revive_the_cell(company: Company, _patch: pytest.MonkeyPatch) -> None:
    with company.runtime.write() as session:
        session.execute(update(CustomerTag).values(dead=False))


def hold_a_run(company: Company, _patch: pytest.MonkeyPatch) -> None:
    with company.runtime.write() as session:
        runs.hold_tags(session, [1], company.clock.now(), {1: "护肤"})


def reject_the_run(company: Company, _patch: pytest.MonkeyPatch) -> None:
    (run,) = company.get("/sync/runs?state=held")["items"]
    company.post(f"/sync/runs/{run['id']}/reject", {}, expect=200)


def find_much_to_differ(company: Company, _patch: pytest.MonkeyPatch) -> None:
    now = company.clock.now()
    row = {"kind": "pull", "state": "done", "phase": "release", "asked_by": "tests", "counts": {}, "guard": {}}
    with company.runtime.write() as session:
        run = SyncRun(**row, created_at=now, finished_at=now)
        session.add(run)
        session.flush()
        session.add(SyncChain(run_id=run.id, number=0, userids=[], counts={"contacts": 9000, "adopted": 10}))


def find_nothing_to_differ(company: Company, _patch: pytest.MonkeyPatch) -> None:
    now = company.clock.now()
    row = {"kind": "pull", "state": "done", "phase": "release", "asked_by": "tests", "guard": {}}
    with company.runtime.write() as session:
        session.add(SyncRun(**row, counts={"contacts": 9000, "adopted": 9}, created_at=now, finished_at=now))


def leave_a_schedule_waiting(company: Company, _patch: pytest.MonkeyPatch) -> None:
    long_ago = company.clock.now() - timedelta(days=3)
    with company.runtime.write() as session:
        session.execute(insert(ScheduleRun), [{"schedule_id": 1, "fire_at": long_ago, "state": "running"}])


def end_the_schedules_run(company: Company, _patch: pytest.MonkeyPatch) -> None:
    with company.runtime.write() as session:
        session.execute(update(ScheduleRun).values(state="done"))


def refuse_the_secret(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.add("gettoken", "errcode", errcode=40001)
    company.clock.advance(7200)
    for _ in range(4):
        with pytest.raises(WeComError):
            company.runtime.wecom.get_member("zhang")


def accept_the_secret(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.clear()
    company.clock.advance(3601)
    company.runtime.wecom.get_member("zhang")


def set_the_clock_back(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.clock.offset_s = 45
    company.simulator.act("zhang", "enter_agent")
    company.settle()


def set_the_clock_right(company: Company, _patch: pytest.MonkeyPatch) -> None:
    company.simulator.clock.offset_s = 0
    company.clock.advance(601)


def fill_the_disk(_company: Company, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("wecom_app.services.disk.room", lambda _database: Room(free=5 * 2**30, share=0.05))


def clean_the_disk(_company: Company, patch: pytest.MonkeyPatch) -> None:
    patch.setattr("wecom_app.services.disk.room", lambda _database: Room(free=50 * 2**30, share=0.5))


def make_one_tag_too_many(company: Company, _: pytest.MonkeyPatch) -> None:
    company.simulator.faults.put({"tag_limit": 0})
    company.make_tags("护肤")


def raise_the_tag_limit(company: Company, _: pytest.MonkeyPatch) -> None:
    company.simulator.faults.put({})
    company.post("/sync/library/retry", {}, 200)
    company.settle()


Step = Callable[[Company, pytest.MonkeyPatch], None]
CAUSES: dict[str, tuple[Step, Step]] = {
    "inbox_age": (leave_callbacks_waiting, handle_what_waits),
    "welcome_misses": (miss_welcomes, let_an_hour_pass),
    "dead_jobs": (kill_a_job, cancel_dead_jobs),
    "dead_cells": (leave_a_cell_dead, revive_the_cell),
    "held_runs": (hold_a_run, reject_the_run),
    "tag_limit": (make_one_tag_too_many, raise_the_tag_limit),
    "differences": (find_much_to_differ, find_nothing_to_differ),
    "late_schedules": (leave_a_schedule_waiting, end_the_schedules_run),
    "token": (refuse_the_secret, accept_the_secret),
    "clock_skew": (set_the_clock_back, set_the_clock_right),
    "disk": (fill_the_disk, clean_the_disk),
}


def test_every_condition_is_caused_here() -> None:
    assert {condition.key for condition in CONDITIONS} == set(CAUSES)


@pytest.mark.both
@pytest.mark.parametrize("key", CAUSES)
def test_each_cause_is_told_once_and_its_end_once(company: Company, monkeypatch: pytest.MonkeyPatch, key: str) -> None:
    cause, cure = CAUSES[key]
    look(company)
    assert said(company) == []

    cause(company, monkeypatch)
    look(company)
    (told,) = alerts_said(company)
    assert TITLES[key] in told
    assert "林晓芸" not in told
    (listed,) = [item for item in company.get("/alerts")["items"] if item["firing"]]
    assert (listed["key"], listed["delivered"]) == (key, True)

    look(company)
    assert len(alerts_said(company)) == 1

    cure(company, monkeypatch)
    look(company)
    look(company)
    assert len(alerts_said(company)) == 2
    assert f"已恢复</font>：{TITLES[key]}" in alerts_said(company)[1]
    assert not any(item["firing"] for item in company.get("/alerts")["items"])


def test_what_goes_on_is_told_of_again_only_when_it_grows_and_ten_minutes_are_over(company: Company) -> None:
    company.simulator.faults.add(MARK, "silent_ok")
    external_userid = scan(company)
    company.settle_later(120)
    look(company)
    company.clock.advance(601)
    pass_minutes(company, 2)
    assert len(alerts_said(company)) == 1

    keys = company.make_tags("母婴", "彩妆", group="更多")
    company.post(f"/customers/{external_userid}/tags", {"add": keys}, expect=200)
    company.settle_later(120)
    pass_minutes(company, 2)
    assert len(alerts_said(company)) == 2
    assert "3 个标签没能推送" in alerts_said(company)[1]


def test_a_flapping_condition_is_told_of_once_in_ten_minutes(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    for _ in range(4):
        leave_callbacks_waiting(company, monkeypatch)
        pass_minutes(company, 1)
        handle_what_waits(company, monkeypatch)
        pass_minutes(company, 1)
    assert sum("回调积压" in words and "告警" in words for words in alerts_said(company)) == 1
    assert sum("已恢复" in words for words in alerts_said(company)) == 1


def test_a_robot_that_is_down_keeps_the_alert_until_it_is_up(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.add("webhook/send", "down")
    leave_callbacks_waiting(company, monkeypatch)
    look(company)
    found = company.get("/alerts")
    (listed,) = found["items"]
    assert (listed["firing"], listed["delivered"]) == (True, False)
    assert "企业微信" in listed["delivery_reason"]
    assert [message["kind"] for message in found["undelivered"]] == ["alert"]

    company.simulator.faults.clear()
    company.settle_later(120)
    assert len(alerts_said(company)) == 1
    assert company.get("/alerts")["undelivered"] == []


def test_a_robot_that_was_removed_is_asked_once_and_shown(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    company.simulator.faults.add("webhook/send", "errcode", errcode=93000)
    leave_callbacks_waiting(company, monkeypatch)
    look(company)
    company.settle_later(600, step=60)
    look(company)
    assert len(company.simulator.calls.of("webhook/send")) == 1
    found = company.get("/alerts")
    assert "GROUP_ROBOT_URL" in found["items"][0]["delivery_reason"]
    assert [item["key"] for item in found["items"]] == ["inbox_age"], "the robot's own trouble is no dead job"


@pytest.mark.both
@pytest.mark.parametrize("point", ["alerts.before_commit", "robot.before_call"])
def test_a_crash_on_the_way_tells_once(company: Company, monkeypatch: pytest.MonkeyPatch, point: str) -> None:
    leave_callbacks_waiting(company, monkeypatch)
    company.crash_hook = once(point, crash)
    with pytest.raises(SimulatedCrash):
        look(company)
    company.restart()
    company.settle_later(900, step=60)
    look(company)
    assert len(alerts_said(company)) == 1


def test_alerts_can_be_switched_off_and_stay_listed(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    with company.runtime.write() as session:
        bot_settings.put(session, Choices(alerts=False), company.clock.now())
    leave_callbacks_waiting(company, monkeypatch)
    look(company)
    assert said(company) == []
    assert [item["key"] for item in company.get("/alerts")["items"]] == ["inbox_age"]
