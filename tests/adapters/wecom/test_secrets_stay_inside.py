"""Neither the secret nor a token appears in exceptions, logs, metrics or the database file."""

import logging
import traceback
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest
from prometheus_client import generate_latest
from sqlalchemy import select, text

from tests.adapters.wecom.far_side import Call, FarSide, Raw, ok, refusal
from tests.adapters.wecom.support import SECRET_KEY, SETTINGS, MakeGateway
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.adapters.wecom.transport import scrub
from wecom_app.clock import ManualClock
from wecom_app.db import Database
from wecom_app.errors import AppError
from wecom_app.models.wecom import ApiCall, ApiWindow, WeComToken
from wecom_app.services.metrics import Metrics
from wecom_app.simulator.faults import LostReply, TimedOut
from wecom_app.simulator.http_server import SimulatorServer
from wecom_app.simulator.server import RunningServer

LIST = "externalcontact/list"
CANARY = "CANARY"


def told(error: BaseException | None) -> str:
    """Return everything that a logger or an error tracker may show of an exception."""
    texts = []
    while error is not None:
        texts += [*traceback.format_exception(error), repr(error), str(error), repr(error.__dict__)]
        error = error.__cause__ or error.__context__
    return "\n".join(texts)


def lose(_: Call) -> dict[str, object]:
    raise LostReply


def late(_: Call) -> dict[str, object]:
    raise TimedOut


def cut(call: Call) -> dict[str, object]:
    """Refuse with the token where the text that is kept of errmsg ends."""
    return refusal(40058, "x" * 290 + call.query["access_token"])


def echo(call: Call) -> dict[str, object]:
    """Refuse with the token in the text, bare and as a parameter, and with another call's secret."""
    token = call.query["access_token"]
    text = f"{token} is bad: access_token={token}, not corpsecret=CANARY-OTHER"
    return refusal(40058, text, seen=call.query)


BAD_ANSWERS = {
    "lost": lose,
    "late": late,
    "echo": echo,
    "cut": cut,
    "html": Raw(b"<html>"),
    "502": Raw(b"", "502 Bad Gateway"),
    "redirect": Raw(b"", "301 Moved Permanently"),
    "shape": ok(external_userid="CANARY-not-a-list"),
    "dead token": refusal(40014),
    "refused": refusal(48002),
    "limit": refusal(45009),
}


@pytest.mark.parametrize("answer", BAD_ANSWERS.values(), ids=BAD_ANSWERS)
def test_no_exception_or_log_shows_a_token(
    scripted: Gateway, far_side: FarSide, answer: object, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    far_side.answer(LIST, answer)
    with pytest.raises(AppError) as caught:
        scripted.list_external_userids("zhang")
    scripted.flush()
    assert CANARY not in told(caught.value)
    assert CANARY not in caplog.text


@pytest.mark.parametrize("answer", ["lost", "late", "html", "502", "redirect", "refused", "limit"])
def test_no_exception_or_log_shows_the_secret(
    scripted: Gateway, far_side: FarSide, answer: str, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    far_side.answer("gettoken", BAD_ANSWERS[answer])
    with pytest.raises(AppError) as caught:
        scripted.list_external_userids("zhang")
    assert CANARY not in told(caught.value)
    assert CANARY not in caplog.text


@pytest.fixture
def served(far_side: FarSide) -> Iterator[RunningServer]:
    with RunningServer(SimulatorServer("127.0.0.1", 0, far_side)) as server:
        yield server


def over_http(url: str, database: Database, clock: ManualClock, metrics: Metrics) -> Gateway:
    """A gateway with the session that production uses."""
    return Gateway(replace(SETTINGS, api_base_url=url), SECRET_KEY, database, clock, metrics)


def test_urllib3_logs_calls_without_tokens_at_debug(
    served: RunningServer,
    far_side: FarSide,
    database: Database,
    clock: ManualClock,
    caplog: pytest.LogCaptureFixture,
) -> None:
    caplog.set_level(logging.DEBUG)
    metrics = Metrics()
    gateway = over_http(served.url, database, clock, metrics)
    far_side.answer(LIST, ok(external_userid=["wm_li"]), lose, refusal(40014), late)
    assert gateway.list_external_userids("zhang") == ("wm_li",)
    for _ in range(2):
        with pytest.raises(AppError) as caught:
            gateway.list_external_userids("zhang")
        assert CANARY not in told(caught.value)
    assert "access_token=***" in caplog.text  # urllib3 did log the calls
    assert "corpsecret=***" in caplog.text
    assert CANARY not in caplog.text
    assert not [record for record in caplog.records if CANARY in repr(record.__dict__)]
    assert CANARY.encode() not in generate_latest(metrics.registry)


def test_a_refused_connection_shows_nothing(
    served: RunningServer, database: Database, clock: ManualClock, caplog: pytest.LogCaptureFixture
) -> None:
    caplog.set_level(logging.DEBUG)
    gateway = over_http(served.url, database, clock, Metrics())
    served.stop()
    with pytest.raises(AppError) as caught:
        gateway.list_external_userids("zhang")
    assert CANARY not in told(caught.value)
    assert CANARY not in caplog.text


@pytest.mark.both
def test_the_database_holds_no_token_in_the_clear(
    scripted: Gateway, far_side: FarSide, database: Database, backend: str
) -> None:
    far_side.answer(LIST, ok(external_userid=["wm_li"]))
    scripted.list_external_userids("zhang")
    scripted.flush()
    with database.read() as session:
        (row,) = session.scalars(select(WeComToken))
        tables = [repr(vars(item)) for table in (ApiCall, ApiWindow) for item in session.scalars(select(table))]
        assert row.value is not None
        assert CANARY not in repr(vars(row))
        assert CANARY not in "".join(tables)
    if backend == "sqlite":
        path = Path(database.url.database or "")
        stored = b"".join(file.read_bytes() for file in path.parent.glob(f"{path.name}*"))
        assert LIST.encode() in stored  # the rows are in the file or its log
        assert CANARY.encode() not in stored


def test_a_token_sealed_under_another_secret_key_is_not_opened(
    make_gateway: MakeGateway, far_side: FarSide, database: Database
) -> None:
    far_side.answer(LIST, ok(external_userid=[]))
    make_gateway(far_side).list_external_userids("zhang")
    with database.write() as session:
        session.execute(text("UPDATE wecom_token SET value = 'gAAAAABnot-ours'"))
    make_gateway(far_side).list_external_userids("zhang")
    assert far_side.tokens == 2


@pytest.mark.parametrize(
    ("line", "clean"),
    [
        ('"GET /x?corpid=a&corpsecret=b HTTP/1.1" 200', '"GET /x?corpid=a&corpsecret=*** HTTP/1.1" 200'),
        ("/x?access_token=a&debug=1", "/x?access_token=***&debug=1"),
        ("('/x?access_token=a')", "('/x?access_token=***')"),
        ("nothing", "nothing"),
    ],
)
def test_secret_parameters_are_blanked(line: str, clean: str) -> None:
    assert scrub(line) == clean
