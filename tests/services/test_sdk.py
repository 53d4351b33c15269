"""Signatures for pages: only for addresses of our own."""

from collections.abc import Iterator

import pytest

from tests.flows.company import Company, open_company
from wecom_app.clock import ManualClock
from wecom_app.config import load_settings
from wecom_app.domain.sdk_signature import sign
from wecom_app.errors import InvalidInput
from wecom_app.services import sdk
from wecom_app.services.ports import TicketKind


@pytest.fixture
def company(database_url: str, clock: ManualClock) -> Iterator[Company]:
    opened = open_company(database_url, clock)
    yield opened
    opened.close()


@pytest.mark.parametrize("kind", TicketKind)
def test_a_page_is_signed_with_the_ticket_of_its_kind(company: Company, kind: TicketKind) -> None:
    url = "http://127.0.0.1:8000/sidebar?a=1&b=%E4%BD%A0"
    found = sdk.sign_page(company.runtime, kind, url)
    ticket = company.simulator.world.tokens.ticket_value(kind, company.simulator.config.apps[0])
    assert ticket is not None
    assert found.signature == sign(ticket, found.nonce, found.timestamp, url)
    assert (found.corp_id, found.agent_id) == (company.simulator.config.corp_id, company.simulator.config.agent_id)


OURS = "https://tags.example.com"


@pytest.mark.parametrize(
    ("base", "url", "ours"),
    [
        (OURS, f"{OURS}/sidebar", True),
        (OURS, f"{OURS}/sidebar?x=1#here", True),
        (OURS, "http://tags.example.com/sidebar", False),
        (OURS, "https://tags.example.com:444/sidebar", False),
        (OURS, "https://tags.example.com.evil.example/", False),
        (OURS, "https://tags.example.com@evil.example/", False),
        (OURS, "https://evil.example/?https://tags.example.com/", False),
        (OURS, "https://user:pass@tags.example.com/", False),
        (OURS, "//tags.example.com/sidebar", False),
        (OURS, "/sidebar", False),
        (OURS, "https://[tags.example.com/", False),
        (OURS, "http://127.0.0.1:8000/sidebar", False),
        (None, "http://127.0.0.1:8000/sidebar", True),
        (None, "http://localhost/sidebar", True),
        (None, "http://127.0.0.1.evil.example/", False),
        (None, "https://tags.example.com/sidebar", False),
        (None, "javascript://localhost/", False),
    ],
)
def test_only_our_own_addresses_are_signed(base: str | None, url: str, ours: bool) -> None:
    settings = load_settings({"PUBLIC_BASE_URL": base} if base else {})
    assert sdk.is_ours(settings, url) is ours


def test_another_s_address_is_refused_before_wecom_is_asked(company: Company) -> None:
    with pytest.raises(InvalidInput):
        sdk.sign_page(company.runtime, TicketKind.AGENT, "https://evil.example/")
    with pytest.raises(InvalidInput):
        sdk.sign_page(company.runtime, TicketKind.AGENT, "http://127.0.0.1:8000/" + "x" * 3000)
    assert not company.simulator.calls.of("ticket/get")
