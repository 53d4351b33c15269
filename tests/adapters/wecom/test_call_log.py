"""Every call is counted and written down, without ever holding one up."""

from contextlib import AbstractContextManager
from datetime import timedelta

import pytest
from sqlalchemy import func, insert, select

from tests.adapters.wecom.far_side import FarSide, Raw, ok, refusal
from tests.adapters.wecom.support import MakeGateway
from wecom_app.adapters.wecom.call_log import CallLog, Outcome
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.limits import Limits
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import Unavailable, WeComError
from wecom_app.models.wecom import ApiCall
from wecom_app.services.metrics import Metrics
from wecom_app.services.ports import WelcomeMessage

LIST = "externalcontact/list"


def rows(database: Database) -> list[tuple[str, int | None, str]]:
    with database.read() as session:
        query = select(ApiCall.api, ApiCall.errcode, ApiCall.outcome).order_by(ApiCall.id)
        return [(api, errcode, outcome) for api, errcode, outcome in session.execute(query)]


@pytest.mark.both
def test_each_call_leaves_one_row_with_its_outcome(
    scripted: Gateway, far_side: FarSide, database: Database, clock: ManualClock
) -> None:
    far_side.answer(LIST, ok(external_userid=[]), refusal(60011), Raw(b"<html>", "502 Bad Gateway"))
    scripted.list_external_userids("zhang")
    for _ in range(2):
        with pytest.raises(WeComError):
            scripted.list_external_userids("zhang")
    scripted.flush()
    assert rows(database) == [
        ("gettoken", 0, "ok"),
        (LIST, 0, "ok"),
        (LIST, 60011, "refused"),
        (LIST, None, "unknown"),
    ]


def test_a_call_that_our_budget_stops_is_written_as_throttled(
    make_gateway: MakeGateway, far_side: FarSide, database: Database
) -> None:
    gateway = make_gateway(far_side, limits=Limits(per_minute=2))
    far_side.answer(LIST, ok(external_userid=[]))
    gateway.list_external_userids("zhang")
    with pytest.raises(WeComError):
        gateway.list_external_userids("zhang")
    gateway.flush()
    assert rows(database)[1:] == [(LIST, 0, "ok"), (LIST, None, "throttled")]
    assert far_side.count(LIST) == 1


def test_rows_are_written_by_a_later_call(
    scripted: Gateway, far_side: FarSide, database: Database, clock: ManualClock
) -> None:
    far_side.answer(LIST, ok(external_userid=[]))
    far_side.answer("externalcontact/send_welcome_msg", ok())
    scripted.list_external_userids("zhang")
    assert rows(database) == []
    clock.advance(1)
    scripted.send_welcome("code", WelcomeMessage("您好"))
    assert rows(database) == []  # an urgent call writes nothing
    scripted.list_external_userids("zhang")
    assert len(rows(database)) == 4


def test_many_rows_are_written_before_the_second_is_over(database: Database, clock: ManualClock) -> None:
    log = CallLog(database, clock, Metrics())
    for _ in range(100):
        log.flush_if_due()
        log.add(LIST, log.start(), Outcome.OK, 0)
    assert rows(database) == []
    log.flush_if_due()
    assert len(rows(database)) == 100


def test_a_database_that_cannot_be_written_fails_no_call(
    database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    class Full:
        def write(self, *, urgent: bool = False) -> AbstractContextManager[object]:
            raise Unavailable

    log = CallLog(Full(), clock, Metrics())
    log.add(LIST, log.start(), Outcome.OK, 0)
    clock.advance(2)
    log.flush_if_due()
    assert [record.message for record in caplog.records] == ["call_log.lost"]


def test_a_log_that_is_never_written_stays_small(database: Database, clock: ManualClock) -> None:
    log = CallLog(database, clock, Metrics())
    for _ in range(6_000):
        log.add(LIST, log.start(), Outcome.OK, 0)
    log.flush()
    assert len(rows(database)) == 5_000


@pytest.mark.both
def test_rows_older_than_two_weeks_go(scripted: Gateway, database: Database, clock: ManualClock) -> None:
    old, young = clock.now() - timedelta(days=14, seconds=1), clock.now() - timedelta(days=13)
    row = {"api": LIST, "errcode": 0, "outcome": "ok", "duration_ms": 3}
    with database.write() as session:
        session.execute(insert(ApiCall), [{**row, "at": old}] * 700 + [{**row, "at": young}] * 3)
    assert scripted.purge() == 700
    with database.read() as session:
        assert session.scalar(select(func.count()).select_from(ApiCall)) == 3


def test_calls_and_refreshes_are_counted_in_the_metrics(
    make_gateway: MakeGateway, far_side: FarSide, clock: ManualClock
) -> None:
    metrics = Metrics()
    gateway = make_gateway(far_side, metrics=metrics)

    def slow(_: object) -> dict[str, object]:
        clock.advance(0.5)
        return ok(external_userid=[])

    far_side.answer(LIST, slow, refusal(60011), Raw(b"<html>"))
    gateway.list_external_userids("zhang")
    for _ in range(2):
        with pytest.raises(WeComError):
            gateway.list_external_userids("zhang")

    def value(name: str, **labels: str) -> float | None:
        return metrics.registry.get_sample_value(f"wecom_app_{name}", labels)

    assert value("wecom_api_requests_total", api=LIST, errcode="0") == 1
    assert value("wecom_api_requests_total", api=LIST, errcode="60011") == 1
    assert value("wecom_api_requests_total", api=LIST, errcode="unknown") == 1
    assert value("wecom_api_duration_seconds_count", api=LIST) == 3
    assert value("wecom_api_duration_seconds_sum", api=LIST) == pytest.approx(0.5)
    assert value("token_refreshes_total", result="ok") == 1
