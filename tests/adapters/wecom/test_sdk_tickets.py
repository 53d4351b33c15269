"""The JS-SDK's tickets: one of each kind for all processes, renewed before their end, and their circuit."""

from datetime import timedelta

import pytest

from tests.adapters.wecom.support import CONFIG, MakeGateway, calls_of
from wecom_app.adapters.wecom.gateway import Gateway
from wecom_app.clock import ManualClock
from wecom_app.errors import WeComError
from wecom_app.services.ports import TicketKind
from wecom_app.simulator.server import Simulator

APIS = {TicketKind.AGENT: "ticket/get", TicketKind.CORP: "get_jsapi_ticket"}


@pytest.mark.both
@pytest.mark.parametrize("kind", TicketKind)
def test_all_processes_share_a_ticket(
    gateway: Gateway, make_gateway: MakeGateway, simulator: Simulator, kind: TicketKind
) -> None:
    tickets = {gateway.sdk_ticket(kind), gateway.sdk_ticket(kind), make_gateway(simulator.wsgi).sdk_ticket(kind)}
    assert tickets == {simulator.world.tokens.ticket_value(kind, CONFIG.apps[0])}
    assert calls_of(simulator, APIS[kind]) == 1


def test_the_two_kinds_are_two_tickets(gateway: Gateway) -> None:
    assert gateway.sdk_ticket(TicketKind.AGENT) != gateway.sdk_ticket(TicketKind.CORP)


def test_a_ticket_that_has_run_out_is_fetched_again(gateway: Gateway, simulator: Simulator, clock: ManualClock) -> None:
    first = gateway.sdk_ticket(TicketKind.AGENT)
    clock.advance(timedelta(hours=2, seconds=1).total_seconds())
    assert gateway.sdk_ticket(TicketKind.AGENT) != first
    assert calls_of(simulator, "ticket/get") == 2


def test_a_kept_ticket_serves_while_wecom_is_down(gateway: Gateway, simulator: Simulator) -> None:
    kept = gateway.sdk_ticket(TicketKind.AGENT)
    simulator.faults.add("*", "lost_reply")
    assert gateway.sdk_ticket(TicketKind.AGENT) == kept


def test_refusals_do_not_turn_into_a_flood(gateway: Gateway, simulator: Simulator) -> None:
    simulator.faults.add("ticket/get", "errcode", errcode=48002)
    for _ in range(20):
        with pytest.raises(WeComError):
            gateway.sdk_ticket(TicketKind.AGENT)
    assert calls_of(simulator, "ticket/get") == 3
