"""`GET /api/v1/wecom/budget`: what is used and left, what waits, how long that takes, and the token's state."""

from typing import Any

import pytest
from sqlalchemy import select

from tests.flows.company import Company
from tests.web.asking import add_customer, ask, make_key
from wecom_app.errors import WeComError
from wecom_app.models import TagOperation

pytestmark = pytest.mark.both

MARK = "externalcontact/mark_tag"


def budget(company: Company) -> Any:
    return company.get("/wecom/budget")


def of(found: Any, api: str) -> Any:
    return next(item for item in found["apis"] if item["api"] == api)


def operations(company: Company) -> int:
    with company.runtime.read() as session:
        return len(session.scalars(select(TagOperation.id).where(TagOperation.state == "pending")).all())


def scan_until_pushes_wait(company: Company, group: str = "兴趣") -> None:
    """Handle a new customer's callback, and stop before anything of it is pushed."""
    channel = company.make_channel(tags=company.make_tags("护肤", "母婴", group=group))
    company.simulator.scan(channel["config_id"])
    company.simulator.run_until_idle()
    while not operations(company):
        assert company.runtime.queue.step()


def test_used_and_left_calls_add_up_to_the_limit_without_the_reserve(company: Company) -> None:
    add_customer(company, tags=company.make_tags("护肤"))

    mark = of(budget(company), MARK)

    assert mark["blocked_until"] is None
    assert mark["reserved"] == {"minute": 2_000, "hour": 30_000}
    for window, limit in (("minute", 10_000), ("hour", 150_000)):
        shown = mark[window]
        assert shown["limit"] == limit
        assert 1 <= shown["used"] <= 8
        assert shown["left"] == limit - mark["reserved"][window] - shown["used"]


def test_a_refused_api_is_shown_as_blocked_and_delays_what_waits(company: Company) -> None:
    company.simulator.faults.add(MARK, "errcode", errcode=45009)
    add_customer(company, tags=company.make_tags("护肤"))

    found = budget(company)

    assert of(found, MARK)["blocked_until"] == "2026-11-23T02:01:00.000Z"
    # The customer's sync, and a look after the channel that is due in a minute.
    assert found["waiting"] == {"welcome": 0, "event": 0, "push": 2, "bulk": 0, "local": 0}
    assert found["operations"] == 1
    # A minute's block and one call.
    assert found["eta_seconds"] == 61


def test_the_time_of_what_waits_is_unknown_before_the_first_push(company: Company) -> None:
    scan_until_pushes_wait(company)

    found = budget(company)
    assert (found["operations"], found["eta_seconds"]) == (2, None)
    waiting = found["waiting"]["push"]

    company.settle()
    found = budget(company)
    assert (found["operations"], found["eta_seconds"]) == (0, 0)
    assert found["waiting"]["push"] == waiting - 1


def test_a_wrong_secret_opens_the_circuit_and_nothing_has_an_end(company: Company) -> None:
    add_customer(company, tags=company.make_tags("护肤"))
    scan_until_pushes_wait(company, group="喜好")
    assert budget(company)["eta_seconds"] == 1
    company.simulator.faults.put({"token": {"invalidate_now": True}})
    company.simulator.faults.add("gettoken", "errcode", errcode=40001)
    for _ in range(3):
        with pytest.raises(WeComError):
            company.runtime.wecom.list_corp_tags()

    found = budget(company)

    assert found["token"]["circuit_open"] is True
    assert found["token"]["circuit_open_until"] == "2026-11-23T03:00:00.000Z"
    assert found["token"]["refusals"] == 3
    assert found["token"]["last_error"].startswith("40001: Secret 不正确")
    assert found["eta_seconds"] is None


def test_the_token_is_described_and_never_shown(company: Company) -> None:
    company.make_tags("护肤")
    (token,) = company.simulator.world.tokens._issued

    answer = ask(company, "GET", "/wecom/budget")

    assert answer.get_json()["token"] == {
        "fetched_at": "2026-11-23T02:00:00.000Z",
        "expires_at": "2026-11-23T04:00:00.000Z",
        "refusals": 0,
        "circuit_open": False,
        "circuit_open_until": None,
        "last_error": None,
    }
    assert token not in answer.get_data(as_text=True)


def test_the_budget_is_for_keys_that_may_read(company: Company) -> None:
    key = make_key(company, "ingest")

    assert ask(company, "GET", "/wecom/budget", Authorization=f"Bearer {key}").status_code == 403
