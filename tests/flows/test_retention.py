"""What was kept long enough goes, what must still be done stays, and one job an hour sees to it."""

import threading
from collections.abc import Sequence
from datetime import timedelta
from typing import Any

import pytest
from sqlalchemy import func, insert, select
from sqlalchemy.orm import Session

from tests.flows.company import Company, open_company
from wecom_app.adapters.scheduler import BackgroundClock
from wecom_app.clock import ManualClock, SystemClock
from wecom_app.db import Base, Database
from wecom_app.errors import Unavailable
from wecom_app.models import (
    ApiCall,
    AuditEntry,
    IdempotencyRecord,
    InboxEvent,
    RateWindow,
    Schedule,
    ScheduleRun,
    SignInState,
    WebSession,
    Welcome,
)
from wecom_app.services import administrators, retention, schedule_runs, sessions, sign_in
from wecom_app.services.runtime import Store, Tick

DAY_S = 86_400.0


def sweep(company: Company, *, after_days: float) -> None:
    company.clock.advance(after_days * DAY_S)
    retention.sweep(company.runtime, {})


def count(company: Company, table: type[Base], *conditions: Any) -> int:
    with company.runtime.read() as session:
        return session.scalar(select(func.count()).select_from(table).where(*conditions)) or 0


def scan(company: Company, **more: Any) -> str:
    channel = company.make_channel()
    found: str = company.simulator.scan(channel["config_id"], **more)["external_userid"]
    company.settle()
    return found


def add_events(company: Company, states: Sequence[str]) -> None:
    now = company.clock.now()
    rows = [
        {
            "digest": f"{number:064}",
            "event": "unheard_of",
            "fields": {"Event": "unheard_of"},
            "body": "<xml/>",
            "received_at": now,
            "last_received_at": now,
            "state": state,
        }
        for number, state in enumerate(states)
    ]
    with company.runtime.write() as session:
        session.execute(insert(InboxEvent), rows)


@pytest.mark.both
def test_a_handled_callback_loses_its_text_after_thirty_days(company: Company) -> None:
    scan(company)

    def texts() -> tuple[int, int]:
        columns = (InboxEvent.body, InboxEvent.fields)
        body, fields = [count(company, InboxEvent, column.is_not(None)) for column in columns]
        return body, fields

    sweep(company, after_days=29.9)
    assert texts() == (1, 1)
    sweep(company, after_days=0.2)
    assert texts() == (0, 0)
    (event,) = company.get("/inbox")["items"]
    assert company.get(f"/inbox/{event['id']}")["fields"] is None
    refused = company.post(f"/inbox/{event['id']}/replay", None, expect=409)
    assert refused["message"] == "这条回调的正文已过保留期，不能重新处理"


@pytest.mark.both
def test_a_callback_without_its_text_is_still_known(company: Company) -> None:
    external_userid = scan(company)
    sweep(company, after_days=31)
    before = company.get(f"/customers/{external_userid}")

    company.simulator.callbacks.repeat(company.simulator.callbacks.records[0].event.seq)
    company.settle()

    (event,) = company.get("/inbox")["items"]
    assert (event["deliveries"], event["state"]) == (2, "done")
    assert company.get(f"/customers/{external_userid}") == before


@pytest.mark.both
def test_what_must_still_be_handled_keeps_its_text_and_its_row(company: Company) -> None:
    add_events(company, ["waiting", "failed", "done", "ignored"])

    sweep(company, after_days=31)
    assert count(company, InboxEvent, InboxEvent.body.is_not(None)) == 2
    sweep(company, after_days=370)
    with company.runtime.read() as session:
        left = session.execute(select(InboxEvent.state, InboxEvent.body).order_by(InboxEvent.id)).all()
    assert [tuple(row) for row in left] == [("waiting", "<xml/>"), ("failed", "<xml/>")]


@pytest.mark.both
def test_after_four_hundred_days_a_callback_goes_with_its_welcome(company: Company) -> None:
    scan(company)
    assert count(company, Welcome) == 1

    sweep(company, after_days=399)
    assert (count(company, InboxEvent), count(company, Welcome)) == (1, 1)
    sweep(company, after_days=2)
    assert (count(company, InboxEvent), count(company, Welcome)) == (0, 0)


@pytest.mark.both
def test_more_rows_than_one_transaction_takes_all_go(company: Company) -> None:
    add_events(company, ["done"] * (2 * retention.ROWS + 1))

    sweep(company, after_days=401)

    assert count(company, InboxEvent) == 0


@pytest.mark.both
def test_calls_answers_and_ended_jobs_go_after_their_time(company: Company) -> None:
    company.headers["Idempotency-Key"] = "a-key"
    company.make_tags("护肤")
    company.runtime.wecom_status.flush()
    assert count(company, ApiCall) > 0
    assert count(company, IdempotencyRecord) == 1
    del company.headers["Idempotency-Key"]

    sweep(company, after_days=1.1)
    assert count(company, IdempotencyRecord) == 0
    assert company.get("/jobs?state=done")["items"]
    sweep(company, after_days=2)
    assert not company.get("/jobs?state=done")["items"]
    assert count(company, ApiCall) > 0
    sweep(company, after_days=11)
    assert count(company, ApiCall) == 0


def test_calls_that_wait_to_be_logged_are_written_at_the_end(company: Company, database_url: str) -> None:
    company.make_tags("护肤")
    assert count(company, ApiCall) == 0

    company.runtime.stop()

    reopened = Database(database_url)
    with reopened.read() as session:
        assert "gettoken" in session.scalars(select(ApiCall.api)).all()
    reopened.close()


def test_the_days_are_settings(database_url: str, clock: ManualClock) -> None:
    company = open_company(database_url, clock)
    company.settings = company.settings.model_copy(update={"inbox_body_days": 7, "inbox_digest_days": 8})
    company.restart()
    add_events(company, ["done"])

    sweep(company, after_days=7.1)
    assert count(company, InboxEvent, InboxEvent.body.is_(None)) == 1
    sweep(company, after_days=1)
    assert count(company, InboxEvent) == 0
    company.close()


def test_the_clock_ticks_until_it_is_stopped(database: Database, caplog: pytest.LogCaptureFixture) -> None:
    ticked, failed = threading.Event(), threading.Event()
    errors: list[Exception] = [ValueError("a mistake"), Unavailable()]

    def tick(_store: Store) -> None:
        ticked.set()

    def fail(_store: Store) -> None:
        error = errors.pop()
        if not errors:
            failed.set()
        raise error

    clock = BackgroundClock(
        Store(clock=SystemClock(), database=database),
        [Tick("good", timedelta(hours=1), tick), Tick("bad", timedelta(milliseconds=10), fail)],
    )
    clock.start()
    assert ticked.wait(30)
    assert failed.wait(30)
    clock.stop()

    ours = [record.message for record in caplog.records if record.name == "wecom_app.adapters.scheduler"]
    assert ours[:2] == ["tick.database_unavailable", "tick.failed"]
    assert not [thread for thread in threading.enumerate() if thread.name.startswith("APScheduler")]
    clock.stop()


@pytest.mark.both
def test_what_log_ins_leave_behind_goes_when_its_time_is_over(company: Company) -> None:
    now = company.clock.now()
    with company.runtime.write() as session:
        admin = administrators.create(session, "root", "correct horse battery", now)
        sessions.start(session, now, admin_id=admin.id)
        sign_in.begin(session, "a visit", "/", now)
    kept = (WebSession, SignInState, RateWindow, AuditEntry)
    retention.sweep(company.runtime, {})
    assert [count(company, table) for table in kept] == [1, 1, 1, 1]
    sweep(company, after_days=0.5)
    assert [count(company, table) for table in kept] == [0, 0, 0, 1]
    sweep(company, after_days=1095)
    assert count(company, AuditEntry) == 0


def test_a_process_that_runs_jobs_fires_what_is_due_by_itself(
    database_url: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    company = open_company(database_url, SystemClock())
    queue, asked = company.runtime.queue, threading.Event()
    enqueue = queue.enqueue

    def note(session: Session, kind: str, *args: Any, **options: Any) -> int | None:
        if kind == schedule_runs.KIND:
            asked.set()
        return enqueue(session, kind, *args, **options)

    monkeypatch.setattr(queue, "enqueue", note)
    with company.runtime.write() as session:
        clean_up = session.scalars(select(Schedule).where(Schedule.seed == "clean_up")).one()
        clean_up.next_at = company.clock.now() - timedelta(minutes=1)
    company.runtime.start()
    assert asked.wait(30)
    company.close()

    reopened = Database(database_url)
    with reopened.read() as session:
        assert len(session.scalars(select(ScheduleRun.id).where(ScheduleRun.schedule_id == clean_up.id)).all()) == 1
    reopened.close()
