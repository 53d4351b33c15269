"""Limits of WeCom and of the machine: what is over a limit waits, what cannot be stored is refused, all ends right."""

from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import event

from tests.flows.company import Company

MARK = "externalcontact/mark_tag"


@pytest.mark.both
def test_a_shut_api_is_left_alone_for_its_window_while_welcomes_go_out(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    company.simulator.faults.add(MARK, "errcode", errcode=45009, times=1)
    company.simulator.calls.clear()

    scanned = [company.simulator.scan(channel["config_id"])["external_userid"] for _ in range(5)]
    company.settle_later(50)

    assert len(company.simulator.calls.of(MARK)) == 1
    assert len([w for w in company.wecom_state()["welcomes"] if w["sent_at"]]) == 5
    company.settle_later(60)
    assert all(company.tags_there(external_userid) == {"护肤"} for external_userid in scanned)


@pytest.mark.both
def test_a_wrong_secret_costs_three_token_calls_and_loses_nothing(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    company.simulator.faults.put({"token": {"invalidate_now": True}})
    company.simulator.faults.add("gettoken", "errcode", errcode=40001)
    company.simulator.calls.clear()

    for _ in range(20):
        company.simulator.scan(channel["config_id"])
    company.settle_later(60)

    assert len(company.simulator.calls.of("gettoken")) <= 3
    assert len(company.get("/customers")["items"]) == 20


@pytest.mark.both
def test_a_token_that_expires_under_sixty_events_is_fetched_once(company: Company) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    company.simulator.faults.put({"token": {"invalidate_now": True}})
    company.simulator.calls.clear()

    for _ in range(60):
        company.simulator.scan(channel["config_id"])
    company.settle()

    assert len(company.simulator.calls.of("gettoken")) == 1


class FullDisk:
    """Lets the database file grow no further, as a full disk does, until there is room again."""

    def __init__(self, company: Company) -> None:
        self._engine = company.runtime.database.engine
        self._limit: int | None = None
        event.listen(self._engine, "begin", self._apply)

    def fill(self) -> None:
        with self._engine.connect() as connection:
            self._limit = int(connection.exec_driver_sql("PRAGMA page_count").scalar_one())

    def free(self) -> None:
        self._limit = None

    def _apply(self, connection: Any) -> None:
        cursor = connection.connection.cursor()
        cursor.execute(f"PRAGMA max_page_count={self._limit or 1_000_000_000}")
        cursor.close()

    def close(self) -> None:
        event.remove(self._engine, "begin", self._apply)


@pytest.fixture
def disk(company: Company) -> Iterator[FullDisk]:
    full = FullDisk(company)
    yield full
    full.close()


def test_with_a_full_disk_callbacks_are_refused_and_taken_again_without_a_restart(
    company: Company, disk: FullDisk
) -> None:
    channel = company.make_channel(tags=company.make_tags("护肤"))
    disk.fill()
    answers = []
    for _ in range(40):
        company.simulator.scan(channel["config_id"])
        company.simulator.step()
        answers.append(company.simulator.callbacks.records[-1].last_status)
    assert 503 in answers
    acknowledged = answers.count(200)

    disk.free()
    company.settle_later(60)

    assert len(company.get("/customers?limit=200")["items"]) >= acknowledged
    assert company.client.get("/readyz").status_code == 200
    states = {job["state"] for job in company.get("/jobs?limit=200")["items"]}
    assert "dead" not in states
