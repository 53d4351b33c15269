"""A flood of invalid callbacks: genuine ones of the same address are stored, refusals look alike, nothing piles up."""

from concurrent.futures import ThreadPoolExecutor
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from structlog.testing import capture_logs

from tests.conftest import START
from tests.flows.company import Company
from tests.web.sender import PATH, Sender, as_xml, deliver, event_xml
from wecom_app.clock import ManualClock
from wecom_app.web import flood
from wecom_app.web.flood import BURST, PER_S, WARN_EVERY_S, Flood, Verdict

NOTE, WARN, IGNORE = Verdict.NOTE, Verdict.WARN, Verdict.IGNORE
BAD = {"msg_signature": "0" * 40, "timestamp": "1700000000", "nonce": "1"}


def good(number: int) -> str:
    return event_xml(MsgType="event", Event="brand_new", CreateTime="1700000000", Number=str(number))


def test_among_a_thousand_bad_requests_of_one_address_a_hundred_good_ones_are_stored(
    company: Company, sender: Sender
) -> None:
    def send(number: int) -> tuple[bool, int]:
        client, is_good = company.web.test_client(), number % 11 == 0
        sealed = sender.seal(good(number)) if is_good else "QUJD"
        query: Any = sender.query(sealed) if is_good else BAD
        return is_good, client.post(PATH, query_string=query, data=as_xml(sealed)).status_code

    with ThreadPoolExecutor(8) as pool:
        answers = list(pool.map(send, range(1100)))

    assert {status for is_good, status in answers if is_good} == {200}
    assert {status for is_good, status in answers if not is_good} == {403}
    assert len(company.get("/inbox?limit=200")["items"]) == 100


def test_a_flood_costs_few_log_lines_and_refusals_stay_the_same(company: Company) -> None:
    with capture_logs() as lines:
        answers = [company.client.post(PATH, query_string=BAD, data=b"<xml/>") for _ in range(500)]

    assert len({(answer.status_code, answer.data, str(sorted(answer.headers))) for answer in answers}) == 1
    assert [line["event"] for line in lines].count("callback.refused") == BURST
    assert [line["event"] for line in lines].count("callback.flood") == 1
    assert len(lines) == BURST + 1
    page = company.client.get("/metrics").get_data(as_text=True)
    assert 'wecom_app_callback_requests_total{result="refused"} 500.0' in page


def test_genuine_callbacks_use_up_nothing(company: Company, sender: Sender) -> None:
    for number in range(50):
        assert deliver(company, sender, good(number)).status_code == 200

    with capture_logs() as lines:
        company.client.post(PATH, query_string=BAD, data=b"<xml/>")
    assert [line["event"] for line in lines] == ["callback.refused"]


@pytest.fixture
def buckets(clock: ManualClock) -> Flood:
    return Flood(clock)


def test_a_bucket_fills_again(buckets: Flood, clock: ManualClock) -> None:
    assert [buckets.take("10.0.0.1") for _ in range(int(BURST) + 2)] == [NOTE] * int(BURST) + [WARN, IGNORE]
    assert buckets.take("10.0.0.2") is NOTE
    clock.advance(1 / PER_S)
    assert [buckets.take("10.0.0.1") for _ in range(2)] == [NOTE, IGNORE]
    clock.advance(WARN_EVERY_S)
    assert [buckets.take("10.0.0.1") for _ in range(int(BURST) + 1)][-1] is WARN


def test_addresses_of_one_subscriber_share_a_bucket(buckets: Flood) -> None:
    for number in range(int(BURST)):
        assert buckets.take(f"2001:db8:1:2::{number:x}") is NOTE
    assert buckets.take("2001:db8:1:2::ffff") is WARN
    assert buckets.take("2001:db8:1:3::1") is NOTE


def test_memory_is_bounded_however_many_addresses_there_are(
    buckets: Flood, clock: ManualClock, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(flood, "MOST_ADDRESSES", 100)
    verdicts = [buckets.take(f"10.0.{number // 250}.{number % 250}") for number in range(1000)]
    assert len(buckets) <= 101
    assert verdicts.count(NOTE) == 100 + BURST
    clock.advance(BURST / PER_S)
    assert buckets.take("192.0.2.1") is NOTE
    assert len(buckets) <= 101


@given(st.lists(st.tuples(st.floats(0, 20), st.sampled_from(["a", "10.0.0.1", "::1", None, "::ffff:10.0.0.1"]))))
def test_no_address_is_noted_faster_than_its_bucket_fills(calls: list[tuple[float, str | None]]) -> None:
    clock = ManualClock(START)
    buckets, noted = Flood(clock), 0
    for wait, address in calls:
        clock.advance(wait)
        noted += buckets.take(address) is NOTE
    # "a" and None are nobody's address and share one; the last names the second.
    assert noted <= 3 * (BURST + clock.monotonic() * PER_S)
