"""`/healthz`, `/readyz` and `/metrics`: what the machine that watches us is told, and who may read it."""

import sqlite3
from collections.abc import Iterator
from contextlib import closing, suppress
from pathlib import Path
from typing import Any

import pytest
from prometheus_client.parser import text_string_to_metric_families
from sqlalchemy import text

from tests.flows.company import Company, settings_for
from tests.web.asking import add_customer, assert_error
from tests.web.sender import Sender, deliver, event_xml
from wecom_app import db
from wecom_app.clock import ManualClock
from wecom_app.services import cells
from wecom_app.simulator.config import SimulatorConfig
from wecom_app.simulator.server import Simulator
from wecom_app.version import __version__
from wecom_app.web import operations

TOKEN = "canary-metrics-token"


def readiness(company: Company) -> tuple[int, Any]:
    answer = company.client.get("/readyz")
    body = answer.get_json()
    assert set(body) == {"status", "checks"}
    return answer.status_code, body


def broken(company: Company) -> list[str]:
    """Return the parts that are named as not working; check that they make the whole not ready."""
    status, body = readiness(company)
    failing = [name for name, passes in body["checks"].items() if not passes]
    assert (status, body["status"]) == ((503, "not_ready") if failing else (200, "ready"))
    return failing


def test_the_process_says_that_it_lives_and_which_version_it_is(company: Company) -> None:
    answer = company.client.get("/healthz")

    assert (answer.status_code, answer.get_json()) == (200, {"status": "ok", "version": __version__})


@pytest.mark.both
def test_a_working_system_is_ready(company: Company) -> None:
    status, body = readiness(company)

    assert (status, body["status"]) == (200, "ready")
    assert {"database", "schema", "disk"} <= set(body["checks"])
    assert broken(company) == []


def test_wecom_down_does_not_make_us_unready(company: Company) -> None:
    company.simulator.faults.add("*", "down")
    company.simulator.act("zhang", "add", name="来客")
    company.settle()

    assert broken(company) == []


def test_a_locked_database_is_named(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(db, "LOCK_WAIT_S", 0.05)
    path = company.runtime.database.url.database
    assert path
    with closing(sqlite3.connect(path, isolation_level=None)) as other:
        other.execute("BEGIN EXCLUSIVE")
        assert broken(company) == ["database"]

    assert broken(company) == []


@pytest.mark.both
def test_a_schema_of_another_version_is_named(company: Company) -> None:
    with company.runtime.write() as session:
        session.execute(text("UPDATE alembic_version SET version_num = '9999'"))

    assert broken(company) == ["schema"]


def test_a_schema_without_a_version_is_named(company: Company) -> None:
    with company.runtime.write() as session:
        session.execute(text("DELETE FROM alembic_version"))

    assert broken(company) == ["schema"]


def test_a_disk_that_is_nearly_full_is_named(company: Company, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(operations, "LEAST_DISK_SHARE", 1.0)

    assert broken(company) == ["disk"]


def test_a_folder_that_has_gone_is_named(company: Company) -> None:
    path = Path(company.runtime.database.url.database or "")
    path.parent.rename(path.parent.with_name("moved"))

    assert "disk" in broken(company)

    path.parent.with_name("moved").rename(path.parent)


def test_a_database_that_is_gone_is_named(company: Company) -> None:
    path = Path(company.runtime.database.url.database or "")
    company.runtime.database.close()
    moved = path.rename(path.with_name("moved.db"))
    path.mkdir()

    assert {"database", "schema"} <= set(broken(company))

    path.rmdir()
    moved.rename(path)


def test_liveness_does_not_need_the_database(company: Company) -> None:
    path = Path(company.runtime.database.url.database or "")
    company.runtime.database.close()
    moved = path.rename(path.with_name("moved.db"))
    path.mkdir()

    assert company.client.get("/healthz").status_code == 200

    path.rmdir()
    moved.rename(path)


# Metrics.


@pytest.fixture
def guarded(database_url: str, clock: ManualClock) -> Iterator[Company]:
    """A company whose metrics may be read with a token."""
    config = SimulatorConfig()
    opened = Company(Simulator(config, clock), settings_for(config, database_url, METRICS_TOKEN=TOKEN), clock)
    yield opened
    opened.close()


def sample(company: Company, name: str, **labels: str) -> float:
    """Return a sample of the metrics page, 0 where it has none."""
    page = company.client.get("/metrics").get_data(as_text=True)
    for family in text_string_to_metric_families(page):
        for found in family.samples:
            if found.name == name and labels.items() <= found.labels.items():
                return float(found.value)
    return 0.0


@pytest.mark.both
def test_metrics_are_prometheus_text(company: Company) -> None:
    answer = company.client.get("/metrics")

    assert (answer.status_code, answer.mimetype) == (200, "text/plain")
    families = list(text_string_to_metric_families(answer.get_data(as_text=True)))
    assert families
    assert all(family.name.startswith("wecom_app_") for family in families)


@pytest.mark.both
def test_callbacks_are_counted_from_receipt_to_handling(company: Company, sender: Sender) -> None:
    deliver(company, sender, event_xml(MsgType="event", Event="change_external_tag"))
    company.client.post("/wecom/callback")

    assert sample(company, "wecom_app_callback_requests_total", result="stored") == 1
    assert sample(company, "wecom_app_callback_requests_total", result="refused") == 1
    assert sample(company, "wecom_app_inbox_events", state="waiting") == 1
    assert sample(company, "wecom_app_jobs_waiting", lane="event", state="waiting") == 1
    company.clock.advance(30)
    assert sample(company, "wecom_app_inbox_oldest_age_seconds") == 30
    company.settle()
    assert sample(company, "wecom_app_inbox_events", state="done") == 1
    assert sample(company, "wecom_app_inbox_oldest_age_seconds") == 0
    assert sample(company, "wecom_app_events_total", event="change_external_tag", result="done") == 1


@pytest.mark.both
def test_jobs_that_run_or_failed_do_not_count_as_waiting(company: Company) -> None:
    queue = company.runtime.queue
    with company.runtime.write() as session:
        job_ids = [queue.enqueue(session, "watch.run", {}, lane="local") for _ in range(3)]
        queue.cancel(session, job_ids[0] or 0)

    assert sample(company, "wecom_app_jobs_dead", lane="local") == 1
    assert sample(company, "wecom_app_jobs_waiting", lane="local", state="waiting") == 2
    assert 'state="dead"' not in company.client.get("/metrics").get_data(as_text=True)


@pytest.mark.both
def test_ends_of_tag_operations_are_counted_once_committed(company: Company) -> None:
    (key,) = company.make_tags("护肤", group="意向")
    customer = add_customer(company)
    closed = "wecom_app_tag_operations_closed_total"
    verified = sample(company, closed, result="verified")
    assert verified == 1

    company.post(f"/customers/{customer}/tags", {"add": [key]}, 200)
    company.post(f"/customers/{customer}/tags", {"remove": [key]}, 200)
    assert sample(company, closed, result="superseded") == 1
    company.settle()
    assert sample(company, closed, result="verified") == verified + 1
    with suppress(RuntimeError), company.runtime.write() as session:
        cells.count_closed(session, "void", 3)
        raise RuntimeError
    assert sample(company, closed, result="void") == 0


def test_metrics_hold_no_names_and_no_ids(company: Company) -> None:
    customer = add_customer(company, welcome={"text": "{customer_name}您好"})
    name = company.get(f"/customers/{customer}")["name"]

    page = company.client.get("/metrics").get_data(as_text=True)

    assert customer not in page
    assert name not in page
    assert "zhang" not in page


@pytest.mark.parametrize("address", ["127.0.0.1", "::1"])
def test_metrics_may_be_read_from_this_machine(company: Company, address: str) -> None:
    assert company.client.get("/metrics", environ_overrides={"REMOTE_ADDR": address}).status_code == 200


@pytest.mark.parametrize(
    "environ",
    [
        {"REMOTE_ADDR": "10.0.0.7"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_X_FORWARDED_FOR": "127.0.0.1"},
        {"REMOTE_ADDR": "127.0.0.1", "HTTP_FORWARDED": "for=127.0.0.1"},
        {"REMOTE_ADDR": ""},
        {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": "Bearer "},
    ],
    ids=["another machine", "through a proxy", "through a newer proxy", "no address", "an empty token"],
)
def test_to_others_metrics_are_not_there(company: Company, environ: dict[str, str]) -> None:
    assert_error(company.client.get("/metrics", environ_overrides=environ), 404, "not_found")


def test_the_token_opens_the_metrics_to_another_machine(guarded: Company) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": f"Bearer {TOKEN}"}

    assert guarded.client.get("/metrics", environ_overrides=environ).status_code == 200


@pytest.mark.parametrize("given", ["", "Bearer ", "Bearer wrong", f"Bearer {TOKEN}x", "Bearer é", f"Basic {TOKEN}"])
def test_another_token_opens_nothing(guarded: Company, given: str) -> None:
    environ = {"REMOTE_ADDR": "10.0.0.7", "HTTP_AUTHORIZATION": given}

    assert_error(guarded.client.get("/metrics", environ_overrides=environ), 404, "not_found")


def test_a_token_that_was_left_empty_opens_nothing(database_url: str, clock: ManualClock) -> None:
    config = SimulatorConfig()
    company = Company(Simulator(config, clock), settings_for(config, database_url, METRICS_TOKEN=""), clock)

    answer = company.client.get("/metrics", environ_overrides={"REMOTE_ADDR": "10.0.0.7"})

    company.close()
    assert_error(answer, 404, "not_found")
