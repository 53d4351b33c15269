"""No statement on the way of a scan reads a whole table: with a million customers each would take seconds."""

import re
from collections.abc import Iterator
from typing import Any

import pytest
from sqlalchemy import Engine, event

from tests.flows.company import Company
from tests.flows.definitions import call
from tests.flows.pulling import befriend, deafen, go_live, mark, pull, view
from tests.flows.test_mark_failures import known_customer
from wecom_app.services import runs

SMALL = {
    "tag",
    "tag_group",
    "tag_dimension",
    "channel",
    "channel_tag",
    "staff",
    "counter",
    "deployment",
    "flight_share",
    "sync_run",
    "sync_chain",
}
"""Tables that do not grow with customers and time."""
SCAN = re.compile(r"SCAN (?!CONSTANT ROW|anon_)(\w+)")
"""A table, or its alias, that is read as a whole; what a subquery has found may be."""


@pytest.fixture
def statements() -> Iterator[dict[str, Any]]:
    """Every statement executed meanwhile, with parameters that it was given once."""
    seen: dict[str, Any] = {}

    def note(_connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
        if text.startswith(("SELECT", "UPDATE", "DELETE")):
            seen[text] = parameters[0] if many else parameters

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


@pytest.fixture
def written(company: Company) -> Iterator[dict[str, Any]]:
    """Those of them that were executed in a write transaction, while others waited for theirs."""
    seen: dict[str, Any] = {}

    def note(connection: Any, _cursor: Any, text: str, parameters: Any, _context: Any, many: bool) -> None:
        is_write = connection.engine is company.runtime.database.engine
        if is_write and text.startswith(("SELECT", "UPDATE", "DELETE")):
            seen[text] = parameters[0] if many else parameters

    event.listen(Engine, "before_cursor_execute", note)
    yield seen
    event.remove(Engine, "before_cursor_execute", note)


def test_no_table_is_read_from_end_to_end_by_a_scan_and_a_loss(company: Company, statements: dict[str, Any]) -> None:
    tags = company.make_tags("护肤", "母婴")
    channel = company.make_channel(tags=tags, welcome={"text": "{customer_name}您好"})
    statements.clear()

    found = company.simulator.scan(channel["config_id"])
    company.settle()
    company.simulator.act("zhang", "delete_customer", external_userid=found["external_userid"])
    company.settle()

    assert _whole_tables_read(company, dict(statements)) == []


def test_no_table_is_read_from_end_to_end_in_a_write_of_a_full_pull(company: Company, written: dict[str, Any]) -> None:
    """Whatever it counts and looks for is found before: with a million customers nobody could write for seconds."""
    company.simulator.act("admin", "group_create", group="兴趣", names=["护肤"])
    deafen(company)
    (shared, _) = befriend(company, "zhang", 2)
    company.simulator.act("wang", "add", external_userid=shared)
    mark(company, "zhang", shared, "护肤")
    go_live(company)
    written.clear()

    run = pull(company, seconds=30)
    with company.runtime.write() as session:
        runs.approve(session, company.runtime.queue, run.id, "admin")
    company.settle_later(30)
    company.simulator.act("wang", "delete_customer", external_userid=shared)
    assert (run.state, view(company, run.id).state, pull(company, seconds=30).state) == ("held", "done", "done")

    assert _whole_tables_read(company, dict(written)) == []


def test_no_table_is_read_from_end_to_end_in_the_write_that_makes_a_group_single_choice(
    company: Company, written: dict[str, Any]
) -> None:
    (key,) = company.make_tags("护肤")
    call(company, "POST", f"/customers/{known_customer(company)}/tags", {"add": [key]})
    company.settle()
    written.clear()

    call(company, "PATCH", f"/tag-groups/{key.rpartition('.')[0]}", {"selection": "single"})

    assert any("FROM tag_event" in text for text in written)
    assert _whole_tables_read(company, dict(written)) == []


def _whole_tables_read(company: Company, statements: dict[str, Any]) -> list[str]:
    with company.runtime.read() as session:
        plans = [
            (row[3], text)
            for text, parameters in statements.items()
            for row in session.connection().exec_driver_sql(f"EXPLAIN QUERY PLAN {text}", parameters)
        ]
    return [f"{step}: {text}" for step, text in plans if (found := SCAN.match(step)) and found[1] not in SMALL]
